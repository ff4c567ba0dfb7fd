/*
 * worker - one thread of the loader: its units' sockets, when their packets go out, and what it counted. HOT.
 *
 * A worker waits for arrivals and for the time of its next packet in one place, and nothing that it does for a packet allocates,
 * locks or writes what another thread writes.
 *
 * Threads: its own from worker_start to worker_join; the coordinator reads the atomic counters meanwhile.
 */
#ifndef UTURN_BENCH_LOAD_WORKER_H
#define UTURN_BENCH_LOAD_WORKER_H

#include <pthread.h>

#include "load/keepalive.h"
#include "load/player.h"
#include "load/receiver.h"
#include "load/schedule.h"
#include "load/sender.h"

/* What the coordinator tells all workers. */
struct load_control {
	struct window window;
	uint64_t start_ns; /* when sending begins, CLOCK_MONOTONIC; constant */
	atomic_bool quiet; /* nothing is sent any more */
	atomic_bool stop;
};

struct worker {
	const struct load_plan *plan;
	const struct load_control *control;
	struct paths *paths;
	unsigned unit_first, unit_count;
	unsigned number, workers; /* of all */
	int core;                 /* -1: not pinned */
	struct sender sender;
	struct receiver receiver;
	struct keepalive keepalive;
	struct schedule schedule; /* paced: players by their next packet */
	struct player *players;
	struct stream *ready_first, *ready_last; /* closed loop: streams with room for a burst, in turns */
	struct stream *oldest, *newest;          /* closed loop: all streams that send, by when they did last */
	int epoll;
	uint64_t now_ns;            /* CLOCK_MONOTONIC, after the last wait */
	_Atomic uint64_t waited_ns; /* of the window */
	_Atomic uint64_t skipped;   /* packets of the window whose time had passed too long ago */
	struct tally tallies[DIRECTIONS];
	pthread_t thread;
	bool started;
};

/* Whether the plan sends as answers come, rather than by the clock. */
static inline bool plan_is_closed_loop(const struct load_plan *plan)
{
	return plan->kind == LOAD_FLOOD && plan->flood.rate_per_s <= 0;
}

/* `worker` is zeroed but for the fields before `sender`. False with one line; worker_done is to be called in any case. */
bool worker_init(struct worker *w, struct failure *failure);
bool worker_start(struct worker *w, struct failure *failure);
void worker_join(struct worker *w);
void worker_done(struct worker *w);

#endif
