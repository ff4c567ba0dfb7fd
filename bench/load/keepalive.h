/*
 * keepalive - refreshes a worker's allocations, permissions and channels while a load runs.
 *
 * Owns:    the times at which its clients want to be asked. Threads: the worker's.
 */
#ifndef UTURN_BENCH_LOAD_KEEPALIVE_H
#define UTURN_BENCH_LOAD_KEEPALIVE_H

#include <stdatomic.h>

#include "clients/setup.h"

struct keepalive {
	struct setup_client *clients;
	struct turn_client *first; /* the first client's; all lie one behind the other */
	uint64_t *wake_ns;         /* of each client */
	uint64_t next_ns;          /* no client wants to be asked before */
	unsigned count;
	_Atomic(const struct turn_client *) failed; /* the first one that the server refused a refresh */
};

/* All clients are ready. False: out of memory. */
bool keepalive_init(struct keepalive *k, struct setup_client *clients, unsigned count);
void keepalive_done(struct keepalive *k);

/* A client has had an answer. */
void keepalive_answered(struct keepalive *k, struct turn_client *client, uint64_t now_ns);

/* Asks those that are due; a few at a time, since packets wait. */
void keepalive_work(struct keepalive *k, uint64_t now_ns);

static inline void keepalive_poll(struct keepalive *k, uint64_t now_ns)
{
	if (now_ns >= k->next_ns)
		keepalive_work(k, now_ns);
}

#endif
