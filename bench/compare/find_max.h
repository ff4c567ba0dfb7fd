/*
 * find_max - the largest number of calls that a server carries at no more than a bound of loss and of p99 latency: doubling, then
 * bisection to 5 %.
 */
#ifndef UTURN_BENCH_COMPARE_FIND_MAX_H
#define UTURN_BENCH_COMPARE_FIND_MAX_H

#include <jansson.h>

#include "load/load.h"

struct find_max_plan {
	struct load_plan
		load; /* LOAD_SCRIPT: `calls` is what is searched. LOAD_FLOOD: rate_per_s is, in steps of 1000 packets per second */
	double loss_max; /* 0.001 */
	uint64_t latency_p99_max_ns;
	unsigned first, limit; /* where to begin (10) and where to stop (100000) */
};

/*
 * A RESULT of kind "find-max" with every step in it. When a step is loader-bound, or this machine has no sockets for it, the search
 * stops there and says so: the answer is then "at least". A server that refuses further allocations after it has carried a smaller
 * load has failed that step; the step then says why.
 */
bool find_max_run(const struct find_max_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	json_t **ret_result, struct failure *failure);

#endif
