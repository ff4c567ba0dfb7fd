#include "ops/http.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_rig.h"
#include "ops/http_connections.h"

static struct event_base *base;
static struct http_endpoint *endpoint;
static char answer[64 * 1024];

static void hello(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)context;
	reply->content_type = "application/json";
	evbuffer_add_printf(reply->body, "[\"%s\",\"%s\"]", request->path, request->query);
}

static void broken(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)request;
	reply->status = *(int *)context;
	evbuffer_add_printf(reply->body, "broken\n");
}

static void large(void *context, const struct http_request *request, struct http_reply *reply)
{
	(void)context, (void)request;
	for (unsigned i = 0; i < 40000; i++)
		evbuffer_add(reply->body, "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
}

static int broken_status = 503;
static const struct http_route routes[] = {
	{"/hello", hello, NULL},
	{"/broken", broken, &broken_status},
	{"/large", large, NULL},
};

static int open_at(struct addr local, struct http_endpoint **ret_endpoint, char ret_error[static HTTP_ERROR_SIZE])
{
	struct http_params params = {base, local, "admin.healthcheck_endpoint", routes, sizeof routes / sizeof routes[0]};
	return http_endpoint_open(&params, ret_endpoint, ret_error);
}

static void open_endpoint(void)
{
	char error[HTTP_ERROR_SIZE] = "";
	base = event_base_new();
	cr_assert_eq(open_at(addr_ipv4(127, 0, 0, 1, 0), &endpoint, error), 0, "%s", error);
}

static void close_endpoint(void)
{
	http_endpoint_close(endpoint);
	event_base_free(base);
}

TestSuite(http, .init = open_endpoint, .fini = close_endpoint, .timeout = 30);

static int ask(const char *request)
{
	rig_ask(base, http_endpoint_port(endpoint), request, answer, sizeof answer);
	return rig_status(answer);
}

Test(http, answers_get_with_what_the_handler_wrote)
{
	cr_assert_eq(ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"), 200);
	cr_assert_str_eq(rig_body(answer), "[\"/hello\",\"\"]");
	cr_assert(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	cr_assert(strstr(answer, "\r\nContent-Length: 13\r\n"));
	cr_assert(strstr(answer, "\r\nConnection: close\r\n"));
	cr_assert_null(strstr(answer, "chunked"));
}

Test(http, passes_the_query_on_undecoded_and_matches_on_the_path_alone)
{
	cr_assert_eq(ask("GET /hello?user=a%20b&x HTTP/1.1\r\n\r\n"), 200);
	cr_assert_str_eq(rig_body(answer), "[\"/hello\",\"user=a%20b&x\"]");
}

Test(http, answers_head_with_the_headers_of_get_and_no_body)
{
	cr_assert_eq(ask("HEAD /hello HTTP/1.1\r\n\r\n"), 200);
	cr_assert(strstr(answer, "\r\nContent-Length: 14\r\n") == NULL);
	cr_assert(strstr(answer, "\r\nContent-Length: 13\r\n"));
	cr_assert(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	cr_assert_str_eq(rig_body(answer), "");
}

Test(http, answers_http_1_0)
{
	cr_assert_eq(rig_ask(base, http_endpoint_port(endpoint), "GET /hello HTTP/1.0\r\n\r\n", answer, sizeof answer) > 0, true);
	cr_assert_eq(strncmp(answer, "HTTP/1.0 200 OK\r\n", 17), 0, "%s", answer);
	cr_assert_str_eq(rig_body(answer), "[\"/hello\",\"\"]");
}

Test(http, keeps_the_status_of_the_handler)
{
	cr_assert_eq(ask("GET /broken HTTP/1.1\r\n\r\n"), 503);
	cr_assert_str_eq(rig_body(answer), "broken\n");
}

Test(http, delivers_a_reply_larger_than_the_socket_buffers)
{
	size_t room = 4 << 20;
	char *text = malloc(room);
	size_t size = rig_ask(base, http_endpoint_port(endpoint), "GET /large HTTP/1.1\r\n\r\n", text, room);
	cr_assert_eq(size - (size_t)(rig_body(text) - text), 40000 * 70);
	free(text);
}

Test(http, refuses_what_it_does_not_serve)
{
	static const struct {
		int status;
		const char *request;
	} cases[] = {
		{404, "GET / HTTP/1.1\r\n\r\n"},
		{404, "GET /hello/ HTTP/1.1\r\n\r\n"},
		{404, "GET /hellos HTTP/1.1\r\n\r\n"},
		{404, "GET /hell HTTP/1.1\r\n\r\n"},
		{404, "GET /../hello HTTP/1.1\r\n\r\n"},
		{404, "GET //hello HTTP/1.1\r\n\r\n"},
		{404, "HEAD /nothing HTTP/1.1\r\n\r\n"},
		{404, "GET http://example.net HTTP/1.1\r\n\r\n"},
		{405, "POST /hello HTTP/1.1\r\nContent-Length: 0\r\n\r\n"},
		{405, "PUT /hello HTTP/1.1\r\n\r\n"},
		{405, "DELETE /hello HTTP/1.1\r\n\r\n"},
		{405, "OPTIONS /hello HTTP/1.1\r\n\r\n"},
		{405, "TRACE /hello HTTP/1.1\r\n\r\n"},
		{405, "PATCH /hello HTTP/1.1\r\n\r\n"},
		{405, "POST /nothing HTTP/1.1\r\n\r\n"},
		{413, "POST /hello HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"},
		{413, "POST /hello HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"},
		{413, "GET /hello HTTP/1.1\r\nContent-Length: 1\r\n\r\nx"},
		{413, "GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{501, "BREW /hello HTTP/1.1\r\n\r\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(ask(cases[i].request), cases[i].status, "%s: %s", cases[i].request, answer);
}

Test(http, names_the_methods_it_serves_with_405)
{
	cr_assert_eq(ask("DELETE /hello HTTP/1.1\r\n\r\n"), 405);
	cr_assert(strstr(answer, "\r\nAllow: GET, HEAD\r\n"));
}

Test(http, survives_requests_that_are_no_http)
{
	static const char *const requests[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /hello\r\n\r\n",
		"GET /hello HTTP/9.9\r\n\r\n",
		"GET /hello FTP/1.1\r\n\r\n",
		"GET  HTTP/1.1\r\n\r\n",
		"GET /hello HTTP/1.1\r\nno colon\r\n\r\n",
		"GET /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET /hello HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"GET http://[::1 HTTP/1.1\r\n\r\n",
		"CONNECT HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 and so on\r\n\r\n",
		"\xff\xfe\xfd /hello HTTP/1.1\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
		int fd = rig_connect(http_endpoint_port(endpoint), false);
		rig_send(fd, requests[i]);
		shutdown(fd, SHUT_WR);
		rig_receive_all(base, fd, answer, sizeof answer, 2000);
		cr_expect_neq(rig_status(answer), 200, "%s", requests[i]);
		close(fd);
	}
	cr_assert_eq(ask("GET /hello HTTP/1.1\r\n\r\n"), 200);
}

static bool is_refused(int status)
{
	return status == 400 || status == 413;
}

Test(http, refuses_headers_beyond_the_bound)
{
	char request[HTTP_HEADER_SIZE_MAX + 2048] = "GET /hello HTTP/1.1\r\nX: ";
	size_t start = strlen(request);
	memset(request + start, 'x', sizeof request - start);
	strcpy(request + sizeof request - 5, "\r\n\r\n");
	cr_assert(is_refused(ask(request)), "%.100s", answer);

	memset(request, 'y', sizeof request);
	request[sizeof request - 1] = '\0';
	cr_assert(is_refused(ask(request)), "%.100s", answer);

	cr_assert_eq(ask("GET /hello HTTP/1.1\r\n\r\n"), 200);
}

Test(http, refuses_many_small_headers_beyond_the_bound)
{
	/* The bound counts the lines without their ends. */
	static char request[2 * HTTP_HEADER_SIZE_MAX];
	size_t size = (size_t)sprintf(request, "GET /hello HTTP/1.1\r\n");
	while (size < sizeof request - 16)
		size += (size_t)sprintf(request + size, "A: b\r\n");
	strcpy(request + size, "\r\n");
	cr_assert(is_refused(ask(request)), "%.100s", answer);
}

Test(http, answers_requests_that_come_in_pieces)
{
	int fd = rig_connect(http_endpoint_port(endpoint), false);
	for (const char *piece = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"; *piece != '\0'; piece++) {
		rig_send(fd, (const char[]){*piece, '\0'});
		rig_turn(base);
	}
	rig_receive_all(base, fd, answer, sizeof answer, 2000);
	cr_assert_eq(rig_status(answer), 200);
	close(fd);
}

Test(http, answers_once_and_closes_even_when_more_requests_follow)
{
	cr_assert_eq(ask("GET /hello HTTP/1.1\r\nConnection: keep-alive\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"), 200);
	cr_assert_null(strstr(rig_body(answer), "HTTP/1.1"));
}

Test(http, survives_clients_that_leave_before_the_answer)
{
	for (unsigned i = 0; i < 50; i++) {
		int fd = rig_connect(http_endpoint_port(endpoint), false);
		rig_send(fd, "GET /large HTTP/1.1\r\n\r\n");
		if (i % 2 == 0)
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
		if (i % 3 == 0)
			rig_turn(base);
		close(fd);
	}
	rig_turn_for(base, 50);
	cr_assert_eq(ask("GET /hello HTTP/1.1\r\n\r\n"), 200);
}

Test(http, leaves_no_descriptor_behind)
{
	ask("GET /hello HTTP/1.1\r\n\r\n");
	rig_turn_for(base, 1200);
	unsigned before = rig_descriptors();
	for (unsigned i = 0; i < 200; i++)
		ask(i % 2 == 0 ? "GET /hello HTTP/1.1\r\n\r\n" : "nonsense\r\n\r\n");
	rig_turn_for(base, 1200);
	cr_assert_eq(rig_descriptors(), before);
}

Test(http, ignores_the_signal_of_a_broken_pipe)
{
	struct sigaction action;
	sigaction(SIGPIPE, NULL, &action);
	cr_assert_eq(action.sa_handler, SIG_IGN);
}

Test(http, does_not_share_its_port)
{
	char error[HTTP_ERROR_SIZE] = "";
	struct http_endpoint *second = NULL;
	cr_assert_eq(open_at(addr_ipv4(127, 0, 0, 1, http_endpoint_port(endpoint)), &second, error), -EADDRINUSE);
	cr_assert_null(second);
	char expected[HTTP_ERROR_SIZE];
	snprintf(expected, sizeof expected,
		"admin.healthcheck_endpoint: cannot listen for HTTP on 127.0.0.1:%u: Address already in use; another process "
		"listens "
		"there (another uturn?): stop it, or choose another port",
		http_endpoint_port(endpoint));
	cr_assert_str_eq(error, expected);
	cr_assert_eq(open_at((struct addr){.port = http_endpoint_port(endpoint)}, &second, error), -EADDRINUSE);
	cr_assert(strstr(error, " of all addresses: Address already in use;"), "%s", error);
}

Test(http, says_which_address_the_machine_does_not_have)
{
	char error[HTTP_ERROR_SIZE] = "";
	struct http_endpoint *second = NULL;
	cr_assert_eq(open_at(addr_ipv4(192, 0, 2, 1, 0), &second, error), -EADDRNOTAVAIL);
	cr_assert(strstr(error, "cannot listen for HTTP on 192.0.2.1:0: "), "%s", error);
	cr_assert(strstr(error, "this machine does not have the address"), "%s", error);
}

Test(http, listens_again_at_once_after_it_was_closed)
{
	uint16_t port = http_endpoint_port(endpoint);
	ask("GET /hello HTTP/1.1\r\n\r\n");
	http_endpoint_close(endpoint);
	char error[HTTP_ERROR_SIZE] = "";
	cr_assert_eq(open_at(addr_ipv4(127, 0, 0, 1, port), &endpoint, error), 0, "%s", error);
	cr_assert_eq(ask("GET /hello HTTP/1.1\r\n\r\n"), 200);
}

Test(http, closes_with_connections_open)
{
	int silent = rig_connect(http_endpoint_port(endpoint), false);
	int talking = rig_connect(http_endpoint_port(endpoint), false);
	rig_send(talking, "GET /he");
	rig_turn_for(base, 20);
	http_endpoint_close(endpoint);
	endpoint = NULL;
	rig_turn(base);
	cr_assert(rig_is_closed(silent));
	cr_assert(rig_is_closed(talking));
	close(silent);
	close(talking);
}

Test(http, serves_both_families_when_no_address_is_named)
{
	char error[HTTP_ERROR_SIZE] = "";
	struct http_endpoint *all = NULL;
	cr_assert_eq(open_at((struct addr){0}, &all, error), 0, "%s", error);
	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		int fd = rig_connect(http_endpoint_port(all), ipv6);
		rig_send(fd, "GET /hello HTTP/1.1\r\n\r\n");
		rig_receive_all(base, fd, answer, sizeof answer, 2000);
		cr_expect_eq(rig_status(answer), 200, "IPv%d", ipv6 ? 6 : 4);
		close(fd);
	}
	http_endpoint_close(all);
}
