#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine_private.h"
#include "train_private.h"

static size_t messages_size(void)
{
	return TRAINS_MAX * sizeof(struct train_message);
}

int engine_init(struct engine *engine, const struct engine_ops *ops, const struct engine_params *params)
{
	engine->ops = ops;
	engine->wake_fd = -1;
	engine->closing = SOCKET_QUEUE_EMPTY;
	engine->now_ns = clock_mono_ns();
	engine->trains = trains_create();
	if (engine->trains == NULL)
		return -ENOMEM;
	void *messages = mmap(NULL, messages_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (messages == MAP_FAILED)
		return -ENOMEM;
	engine->messages = messages;
	int error = pool_init(
		&engine->sockets, sizeof(struct engine_socket), params->sockets_max ? params->sockets_max : SOCKETS_DEFAULT);
	if (error == 0)
		error = routes_init(&engine->routes);
	if (error == 0)
		error = receive_buffers_init(&engine->buffers, params->receive_buffers ? params->receive_buffers : BUFFERS_DEFAULT);
	return error;
}

void engine_done(struct engine *engine)
{
	for (uint32_t i = 0; i < engine->sockets.fresh; i++) {
		const struct engine_socket *s = engine_socket(engine, i);
		if (s->state != SOCKET_FREE && s->fd >= 0)
			close(s->fd);
	}
	if (engine->wake_fd >= 0)
		close(engine->wake_fd);
	receive_buffers_done(&engine->buffers);
	routes_done(&engine->routes);
	pool_done(&engine->sockets);
	if (engine->messages != NULL)
		munmap(engine->messages, messages_size());
	trains_free(engine->trains);
	free(engine);
}

void engine_release_closing(struct engine *engine)
{
	while (!socket_queue_is_empty(&engine->closing)) {
		uint32_t socket = socket_queue_pop(engine, &engine->closing);
		struct engine_socket *s = engine_socket(engine, socket);
		assert(s->state == SOCKET_CLOSING);
		engine->ops->release(engine, socket);
		if (s->fd >= 0)
			close(s->fd);
		s->state = SOCKET_FREE;
		pool_give(&engine->sockets, socket);
	}
}

/* RFC 8656 Sections 14 and 18.9: the DF bit. PROBE sets it and, as OMIT, lets no forged ICMP message shrink the path MTU. */
void engine_set_dont_fragment(struct engine_socket *s, bool dont_fragment)
{
	int ipv4 = dont_fragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT;
	int ipv6 = dont_fragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_OMIT;
	if (s->family == ADDR_IPV4)
		setsockopt(s->fd, IPPROTO_IP, IP_MTU_DISCOVER, &ipv4, sizeof ipv4);
	else
		setsockopt(s->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &ipv6, sizeof ipv6);
	s->dont_fragment = dont_fragment;
}

void socket_queue_push(struct engine *engine, struct socket_queue *queue, uint32_t socket)
{
	engine_socket(engine, socket)->next = SOCKET_NONE;
	if (queue->last == SOCKET_NONE)
		queue->first = socket;
	else
		engine_socket(engine, queue->last)->next = socket;
	queue->last = socket;
}

void socket_queue_push_front(struct engine *engine, struct socket_queue *queue, uint32_t socket)
{
	engine_socket(engine, socket)->next = queue->first;
	queue->first = socket;
	if (queue->last == SOCKET_NONE)
		queue->last = socket;
}

uint32_t socket_queue_pop(struct engine *engine, struct socket_queue *queue)
{
	uint32_t socket = queue->first;
	assert(socket != SOCKET_NONE);
	queue->first = engine_socket(engine, socket)->next;
	if (queue->first == SOCKET_NONE)
		queue->last = SOCKET_NONE;
	return socket;
}

void socket_queue_drop(struct engine *engine, struct socket_queue *queue, uint32_t socket)
{
	uint32_t previous = SOCKET_NONE;
	for (uint32_t i = queue->first; i != SOCKET_NONE; previous = i, i = engine_socket(engine, i)->next) {
		if (i != socket)
			continue;
		uint32_t next = engine_socket(engine, i)->next;
		if (previous == SOCKET_NONE)
			queue->first = next;
		else
			engine_socket(engine, previous)->next = next;
		if (queue->last == socket)
			queue->last = previous;
		return;
	}
}
