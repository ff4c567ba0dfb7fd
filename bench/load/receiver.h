/*
 * receiver - reads what arrived at a socket of the load, takes aggregates apart, and hands every payload to its stream. HOT.
 *
 * Owns:    its buffers. Threads: the worker's.
 */
#ifndef UTURN_BENCH_LOAD_RECEIVER_H
#define UTURN_BENCH_LOAD_RECEIVER_H

#include <sys/socket.h>
#include <time.h>

#include "load/paths.h"

enum {
	RECEIVER_MESSAGES = 16,
	RECEIVER_ROUNDS_MAX = 4, /* of so many messages, then the other sockets have their turn */
	/* Not a power of two: buffers that lie one above the other in the caches drive each other out. */
	RECEIVER_BUFFER_SIZE = 65536 + 1344,
};

struct receiver {
	struct path *paths; /* of all units */
	struct tally *tallies[DIRECTIONS];
	_Atomic uint64_t *refused;
	_Atomic(const struct connection *) ended; /* the first one that the server has ended */
	_Atomic uint64_t delivered;               /* all packets, inside the window and outside; each once */
	struct turn_client *answered;             /* the client whose answer to a request was among what was read; NULL: none */
	uint8_t *buffers;
	struct mmsghdr headers[RECEIVER_MESSAGES];
	struct iovec iov[RECEIVER_MESSAGES];
	_Alignas(struct cmsghdr) uint8_t control[RECEIVER_MESSAGES][CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))];
};

/* Zeroed before. False: out of memory. */
bool receiver_init(struct receiver *r, struct path *paths, _Atomic uint64_t *refused, struct tally tallies[static DIRECTIONS]);
void receiver_done(struct receiver *r);

/* Reads a peer's socket. */
void receiver_read_peer(struct receiver *r, struct path *path);

/* Reads a client's socket. Answers to requests are handed to `client`. */
void receiver_read_client(struct receiver *r, const struct allocation *allocation, struct turn_client *client);

#endif
