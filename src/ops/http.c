#include "ops/http.h"

#include <assert.h>
#include <errno.h>
#include <event2/http.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "ops/http_connections.h"

enum {
	LISTEN_BACKLOG = 256,
	/* Every method that evhttp knows: those that have no place here get 405 from us, not 501 from it. */
	ALL_METHODS = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT | EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS |
		      EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT | EVHTTP_REQ_PATCH,
};

struct http_endpoint {
	struct evhttp *server;
	struct http_connections connections;
	uint16_t port;
	size_t route_count;
	struct http_route routes[HTTP_ROUTES_MAX];
};

static const struct http_route *find_route(const struct http_endpoint *endpoint, const char *path)
{
	for (size_t i = 0; i < endpoint->route_count; i++) {
		if (strcmp(endpoint->routes[i].path, path) == 0)
			return &endpoint->routes[i];
	}
	return NULL;
}

static void fill_reply(const struct http_endpoint *endpoint, struct evhttp_request *request, struct http_reply *reply)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		reply->status = HTTP_BADMETHOD;
		evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
		evbuffer_add_printf(reply->body, "only GET and HEAD are served here\n");
		return;
	}
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = evhttp_uri_get_path(uri);
	const char *query = evhttp_uri_get_query(uri);
	const struct http_route *route = path == NULL ? NULL : find_route(endpoint, path);
	if (route == NULL) {
		reply->status = HTTP_NOTFOUND;
		evbuffer_add_printf(reply->body, "there is nothing at this path\n");
		return;
	}
	route->handler(route->context, &(struct http_request){path, query == NULL ? "" : query}, reply);
}

static void on_request(struct evhttp_request *request, void *context)
{
	struct http_reply reply = {.status = HTTP_OK, .content_type = "text/plain; charset=utf-8", .body = evbuffer_new()};
	if (reply.body == NULL) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	fill_reply(context, request, &reply);

	char size[24];
	snprintf(size, sizeof size, "%zu", evbuffer_get_length(reply.body));
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	evhttp_add_header(headers, "Content-Type", reply.content_type);
	evhttp_add_header(headers, "Content-Length", size);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "Connection", "close");
	/* RFC 9110 Section 9.3.2: the same headers as GET, and no content. */
	if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD)
		evbuffer_drain(reply.body, evbuffer_get_length(reply.body));
	evhttp_send_reply(request, reply.status, NULL, reply.body);
	evbuffer_free(reply.body);
}

/* Plain, without SO_REUSEPORT: two processes must not share the port unnoticed. SO_REUSEADDR lets a restart pass its predecessor's
 * connections in TIME_WAIT. A negative errno, or the socket. */
static int listen_on(const struct addr *local)
{
	struct sockaddr_storage name;
	socklen_t name_size = addr_to_sockaddr(local, &name);
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* [::] means every address of the machine, IPv4 too, as in stunnerd. */
	int on = 1, v6only = !addr_is_any(local);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if ((local->family == ADDR_IPV6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only) != 0) ||
		bind(fd, (struct sockaddr *)&name, name_size) != 0 || listen(fd, LISTEN_BACKLOG) != 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

static int listen_where_asked(const struct addr *local)
{
	if (local->family != ADDR_NONE)
		return listen_on(local);
	struct addr any = addr_any(ADDR_IPV6, local->port);
	int fd = listen_on(&any);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	any = addr_any(ADDR_IPV4, local->port);
	return listen_on(&any);
}

static const char *advice(int error)
{
	switch (error) {
	case EADDRINUSE:
		return "another process listens there (another uturn?): stop it, or choose another port";
	case EADDRNOTAVAIL:
		return "this machine does not have the address: name one of its own, or leave the address out to listen on all";
	case EACCES:
	case EPERM:
		return "ports below 1024 take a privilege (CAP_NET_BIND_SERVICE): choose a higher one";
	case EMFILE:
	case ENFILE:
		return "raise the limit on open files (ulimit -n, LimitNOFILE)";
	default:
		return "choose another address or port";
	}
}

static void describe_failure(const struct http_params *params, int error, char ret_text[static HTTP_ERROR_SIZE])
{
	char where[ADDR_TEXT_SIZE] = "";
	if (params->local.family == ADDR_NONE)
		snprintf(where, sizeof where, "port %u of all addresses", params->local.port);
	else
		addr_format(&params->local, where);
	snprintf(ret_text, HTTP_ERROR_SIZE, "%s: cannot listen for HTTP on %s: %s; %s", params->setting, where, strerror(error),
		advice(error));
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;
	getsockname(fd, (struct sockaddr *)&name, &size);
	struct addr bound = addr_from_sockaddr((struct sockaddr *)&name);
	return bound.port;
}

static void log_libevent(int severity, const char *message)
{
	/* Some of it strangers can cause, so none of it is louder than debug; errors that matter are reported by their callers. */
	(void)severity;
	log_debug(LOG_OPS, "libevent: %s", message);
}

/* Takes the descriptor, also on failure. */
static int serve(struct http_endpoint *endpoint, struct event_base *base, int fd)
{
	struct evconnlistener *listener =
		evconnlistener_new(base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (listener == NULL) {
		close(fd);
		return -ENOMEM;
	}
	if (evhttp_bind_listener(endpoint->server, listener) == NULL) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	if (!http_connections_init(&endpoint->connections, base, endpoint->server, listener))
		return -ENOMEM;
	evhttp_set_gencb(endpoint->server, on_request, endpoint);
	evhttp_set_allowed_methods(endpoint->server, ALL_METHODS);
	evhttp_set_max_headers_size(endpoint->server, HTTP_HEADER_SIZE_MAX);
	evhttp_set_max_body_size(endpoint->server, 0);
	return 0;
}

static struct http_endpoint *endpoint_create(const struct http_params *params)
{
	struct http_endpoint *endpoint = calloc(1, sizeof *endpoint);
	if (endpoint == NULL)
		return NULL;
	endpoint->server = evhttp_new(params->base);
	if (endpoint->server == NULL) {
		free(endpoint);
		return NULL;
	}
	endpoint->route_count = params->route_count;
	memcpy(endpoint->routes, params->routes, params->route_count * sizeof params->routes[0]);
	return endpoint;
}

int http_endpoint_open(
	const struct http_params *params, struct http_endpoint **ret_endpoint, char ret_error[static HTTP_ERROR_SIZE])
{
	assert(params->route_count <= HTTP_ROUTES_MAX);
	event_set_log_callback(log_libevent);
	signal(SIGPIPE, SIG_IGN);

	int fd = listen_where_asked(&params->local);
	if (fd < 0) {
		describe_failure(params, -fd, ret_error);
		return fd;
	}
	struct http_endpoint *endpoint = endpoint_create(params);
	if (endpoint == NULL) {
		close(fd);
		describe_failure(params, ENOMEM, ret_error);
		return -ENOMEM;
	}
	endpoint->port = bound_port(fd);
	int result = serve(endpoint, params->base, fd);
	if (result < 0) {
		http_endpoint_close(endpoint);
		describe_failure(params, -result, ret_error);
		return result;
	}
	*ret_endpoint = endpoint;
	return 0;
}

void http_endpoint_close(struct http_endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	evhttp_free(endpoint->server);
	http_connections_done(&endpoint->connections);
	free(endpoint);
}

uint16_t http_endpoint_port(const struct http_endpoint *endpoint)
{
	return endpoint->port;
}
