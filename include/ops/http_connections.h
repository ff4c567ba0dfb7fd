/*
 * http_connections - what evhttp lacks: a bound on the connections of an endpoint and on how long each may last, so that clients
 * which say nothing, or a byte at a time, exhaust neither descriptors nor memory and do not lock out a probe.
 *
 * A connection lasts HTTP_LIFETIME_S at most, whatever it does. When HTTP_CONNECTIONS_MAX are open, the oldest quarter ends to make
 * room: an honest request takes milliseconds and is rarely among them. Accepting pauses after that until the loop has come round,
 * so that a flood of connections cannot keep the thread.
 *
 * Owns:    a reference to each connection's bufferevent, and the timers.
 * Threads: the event base's.
 */
#ifndef UTURN_OPS_HTTP_CONNECTIONS_H
#define UTURN_OPS_HTTP_CONNECTIONS_H

#include <event2/http.h>
#include <event2/listener.h>
#include <stdbool.h>

enum { HTTP_CONNECTIONS_MAX = 64, HTTP_LIFETIME_S = 10, HTTP_IDLE_S = 5 };

struct http_connection {
	struct bufferevent *stream;
	unsigned age_s;
};

struct http_connections {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *tick;   /* each second */
	struct event *resume; /* accept again */
	unsigned count;
	struct http_connection list[HTTP_CONNECTIONS_MAX]; /* oldest first */
};

/* From now on the connections that `http` accepts on `listener` are counted and bounded. False: no memory. */
bool http_connections_init(
	struct http_connections *c, struct event_base *base, struct evhttp *http, struct evconnlistener *listener);

/* After evhttp_free, which ends the connections. Fine on a zeroed struct. */
void http_connections_done(struct http_connections *c);

#endif
