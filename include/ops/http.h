/*
 * http - an HTTP endpoint for operators: GET and HEAD on a few fixed paths, served by libevent's evhttp on the caller's event loop.
 *
 * Owns:    its listening socket and its connections.
 * Bounds:  ops/http_connections.h for connections; HTTP_HEADER_SIZE_MAX bytes of request line and headers; no request bodies. Every
 *          reply closes its connection.
 * Threads: the event base's. Handlers run there and answer before they return.
 */
#ifndef UTURN_OPS_HTTP_H
#define UTURN_OPS_HTTP_H

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/addr.h"

enum { HTTP_HEADER_SIZE_MAX = 4096, HTTP_ROUTES_MAX = 8, HTTP_ERROR_SIZE = 320 };

struct http_request {
	const char *path;
	const char *query; /* what follows the '?', still percent-encoded; "" if nothing */
};

/* As the handler gets it: 200, text/plain, empty. */
struct http_reply {
	int status;
	const char *content_type; /* of static storage */
	struct evbuffer *body;
};

typedef void http_handler(void *context, const struct http_request *request, struct http_reply *reply);

/* Matched on the whole path, byte for byte. */
struct http_route {
	const char *path; /* borrowed for the life of the endpoint */
	http_handler *handler;
	void *context;
};

struct http_params {
	struct event_base *base;
	struct addr local; /* ADDR_NONE: all addresses, of both families where there is IPv6. Port 0: any, see http_endpoint_port */
	const char *setting; /* which setting the address comes from, for the error line */
	const struct http_route *routes;
	size_t route_count; /* at most HTTP_ROUTES_MAX */
};

struct http_endpoint;

/*
 * Listens. 0, or a negative errno with one line in ret_error that says what, where, and what to do; -EADDRINUSE when anybody else
 * listens there. Makes the process ignore SIGPIPE, which evhttp does not guard its writes against.
 */
int http_endpoint_open(const struct http_params *params, struct http_endpoint **ret_endpoint,
	char ret_error[static HTTP_ERROR_SIZE]) __attribute__((warn_unused_result));

/* Not from a handler. NULL is fine. */
void http_endpoint_close(struct http_endpoint *endpoint);

/* The port as bound. */
uint16_t http_endpoint_port(const struct http_endpoint *endpoint);

#endif
