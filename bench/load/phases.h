/*
 * phases - the coordinator: lets the workers run, marks the measured window, samples the server at its ends, and says how it goes.
 *
 * Threads: the caller's.
 */
#ifndef UTURN_BENCH_LOAD_PHASES_H
#define UTURN_BENCH_LOAD_PHASES_H

#include "load/worker.h"

struct load {
	const struct load_plan *plan;
	const struct load_target *target;
	load_progress_fn *progress;
	void *progress_context;
	struct paths paths;
	struct load_control control;
	struct worker **workers;
	unsigned worker_count;
	struct failure *failure;
	/* As of the last look at how it goes. */
	uint64_t looked_ns, looked_delivered;
	/* While packets leave and none arrives. */
	uint64_t silent_since_ns, silent_sent, silent_delivered;
	struct histogram *latency; /* scratch */
};

/*
 * From the workers' start to the end of the last phase; the workers are ready, and have all ended on return. Writes the window's
 * length, the server's samples and system calls, and the interruption into the result.
 */
bool phases_run(struct load *load, struct load_result *result);

/* True when the process exists and has not ended (a process whose parent has not asked for its end has). */
bool process_is_alive(pid_t pid);

#endif
