#include "client/connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/gather.h"
#include "client/tls_link.h"
#include "wire/framing.h"

enum { READS_AT_ONCE = 4, READ_BYTES = 64 * 1024 };

static void end(struct connection *c, const char *why)
{
	if (c->state == CONNECTION_ENDED)
		return;
	c->state = CONNECTION_ENDED;
	snprintf(c->why, sizeof c->why, "%s", why);
}

void connection_fail(struct connection *c, int error)
{
	end(c, error == ECONNREFUSED ? "nothing listens there" : strerror(error));
}

static bool passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

static bool is_datagrams(const struct connection *c)
{
	return !transport_is_stream(c->plan->transport->kind);
}

static bool append(struct connection_bytes *b, struct bytes more)
{
	if (b->first == b->size)
		b->first = b->size = 0;
	if (b->size + more.size > b->capacity) {
		size_t capacity = (b->size + more.size) * 2;
		uint8_t *data = realloc(b->data, capacity);
		if (data == NULL)
			return false;
		b->data = data;
		b->capacity = capacity;
	}
	memcpy(b->data + b->size, more.data, more.size);
	b->size += more.size;
	return true;
}

static void watch_writing(const struct connection *c, bool on)
{
	struct epoll_event event = {.events = EPOLLIN | (on ? EPOLLOUT : 0u), .data.u64 = c->name};
	if (c->epoll >= 0)
		epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &event);
}

static bool something_is_left(const struct connection *c)
{
	return c->left.first < c->left.size;
}

static void keep(struct connection *c, struct bytes rest)
{
	bool first = !something_is_left(c);
	if (!append(&c->left, rest))
		end(c, "out of memory");
	else if (first)
		watch_writing(c, true);
}

static void send_stream(struct connection *c, struct bytes bytes)
{
	if (bytes.size == 0 || c->state == CONNECTION_ENDED)
		return;
	ssize_t sent = 0;
	if (!something_is_left(c)) {
		sent = send(c->fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && !passing(errno)) {
			connection_fail(c, errno);
			return;
		}
		sent = sent < 0 ? 0 : sent;
	}
	if ((size_t)sent < bytes.size)
		keep(c, bytes_of(bytes.data + sent, bytes.size - (size_t)sent));
}

/* Everything that was gathered, whoever gathered it. */
static unsigned flush(struct connection *c)
{
	struct gather *g = gather_of_thread();
	if (!is_datagrams(c)) {
		send_stream(c, bytes_of(g->bytes, g->used));
		gather_reset(g);
		return 0;
	}
	int error = 0;
	unsigned lost = c->plan->trains ? gather_send_trains(g, c->fd, NULL, &error) : gather_send_datagrams(g, c->fd, &error);
	if (error != 0 && !passing(error))
		connection_fail(c, error);
	gather_reset(g);
	return lost;
}

static void put_record(void *owner, struct bytes record)
{
	struct connection *c = owner;
	struct gather *g = gather_of_thread();
	if (!gather_has_room(g, record.size))
		g->lost += flush(c);
	if (is_datagrams(c))
		gather_add_datagram(g, record);
	else
		gather_append(g, record);
}

void connection_init(struct connection *c, const struct connection_plan *plan)
{
	*c = (struct connection){.plan = plan, .fd = -1, .epoll = -1};
}

/* TCP is there, or there is none: TLS begins. */
static void shake(struct connection *c)
{
	if (c->tls == NULL) {
		c->state = CONNECTION_OPEN;
		return;
	}
	const char *why = "";
	c->state = CONNECTION_SHAKING;
	bool good = tls_link_shake(c->tls, &why);
	flush(c);
	if (!good)
		end(c, why);
}

bool connection_start(struct connection *c, int fd, struct failure *failure)
{
	const struct connection_plan *p = c->plan;
	c->fd = fd;
	if (transport_is_secure(p->transport->kind)) {
		c->tls = tls_link_create(p->tls, put_record, c);
		if (c->tls == NULL)
			return fail(failure, "out of memory for a connection");
	}
	c->state = CONNECTION_CONNECTING;
	if (is_datagrams(c))
		shake(c);
	return true;
}

static void send_left(struct connection *c)
{
	struct connection_bytes *left = &c->left;
	if (left->first == left->size)
		return;
	ssize_t sent = send(c->fd, left->data + left->first, left->size - left->first, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && !passing(errno))
		connection_fail(c, errno);
	left->first += sent > 0 ? (size_t)sent : 0;
	if (left->first == left->size)
		watch_writing(c, false);
}

void connection_writable(struct connection *c)
{
	if (c->state != CONNECTION_CONNECTING) {
		send_left(c);
		return;
	}
	int error = 0;
	socklen_t size = sizeof error;
	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0) {
		connection_fail(c, error);
		return;
	}
	shake(c);
	watch_writing(c, something_is_left(c));
}

struct frame_sink {
	struct connection *connection;
	connection_frame_fn *frame;
	void *context;
};

/* The frames that are there as a whole; *stream is what comes behind them. */
static bool hand_over(const struct frame_sink *sink, struct bytes *stream)
{
	struct bytes frame;
	size_t taken;
	enum framing framing = FRAME_COMPLETE;
	while (stream->size > 0 && (framing = framing_next(*stream, &frame, &taken)) == FRAME_COMPLETE) {
		*stream = bytes_of(stream->data + taken, stream->size - taken);
		sink->frame(sink->context, frame);
	}
	return framing != FRAME_INVALID;
}

/* The frame that was begun is completed first, with no more than it needs. */
static bool complete_piece(const struct frame_sink *sink, struct bytes *stream)
{
	struct connection_bytes *piece = &sink->connection->piece;
	while (piece->size > 0 && stream->size > 0) {
		struct bytes frame;
		size_t needed;
		if (framing_next(bytes_of(piece->data, piece->size), &frame, &needed) != FRAME_INCOMPLETE)
			return false;
		size_t missing = needed - piece->size, count = missing < stream->size ? missing : stream->size;
		if (!append(piece, bytes_of(stream->data, count)))
			return false;
		*stream = bytes_of(stream->data + count, stream->size - count);
		if (framing_next(bytes_of(piece->data, piece->size), &frame, &needed) == FRAME_COMPLETE) {
			piece->size = 0;
			sink->frame(sink->context, frame);
		}
	}
	return true;
}

/* A datagram holds one frame: its end is the frame's. */
static bool take_plain(void *context, struct bytes plain)
{
	const struct frame_sink *sink = context;
	if (is_datagrams(sink->connection)) {
		sink->frame(sink->context, plain);
		return true;
	}
	return complete_piece(sink, &plain) && hand_over(sink, &plain) &&
	       (plain.size == 0 || append(&sink->connection->piece, plain));
}

void connection_take(struct connection *c, struct bytes received, connection_frame_fn *frame, void *context)
{
	struct frame_sink sink = {.connection = c, .frame = frame, .context = context};
	const char *why = "what it sends is no TURN";
	if (c->state == CONNECTION_ENDED)
		return;
	if (received.size == 0 && !is_datagrams(c)) {
		end(c, "the server closed it");
		return;
	}
	bool good = c->tls != NULL ? tls_link_take(c->tls, received, take_plain, &sink, &why) : take_plain(&sink, received);
	if (c->tls != NULL)
		flush(c);
	if (!good)
		end(c, why);
	else if (c->state == CONNECTION_SHAKING && tls_link_is_open(c->tls))
		c->state = CONNECTION_OPEN;
}

void connection_readable(struct connection *c, connection_frame_fn *frame, void *context)
{
	uint8_t data[READ_BYTES];
	if (c->state == CONNECTION_CONNECTING)
		return;
	for (int i = 0; i < READS_AT_ONCE && c->state != CONNECTION_ENDED; i++) {
		_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))];
		struct iovec iov = {.iov_base = data, .iov_len = sizeof data};
		struct msghdr message = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
		ssize_t size = recvmsg(c->fd, &message, MSG_DONTWAIT);
		if (size < 0) {
			if (!passing(errno))
				connection_fail(c, errno);
			return;
		}
		size_t segment = gather_segment_size(&message, (size_t)size), at = 0;
		do {
			size_t length = (size_t)size - at < segment ? (size_t)size - at : segment;
			connection_take(c, bytes_of(data + at, length), frame, context);
			at += length;
		} while (at < (size_t)size);
	}
}

void connection_tick(struct connection *c)
{
	if (c->state != CONNECTION_SHAKING)
		return;
	tls_link_tick(c->tls);
	flush(c);
}

bool connection_watch(struct connection *c, int epoll, uint64_t name)
{
	bool writing = c->state == CONNECTION_CONNECTING || something_is_left(c);
	struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0u), .data.u64 = name};
	c->epoll = epoll;
	c->name = name;
	return epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

bool connection_begin(struct connection *c)
{
	if (c->state != CONNECTION_OPEN)
		return false;
	send_left(c);
	return c->state == CONNECTION_OPEN && !something_is_left(c);
}

static void put_datagram(struct connection *c, const struct iovec *parts, size_t count)
{
	struct gather *g = gather_of_thread();
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += parts[i].iov_len;
	if (!gather_has_room(g, size))
		g->lost += flush(c);
	for (size_t i = 0; i < count; i++)
		gather_append(g, bytes_of(parts[i].iov_base, parts[i].iov_len));
	gather_end_datagram(g);
}

void connection_put(struct connection *c, const struct iovec *parts, size_t count)
{
	struct gather *g = gather_of_thread();
	if (c->tls != NULL) {
		size_t size = gather_join(g, parts, count);
		if (!tls_link_seal(c->tls, bytes_of(g->plain, size)))
			end(c, "the library cannot seal a record");
	} else if (is_datagrams(c)) {
		put_datagram(c, parts, count);
	} else {
		for (size_t i = 0; i < count; i++)
			put_record(c, bytes_of(parts[i].iov_base, parts[i].iov_len));
	}
	if (c->plan->transport->separate_writes && !is_datagrams(c))
		flush(c);
}

unsigned connection_flush(struct connection *c)
{
	struct gather *g = gather_of_thread();
	unsigned before = g->lost;
	g->lost = 0;
	return before + flush(c);
}

bool connection_send(struct connection *c, struct bytes frame)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)frame.data, .iov_len = frame.size};
	if (!connection_begin(c))
		return false;
	connection_put(c, &part, 1);
	return connection_flush(c) == 0 && c->state == CONNECTION_OPEN;
}

void connection_farewell(struct connection *c)
{
	if (c->tls == NULL || !connection_begin(c))
		return;
	tls_link_end(c->tls);
	flush(c);
}

void connection_close(struct connection *c)
{
	if (c->plan == NULL)
		return;
	tls_link_free(c->tls);
	free(c->left.data);
	free(c->piece.data);
	if (c->fd >= 0)
		close(c->fd);
	connection_init(c, c->plan);
}
