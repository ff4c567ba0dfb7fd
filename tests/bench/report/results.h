/*
 * results - plans and results with known figures, for the tests of documents.
 */
#ifndef UTURN_TESTS_BENCH_RESULTS_H
#define UTURN_TESTS_BENCH_RESULTS_H

#include "report/document.h"

/* A flood up: 1000 packets of 1200 bytes sent in 2 s, 990 delivered with latencies of 1 … 990 us; the server's process is known. */
struct load_plan plan_flood(void);
struct load_target target_local(void);
struct load_result *result_flood(void); /* free() */

/* A replay in both directions, 10 calls of 3 packets. */
struct load_plan plan_replay(void);

/* document_load of the flood. */
json_t *flood_json(void);

/* Fails the test unless the value can be written as JSON and contains no number that is not finite. */
void expect_valid(const json_t *value);

/* What document_print writes; free(). */
char *printed(const json_t *result);

/* Paths in a folder of the test's own, which folder_remove empties and removes. */
void folder_create(char folder[static 64]);
void folder_remove(const char *folder);
unsigned folder_count(const char *folder);

#endif
