/*
 * setup - makes many allocations at once: drives turn_clients over their sockets until all are ready or one has failed.
 *
 * Patience: a request is sent again after 0.5, 1.5, 3.5 s (turn_client.h), but the set-up ends when no client has had an answer
 * for SETUP_SILENCE_MS; a refused connection (ICMP port unreachable) ends it at once, an interrupt (interrupt.h) within 20 ms. A
 * client whose port the server still knows (437 to Allocate: coturn takes a second or two to forget an allocation that ended) gets
 * another port and begins anew, SETUP_RENEWALS_MAX times at most.
 *
 * Threads: the caller's.
 */
#ifndef UTURN_BENCH_CLIENTS_SETUP_H
#define UTURN_BENCH_CLIENTS_SETUP_H

#include "client/connection.h"
#include "client/turn_client.h"

enum { SETUP_SILENCE_MS = 4000, SETUP_RENEWALS_MAX = 20 };

struct setup_client {
	int fd; /* connected to the server, non-blocking; UDP's stays the same number when the socket behind it is a new one */
	struct turn_client *client;
	struct connection *connection; /* over TCP, TLS or DTLS: `fd` is its socket; it is open. NULL: UDP */
	unsigned renewals;             /* how often it was */
};

struct setup_figures {
	double seconds; /* from the first request to the last answer */
	double busy;    /* share of it that the thread did not wait for answers, 0 … 1 */
};

/* Sends a message of the client's, over whatever it has. False: the socket does not take it now, or errno says what is wrong. */
bool setup_send(struct setup_client *client, const uint8_t *message, size_t size);

/*
 * Brings all clients to TURN_CLIENT_READY, at most `parallel` (0: as 1) of them at work at a time; those that are ready already
 * are left alone. False: the first failure of a client ("the server at … does not answer", "… refuses …"), or an interrupt
 * ("interrupted"). ret_seconds may be NULL: the time that it took. Sets the clients' `server`. What else arrives at the sockets
 * meanwhile is thrown away.
 */
bool setup_clients(struct setup_client *clients, unsigned count, unsigned parallel, double *ret_seconds, struct failure *failure);

/* The same, and how busy this thread was. */
bool setup_clients_timed(struct setup_client *clients, unsigned count, unsigned parallel, struct setup_figures *ret_figures,
	struct failure *failure);

/*
 * Ends all allocations that were made, without awaiting all answers: after every few requests it waits for one, so that the
 * server's receive buffer holds them, for 20 ms in all where none comes (over UDP; with a connection an allocation ends anyway).
 * Safe on clients in any state.
 */
void setup_farewell(struct setup_client *clients, unsigned count);

#endif
