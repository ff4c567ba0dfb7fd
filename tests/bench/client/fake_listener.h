/*
 * fake_listener - a thread on a loopback UDP port that answers as fake_server does: 401 first, then success, whoever asks.
 *
 * Threads: its own. The counts may be read once fake_listener_stop has returned.
 */
#ifndef UTURN_TESTS_BENCH_CLIENT_FAKE_LISTENER_H
#define UTURN_TESTS_BENCH_CLIENT_FAKE_LISTENER_H

#include <pthread.h>

#include "base/addr.h"

enum { FAKE_TAKEN_MAX = 512 };

struct fake_listener {
	struct addr addr;
	unsigned drop_every;                        /* loses each request whose number is a multiple of it; 0: none; 1: all */
	unsigned refuse;                            /* answers requests with credentials with this error code; 0: with success */
	unsigned taken;                             /* so many ports that ask first are taken for good: 437 to Allocate */
	unsigned requests, allocated, bound, ended; /* the last three: successes */
	unsigned taken_count;
	uint16_t taken_ports[FAKE_TAKEN_MAX];
	int fd;
	pthread_t thread;
	_Atomic bool stop;
};

/* drop_every, refuse and taken are to be set before. */
void fake_listener_start(struct fake_listener *l);
void fake_listener_stop(struct fake_listener *l);

#endif
