/*
 * allocate - how fast a server makes allocations, and what memory each takes.
 *
 * Holds `held` allocations with one channel (which is a permission too) each; measures the rate over complete Allocate
 * transactions (401 and success: what a client needs) with `parallel` clients at work, the server's run time per allocation, and
 * resident memory before, with all held, and after they ended.
 *
 * Every allocation has a socket of its own (a client is a 5-tuple); all channels lead to one peer. Sockets are opened before, and
 * closed after, what is measured; with TCP, TLS and DTLS connections are up before, so an allocation's memory is what comes to
 * them. Memory is read 0.1 s after the last channel was bound, and 0.5 s after the allocations ended.
 *
 * Threads: one, the caller's; pinned to `cores` while it runs. An interrupt (interrupt_request) ends it with "interrupted".
 */
#ifndef UTURN_BENCH_TRIALS_ALLOCATE_H
#define UTURN_BENCH_TRIALS_ALLOCATE_H

#include "load/load.h"

enum { ALLOCATE_PARALLEL_DEFAULT = 64, ALLOCATE_HELD_MAX = 32000 /* sockets of one address, with a port each */ };

struct allocate_plan {
	unsigned held, parallel; /* parallel 0: ALLOCATE_PARALLEL_DEFAULT */
	bool channels;           /* one permission and one channel for each; otherwise the allocation only */
	cpu_set_t cores;
	uint64_t seed; /* goes into the document; transaction ids and ports are drawn from the kernel's generator */
};

struct allocate_result {
	unsigned held;
	double seconds, allocations_per_s; /* Allocate alone, without the channels */
	bool loader_bound;                 /* loader_busy > 0.95 while server_busy < 0.95, or unknown */
	double loader_busy;                /* the thread's share of the Allocate phase not spent waiting for answers, 0 … 1 */
	bool server_known;                 /* a pid was given: the rest is valid */
	double run_ns_per_allocation;      /* server's threads, over the Allocate phase */
	double server_busy; /* its run time over that phase, as a share of its cores' (of one, where they are not known) */
	uint64_t rss_idle_bytes, rss_held_bytes, rss_after_bytes;
	double rss_bytes_per_allocation;
};

bool allocate_run(const struct allocate_plan *plan, const struct load_target *target, struct allocate_result *ret_result,
	struct failure *failure);

#endif
