#include "io/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "engine_private.h"

static int open_auto(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE])
{
	char refused[ENGINE_REASON_SIZE], reason[ENGINE_REASON_SIZE];
	if (uring_open(params, ret_engine, refused) == 0) {
		memcpy(ret_reason, refused, ENGINE_REASON_SIZE);
		return 0;
	}
	int error = epoll_open(params, ret_engine, reason);
	if (error < 0)
		memcpy(ret_reason, reason, ENGINE_REASON_SIZE);
	else
		memcpy(ret_reason, refused, ENGINE_REASON_SIZE);
	return error;
}

int engine_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE])
{
	if (params->receive_buffers > BUFFERS_MAX || (params->receive_buffers & (params->receive_buffers - 1)) != 0) {
		snprintf(ret_reason, ENGINE_REASON_SIZE, "receive buffers: %u is not a power of two up to %u",
			params->receive_buffers, (unsigned)BUFFERS_MAX);
		return -EINVAL;
	}
	switch (params->kind) {
	case ENGINE_IO_URING:
		return uring_open(params, ret_engine, ret_reason);
	case ENGINE_EPOLL:
		return epoll_open(params, ret_engine, ret_reason);
	case ENGINE_AUTO:
		break;
	}
	return open_auto(params, ret_engine, ret_reason);
}

void engine_close(struct engine *engine)
{
	if (engine == NULL)
		return;
	engine->ops->close(engine);
}

enum engine_kind engine_kind(const struct engine *engine)
{
	return engine->ops->kind;
}

const char *engine_name(enum engine_kind kind)
{
	static const char *const names[] = {[ENGINE_AUTO] = "auto", [ENGINE_IO_URING] = "io_uring", [ENGINE_EPOLL] = "epoll"};
	return names[kind];
}

static enum addr_family family_of(int fd)
{
	int domain = 0;
	socklen_t size = sizeof domain;
	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
	return domain == AF_INET6 ? ADDR_IPV6 : ADDR_IPV4;
}

int engine_add(struct engine *engine, int fd, enum socket_kind kind, uint64_t tag, uint32_t *ret_socket)
{
	uint32_t socket = pool_take(&engine->sockets);
	if (socket == POOL_NONE) {
		close(fd);
		return -ENOSPC;
	}
	struct engine_socket *s = engine_socket(engine, socket);
	*s = (struct engine_socket){
		.tag = tag,
		.fd = fd,
		.state = SOCKET_OPEN,
		.kind = (uint8_t)kind,
		.family = (uint8_t)family_of(fd),
		.next = SOCKET_NONE,
		.poll_first = kind == SOCKET_RELAY,
	};
	int error = engine->ops->add(engine, socket);
	if (error < 0) {
		close(fd);
		s->state = SOCKET_FREE;
		pool_give(&engine->sockets, socket);
		return error;
	}
	*ret_socket = socket;
	return 0;
}

void engine_retag(struct engine *engine, uint32_t socket, uint64_t tag)
{
	assert(engine_socket(engine, socket)->state == SOCKET_OPEN);
	engine_socket(engine, socket)->tag = tag;
}

void engine_remove(struct engine *engine, uint32_t socket)
{
	struct engine_socket *s = engine_socket(engine, socket);
	assert(s->state == SOCKET_OPEN);
	s->state = SOCKET_CLOSING;
	engine->ops->stop(engine, socket);
}

int engine_take(struct engine *engine, uint32_t socket)
{
	struct engine_socket *s = engine_socket(engine, socket);
	engine_remove(engine, socket);
	/* At once: the new owner may receive from it, or close it, before our next turn. */
	engine->ops->flush(engine);
	if (s->dont_fragment)
		engine_set_dont_fragment(s, false);
	int fd = s->fd;
	s->fd = -1;
	return fd;
}

void engine_flush(struct engine *engine)
{
	/* Fails only while the kernel is out of memory, and the caller's memory must not change before it was read. */
	while (!engine->ops->flush(engine)) {
		struct timespec pause = {.tv_nsec = NS_PER_MS};
		nanosleep(&pause, NULL);
	}
}

unsigned engine_turn(struct engine *engine, uint64_t wait_ns, const struct received **ret_batch)
{
	counter_add(&engine->counters.turns, 1);
	engine->turn++;
	*ret_batch = engine->batch;
	unsigned count = engine->ops->turn(engine, engine_wait_ns(engine, wait_ns));
	if (gather_count(&engine->gather, count, engine->batch_bytes, engine->now_ns)) {
		counter_add(&engine->counters.system_calls, 1);
		gather_judge(&engine->gather, clock_thread_ns(), engine->now_ns);
	}
	return count;
}

void engine_wake(struct engine *engine)
{
	uint64_t one = 1;
	/* Fails only when the counter is full, and then a wake is pending anyway. */
	ssize_t written = write(engine->wake_fd, &one, sizeof one);
	(void)written;
}

const struct engine_counters *engine_counters(const struct engine *engine)
{
	return &engine->counters;
}
