/*
 * document_parts - the pieces that RESULTs are made of. Private to document*.c.
 *
 * Everything returned is one reference for the caller; NULL without memory, which json_pack's "o" passes on.
 */
#ifndef UTURN_BENCH_REPORT_DOCUMENT_PARTS_H
#define UTURN_BENCH_REPORT_DOCUMENT_PARTS_H

#include <jansson.h>
#include <sched.h>

#include "client/transport.h"
#include "measure/tally.h"

#define DOCUMENT_FORMAT "uturn-bench/1"

/* null for what is no number: JSON has neither NaN nor infinity. */
json_t *part_number(double value);

/* amount / base; null where there is no base. */
json_t *part_ratio(double amount, double base);

/* null for NULL; bytes that are not UTF-8 (a command line may have some) become '?'. */
json_t *part_text(const char *text);

/* null for 0. */
json_t *part_bytes_known(uint64_t bytes);

/* The numbers of the cores in it, ascending. */
json_t *part_cores(const cpu_set_t *cores);

/* DISTRIBUTION, in microseconds; of an empty histogram nothing but the count is known. */
json_t *part_distribution(const struct histogram *h);

/* Adds to a "workload" how clients reach the server; nothing where that is UDP, or not known (NULL). Returns the object. */
json_t *part_transport(json_t *workload, const struct transport *transport);

/* {version, cipher} that were agreed upon; null where there is no TLS. */
json_t *part_tls(const char *version, const char *cipher);

/* The counts of a tally, and what came of it in `seconds`. */
json_t *part_packets(const struct tally *t);

#endif
