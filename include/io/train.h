/*
 * train - a run of packets from one socket to one destination, sent with one sendmsg and UDP_SEGMENT. Shared by both engines.
 *
 * A packet joins the newest train of its (socket, destination, source address) if TOS and DF agree and it is as long as the train's
 * segments; a shorter one joins and closes the train; anything else starts a new one. Trains leave in the order in which they were
 * started, so the order of packets within a flow is kept. A train never waits: it holds what this turn of the loop brought.
 *
 * Owns:    trains, their I/O vectors and a small arena for headers; payloads are borrowed until the flush.
 * Bounds:  TRAIN_SEGMENTS_MAX segments and TRAIN_BYTES_MAX bytes a train, TRAINS_MAX trains between two flushes.
 * Threads: one. Pure memory: unit tests and a fuzzer drive it without a socket.
 */
#ifndef UTURN_IO_TRAIN_H
#define UTURN_IO_TRAIN_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/bytes.h"

enum {
	TRAIN_SEGMENTS_MAX = 64, /* what every kernel since 4.18 takes */
	TRAIN_BYTES_MAX = 65507,
	TRAIN_IOV_MAX = 3 * TRAIN_SEGMENTS_MAX,
	TRAINS_MAX = 512,
};

/* One packet to send, or several alike: header, payload, padding are sent back to back. */
struct departure {
	uint32_t socket; /* the engine's number of the socket */
	struct addr to;
	struct addr from; /* the source address to leave from (port ignored); ADDR_NONE: the kernel chooses */
	uint8_t tos;
	bool dont_fragment;
	uint8_t header_size;
	uint8_t padding;       /* 0..3 zero bytes behind the payload */
	const uint8_t *header; /* copied */
	struct bytes payload;  /* borrowed until the flush */
	uint8_t *headroom_end; /* NULL, or payload.data when the bytes in front of it may be overwritten by the header (at least
	                           header_size of them): saves an I/O vector. Of the first packet only */
	uint16_t repeats;      /* so many more packets, the same in all but their payloads' bytes */
	uint16_t stride;       /* … which lie this far behind one another; payload is the first one's */
};

struct train {
	uint32_t socket;
	uint16_t segment_size; /* of all segments but the last */
	uint16_t segments;
	uint32_t bytes;
	uint16_t iov_count;
	uint8_t tos;
	bool dont_fragment;
	bool closed;
	struct addr to, from;
	struct iovec iov[TRAIN_IOV_MAX];
};

struct trains;

struct trains *trains_create(void); /* NULL: no memory */
void trains_free(struct trains *t);

/*
 * Appends the departure's packets from number `from` on (0: all 1 + repeats). Returns the number of the first that found no room,
 * which is 1 + repeats when all did: flush, then append again from there.
 */
unsigned trains_append(struct trains *t, const struct departure *departure, unsigned from);

unsigned trains_count(const struct trains *t);
struct train *trains_at(struct trains *t, unsigned index); /* in order of departure */

/* All trains were handed to the kernel: forget them. */
void trains_clear(struct trains *t);

/*
 * The message that sends a whole train: with UDP_SEGMENT when it has more than one segment. The kernel reads its parts, so they
 * must live until it has taken them.
 */
struct train_message {
	struct msghdr header;
	struct sockaddr_storage name;
	_Alignas(struct cmsghdr) uint8_t control[128];
};
void train_message(struct train *train, struct train_message *ret_message);

#endif
