/*
 * tunnel_state - a tunnel from inside. tunnel_server.c finds the server, connects and loses it; tunnel.c has all between.
 */
#ifndef UTURN_TURNCAT_TUNNEL_STATE_H
#define UTURN_TURNCAT_TUNNEL_STATE_H

#include <event2/event.h>

#include "base/clock.h"
#include "client/connection.h"
#include "client/turn_client.h"
#include "turncat/queue.h"
#include "turncat/tunnel.h"

enum { NAME_SIZE = 96, WHY_SIZE = 600, HOPS_MAX = 3, READS_AT_ONCE = 4 };

enum tunnel_state {
	TUNNEL_FINDING,    /* the server's and the peer's addresses */
	TUNNEL_CONNECTING, /* TCP's handshake, TLS's */
	TUNNEL_ALLOCATING, /* requests for the allocation and the channel are under way */
	TUNNEL_READY,
	TUNNEL_WAITING, /* for the next try */
};

struct tunnel {
	struct tunnel_world *world;
	const struct tunnel_events *events;
	void *owner;
	char name[NAME_SIZE];
	enum tunnel_state state;
	bool dead;     /* freed; the memory is still there */
	bool bursting; /* between tunnel_send and tunnel_flush */
	struct upstream_wait wait;
	struct lookup lookup;
	struct addr peer;
	struct addr alternate; /* the server that another one named; ADDR_NONE: none */
	unsigned tries, hops;
	struct transport transport;
	struct connection_plan plan;
	struct connection connection;
	struct turn_client client;
	bool has_client;
	char username[SPEC_USERNAME_SIZE], password[SPEC_PASSWORD_SIZE];
	struct event *readable, *writable; /* of the connection; NULL without one */
	struct event *timer;
	uint64_t timer_ns;      /* when it fires; UINT64_MAX: never */
	uint64_t deadline_ns;   /* of TUNNEL_CONNECTING, TUNNEL_WAITING */
	uint64_t unanswered_ns; /* since when packets go out and none comes in; 0: that is not so */
	uint64_t sent_ns;
	struct queue queue;
};

static inline uint64_t tunnel_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* tunnel.c: fires at `deadline_ns`, UINT64_MAX: never. */
void tunnel_set_timer(struct tunnel *t, uint64_t deadline_ns, uint64_t now_ns);
/* What comes next, after anything has happened on the way to the server. */
void tunnel_advance(struct tunnel *t);
void tunnel_on_readable(evutil_socket_t fd, short what, void *context);
void tunnel_on_writable(evutil_socket_t fd, short what, void *context);

/* tunnel_server.c: a try, from the server's address on. */
void tunnel_begin(struct tunnel *t);
/* Ends the allocation, and all that there is of the connection. */
void tunnel_disconnect(struct tunnel *t);
/* The server is gone, or was never there: told, and tried again later. */
void tunnel_lost(struct tunnel *t, const char *why);
/* The same, after the connection has ended, or the client. */
void tunnel_connection_lost(struct tunnel *t);
void tunnel_client_failed(struct tunnel *t);

#endif
