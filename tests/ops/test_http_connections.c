#include "ops/http_connections.h"

#include <criterion/criterion.h>
#include <event2/buffer.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "http_rig.h"

static struct event_base *base;
static struct evhttp *http;
static struct http_connections connections;
static uint16_t port;

static void answer_request(struct evhttp_request *request, void *context)
{
	(void)context;
	struct evbuffer *body = evbuffer_new();
	evbuffer_add_printf(body, "hello");
	evhttp_send_reply(request, 200, NULL, body);
	evbuffer_free(body);
}

static void open_server(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	base = event_base_new();
	struct evconnlistener *listener =
		evconnlistener_new_bind(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE, 1024, (struct sockaddr *)&name, sizeof name);
	getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&name, &size);
	port = ntohs(name.sin_port);
	http = evhttp_new(base);
	cr_assert(evhttp_bind_listener(http, listener));
	evhttp_set_gencb(http, answer_request, NULL);
	cr_assert(http_connections_init(&connections, base, http, listener));
}

static void close_server(void)
{
	evhttp_free(http);
	http_connections_done(&connections);
	event_base_free(base);
}

TestSuite(http_connections, .init = open_server, .fini = close_server, .timeout = 30);

/* A second passes. */
static void tick(void)
{
	event_active(connections.tick, EV_TIMEOUT, 0);
	rig_turn(base);
}

static int ask(void)
{
	char answer[1024];
	rig_ask(base, port, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", answer, sizeof answer);
	return rig_status(answer);
}

Test(http_connections, counts_open_connections_only)
{
	int fds[5];
	for (unsigned i = 0; i < 5; i++)
		fds[i] = rig_connect(port, false);
	rig_turn_for(base, 20);
	cr_assert_eq(connections.count, 5);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	rig_turn_for(base, 20);
	tick();
	cr_assert_eq(connections.count, 2);
	cr_assert_eq(ask(), 200);
	tick();
	cr_assert_eq(connections.count, 2);
}

Test(http_connections, ends_a_connection_that_never_finishes_its_request)
{
	int slow = rig_connect(port, false);
	rig_send(slow, "GET / HTTP/1.1\r\n");
	rig_turn_for(base, 20);
	for (unsigned second = 0; second < HTTP_LIFETIME_S; second++) {
		cr_assert_not(rig_is_closed(slow), "after %u s", second);
		rig_send(slow, "X: drip\r\n");
		rig_turn(base);
		tick();
	}
	rig_turn_for(base, 20);
	cr_assert(rig_is_closed(slow));
	cr_assert_eq(connections.count, 0);
	close(slow);
}

Test(http_connections, ends_a_connection_that_keeps_asking)
{
	int busy = rig_connect(port, false);
	for (unsigned second = 0; second < HTTP_LIFETIME_S; second++) {
		rig_send(busy, "GET / HTTP/1.1\r\n\r\n");
		rig_turn_for(base, 5);
		tick();
	}
	char answers[8192];
	rig_receive_all(base, busy, answers, sizeof answers, 1000);
	cr_assert_eq(rig_status(answers), 200);
	cr_assert_eq(connections.count, 0);
	close(busy);
}

Test(http_connections, ends_a_silent_connection_without_help)
{
	int silent = rig_connect(port, false);
	rig_turn_for(base, (HTTP_IDLE_S - 1) * 1000);
	cr_assert_not(rig_is_closed(silent));
	rig_turn_for(base, 2000);
	cr_assert(rig_is_closed(silent));
	close(silent);
}

Test(http_connections, makes_room_for_a_new_connection_by_ending_the_oldest)
{
	int fds[HTTP_CONNECTIONS_MAX];
	for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		fds[i] = rig_connect(port, false);
		rig_turn(base);
	}
	rig_turn_for(base, 20);
	cr_assert_eq(connections.count, HTTP_CONNECTIONS_MAX);
	cr_assert_eq(ask(), 200);
	for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		cr_expect_eq(rig_is_closed(fds[i]), i < HTTP_CONNECTIONS_MAX / 4, "connection %u", i);
		close(fds[i]);
	}
}

Test(http_connections, bounds_descriptors_and_still_answers_under_a_flood)
{
	enum { FLOOD = 400 };
	int fds[FLOOD];
	unsigned before = rig_descriptors();
	for (unsigned i = 0; i < FLOOD; i++) {
		fds[i] = rig_connect(port, false);
		rig_send(fds[i], "GET / HT");
	}
	for (unsigned turn = 0; turn < 200; turn++) {
		rig_turn(base);
		cr_assert_leq(connections.count, HTTP_CONNECTIONS_MAX);
		/* Those of the quarter that has just ended close a turn later. */
		cr_assert_leq(rig_descriptors(), before + FLOOD + HTTP_CONNECTIONS_MAX + HTTP_CONNECTIONS_MAX / 4);
	}
	cr_assert_eq(ask(), 200);
	for (unsigned i = 0; i < FLOOD; i++)
		close(fds[i]);
}

static void leave_loop(evutil_socket_t fd, short events, void *context)
{
	(void)fd, (void)events, (void)context;
	event_base_loopbreak(base);
}

Test(http_connections, does_not_accept_a_whole_flood_in_one_turn)
{
	enum { FLOOD = 400 };
	int fds[FLOOD];
	for (unsigned i = 0; i < FLOOD; i++)
		fds[i] = rig_connect(port, false);
	/* Time-outs come after sockets: this ends the loop once the listener has had its turn. */
	struct event *leave = evtimer_new(base, leave_loop, NULL);
	event_add(leave, &(struct timeval){0});
	event_base_loop(base, 0);
	event_free(leave);
	unsigned ended = 0;
	for (unsigned i = 0; i < FLOOD; i++) {
		ended += rig_is_closed(fds[i]);
		close(fds[i]);
	}
	cr_assert_eq(ended, HTTP_CONNECTIONS_MAX / 4, "%u", ended);
}

Test(http_connections, does_not_spin_when_descriptors_run_out)
{
	int waiting = rig_connect(port, false);
	rig_send(waiting, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
	struct rlimit limit, none = {.rlim_cur = 0};
	getrlimit(RLIMIT_NOFILE, &limit);
	none.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	rig_turn(base);
	/* A loop that is told of the waiting connection again and again would return at once. */
	struct timeval start, end;
	gettimeofday(&start, NULL);
	event_base_loop(base, EVLOOP_ONCE);
	gettimeofday(&end, NULL);
	double waited_s = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_usec - start.tv_usec) / 1e6;
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_gt(waited_s, 0.5);
	char answer[1024];
	rig_receive_all(base, waiting, answer, sizeof answer, 3000);
	cr_assert_eq(rig_status(answer), 200);
	close(waiting);
}
