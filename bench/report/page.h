/*
 * page - the report's page as it was embedded at build time (embed.py): what stands before the documents, and what stands after
 * them.
 */
#ifndef UTURN_BENCH_REPORT_PAGE_H
#define UTURN_BENCH_REPORT_PAGE_H

#include <stddef.h>

extern const unsigned char report_page_head[], report_page_tail[];
extern const size_t report_page_head_bytes, report_page_tail_bytes;

#endif
