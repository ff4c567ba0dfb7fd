/* Connections: what differs from datagrams. One completion makes one entry of the batch at most, so there is always room. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "uring.h"

static uint64_t writable_tag(const struct engine *engine, uint32_t socket)
{
	return completion_tag(COMPLETION_WRITABLE, pool_generation(&engine->sockets, socket), socket);
}

void uring_await_writable(struct engine *engine, uint32_t socket)
{
	struct engine_socket *s = engine_socket(engine, socket);
	struct io_uring_sqe *entry = ring_entry(uring_of(engine));
	if (entry == NULL) {
		s->awaits_writable = false;
		return;
	}
	io_uring_prep_poll_add(entry, s->fd, POLLOUT);
	entry->user_data = writable_tag(engine, socket);
}

/* A poll would keep the connection open after its descriptor was closed. */
void uring_forget_writable(struct uring *u, uint32_t socket)
{
	struct io_uring_sqe *entry = ring_entry(u);
	if (entry == NULL)
		return;
	io_uring_prep_cancel64(entry, writable_tag(&u->engine, socket), 0);
	entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
	entry->user_data = completion_tag(COMPLETION_CANCEL, 0, 0);
}

void uring_on_writable(struct uring *u, uint64_t tag)
{
	uint32_t socket = (uint32_t)tag;
	struct engine_socket *s = engine_socket(&u->engine, socket);
	if (completion_generation(tag) != (pool_generation(&u->engine.sockets, socket) & 0xffffff))
		return;
	s->awaits_writable = false;
	if (s->state == SOCKET_OPEN && !s->ended)
		engine_deliver_event(&u->engine, socket, RECEIVED_WRITABLE, 0);
}

void uring_on_accepted(struct uring *u, uint32_t socket, int fd)
{
	u->accepted++;
	if (engine_socket(&u->engine, socket)->state == SOCKET_OPEN)
		engine_deliver_event(&u->engine, socket, RECEIVED_CONNECTION, fd);
	else
		close(fd);
}

void uring_on_piece(struct uring *u, uint32_t socket, uint16_t buffer, unsigned size)
{
	if (size > 0) {
		engine_deliver_stream(&u->engine, socket, buffer, size);
		return;
	}
	receive_buffers_give(&u->engine.buffers, buffer);
	engine_deliver_event(&u->engine, socket, RECEIVED_END, 0);
}

/* Anything but success and a want of buffers is the end of the connection. */
void uring_on_stream_ended(struct uring *u, uint32_t socket, int result)
{
	const struct engine_socket *s = engine_socket(&u->engine, socket);
	bool goes_on = result > 0 || result == -ENOBUFS || result == -EINTR || result == -EAGAIN;
	if (!goes_on && !s->ended && s->state == SOCKET_OPEN)
		engine_deliver_event(&u->engine, socket, RECEIVED_END, -result);
}
