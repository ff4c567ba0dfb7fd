/*
 * engine_private - what the two engines share: the table of sockets, the batch of received packets, the accounts of what was sent.
 *
 * engine.c holds the public functions and calls an engine through struct engine_ops; an engine calls back into engine_socket.c,
 * engine_receive.c and engine_send.c.
 *
 * The life of a socket: engine_add takes a slot; engine_remove marks it SOCKET_CLOSING and stops the receive; once that has ended,
 * it waits on `closing` until all that leaves from it has left: the next turn then closes the descriptor and gives the slot back.
 * With io_uring the receive has ended when its last completion was seen, so nothing of the old socket can be taken for the next
 * one's.
 */
#ifndef UTURN_IO_ENGINE_PRIVATE_H
#define UTURN_IO_ENGINE_PRIVATE_H

#include "base/pool.h"
#include "gather.h"
#include "io/engine.h"
#include "receive_buffers.h"
#include "routes.h"

enum {
	SOCKET_TURN_BUDGET = 64, /* packets of one socket in one turn before others have their turn */
	ACCEPT_TURN_BUDGET = 32, /* connections in one turn: each costs its owner several system calls */
	SOCKETS_DEFAULT = 1024,
};

#define SOCKET_NONE UINT32_MAX
#define BUFFER_NONE UINT16_MAX

enum socket_state { SOCKET_FREE, SOCKET_OPEN, SOCKET_CLOSING };

struct engine_socket {
	uint64_t tag;
	int fd; /* -1: it was given back to its owner */
	uint8_t state;
	uint8_t kind;
	uint8_t family;
	bool dont_fragment;   /* as the kernel's option stands now */
	bool awaits_writable; /* a report is asked for */
	bool ended;           /* a stream's: RECEIVED_END was reported */
	uint32_t drops;       /* SO_RXQ_OVFL as last seen */
	uint32_t next;        /* in the one queue that holds it */

	/* io_uring */
	bool armed;
	bool queued;     /* to be armed */
	bool poll_first; /* nothing can have arrived yet */
	uint16_t turn_packets;
	uint32_t turn; /* turn_packets counts in this one */
	uint32_t failures;
	uint64_t failures_since_ns;
};

/* Sockets in a row, by their numbers. */
struct socket_queue {
	uint32_t first, last;
};

struct engine_ops {
	enum engine_kind kind;
	void (*close)(struct engine *engine);
	int (*add)(struct engine *engine, uint32_t socket);
	/* Receives nothing more from a socket that is SOCKET_CLOSING; pushes it to `closing` once its receive has ended. */
	void (*stop)(struct engine *engine, uint32_t socket);
	/* See engine_await_writable. */
	void (*await_writable)(struct engine *engine, uint32_t socket);
	/* The slot is about to be reused. */
	void (*release)(struct engine *engine, uint32_t socket);
	/* Hands all trains to the kernel and forgets them. False: the kernel took none or not all of them now. */
	bool (*flush)(struct engine *engine);
	/* One turn; fills the batch and says how much of it is new. */
	unsigned (*turn)(struct engine *engine, uint64_t wait_ns);
};

struct engine {
	const struct engine_ops *ops;
	struct pool sockets;
	struct socket_queue closing;
	struct trains *trains;
	struct train_message *messages; /* TRAINS_MAX */
	struct routes routes;
	struct receive_buffers buffers;

	uint64_t now_ns;   /* as of the last turn */
	uint64_t large_ns; /* when more than a plain packet was last received */
	uint32_t turn;
	struct gather gather;
	unsigned batch_count;
	uint64_t batch_bytes; /* of payload */
	struct received batch[RECEIVE_BATCH_MAX];
	uint16_t batch_buffers[RECEIVE_BATCH_MAX]; /* BUFFER_NONE: an event that needs none */

	/* Since the last flush, not yet in the counters: a failed train is taken out again. */
	uint64_t pending_packets, pending_bytes, pending_trains, pending_segments;
	struct engine_counters counters;

	int wake_fd;
};

/* The two constructors; engine.c has zeroed *engine's shared part. 0, or a negative errno and a reason. */
int uring_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE]);
int epoll_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE]);

/* engine_socket.c */
int engine_init(struct engine *engine, const struct engine_ops *ops, const struct engine_params *params);
void engine_done(struct engine *engine);            /* closes the descriptors too; harmless on a half-initialised engine */
void engine_release_closing(struct engine *engine); /* after a flush */
void engine_set_dont_fragment(struct engine_socket *s, bool dont_fragment);

static inline struct engine_socket *engine_socket(const struct engine *engine, uint32_t socket)
{
	return pool_at(&engine->sockets, socket);
}

#define SOCKET_QUEUE_EMPTY ((struct socket_queue){SOCKET_NONE, SOCKET_NONE})
static inline bool socket_queue_is_empty(const struct socket_queue *queue)
{
	return queue->first == SOCKET_NONE;
}
void socket_queue_push(struct engine *engine, struct socket_queue *queue, uint32_t socket);
void socket_queue_push_front(struct engine *engine, struct socket_queue *queue, uint32_t socket);
uint32_t socket_queue_pop(struct engine *engine, struct socket_queue *queue);               /* must not be empty */
void socket_queue_drop(struct engine *engine, struct socket_queue *queue, uint32_t socket); /* harmless when it is not in it */

/* engine_receive.c */

/* A message of `payload_size` bytes lies in `buffer`. Adds it to the batch; false if it is unusable: the buffer is free again. */
bool engine_deliver(struct engine *engine, uint32_t socket, uint16_t buffer, size_t control_size, size_t payload_size, int flags);
/* A piece of a stream lies in `buffer`; BUFFER_PAYLOAD bytes in front of it are ours. */
void engine_deliver_stream(struct engine *engine, uint32_t socket, uint16_t buffer, size_t size);
/* RECEIVED_END, RECEIVED_CONNECTION, RECEIVED_WRITABLE. There must be room in the batch. */
void engine_deliver_event(struct engine *engine, uint32_t socket, enum received_kind kind, int value);
/* The batch was used up. Its buffers are free. */
void engine_recycle(struct engine *engine);
/* Whether memory that large aggregates have touched should go back now: none came for a while. */
bool engine_trim_due(const struct engine *engine);
/* Gives some of it back. No buffer may hold a datagram that is still wanted. */
void engine_trim(struct engine *engine);
/* How long a turn may wait, so that what is due later comes about without traffic. */
uint64_t engine_wait_ns(const struct engine *engine, uint64_t wait_ns);

/* engine_send.c */

/* Counts a train as sent, subject to engine_send_failed. */
void engine_send_begun(struct engine *engine, const struct train *train);
/* The kernel refused it. A train that failed as such is sent again as single packets, at once. */
void engine_send_failed(struct engine *engine, struct train *train, int error);
/* All trains were handed over and all failures seen: forgets them and settles the accounts. */
void engine_flushed(struct engine *engine);

#endif
