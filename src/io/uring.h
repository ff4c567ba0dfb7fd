/*
 * uring - the io_uring engine, in five parts: ring.c makes and breaks the ring, uring_receive.c arms receives and reads
 * completions, uring_stream.c is what connections need besides, uring_send.c turns trains into submissions, engine_uring.c is the
 * turn that ties them together.
 *
 * Receives: one multishot recvmsg a socket, which takes a buffer of the one provided group for each message. It ends on any error,
 * on a want of buffers and on an empty datagram, and is then armed again by the next turn. Connections are received from in the
 * same way; listening sockets have a multishot accept instead.
 * Sends:    with MSG_DONTWAIT, so they are done, one way or the other, when the submission returns, and the memory they were made
 * from is free. A completion is posted for a failed one only.
 * Descriptors: sends name a socket by its slot in the ring's own table (direct descriptors). A receive is armed once and lives
 * long; before Linux 6.13 a long-lived request on a table entry keeps all entries that are removed later from being closed, so it
 * names the descriptor.
 */
#ifndef UTURN_IO_URING_H
#define UTURN_IO_URING_H

#include <liburing.h>

#include "engine_private.h"

enum { SUBMISSIONS = 1024, BUFFER_GROUP = 0 };

enum completion_kind {
	COMPLETION_NONE,
	COMPLETION_RECEIVE, /* accepted connections too */
	COMPLETION_SEND,
	COMPLETION_CANCEL,
	COMPLETION_WAKE,
	COMPLETION_WRITABLE
};

struct uring {
	struct engine engine; /* first: a pointer to one is a pointer to the other */
	struct io_uring ring;
	unsigned setup_flags;
	bool ring_ready;
	int restrict_error; /* 0: the ring does nothing but what the engine needs; else a negative errno, and it may do anything */

	struct io_uring_buf_ring *buffer_ring;
	unsigned buffer_ring_size; /* entries: a power of two */
	uint32_t lent;             /* buffers in the kernel's hands, or in completions not yet read */
	uint32_t target;      /* how many to lend; grows when they run out, shrinks slowly: few buffers stay warm in the cache */
	uint64_t shortage_ns; /* when they last ran out, or the target last shrank */
	struct msghdr receive_header;

	struct socket_queue arm, delayed, cancel;
	uint32_t trains_emitted; /* trains up to here have submissions */
	uint32_t flush_count;    /* tells a failed send's trains from later ones */
	unsigned accepted;       /* connections in this turn */
	uint64_t wake_value;
	bool wake_armed;
};

static inline struct uring *uring_of(struct engine *engine)
{
	return (struct uring *)engine;
}

/* kind, generation, index: what a completion belongs to, and whether that still exists. */
static inline uint64_t completion_tag(enum completion_kind kind, uint32_t generation, uint32_t index)
{
	return (uint64_t)kind << 56 | (uint64_t)(generation & 0xffffff) << 32 | index;
}
static inline enum completion_kind completion_kind(uint64_t tag)
{
	return (enum completion_kind)(tag >> 56);
}
static inline uint32_t completion_generation(uint64_t tag)
{
	return (uint32_t)(tag >> 32) & 0xffffff;
}

/* ring.c */

/* 0, or a negative errno and what failed. */
int ring_open(struct uring *u, uint32_t sockets_max, const char **ret_what);
void ring_close(struct uring *u);
/* A submission entry, after submitting when there was none left; NULL when the kernel takes none. */
struct io_uring_sqe *ring_entry(struct uring *u);
/* False when entries are left, for want of kernel memory. */
bool ring_submit(struct uring *u);
/* The same, and waits for a completion unless one is there. */
void ring_submit_and_wait(struct uring *u, uint64_t wait_ns);
/* After a failure to submit: trying again at once would only spin. */
void ring_back_off(void);

/* uring_receive.c */
void uring_lend_buffers(struct uring *u);
void uring_arm(struct uring *u);
void uring_stop(struct engine *engine, uint32_t socket);
void uring_cancel(struct uring *u);
uint64_t uring_arm_wait_ns(const struct uring *u, uint64_t wait_ns); /* bounded by the next delayed arming */
void uring_collect(struct uring *u);

/* uring_stream.c */
void uring_await_writable(struct engine *engine, uint32_t socket);
void uring_forget_writable(struct uring *u, uint32_t socket); /* before the socket is stopped */
void uring_on_writable(struct uring *u, uint64_t tag);
void uring_on_accepted(struct uring *u, uint32_t socket, int fd);
void uring_on_piece(struct uring *u, uint32_t socket, uint16_t buffer, unsigned size);
void uring_on_stream_ended(struct uring *u, uint32_t socket, int result); /* its receive, for whatever reason */

/* uring_send.c */
void uring_emit(struct uring *u);
void uring_settle(struct uring *u);
bool uring_flushed(struct uring *u); /* false while the kernel has not taken everything */
bool uring_flush(struct engine *engine);

#endif
