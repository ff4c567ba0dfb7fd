/*
 * fake_listener - a thread on a loopback port that answers as fake_server does: 401 first, then success, whoever asks. Over UDP, or
 * over TCP, TLS or DTLS (fake_streams), where it also sends ChannelData back.
 *
 * Threads: its own. The counts may be read once fake_listener_stop has returned.
 */
#ifndef UTURN_TESTS_BENCH_CLIENT_FAKE_LISTENER_H
#define UTURN_TESTS_BENCH_CLIENT_FAKE_LISTENER_H

#include <pthread.h>

#include "base/addr.h"
#include "client/transport.h"
#include "fake_server.h"

enum { FAKE_TAKEN_MAX = 512 };

struct fake_listener {
	struct addr addr;
	unsigned drop_every;                        /* loses each request whose number is a multiple of it; 0: none; 1: all */
	unsigned refuse;                            /* answers requests with credentials with this error code; 0: with success */
	enum transport_kind transport;              /* UDP unless set */
	bool dribble;                               /* sends byte by byte, over TLS each in a record of its own */
	bool garbage;                               /* answers with what is no TURN, over TCP and TLS */
	bool mute;                                  /* shakes hands, and answers nothing */
	unsigned close_after;                       /* ends a connection with its so manieth frame; 0: never */
	unsigned taken;                             /* so many ports that ask first are taken for good: 437 to Allocate */
	unsigned requests, allocated, bound, ended; /* the last three: successes */
	/* Over TCP, TLS and DTLS: what came. */
	unsigned connections, handshakes, resumed, records, frames;
	unsigned taken_count;
	uint16_t taken_ports[FAKE_TAKEN_MAX];
	int fd;
	pthread_t thread;
	_Atomic bool stop;
};

/* What it does to clients is to be set before. */
void fake_listener_start(struct fake_listener *l);
void fake_listener_stop(struct fake_listener *l);

/* What it says to a request that came from this port. */
struct fake_message fake_listener_answer(struct fake_listener *l, const struct fake_message *request, uint16_t port);

#endif
