/*
 * gather - what leaves with one send: scratch memory for the records, datagrams or plain frames of one burst.
 *
 * Threads: one at a time; the connections of a thread share the one of gather_of_thread.
 */
#ifndef UTURN_CLIENT_GATHER_H
#define UTURN_CLIENT_GATHER_H

#include <sys/socket.h>

#include "base/addr.h"
#include "base/bytes.h"

enum { GATHER_BYTES = 160 * 1024, GATHER_RECORDS = 64, GATHER_PLAIN = 66 * 1024 };

struct gather {
	size_t used;
	unsigned records, lost; /* lost: datagrams that no socket took */
	size_t ends[GATHER_RECORDS];
	uint8_t bytes[GATHER_BYTES];
	uint8_t plain[GATHER_PLAIN]; /* a frame that came in parts */
};

struct gather *gather_of_thread(void);

static inline void gather_reset(struct gather *g)
{
	g->used = 0;
	g->records = 0;
}

/* For one more datagram, or piece of a stream. */
bool gather_has_room(const struct gather *g, size_t size);

/* There must be room, as there is for every record after gather_reset. */
void gather_append(struct gather *g, struct bytes piece);
void gather_add_datagram(struct gather *g, struct bytes datagram);
/* What was appended since the last one is a datagram. */
void gather_end_datagram(struct gather *g);

/* The parts of a frame in g->plain. Returns its size. */
size_t gather_join(struct gather *g, const struct iovec *parts, size_t count);

/* Each record is a datagram. Returns how many the socket did not take, the last ones, and *ret_error why. */
unsigned gather_send_datagrams(struct gather *g, int fd, int *ret_error);

/* Where datagrams go from a socket that is not connected. */
struct gather_way {
	struct addr to;
	struct addr from; /* the address to leave from (port ignored); ADDR_NONE: the kernel's choice */
};

/*
 * The same, but runs of one size (the last one of a run may be shorter) leave with one sendmsg each (UDP_SEGMENT), or one by one
 * where the path does not take that. `way` is NULL for a connected socket.
 */
unsigned gather_send_trains(struct gather *g, int fd, const struct gather_way *way, int *ret_error);

/* The size of the datagrams that a received message has (UDP_GRO); the whole size where it is one, or a piece of a stream. */
size_t gather_segment_size(struct msghdr *message, size_t size);

#endif
