/*
 * http_connections - evhttp tells when it wants a bufferevent for a new connection, but not when a connection is over. So a
 * reference to each bufferevent is kept here: once evhttp has let go of one, its callbacks are gone, and the reference is dropped.
 */
#include "ops/http_connections.h"

#include <assert.h>
#include <event2/bufferevent.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

static bool is_over(const struct http_connection *connection)
{
	bufferevent_event_cb on_event;
	bufferevent_getcb(connection->stream, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

/* Lets go of what evhttp has let go of. The order stays. */
static void forget_ended(struct http_connections *c)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < c->count; i++) {
		if (is_over(&c->list[i]))
			bufferevent_decref(c->list[i].stream);
		else
			c->list[kept++] = c->list[i];
	}
	c->count = kept;
}

/* evhttp closes a connection that timed out at once, whatever it is doing. */
static void end(struct http_connection *connection)
{
	bufferevent_trigger_event(connection->stream, BEV_EVENT_TIMEOUT, 0);
}

static void on_tick(evutil_socket_t fd, short events, void *context)
{
	(void)fd, (void)events;
	struct http_connections *c = context;
	for (unsigned i = 0; i < c->count; i++) {
		if (++c->list[i].age_s >= HTTP_LIFETIME_S)
			end(&c->list[i]);
	}
	forget_ended(c);
	evconnlistener_enable(c->listener);
}

static void on_resume(evutil_socket_t fd, short events, void *context)
{
	(void)fd, (void)events;
	struct http_connections *c = context;
	evconnlistener_enable(c->listener);
}

/* The sockets of ended connections close when the loop comes round; accepting more before that would add to them. */
static void make_room(struct http_connections *c)
{
	for (unsigned i = 0; i < HTTP_CONNECTIONS_MAX / 4; i++)
		end(&c->list[i]);
	forget_ended(c);
	evconnlistener_disable(c->listener);
	event_add(c->resume, &(struct timeval){0});
}

static struct bufferevent *on_connection(struct event_base *base, void *context)
{
	struct http_connections *c = context;
	forget_ended(c);
	if (c->count == HTTP_CONNECTIONS_MAX)
		make_room(c);
	assert(c->count < HTTP_CONNECTIONS_MAX);
	struct bufferevent *stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (stream == NULL)
		return NULL;
	bufferevent_incref(stream);
	c->list[c->count++] = (struct http_connection){.stream = stream};
	return stream;
}

/*
 * Out of descriptors, most likely. The listener stays readable, so the loop would spin if it went on accepting; the next tick tries
 * again. The context here is evhttp's, as that of all callbacks of its listener: hence the static limit.
 */
static void on_accept_error(struct evconnlistener *listener, void *evhttp)
{
	static struct log_limit limit;
	(void)evhttp;
	int error = EVUTIL_SOCKET_ERROR();
	uint32_t suppressed;
	if (log_limit_pass(&limit, clock_mono_ns(), 60 * NS_PER_S, &suppressed))
		log_warn(LOG_OPS, "HTTP connections cannot be accepted: %s; trying once a second", strerror(error));
	evconnlistener_disable(listener);
}

bool http_connections_init(
	struct http_connections *c, struct event_base *base, struct evhttp *http, struct evconnlistener *listener)
{
	*c = (struct http_connections){.base = base, .listener = listener};
	c->tick = event_new(base, -1, EV_PERSIST, on_tick, c);
	c->resume = evtimer_new(base, on_resume, c);
	if (c->tick == NULL || c->resume == NULL || event_add(c->tick, &(struct timeval){.tv_sec = 1}) != 0) {
		http_connections_done(c);
		return false;
	}
	evhttp_set_timeout(http, HTTP_IDLE_S);
	evhttp_set_bevcb(http, on_connection, c);
	evconnlistener_set_error_cb(listener, on_accept_error);
	return true;
}

void http_connections_done(struct http_connections *c)
{
	forget_ended(c);
	assert(c->count == 0);
	if (c->tick != NULL)
		event_free(c->tick);
	if (c->resume != NULL)
		event_free(c->resume);
	c->tick = c->resume = NULL;
}
