/* Per packet: a share of a recvmmsg and of a sendmsg; no copy, no allocation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "engine_private.h"
#include "train_private.h"

enum { EVENTS_MAX = 128, SEND_RUN_MAX = 64 };
#define EVENT_WAKE UINT64_MAX

struct epoll_engine {
	struct engine engine; /* first: a pointer to one is a pointer to the other */
	int epoll_fd;
	int spare_fd;                     /* see refuse_connection */
	unsigned event_next, event_count; /* events that were reported and not yet looked at */
	struct epoll_event events[EVENTS_MAX];

	/* Messages that are ready to be received into, each with a buffer. */
	unsigned slots_ready;
	struct mmsghdr slots[SOCKET_TURN_BUDGET];
	struct iovec slot_iov[SOCKET_TURN_BUDGET];
	uint16_t slot_buffers[SOCKET_TURN_BUDGET];
};

static struct epoll_engine *epoll_of(struct engine *engine)
{
	return (struct epoll_engine *)engine;
}

static int control(struct engine *engine, uint32_t socket, int operation, uint32_t events)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)pool_generation(&engine->sockets, socket) << 32 | socket,
	};
	return epoll_ctl(epoll_of(engine)->epoll_fd, operation, engine_socket(engine, socket)->fd, &event) < 0 ? -errno : 0;
}

static int epoll_add(struct engine *engine, uint32_t socket)
{
	return control(engine, socket, EPOLL_CTL_ADD, EPOLLIN);
}

static void epoll_await_writable(struct engine *engine, uint32_t socket)
{
	counter_add(&engine->counters.system_calls, 1);
	control(engine, socket, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
}

static void epoll_stop(struct engine *engine, uint32_t socket)
{
	epoll_ctl(epoll_of(engine)->epoll_fd, EPOLL_CTL_DEL, engine_socket(engine, socket)->fd, NULL);
	socket_queue_push(engine, &engine->closing, socket);
}

static void epoll_release(struct engine *engine, uint32_t socket)
{
	(void)engine;
	(void)socket;
}

static int send_run(struct engine *engine, unsigned from, unsigned count)
{
	struct mmsghdr messages[SEND_RUN_MAX];
	for (unsigned i = 0; i < count; i++)
		messages[i].msg_hdr = engine->messages[from + i].header;
	int fd = engine_socket(engine, trains_at(engine->trains, from)->socket)->fd;
	counter_add(&engine->counters.system_calls, 1);
	return sendmmsg(fd, messages, count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int send_one(struct engine *engine, unsigned index)
{
	int fd = engine_socket(engine, trains_at(engine->trains, index)->socket)->fd;
	counter_add(&engine->counters.system_calls, 1);
	return sendmsg(fd, &engine->messages[index].header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 1;
}

/* How many trains from here on leave from one socket as it is set up now. */
static unsigned run_length(struct engine *engine, unsigned from)
{
	const struct train *first = trains_at(engine->trains, from);
	unsigned count = 1;
	while (count < SEND_RUN_MAX && from + count < trains_count(engine->trains)) {
		const struct train *train = trains_at(engine->trains, from + count);
		if (train->socket != first->socket || train->dont_fragment != first->dont_fragment)
			break;
		count++;
	}
	return count;
}

static void prepare_run(struct engine *engine, unsigned from, unsigned count)
{
	const struct train *first = trains_at(engine->trains, from);
	struct engine_socket *s = engine_socket(engine, first->socket);
	if (s->dont_fragment != first->dont_fragment) {
		counter_add(&engine->counters.system_calls, 1);
		engine_set_dont_fragment(s, first->dont_fragment);
	}
	for (unsigned i = from; i < from + count; i++) {
		train_message(trains_at(engine->trains, i), &engine->messages[i]);
		engine_send_begun(engine, trains_at(engine->trains, i));
	}
}

static bool epoll_flush(struct engine *engine)
{
	unsigned next = 0, count = trains_count(engine->trains);
	while (next < count) {
		unsigned left = run_length(engine, next);
		prepare_run(engine, next, left);
		while (left > 0) {
			int sent = left > 1 ? send_run(engine, next, left) : send_one(engine, next);
			if (sent < 0) {
				/* The first of them failed; those behind it were not tried. */
				engine_send_failed(engine, trains_at(engine->trains, next), errno);
				sent = 1;
			}
			next += (unsigned)sent;
			left -= (unsigned)sent;
		}
	}
	engine_flushed(engine);
	return true;
}

static void bind_slot(struct epoll_engine *e, unsigned slot, uint16_t buffer)
{
	uint8_t *memory = receive_buffer_at(&e->engine.buffers, buffer);
	e->slot_buffers[slot] = buffer;
	e->slot_iov[slot] = (struct iovec){.iov_base = memory + BUFFER_PAYLOAD, .iov_len = BUFFER_PAYLOAD_SIZE};
	e->slots[slot].msg_hdr = (struct msghdr){
		.msg_name = memory + BUFFER_NAME,
		.msg_namelen = BUFFER_NAME_SIZE,
		.msg_iov = &e->slot_iov[slot],
		.msg_iovlen = 1,
		.msg_control = memory + BUFFER_CONTROL,
		.msg_controllen = BUFFER_CONTROL_SIZE,
	};
}

static void fill_slots(struct epoll_engine *e)
{
	while (e->slots_ready < SOCKET_TURN_BUDGET && e->engine.buffers.free_count > 0)
		bind_slot(e, e->slots_ready++, receive_buffers_take(&e->engine.buffers));
}

/* The first `used` slots were received into: new buffers for them, or, when there are none left, the buffers of the last slots. */
static void refill_slots(struct epoll_engine *e, unsigned used)
{
	for (unsigned i = used; i-- > 0;) {
		if (e->engine.buffers.free_count > 0)
			bind_slot(e, i, receive_buffers_take(&e->engine.buffers));
		else if (--e->slots_ready > i)
			bind_slot(e, i, e->slot_buffers[e->slots_ready]);
	}
}

/* Clears the error too: it would be reported for ever. */
static void on_socket_error(struct epoll_engine *e, const struct engine_socket *s)
{
	int error;
	socklen_t size = sizeof error;
	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	counter_add(&e->engine.counters.receive_errors, 1);
	counter_add(&e->engine.counters.system_calls, 1);
}

/* One piece a turn: what is left is reported again. */
static void receive_stream(struct epoll_engine *e, uint32_t socket)
{
	struct engine *engine = &e->engine;
	unsigned slot = e->slots_ready - 1;
	counter_add(&engine->counters.system_calls, 1);
	ssize_t got = recv(engine_socket(engine, socket)->fd, e->slot_iov[slot].iov_base, e->slot_iov[slot].iov_len, MSG_DONTWAIT);
	if (got > 0) {
		engine_deliver_stream(engine, socket, e->slot_buffers[slot], (size_t)got);
		e->slots_ready = slot;
		fill_slots(e);
	} else if (got == 0) {
		engine_deliver_event(engine, socket, RECEIVED_END, 0);
	} else if (errno != EAGAIN && errno != EINTR) {
		engine_deliver_event(engine, socket, RECEIVED_END, errno);
	}
	/* A stream that has ended stays readable; there is nothing to be heard of it any more. */
	if (engine_socket(engine, socket)->ended)
		epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, engine_socket(engine, socket)->fd, NULL);
}

/* Without a descriptor left the connection would stay in the queue and be reported for ever: it is taken with the spare one, and
 * refused. */
static void refuse_connection(struct epoll_engine *e, uint32_t socket)
{
	close(e->spare_fd);
	int fd = accept4(engine_socket(&e->engine, socket)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		close(fd);
	e->spare_fd = dup(e->engine.wake_fd);
}

static void accept_connections(struct epoll_engine *e, uint32_t socket, unsigned wanted)
{
	struct engine *engine = &e->engine;
	for (unsigned i = 0; i < wanted; i++) {
		counter_add(&engine->counters.system_calls, 1);
		int fd = accept4(engine_socket(engine, socket)->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EINTR)
				return;
			counter_add(&engine->counters.receive_errors, 1);
			if (errno == EMFILE || errno == ENFILE)
				refuse_connection(e, socket);
			return;
		}
		engine_deliver_event(engine, socket, RECEIVED_CONNECTION, fd);
	}
}

/* True when the socket was looked at; false when there is no room for what it may hold. */
static bool receive(struct epoll_engine *e, uint32_t socket)
{
	struct engine *engine = &e->engine;
	unsigned room = RECEIVE_BATCH_MAX - engine->batch_count;
	if (e->slots_ready == 0)
		counter_add(&engine->counters.buffer_shortage, 1);
	if (e->slots_ready == 0 || room == 0)
		return false;
	unsigned wanted = e->slots_ready < room ? e->slots_ready : room;
	if (engine_socket(engine, socket)->kind == SOCKET_STREAM) {
		receive_stream(e, socket);
		return true;
	}
	if (engine_socket(engine, socket)->kind == SOCKET_ACCEPTOR) {
		accept_connections(e, socket, wanted < ACCEPT_TURN_BUDGET ? wanted : ACCEPT_TURN_BUDGET);
		return true;
	}
	counter_add(&engine->counters.system_calls, 1);
	int got = recvmmsg(engine_socket(engine, socket)->fd, e->slots, wanted, MSG_DONTWAIT, NULL);
	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			counter_add(&engine->counters.receive_errors, 1);
		return true;
	}
	for (int i = 0; i < got; i++) {
		const struct msghdr *header = &e->slots[i].msg_hdr;
		engine_deliver(engine, socket, e->slot_buffers[i], header->msg_controllen, e->slots[i].msg_len, header->msg_flags);
	}
	refill_slots(e, (unsigned)got);
	return true;
}

static void on_wake(struct epoll_engine *e)
{
	uint64_t value;
	counter_add(&e->engine.counters.system_calls, 1);
	ssize_t got = read(e->engine.wake_fd, &value, sizeof value);
	(void)got;
}

static bool on_stream_event(struct epoll_engine *e, uint32_t socket, uint32_t events)
{
	struct engine *engine = &e->engine;
	struct engine_socket *s = engine_socket(engine, socket);
	if (s->ended)
		return true;
	if (s->awaits_writable && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		if (engine->batch_count == RECEIVE_BATCH_MAX)
			return false;
		s->awaits_writable = false;
		counter_add(&engine->counters.system_calls, 1);
		control(engine, socket, EPOLL_CTL_MOD, EPOLLIN);
		engine_deliver_event(engine, socket, RECEIVED_WRITABLE, 0);
	}
	return (events & ~(uint32_t)EPOLLOUT) == 0 || receive(e, socket);
}

static bool on_event(struct epoll_engine *e, const struct epoll_event *event)
{
	if (event->data.u64 == EVENT_WAKE) {
		on_wake(e);
		return true;
	}
	uint32_t socket = (uint32_t)event->data.u64;
	const struct engine_socket *s = engine_socket(&e->engine, socket);
	/* Removed since it was reported. */
	if (s->state != SOCKET_OPEN || pool_generation(&e->engine.sockets, socket) != event->data.u64 >> 32)
		return true;
	if (s->kind == SOCKET_STREAM)
		return on_stream_event(e, socket, event->events);
	if (event->events & EPOLLERR)
		on_socket_error(e, s);
	return receive(e, socket);
}

static int timeout_ms(uint64_t wait_ns)
{
	if (wait_ns == UINT64_MAX)
		return -1;
	uint64_t ms = (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 3600 * 1000 ? 3600 * 1000 : (int)ms;
}

static void let_gather(struct epoll_engine *e, uint64_t wait_ns)
{
	uint64_t gather_ns = gather_wait_ns(&e->engine.gather);
	if (gather_ns == 0 || gather_ns >= wait_ns)
		return;
	struct timespec pause = {.tv_nsec = (long)gather_ns};
	counter_add(&e->engine.counters.system_calls, 1);
	nanosleep(&pause, NULL);
}

static void wait_for_events(struct epoll_engine *e, uint64_t wait_ns)
{
	let_gather(e, wait_ns);
	counter_add(&e->engine.counters.system_calls, 1);
	int count = epoll_wait(e->epoll_fd, e->events, EVENTS_MAX, timeout_ms(wait_ns));
	e->event_next = 0;
	e->event_count = count > 0 ? (unsigned)count : 0;
}

static unsigned epoll_turn(struct engine *engine, uint64_t wait_ns)
{
	struct epoll_engine *e = epoll_of(engine);
	epoll_flush(engine);
	engine_release_closing(engine);
	engine_recycle(engine);
	if (engine_trim_due(engine))
		engine_trim(engine);
	fill_slots(e);
	/* Events that the last turn had no room for come first, or the sockets in front would starve those behind. */
	if (e->event_next == e->event_count)
		wait_for_events(e, wait_ns);
	engine->now_ns = clock_mono_ns();
	while (e->event_next < e->event_count) {
		if (!on_event(e, &e->events[e->event_next]))
			break;
		e->event_next++;
	}
	return engine->batch_count;
}

static void epoll_close(struct engine *engine)
{
	if (epoll_of(engine)->epoll_fd >= 0)
		close(epoll_of(engine)->epoll_fd);
	if (epoll_of(engine)->spare_fd >= 0)
		close(epoll_of(engine)->spare_fd);
	engine_done(engine);
}

static const struct engine_ops epoll_ops = {
	.kind = ENGINE_EPOLL,
	.close = epoll_close,
	.add = epoll_add,
	.stop = epoll_stop,
	.await_writable = epoll_await_writable,
	.release = epoll_release,
	.flush = epoll_flush,
	.turn = epoll_turn,
};

static int refuse(struct epoll_engine *e, const char *what, int error, char ret_reason[static ENGINE_REASON_SIZE])
{
	snprintf(ret_reason, ENGINE_REASON_SIZE, "%s failed (%s)", what, strerrorname_np(-error));
	epoll_close(&e->engine);
	return error;
}

int epoll_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE])
{
	struct epoll_engine *e = calloc(1, sizeof *e);
	if (e == NULL) {
		snprintf(ret_reason, ENGINE_REASON_SIZE, "out of memory");
		return -ENOMEM;
	}
	struct engine *engine = &e->engine;
	e->epoll_fd = e->spare_fd = -1;
	int error = engine_init(engine, &epoll_ops, params);
	if (error < 0)
		return refuse(e, "allocating the buffers", error, ret_reason);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (e->epoll_fd < 0)
		return refuse(e, "epoll_create1", -errno, ret_reason);
	engine->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (engine->wake_fd < 0)
		return refuse(e, "eventfd", -errno, ret_reason);
	e->spare_fd = dup(engine->wake_fd);
	/* Of this thread: what lets packets gather must not be rounded up to the usual 50 us more. */
	prctl(PR_SET_TIMERSLACK, 1000UL);
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = EVENT_WAKE};
	if (epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, engine->wake_fd, &event) < 0)
		return refuse(e, "epoll_ctl", -errno, ret_reason);
	snprintf(ret_reason, ENGINE_REASON_SIZE, "chosen by the configuration");
	*ret_engine = engine;
	return 0;
}
