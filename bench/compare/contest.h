/*
 * contest - one workload and the servers that run it in turns: the parts of compare_run.
 *
 * Every run has a server process of its own. Threads: the coordinator's.
 */
#ifndef UTURN_BENCH_COMPARE_CONTEST_H
#define UTURN_BENCH_COMPARE_CONTEST_H

#include "compare/compare.h"
#include "compare/figures.h"

struct contender {
	const struct server_spec *spec;
	bool takes_part;    /* it can be started here and serves the transport, and the workload does not leave it out */
	struct failure why; /* why it cannot, or its runs could not go on; "" otherwise */
	char version[sizeof((struct server *)0)->version];
	struct series series;
	json_t *results; /* an array of RESULTs, one a round */
};

struct calibration {
	bool made;
	unsigned calls;    /* 0: it is a rate */
	double rate_per_s; /* 0: it is a number of calls */
	double busy;       /* cores that the calibrating server's threads kept busy */
	bool loader_bound;
};

struct contest {
	const struct compare_plan *plan;
	const struct workload *workload;
	const struct script *script;  /* WORKLOAD_REPLAY; not owned */
	struct contender *contenders; /* plan->server_count, owned, in the plan's order */
	size_t reference;             /* index */
	struct calibration calibration;
	struct load_result *scratch; /* owned: too large for a stack */
	load_progress_fn *progress;
	void *progress_context;
	const char *failure;      /* the line of the run that failed; NULL: none did */
	char progress_phase[160]; /* "up-8x1200, round 2 of 6, coturn" */
};

/* Rounds that count, and seconds of the measured window. */
unsigned contest_rounds(const struct contest *c);
double contest_seconds(const struct contest *c);

/* What the workload is for the loader, with calibrated calls or rate. */
struct load_plan contest_load_plan(const struct contest *c);

/* Starts the contender's server, runs `plan` into c->scratch, stops the server. */
bool contest_load(struct contest *c, const struct contender *contender, const struct load_plan *plan, struct failure *failure);

/*
 * One run of the workload, `counts` false for the one that is thrown away. Its figures join the contender's series and its RESULT
 * the results, unless it was interrupted.
 */
bool contest_run_once(struct contest *c, struct contender *contender, bool counts, bool system_calls, struct failure *failure);

/* Finds calls or rate with the reference's server, where the workload asks for it. True also when it was interrupted. */
bool contest_calibrate(struct contest *c, struct failure *failure);

/* The next number of calls to try, when `calls` kept the server busy for `busy` and `wanted` is wanted: 1 … calls_max. */
unsigned calibration_next(unsigned calls, double busy, double wanted, unsigned calls_max);

/* Whether a run that counts was completed. */
bool contest_measured(const struct contest *c);

/* The COMPARISON (bench/FORMAT.md) of what was measured; NULL when nothing was and nothing failed. */
json_t *contest_document(const struct contest *c);

#endif
