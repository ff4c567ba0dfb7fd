#include "fake_listener.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <unistd.h>

#include "fake_streams.h"

enum { POLL_MS = 20 };

static void count(struct fake_listener *l, const struct fake_message *request)
{
	unsigned method = fake_method(request);
	l->allocated += method == STUN_ALLOCATE;
	l->bound += method == STUN_CHANNEL_BIND;
	l->ended += method == STUN_REFRESH;
}

static bool port_taken(struct fake_listener *l, uint16_t port)
{
	for (unsigned i = 0; i < l->taken_count; i++)
		if (l->taken_ports[i] == port)
			return true;
	if (l->taken_count == l->taken)
		return false;
	cr_assert_lt(l->taken_count, FAKE_TAKEN_MAX);
	l->taken_ports[l->taken_count++] = port;
	return true;
}

struct fake_message fake_listener_answer(struct fake_listener *l, const struct fake_message *request, uint16_t port)
{
	if (fake_method(request) == STUN_BINDING)
		return fake_success(request, NULL, 0);
	if (!fake_has(request, STUN_ATTR_USERNAME))
		return fake_error(request, 401, "nonce-1");
	if (l->refuse != 0)
		return fake_error(request, l->refuse, NULL);
	if (fake_method(request) == STUN_ALLOCATE && port_taken(l, port))
		return fake_error(request, 437, NULL);
	count(l, request);
	return fake_success(request, FAKE_PASSWORD, 600);
}

static void answer_one(struct fake_listener *l)
{
	struct fake_message request;
	struct sockaddr_storage from;
	socklen_t from_size = sizeof from;
	ssize_t size = recvfrom(l->fd, request.data, sizeof request.data, 0, (struct sockaddr *)&from, &from_size);
	if (size <= 0)
		return;
	request.size = (size_t)size;
	if (l->drop_every != 0 && ++l->requests % l->drop_every == 0)
		return;
	struct addr client = addr_from_sockaddr((struct sockaddr *)&from);
	struct fake_message answer = fake_listener_answer(l, &request, client.port);
	sendto(l->fd, answer.data, answer.size, 0, (struct sockaddr *)&from, from_size);
}

static void *listen_on(void *context)
{
	struct fake_listener *l = context;
	struct pollfd ready = {.fd = l->fd, .events = POLLIN};
	if (l->transport != TRANSPORT_UDP) {
		fake_streams_run(l);
		return NULL;
	}
	while (!l->stop)
		if (poll(&ready, 1, POLL_MS) > 0)
			answer_one(l);
	/* What was sent before the stop still counts. */
	while (poll(&ready, 1, 0) > 0)
		answer_one(l);
	return NULL;
}

void fake_listener_start(struct fake_listener *l)
{
	struct addr any_port = addr_ipv4(127, 0, 0, 1, 0);
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(&any_port, &sa);
	l->fd = socket(AF_INET, (transport_is_stream(l->transport) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	cr_assert_geq(l->fd, 0);
	cr_assert_eq(bind(l->fd, (struct sockaddr *)&sa, size), 0);
	cr_assert_eq(getsockname(l->fd, (struct sockaddr *)&sa, &size), 0);
	if (transport_is_stream(l->transport))
		cr_assert_eq(listen(l->fd, 128), 0);
	l->addr = addr_from_sockaddr((struct sockaddr *)&sa);
	cr_assert_eq(pthread_create(&l->thread, NULL, listen_on, l), 0);
}

void fake_listener_stop(struct fake_listener *l)
{
	l->stop = true;
	pthread_join(l->thread, NULL);
	close(l->fd);
}
