/* Per packet: no system call, no copy, one buffer number taken and later given back. */
#include <assert.h>
#include <errno.h>

#include "uring.h"

enum {
	TARGET_MIN = 256,
	/* A socket whose receives end with errors faster than this is armed again only when the window is over, so that a storm of
	 * ICMP errors cannot keep the thread busy. */
	FAILURES_MAX = 64,
};
#define FAILURE_WINDOW_NS (10 * NS_PER_MS)
#define TARGET_DECAY_NS NS_PER_S

/* Buffers that come back are the first to be lent again: they are still in the cache. */
void uring_lend_buffers(struct uring *u)
{
	struct receive_buffers *buffers = &u->engine.buffers;
	int mask = io_uring_buf_ring_mask(u->buffer_ring_size);
	int added = 0;
	while (u->lent < u->target && buffers->free_count > 0) {
		uint16_t buffer = receive_buffers_take(buffers);
		io_uring_buf_ring_add(u->buffer_ring, receive_buffer_at(buffers, buffer), BUFFER_SIZE, buffer, mask, added++);
		u->lent++;
	}
	if (added > 0)
		io_uring_buf_ring_advance(u->buffer_ring, added);
}

static void adapt_target(struct uring *u)
{
	uint64_t now_ns = u->engine.now_ns;
	if (u->target > TARGET_MIN && now_ns - u->shortage_ns >= TARGET_DECAY_NS) {
		u->target /= 2;
		u->shortage_ns = now_ns;
	}
}

static void on_shortage(struct uring *u)
{
	counter_add(&u->engine.counters.buffer_shortage, 1);
	u->shortage_ns = u->engine.now_ns;
}

static void queue_arm(struct uring *u, uint32_t socket)
{
	struct engine_socket *s = engine_socket(&u->engine, socket);
	s->queued = true;
	/* Before Linux 6.6.17 a receive takes as many packets at once as there are buffers. Who took many is armed last. */
	bool heavy = s->turn == u->engine.turn && s->turn_packets > SOCKET_TURN_BUDGET;
	if (heavy)
		socket_queue_push(&u->engine, &u->arm, socket);
	else
		socket_queue_push_front(&u->engine, &u->arm, socket);
}

static void queue_arm_after_failure(struct uring *u, uint32_t socket, int result)
{
	struct engine_socket *s = engine_socket(&u->engine, socket);
	uint64_t now_ns = u->engine.now_ns;
	if (now_ns - s->failures_since_ns >= FAILURE_WINDOW_NS) {
		s->failures_since_ns = now_ns;
		s->failures = 0;
	}
	/* Descriptors that have run out do not come back at once. */
	bool hopeless = result == -EMFILE || result == -ENFILE;
	if (++s->failures <= FAILURES_MAX && !hopeless) {
		queue_arm(u, socket);
		return;
	}
	counter_add(&u->engine.counters.rearms_delayed, 1);
	s->failures_since_ns = now_ns;
	s->failures = 0;
	s->queued = true;
	socket_queue_push(&u->engine, &u->delayed, socket);
}

/* `delayed` is in order of time, since all wait equally long from the moment that they were queued. */
static bool delayed_due(const struct uring *u, uint64_t now_ns)
{
	if (socket_queue_is_empty(&u->delayed))
		return false;
	return now_ns - engine_socket(&u->engine, u->delayed.first)->failures_since_ns >= FAILURE_WINDOW_NS;
}

uint64_t uring_arm_wait_ns(const struct uring *u, uint64_t wait_ns)
{
	if (!socket_queue_is_empty(&u->delayed) && wait_ns > FAILURE_WINDOW_NS)
		return FAILURE_WINDOW_NS;
	return wait_ns;
}

static bool arm_socket(struct uring *u, uint32_t socket)
{
	struct engine_socket *s = engine_socket(&u->engine, socket);
	struct io_uring_sqe *entry = ring_entry(u);
	if (entry == NULL)
		return false;
	if (s->kind == SOCKET_ACCEPTOR) {
		io_uring_prep_multishot_accept(entry, s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	} else {
		io_uring_prep_recvmsg_multishot(entry, s->fd, &u->receive_header, 0);
		if (s->poll_first)
			entry->ioprio |= IORING_RECVSEND_POLL_FIRST;
		entry->flags |= IOSQE_BUFFER_SELECT;
		entry->buf_group = BUFFER_GROUP;
	}
	entry->user_data = completion_tag(COMPLETION_RECEIVE, pool_generation(&u->engine.sockets, socket), socket);
	s->armed = true;
	s->queued = false;
	s->poll_first = false;
	return true;
}

static void arm_wake(struct uring *u)
{
	struct io_uring_sqe *entry = ring_entry(u);
	if (entry == NULL)
		return;
	io_uring_prep_read(entry, u->engine.wake_fd, &u->wake_value, sizeof u->wake_value, 0);
	entry->user_data = completion_tag(COMPLETION_WAKE, 0, 0);
	u->wake_armed = true;
}

void uring_arm(struct uring *u)
{
	if (!u->wake_armed)
		arm_wake(u);
	while (delayed_due(u, u->engine.now_ns))
		socket_queue_push(&u->engine, &u->arm, socket_queue_pop(&u->engine, &u->delayed));
	while (!socket_queue_is_empty(&u->arm)) {
		if (!arm_socket(u, u->arm.first))
			return;
		socket_queue_pop(&u->engine, &u->arm);
	}
}

void uring_stop(struct engine *engine, uint32_t socket)
{
	struct uring *u = uring_of(engine);
	struct engine_socket *s = engine_socket(engine, socket);
	if (s->awaits_writable)
		uring_forget_writable(u, socket);
	if (s->queued) {
		socket_queue_drop(engine, &u->arm, socket);
		socket_queue_drop(engine, &u->delayed, socket);
		s->queued = false;
	}
	socket_queue_push(engine, s->armed ? &u->cancel : &engine->closing, socket);
}

void uring_cancel(struct uring *u)
{
	while (!socket_queue_is_empty(&u->cancel)) {
		struct io_uring_sqe *entry = ring_entry(u);
		if (entry == NULL)
			return;
		uint32_t socket = socket_queue_pop(&u->engine, &u->cancel);
		uint32_t generation = pool_generation(&u->engine.sockets, socket);
		io_uring_prep_cancel64(entry, completion_tag(COMPLETION_RECEIVE, generation, socket), 0);
		entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
		entry->user_data = completion_tag(COMPLETION_CANCEL, 0, 0);
	}
}

static void on_receive_ended(struct uring *u, uint32_t socket, int result)
{
	struct engine_socket *s = engine_socket(&u->engine, socket);
	s->armed = false;
	if (s->state == SOCKET_CLOSING) {
		socket_queue_drop(&u->engine, &u->cancel, socket);
		socket_queue_push(&u->engine, &u->engine.closing, socket);
		return;
	}
	if (s->ended)
		return;
	counter_add(&u->engine.counters.rearms, 1);
	if (result == -ENOBUFS) {
		on_shortage(u);
		queue_arm(u, socket);
	} else if (result < 0) {
		counter_add(&u->engine.counters.receive_errors, 1);
		queue_arm_after_failure(u, socket, result);
	} else {
		queue_arm(u, socket); /* an empty datagram, or no room for completions */
	}
}

static void on_message(struct uring *u, uint32_t socket, uint16_t buffer, unsigned result)
{
	struct engine_socket *s = engine_socket(&u->engine, socket);
	struct io_uring_recvmsg_out out;
	if (s->state != SOCKET_OPEN || result < BUFFER_PAYLOAD) {
		receive_buffers_give(&u->engine.buffers, buffer);
		return;
	}
	if (s->kind == SOCKET_STREAM) {
		uring_on_piece(u, socket, buffer, result - BUFFER_PAYLOAD);
		return;
	}
	memcpy(&out, receive_buffer_at(&u->engine.buffers, buffer), sizeof out);
	if (s->turn != u->engine.turn) {
		s->turn = u->engine.turn;
		s->turn_packets = 0;
	}
	s->turn_packets++;
	engine_deliver(&u->engine, socket, buffer, out.controllen, result - BUFFER_PAYLOAD, (int)out.flags);
}

static void on_receive(struct uring *u, const struct io_uring_cqe *completion)
{
	uint32_t socket = (uint32_t)completion->user_data;
	/* A slot is given back only when its receive has ended, so a stale one is not expected; its buffer counts all the same. */
	bool stale = completion_generation(completion->user_data) != (pool_generation(&u->engine.sockets, socket) & 0xffffff);
	if (completion->flags & IORING_CQE_F_BUFFER) {
		assert(u->lent > 0);
		u->lent--;
		uint16_t buffer = (uint16_t)(completion->flags >> IORING_CQE_BUFFER_SHIFT);
		on_message(u, socket, buffer, completion->res > 0 && !stale ? (unsigned)completion->res : 0);
	}
	if (stale)
		return;
	if (engine_socket(&u->engine, socket)->kind == SOCKET_ACCEPTOR && completion->res >= 0)
		uring_on_accepted(u, socket, completion->res);
	if (completion->flags & IORING_CQE_F_MORE)
		return;
	if (engine_socket(&u->engine, socket)->kind == SOCKET_STREAM)
		uring_on_stream_ended(u, socket, completion->res);
	on_receive_ended(u, socket, completion->res);
}

static void on_completion(struct uring *u, const struct io_uring_cqe *completion)
{
	switch (completion_kind(completion->user_data)) {
	case COMPLETION_RECEIVE:
		on_receive(u, completion);
		break;
	case COMPLETION_WAKE:
		u->wake_armed = false;
		break;
	case COMPLETION_WRITABLE:
		uring_on_writable(u, completion->user_data);
		break;
	case COMPLETION_SEND:
		/* Too late to say what it carried: the ring had overflowed. */
		counter_add(&u->engine.counters.send_other, 1);
		break;
	case COMPLETION_CANCEL: /* it found the receive ended already */
	case COMPLETION_NONE:
		break;
	}
}

void uring_collect(struct uring *u)
{
	struct io_uring_cqe *completion;
	unsigned head, read = 0;
	u->accepted = 0;
	uint64_t shortages = counter_read(&u->engine.counters.buffer_shortage);
	io_uring_for_each_cqe(&u->ring, head, completion)
	{
		if (u->engine.batch_count == RECEIVE_BATCH_MAX || u->accepted == ACCEPT_TURN_BUDGET)
			break;
		on_completion(u, completion);
		read++;
	}
	io_uring_cq_advance(&u->ring, read);
	/* Once a turn: a want of buffers ends the receives of all sockets that had something, each with its own completion. */
	if (counter_read(&u->engine.counters.buffer_shortage) != shortages && u->target < u->engine.buffers.count)
		u->target *= 2;
	adapt_target(u);
}
