#include "clients/setup.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "interrupt.h"

enum { EVENTS_MAX = 64, TICK_MS = 20, ANSWER_MAX = 2048, DATAGRAMS_AT_ONCE = 4 };
enum { FAREWELLS_AT_ONCE = 32, FAREWELL_WAIT_MS = 10, FAREWELL_WAITS_MAX = 2 };

struct setup {
	struct setup_client *clients;
	uint64_t *wake_ns; /* of each client at work; UINT64_MAX otherwise */
	unsigned count, next, working;
	unsigned first_working; /* all before it are ready */
	int epoll;
	struct addr server;
	bool answered;
	uint64_t answered_ns; /* or the start */
	uint64_t waited_ns;
	struct failure *failure;
};

static bool send_failed(struct setup *s, int error)
{
	char text[ADDR_TEXT_SIZE];
	addr_format(&s->server, text);
	if (error == ECONNREFUSED && s->answered)
		return fail(s->failure, "the server at %s has ended: nothing listens there any more", text);
	if (error == ECONNREFUSED)
		return fail(s->failure, "nothing listens at %s (UDP): start the server, or give its address", text);
	return fail(s->failure, "cannot reach the server at %s: %s", text, strerror(error));
}

/* What a full buffer swallows is sent again. */
static bool passing(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR;
}

static bool connection_over(struct setup *s, const struct connection *c)
{
	char text[ADDR_TEXT_SIZE];
	addr_format(&s->server, text);
	return fail(
		s->failure, "the server at %s ended a connection (%s): %s", text, transport_name(c->plan->transport->kind), c->why);
}

static bool watch(struct setup *s, unsigned index)
{
	if (s->clients[index].connection != NULL)
		return connection_watch(s->clients[index].connection, s->epoll, index) ||
		       fail(s->failure, "epoll_ctl: %s", strerror(errno));
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->clients[index].fd, &event) == 0 ||
	       fail(s->failure, "epoll_ctl: %s", strerror(errno));
}

/* The others wait as long as that takes. */
static bool renew_connection(struct setup *s, struct setup_client *client)
{
	struct establish_figures figures;
	connection_close(client->connection);
	bool done = establish(client->connection, &(struct establish_plan){.count = 1, .parallel = 1}, &figures, s->failure);
	client->fd = client->connection->fd;
	return done;
}

/* False: it failed, and another port would not help, or cannot be had. */
static bool renew_client(struct setup *s, unsigned index)
{
	struct setup_client *client = &s->clients[index];
	if (!client->client->port_taken || client->renewals == SETUP_RENEWALS_MAX)
		return fail(s->failure, "%s", client->client->failure.text);
	client->renewals++;
	if (!(client->connection != NULL ? renew_connection(s, client) : endpoint_renew(client->fd, s->failure)))
		return false;
	turn_client_restart(client->client);
	return watch(s, index);
}

bool setup_send(struct setup_client *client, const uint8_t *message, size_t size)
{
	errno = EAGAIN;
	if (client->connection != NULL)
		return connection_send(client->connection, bytes_of(message, size));
	return send(client->fd, message, size, MSG_DONTWAIT) >= 0;
}

/* Sends what the client has to say. */
static bool poll_client(struct setup *s, unsigned index, uint64_t now_ns)
{
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	struct setup_client *client = &s->clients[index];
	size_t size;
	if (client->client->state == TURN_CLIENT_FAILED && !renew_client(s, index))
		return false;
	while ((size = turn_client_poll(client->client, now_ns, message, &s->wake_ns[index])) > 0)
		if (!setup_send(client, message, size) && !passing(errno))
			return send_failed(s, errno);
	if (client->client->state != TURN_CLIENT_FAILED)
		return true;
	return fail(s->failure, "%s", client->client->failure.text);
}

static bool start_client(struct setup *s, uint64_t now_ns)
{
	unsigned index = s->next++;
	if (s->clients[index].client->state == TURN_CLIENT_READY)
		return true;
	s->working++;
	s->clients[index].client->server = s->server;
	return poll_client(s, index, now_ns);
}

static bool start_clients(struct setup *s, unsigned parallel, uint64_t now_ns)
{
	while (s->next < s->count && s->working < parallel)
		if (!start_client(s, now_ns))
			return false;
	return true;
}

static void hear(struct setup *s, unsigned index, struct bytes answer, uint64_t now_ns)
{
	if (s->wake_ns[index] == UINT64_MAX || !turn_client_takes(answer))
		return;
	s->answered = true;
	s->answered_ns = now_ns;
	turn_client_receive(s->clients[index].client, answer, now_ns);
}

/* What the client makes of what it heard. */
static bool go_on(struct setup *s, unsigned index, uint64_t now_ns)
{
	if (s->wake_ns[index] == UINT64_MAX)
		return true;
	if (s->clients[index].client->state != TURN_CLIENT_READY)
		return poll_client(s, index, now_ns);
	s->wake_ns[index] = UINT64_MAX;
	s->working--;
	return true;
}

struct listener {
	struct setup *setup;
	unsigned index;
	uint64_t now_ns;
};

static void hear_frame(void *context, struct bytes frame)
{
	const struct listener *l = context;
	hear(l->setup, l->index, frame, l->now_ns);
}

static bool receive_connection(struct setup *s, unsigned index, struct connection *c, uint64_t now_ns)
{
	struct listener listener = {.setup = s, .index = index, .now_ns = now_ns};
	connection_writable(c);
	connection_readable(c, hear_frame, &listener);
	if (c->state == CONNECTION_ENDED)
		return connection_over(s, c);
	return go_on(s, index, now_ns);
}

/* A client mostly has one answer waiting; what is left over is reported again. */
static bool receive(struct setup *s, unsigned index, uint64_t now_ns)
{
	uint8_t answer[ANSWER_MAX];
	if (s->clients[index].connection != NULL)
		return receive_connection(s, index, s->clients[index].connection, now_ns);
	for (int i = 0; i < DATAGRAMS_AT_ONCE; i++) {
		ssize_t size = recv(s->clients[index].fd, answer, sizeof answer, 0);
		if (size < 0)
			return passing(errno) || send_failed(s, errno);
		hear(s, index, bytes_of(answer, (size_t)size), now_ns);
		if (!go_on(s, index, now_ns))
			return false;
		if (s->wake_ns[index] == UINT64_MAX)
			break;
	}
	return true;
}

static bool silent_too_long(struct setup *s, unsigned index, uint64_t now_ns)
{
	turn_client_give_up(s->clients[index].client, now_ns);
	return fail(s->failure, "%s", s->clients[index].client->failure.text);
}

/* Sends again what is due, over all clients at work: seldom, since nothing is due before 500 ms have passed. */
static bool tick(struct setup *s, uint64_t now_ns)
{
	bool silence = now_ns - s->answered_ns > SETUP_SILENCE_MS * NS_PER_MS;
	while (s->first_working < s->next && s->wake_ns[s->first_working] == UINT64_MAX)
		s->first_working++;
	for (unsigned i = s->first_working; i < s->next; i++) {
		if (s->wake_ns[i] == UINT64_MAX)
			continue;
		if (silence)
			return silent_too_long(s, i, now_ns);
		if (now_ns >= s->wake_ns[i] && !poll_client(s, i, now_ns))
			return false;
	}
	return true;
}

static bool wait_and_receive(struct setup *s)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t before_ns = clock_mono_ns();
	int ready = epoll_wait(s->epoll, events, EVENTS_MAX, TICK_MS);
	uint64_t now_ns = clock_mono_ns();
	s->waited_ns += now_ns - before_ns;
	if (ready < 0 && errno != EINTR)
		return fail(s->failure, "epoll_wait: %s", strerror(errno));
	for (int i = 0; i < ready; i++)
		if (!receive(s, events[i].data.u32, now_ns))
			return false;
	return true;
}

static bool run(struct setup *s, unsigned parallel, struct setup_figures *ret_figures)
{
	uint64_t start_ns = clock_mono_ns(), tick_ns = start_ns;
	s->answered_ns = start_ns;
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		if (!start_clients(s, parallel, now_ns))
			return false;
		if (s->working == 0)
			break;
		if (interrupt_requested())
			return fail(s->failure, "interrupted");
		if (now_ns - tick_ns >= TICK_MS * NS_PER_MS) {
			tick_ns = now_ns;
			if (!tick(s, now_ns))
				return false;
		}
		if (!wait_and_receive(s))
			return false;
	}
	uint64_t spent_ns = clock_mono_ns() - start_ns;
	ret_figures->seconds = (double)spent_ns / (double)NS_PER_S;
	ret_figures->busy = spent_ns == 0 ? 0 : 1 - (double)s->waited_ns / (double)spent_ns;
	return true;
}

static bool prepare(struct setup *s)
{
	s->wake_ns = malloc(s->count * sizeof *s->wake_ns);
	if (s->wake_ns == NULL)
		return fail(s->failure, "out of memory");
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll < 0)
		return fail(s->failure, "epoll_create1: %s", strerror(errno));
	for (unsigned i = 0; i < s->count; i++) {
		s->wake_ns[i] = UINT64_MAX;
		if (!watch(s, i))
			return false;
	}
	struct sockaddr_storage sa = {0};
	socklen_t size = sizeof sa;
	if (getpeername(s->clients[0].fd, (struct sockaddr *)&sa, &size) != 0)
		return fail(s->failure, "getpeername: %s", strerror(errno));
	s->server = addr_from_sockaddr((struct sockaddr *)&sa);
	return true;
}

bool setup_clients_timed(
	struct setup_client *clients, unsigned count, unsigned parallel, struct setup_figures *ret_figures, struct failure *failure)
{
	*ret_figures = (struct setup_figures){0};
	if (count == 0)
		return true;
	struct setup s = {.clients = clients, .count = count, .epoll = -1, .failure = failure};
	bool done = prepare(&s) && run(&s, parallel > 0 ? parallel : 1, ret_figures);
	for (unsigned i = 0; i < count; i++)
		if (clients[i].connection != NULL)
			clients[i].connection->epoll = -1;
	if (s.epoll >= 0)
		close(s.epoll);
	free(s.wake_ns);
	return done;
}

bool setup_clients(struct setup_client *clients, unsigned count, unsigned parallel, double *ret_seconds, struct failure *failure)
{
	struct setup_figures figures;
	if (!setup_clients_timed(clients, count, parallel, &figures, failure))
		return false;
	if (ret_seconds != NULL)
		*ret_seconds = figures.seconds;
	return true;
}

void setup_farewell(struct setup_client *clients, unsigned count)
{
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	unsigned waits = 0, sent = 0;
	for (unsigned i = 0; i < count; i++) {
		size_t size = turn_client_farewell(clients[i].client, message);
		/* A client without a socket is one that was never set up. */
		if (size == 0 || clients[i].fd < 0 || !setup_send(&clients[i], message, size) || clients[i].connection != NULL)
			continue;
		struct pollfd answer = {.fd = clients[i].fd, .events = POLLIN};
		if (++sent % FAREWELLS_AT_ONCE == 0 && waits < FAREWELL_WAITS_MAX && poll(&answer, 1, FAREWELL_WAIT_MS) == 0)
			waits++;
	}
}
