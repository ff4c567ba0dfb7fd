/*
 * engine - moves datagrams and streams between many sockets and one thread: io_uring or epoll behind one interface.
 *
 * One turn of the loop is one call of engine_turn: it sends what was appended since the last one, gives back the buffers of the
 * last batch, waits, and returns a new batch. With io_uring that is one system call.
 *
 *	while (running) {
 *		count = engine_turn(engine, wait_ns, &batch);
 *		for each of the batch: … engine_send(engine, &departure) …
 *	}
 *
 * Buffers: a received packet lies in the engine's memory until the next engine_turn; departures may point into it.
 * Fairness: a bounded number of packets per socket and turn, so that no socket starves another.
 * Order:    packets from one socket to one destination leave in the order of engine_send.
 * Streams:  what arrives comes in pieces of the batch like datagrams; what leaves is sent at once by engine_stream_send, which says
 *           how much the kernel took. Queues are the caller's.
 * Limits:   an address has no interface, so link-local IPv6 clients and peers (fe80::/10) are received from, but not reached.
 * Threads:  all calls from the thread that opened the engine, except engine_wake.
 */
#ifndef UTURN_IO_ENGINE_H
#define UTURN_IO_ENGINE_H

#include <sys/types.h>

#include "base/counter.h"
#include "io/train.h"

enum engine_kind { ENGINE_AUTO, ENGINE_IO_URING, ENGINE_EPOLL };

enum socket_kind {
	SOCKET_LISTENER, /* UDP, of clients */
	SOCKET_RELAY,    /* UDP, of peers */
	SOCKET_ACCEPTOR, /* TCP, listening */
	SOCKET_STREAM,   /* a TCP connection */
	SOCKET_KINDS
};

enum { ENGINE_REASON_SIZE = 160, RECEIVE_BATCH_MAX = 512 };

enum received_kind {
	RECEIVED_DATAGRAM, /* one, or several of one sender that the kernel has glued together (UDP_GRO): all segment_size long, the
	                        last may be shorter */
	RECEIVED_STREAM,   /* a piece of a stream: `data`, which may be written to */
	RECEIVED_END,      /* the stream has ended (`value` 0) or failed (`value`: errno); nothing more comes from this socket */
	RECEIVED_CONNECTION, /* `value` is the descriptor of an accepted connection: non-blocking, the caller's from now on */
	RECEIVED_WRITABLE,   /* as asked for by engine_await_writable */
};

/* So many bytes in front of what was received may be overwritten. */
enum { RECEIVED_HEADROOM = 64 };

struct received {
	struct bytes data;
	struct addr from;
	struct addr to; /* listeners: the address it was sent to, port 0; relay sockets: ADDR_NONE */
	uint64_t tag;   /* as given with the socket */
	uint32_t socket;
	uint16_t segment_size; /* == data.size when there is one segment (0 for an empty datagram) */
	uint8_t tos;
	uint8_t kind; /* enum received_kind; the address fields are a datagram's */
	int32_t value;
};

struct engine;

struct engine_params {
	enum engine_kind kind;
	uint32_t sockets_max;
	uint32_t receive_buffers; /* of 64 KiB of address space each; a power of two; 0: the default. Memory is used once touched */
};

/* ENGINE_AUTO tries io_uring by doing (a datagram through a ring on loopback) and falls back to epoll. *ret_reason (one line) says
 * why the engine is what it is, or why there is none. 0, or a negative errno. */
int engine_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE])
	__attribute__((warn_unused_result));
void engine_close(struct engine *engine); /* NULL is fine. Closes all sockets. */
enum engine_kind engine_kind(const struct engine *engine);
const char *engine_name(enum engine_kind kind); /* "io_uring", "epoll", "auto" */

/* Starts to receive on a bound UDP socket, to accept on a listening one, or to receive from a connection; the socket belongs to
 * the engine from now on (also on failure). The number is the engine's; it is reused after engine_remove, and no packet of the old
 * socket is ever reported under it. -ENOSPC: sockets_max. */
int engine_add(struct engine *engine, int fd, enum socket_kind kind, uint64_t tag, uint32_t *ret_socket)
	__attribute__((warn_unused_result));
/* What arrives at the socket from the next turn on bears this tag. */
void engine_retag(struct engine *engine, uint32_t socket, uint64_t tag);
/* Stops and closes. What was appended to leave from it still leaves. */
void engine_remove(struct engine *engine, uint32_t socket);
/* Stops, and gives the descriptor back: it is the caller's. */
int engine_take(struct engine *engine, uint32_t socket);

/* Appends to a train; flushes first when there is no room. Never blocks, never queues beyond this turn: what a socket does not take
 * is a counted drop. */
void engine_send(struct engine *engine, const struct departure *departure);

/* Sends a piece of a stream, at once. Returns how many of the bytes the kernel took (0: its buffer is full), or a negative errno:
 * the connection is of no use any more. */
ssize_t engine_stream_send(struct engine *engine, uint32_t socket, struct bytes data);

/* Reports RECEIVED_WRITABLE once, as soon as the kernel takes more from this connection (or it has failed). */
void engine_await_writable(struct engine *engine, uint32_t socket);

/* Hands everything appended so far to the kernel: memory that departures point to may be reused. The received batch stays valid. */
void engine_flush(struct engine *engine);

/* Waits at most wait_ns (UINT64_MAX: until something happens), or less, when the engine itself has something to do. Returns how
 * many packets *ret_batch holds: 0 after a time-out or a wake. */
unsigned engine_turn(struct engine *engine, uint64_t wait_ns, const struct received **ret_batch);

/* Ends a wait of engine_turn, now or the next one. Any thread, and signal handlers. */
void engine_wake(struct engine *engine);

/* clang-format off */
struct engine_counters {
	counter received_packets[SOCKET_KINDS];    /* every segment counts */
	counter received_aggregates[SOCKET_KINDS]; /* of more than one segment */
	counter sent_packets, sent_bytes, sent_trains, train_segments; /* trains: more than one segment */
	counter send_again;             /* packets dropped: socket or device full (EAGAIN, ENOBUFS) */
	counter send_unreachable;       /* packets dropped: no route, refused by a firewall */
	counter send_other;             /* packets dropped: any other error */
	counter trains_split;           /* trains that left as single packets: EMSGSIZE, EINVAL, EIO */
	counter stream_sends, stream_sent_bytes;
	counter receive_truncated;
	counter receive_errors;         /* errors on a socket, ICMP's among them */
	counter kernel_drops[SOCKET_KINDS]; /* SO_RXQ_OVFL: the socket's receive buffer was full */
	counter buffer_shortage;        /* times a receive ended for want of a buffer */
	counter rearms;                 /* multishot receives started again */
	counter rearms_delayed;         /* … later, because a socket failed too often */
	counter turns;                  /* of the loop */
	counter system_calls;           /* on the packet path */
};
/* clang-format on */
const struct engine_counters *engine_counters(const struct engine *engine);

#endif
