/*
 * establish - many connections at once: brings them up, and has each answer a Binding request, so that its handshake is over on
 * the server's side, too.
 *
 * Patience: it ends when nothing has come of any connection for ESTABLISH_SILENCE_MS; an interrupt (interrupt.h) ends it within 20
 * ms.
 *
 * Threads: the caller's.
 */
#ifndef UTURN_BENCH_CLIENTS_ESTABLISH_H
#define UTURN_BENCH_CLIENTS_ESTABLISH_H

#include <stdatomic.h>

#include "client/connection.h"

enum { ESTABLISH_SILENCE_MS = 4000 };

struct establish_plan {
	unsigned count;          /* connections in all */
	unsigned parallel;       /* at work at the same time; 0: as 1 */
	double rate_per_s;       /* so many are begun in a second, at most; 0: no bound */
	uint64_t end_ns;         /* CLOCK_MONOTONIC: none is begun any more, and those at work are given up; 0: never */
	const atomic_bool *stop; /* the same, when it becomes true; NULL: never */
	bool binding;            /* each is asked, and has answered, before it counts */
	bool passing;            /* each is closed once it counts, and one that fails does not end it */
};

struct establish_figures {
	unsigned done, failed, resumed;
	double seconds, busy;        /* from the first to the last; the share of it that this thread did not wait */
	char why[96];                /* of the first that failed */
	char version[8], cipher[48]; /* TLS, DTLS: what the first one agreed upon */
};

/*
 * connections: plan->count of them, or with `passing` as many as are at work at the same time; initialised. False with one line: a
 * connection failed or the server is silent, unless `passing`; an interrupt.
 */
bool establish(struct connection *connections, const struct establish_plan *plan, struct establish_figures *ret_figures,
	struct failure *failure);

#endif
