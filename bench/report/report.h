/*
 * report - one or several documents as one self-contained HTML page with plots.
 */
#ifndef UTURN_BENCH_REPORT_REPORT_H
#define UTURN_BENCH_REPORT_REPORT_H

#include <jansson.h>

#include "base/failure.h"

/* Writes the page for `documents` (an array of documents as document_read returns them) to `path`, through a temporary file. */
bool report_write(const json_t *documents, const char *path, struct failure *failure);

#endif
