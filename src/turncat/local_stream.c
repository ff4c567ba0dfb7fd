#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "io/tcp_socket.h"
#include "turncat/answers.h"
#include "turncat/local.h"
#include "turncat/sockets.h"

enum { INPUT_MAX = 64 * 1024, PACKETS_AT_ONCE = 32, ACCEPTS_AT_ONCE = 16, LIMIT_LOG_S = 10, NAME_SIZE = 80 };

struct stream_client {
	struct stream_client *next, **link; /* link: what points at it */
	struct local_stream *local;
	struct tunnel *tunnel;
	struct bufferevent *stream;
	struct event *timer; /* once the input has ended */
	struct answers answers;
	bool over; /* freed with the end of the batch in hand */
};

struct local_stream {
	const struct local_world *world;
	int fd;
	struct event *acceptable;
	struct stream_client *clients;
	uint32_t count;
	unsigned long long accepted;
	struct log_limit limit_log;
};

static void client_free(struct stream_client *client)
{
	struct local_stream *l = client->local;
	if (l->count-- == l->world->options->clients_max)
		event_add(l->acceptable, NULL);
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	tunnel_free(client->tunnel);
	if (client->stream != NULL)
		bufferevent_free(client->stream);
	if (client->timer != NULL)
		event_free(client->timer);
	free(client);
}

static void on_packet(void *owner, struct bytes payload)
{
	struct stream_client *client = owner;
	client->answers.answered++;
	client->answers.last_ns = clock_mono_ns();
	if (evbuffer_get_length(bufferevent_get_output(client->stream)) + payload.size > LOCAL_OUTPUT_MAX)
		client->local->world->tunnels->dropped++;
	else if (bufferevent_write(client->stream, payload.data, payload.size) != 0)
		client->over = true;
}

static void linger(struct stream_client *client)
{
	bool unread = evbuffer_get_length(bufferevent_get_output(client->stream)) > 0;
	uint64_t left_ns =
		answers_left_ns(&client->answers, clock_mono_ns(), unread ? LOCAL_LINGER_MS : LOCAL_SETTLE_MS, LOCAL_LINGER_MS);
	bool waits = evbuffer_get_length(bufferevent_get_input(client->stream)) > 0;
	struct timeval wait = {.tv_usec = (suseconds_t)(left_ns / 1000) % 1000000, .tv_sec = (time_t)(left_ns / NS_PER_S)};
	if (left_ns == 0 && !waits)
		client_free(client);
	else
		event_add(client->timer, left_ns > 0 ? &wait : &(struct timeval){.tv_usec = LOCAL_SETTLE_MS * 1000});
}

static void on_batch_end(void *owner)
{
	struct stream_client *client = owner;
	if (client->over)
		client_free(client);
	else if (client->answers.ended)
		linger(client);
}

/* What has come in, in packets, as far as the tunnel takes them; what is left waits for on_ready. */
static void send_input(struct stream_client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->stream);
	uint8_t packet[LOCAL_STREAM_PACKET];
	while (evbuffer_get_length(input) > 0 && tunnel_takes(client->tunnel)) {
		int size;
		for (int i = 0; i < PACKETS_AT_ONCE && (size = evbuffer_remove(input, packet, sizeof packet)) > 0; i++) {
			tunnel_send(client->tunnel, bytes_of(packet, (size_t)size));
			client->answers.sent++;
		}
		tunnel_flush(client->tunnel);
	}
	client->answers.last_ns = clock_mono_ns();
}

static void on_linger(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	linger(context);
}

static void on_ready(void *owner)
{
	struct stream_client *client = owner;
	send_input(client);
	if (!client->answers.ended)
		bufferevent_enable(client->stream, EV_READ);
}

/* A client that is waiting goes on waiting, unless the server does not want it, or nothing more can come of it. */
static void on_failed(void *owner, bool refused)
{
	struct stream_client *client = owner;
	if (refused || client->answers.ended)
		client_free(client);
}

static const struct tunnel_events tunnel_events = {
	.packet = on_packet, .batch_end = on_batch_end, .ready = on_ready, .failed = on_failed};

static void on_input(struct bufferevent *stream, void *context)
{
	(void)stream;
	send_input(context);
}

static void on_event(struct bufferevent *stream, short what, void *context)
{
	(void)stream;
	struct stream_client *client = context;
	if ((what & BEV_EVENT_EOF) == 0 || client->answers.ended) {
		client_free(client);
		return;
	}
	client->answers.ended = true;
	client->answers.last_ns = clock_mono_ns();
	linger(client);
}

static void name_client(const struct local_stream *l, int fd, char name[static NAME_SIZE])
{
	char addr[ADDR_TEXT_SIZE];
	struct addr peer = tcp_socket_peer(fd);
	if (l->world->options->local.kind == SPEC_TCP)
		snprintf(name, NAME_SIZE, "tcp client %s", addr_format(&peer, addr));
	else
		snprintf(name, NAME_SIZE, "unix client %llu", l->accepted);
}

/* Takes over the descriptor. */
static bool make_client(struct local_stream *l, int fd)
{
	char name[NAME_SIZE];
	struct event_base *base = l->world->tunnels->base;
	struct stream_client *client = calloc(1, sizeof *client);
	if (client == NULL) {
		close(fd);
		return false;
	}
	l->accepted++;
	name_client(l, fd, name);
	*client = (struct stream_client){.next = l->clients, .link = &l->clients, .local = l};
	if (client->next != NULL)
		client->next->link = &client->next;
	l->clients = client;
	l->count++;
	client->stream = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (client->stream == NULL)
		close(fd);
	client->timer = evtimer_new(base, on_linger, client);
	client->tunnel = tunnel_create(l->world->tunnels, name, &tunnel_events, client);
	if (client->stream == NULL || client->timer == NULL || client->tunnel == NULL) {
		client_free(client);
		return false;
	}
	bufferevent_setcb(client->stream, on_input, NULL, on_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0, INPUT_MAX);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	return true;
}

/* At the bound nothing is accepted: who comes then waits in the kernel's queue. */
static bool has_room(struct local_stream *l)
{
	uint32_t suppressed;
	if (l->count < l->world->options->clients_max)
		return true;
	event_del(l->acceptable);
	if (log_limit_pass(&l->limit_log, clock_mono_ns(), LIMIT_LOG_S * NS_PER_S, &suppressed))
		log_warn(LOG_TURNCAT, "new clients wait: there are %u already (--clients-max)", l->count);
	return false;
}

static void on_acceptable(evutil_socket_t listener, short what, void *context)
{
	(void)what;
	struct local_stream *l = context;
	for (int i = 0; i < ACCEPTS_AT_ONCE && has_room(l); i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (fd < 0 || !make_client(l, fd)) {
			log_warn(LOG_TURNCAT, "a client cannot be accepted: %s", fd < 0 ? strerror(errno) : "out of memory");
			return;
		}
	}
}

struct local_stream *local_stream_create(const struct local_world *world, struct failure *failure)
{
	struct local_stream *l = calloc(1, sizeof *l);
	if (l == NULL) {
		fail(failure, "out of memory");
		return NULL;
	}
	l->world = world;
	l->fd = sockets_listen(&world->options->local, failure);
	if (l->fd >= 0)
		l->acceptable = event_new(world->tunnels->base, l->fd, EV_READ | EV_PERSIST, on_acceptable, l);
	if (l->acceptable != NULL && event_add(l->acceptable, NULL) == 0)
		return l;
	if (l->fd >= 0)
		fail(failure, "out of memory");
	local_stream_free(l);
	return NULL;
}

void local_stream_free(struct local_stream *l)
{
	if (l == NULL)
		return;
	while (l->clients != NULL)
		client_free(l->clients);
	if (l->acceptable != NULL)
		event_free(l->acceptable);
	if (l->fd >= 0)
		close(l->fd);
	const struct spec_local *spec = &l->world->options->local;
	if (l->fd >= 0 && spec->kind == SPEC_UNIX && spec->path[0] != '@')
		unlink(spec->path);
	free(l);
}
