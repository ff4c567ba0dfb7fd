/*
 * sender - gathers packets that leave one socket together, and sends them with as few system calls as possible. HOT.
 *
 * Bodies are sent from where probe_body has them: only headers are written for a packet. With `gso` packets of one size that follow
 * each other leave as one message with UDP_SEGMENT, the last of which may be shorter. What goes up a connection is copied into its
 * records or its piece of the stream, and ChannelData is padded there where a stream wants it (connection.h).
 *
 * Owns:    its scratch memory. Threads: the worker's.
 */
#ifndef UTURN_BENCH_LOAD_SENDER_H
#define UTURN_BENCH_LOAD_SENDER_H

#include <sys/socket.h>

#include "load/paths.h"
#include "wire/stun_build.h"

enum {
	SENDER_PACKETS_MAX = 64,
	SENDER_HEADER_MAX = 64, /* framing and probe header */
	SENDER_GSO_BYTES_MAX = 65000,
	SENDER_GSO_SEGMENT_MAX = 1452, /* what fits into a frame of 1500 bytes under IPv6 and UDP */
	SENDER_PAYLOAD_MAX = 65400,    /* what fits into a datagram together with the framing */
};
_Static_assert((int)DATA_INDICATION_HEADER_MAX + (int)PROBE_SIZE <= (int)SENDER_HEADER_MAX, "the longest headers fit");

#define SENDER_LATE_NS UINT64_C(1000000)

struct sender_packet {
	struct stream *stream;
	uint64_t due_ns;
	uint32_t sequence;
	uint16_t size;
	uint8_t framing_size;
	bool inside;
};

struct sender_message {
	uint16_t packet_first, packet_count;
	uint32_t segment_size, bytes;
	bool closed;
};

struct sender {
	bool gso;
	const struct window *window;
	struct tally *tallies[DIRECTIONS];
	uint64_t indications;     /* sent so far: the transaction ids */
	_Atomic uint64_t sent;    /* all packets, inside the window and outside */
	_Atomic uint64_t refused; /* ECONNREFUSED from sockets of clients, in sending and receiving */
	_Atomic uint64_t late;    /* packets of the window that left more than SENDER_LATE_NS after their time */
	uint64_t now_ns;          /* CLOCK_MONOTONIC, when it sent last */
	int fd;
	struct connection *connection; /* of a client over TCP, TLS or DTLS; NULL: a socket of UDP */
	enum direction direction;
	unsigned packet_count, message_count, iov_count;
	struct sender_packet packets[SENDER_PACKETS_MAX];
	struct sender_message messages[SENDER_PACKETS_MAX];
	struct mmsghdr headers[SENDER_PACKETS_MAX];
	struct iovec iov[SENDER_PACKETS_MAX * 3];
	uint8_t bytes[SENDER_PACKETS_MAX][SENDER_HEADER_MAX];
	_Alignas(struct cmsghdr) uint8_t control[SENDER_PACKETS_MAX][CMSG_SPACE(sizeof(uint16_t))];
};

/* Zeroed before; the tallies are of both directions. */
void sender_init(struct sender *s, bool gso, const struct window *window, struct tally tallies[static DIRECTIONS]);

/* The packets that follow go out through this socket. There must be none waiting. */
static inline void sender_start(struct sender *s, int fd, enum direction direction)
{
	s->fd = fd;
	s->connection = NULL;
	s->direction = direction;
}

/* The same for a path's client, going up, or for its peer. */
static inline void sender_start_path(struct sender *s, const struct paths *paths, const struct path *path, enum direction direction)
{
	const struct allocation *a = &paths->allocations[path->allocation];
	sender_start(s, direction == UP ? a->fd : path->peer_fd, direction);
	s->connection = direction == UP ? a->connection : NULL;
}

static inline bool sender_full(const struct sender *s)
{
	return s->packet_count == SENDER_PACKETS_MAX;
}

/* The next packet of a path in the sender's direction. due_ns: when it should leave; 0 where there is no such time. */
void sender_add(struct sender *s, struct path *path, size_t size, bool indication, uint64_t due_ns);

/* Sends what waits. What the socket does not take is counted as unsent; its numbers are used up all the same. */
void sender_flush(struct sender *s);

#endif
