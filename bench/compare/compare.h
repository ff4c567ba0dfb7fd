/*
 * compare - the same workloads against several servers in one run, taking turns: A B C A B C …, first round thrown away.
 */
#ifndef UTURN_BENCH_COMPARE_COMPARE_H
#define UTURN_BENCH_COMPARE_COMPARE_H

#include <jansson.h>

#include "compare/server.h"
#include "compare/workload.h"

struct compare_plan {
	const struct workload *workloads;
	size_t workload_count;
	struct server_spec
		*servers; /* the first "coturn" among them (else the first) calibrates loads and is the reference of ratios */
	size_t server_count;
	struct server_place place;
	unsigned rounds; /* that count; one more is thrown away */
	double seconds;  /* of each window where the workload does not say */
	cpu_set_t loader_cores;
	const char *captures_dir;
	bool quiet; /* no lines about servers that are left out */
	uint64_t seed;
};

/*
 * Runs it and appends COMPARISONs (bench/FORMAT.md) to `comparisons`. False with one line: a server could not be started or ended
 * in the middle, a capture cannot be read; `comparisons` then has what was measured until then, nothing where that was nothing, and
 * the line in the last one. An interrupt is no failure. Servers that are not available here are left out, with a line on standard
 * error each, before anything is measured; the comparisons tell why.
 */
bool compare_run(
	const struct compare_plan *plan, json_t *comparisons, load_progress_fn *progress, void *context, struct failure *failure);

/* The table for people: a row per workload and server, and the bars. */
void compare_print(const json_t *comparisons, FILE *out);

/* How many bars of the document were missed. */
unsigned compare_bars_missed(const json_t *comparisons);

#endif
