/*
 * retirement - a listener that was removed or replaced serves the clients that it has; when the last one has gone it closes, in all
 * shards at once: one socket less in a SO_REUSEPORT group moves the flows of all others.
 */
#include <sched.h>
#include <string.h>

#include "base/log.h"
#include "server/config_listener.h"
#include "server_state.h"

enum { POLL_MS = 100 };

/* What the counters say is true of every shard then, and no new client can have come since. */
static bool orders_are_taken(const struct server *server)
{
	for (unsigned i = 0; i < server->shard_count; i++)
		if (shard_orders_taken(server->shards[i]) != server->orders_given)
			return false;
	return true;
}

static uint64_t clients_of(const struct server *server, unsigned slot)
{
	uint64_t clients = 0;
	for (unsigned i = 0; i < server->shard_count; i++) {
		clients += counter_read(&shard_turn_counters(server->shards[i])->listener_allocations[slot]);
		clients += counter_read(&shard_counters(server->shards[i])->streams.connections[slot]);
	}
	return clients;
}

static void close_listener(struct server *server, size_t index)
{
	struct config *config = server->config;
	struct config_listener *listener = &config->listeners[index];
	uint8_t slot = listener->slot;
	for (unsigned i = 0; i < server->shard_count; i++)
		while (!shard_close_listener(server->shards[i], slot))
			sched_yield();
	server->orders_given++;
	server->closing |= LISTENER_BIT(slot);
	log_info(LOG_IO, "listener %s: the last client of its earlier %s port %u has gone", listener->name,
		config_protocol_name(listener->protocol), listener->port);
	config_listener_done(listener);
	size_t last = config->listener_count + --config->retiring_count;
	memmove(listener, listener + 1, (last - index) * sizeof *listener);
	for (size_t i = 0; i < last; i++)
		config->listeners[i].sharers &= ~LISTENER_BIT(slot);
	listener_accounts_update(&server->accounts, config);
}

static void close_some(struct server *server)
{
	struct config *config = server->config;
	for (size_t i = config->listener_count; i < config->listener_count + config->retiring_count;) {
		const struct config_listener *listener = &config->listeners[i];
		if (listener->sharers == 0 && clients_of(server, listener->slot) == 0)
			close_listener(server, i);
		else
			i++;
	}
}

static void open_some(struct server *server)
{
	struct config *config = server->config;
	for (size_t i = 0; i < config->listener_count; i++) {
		struct server_orders orders;
		struct config_listener *listener = &config->listeners[i];
		if (!config_listener_waits(listener) ||
			!server_orders_create(server, config, server->turn, server->streams, &orders))
			continue;
		if (listeners_open_waiting(server, listener, &orders))
			server_orders_give(server, &orders);
		server_orders_free(&orders);
	}
}

static bool is_over(const struct server *server)
{
	for (size_t i = 0; i < server->config->listener_count; i++)
		if (config_listener_waits(&server->config->listeners[i]))
			return false;
	return server->config->retiring_count == 0 && server->closing == 0;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct server *server = context;
	if (!orders_are_taken(server))
		return;
	bool closed = server->closing != 0;
	server->closing = 0;
	close_some(server);
	if (closed && server->config->retiring_count == 0)
		server_divide_anew(server);
	open_some(server);
	if (is_over(server))
		event_del(server->retirement);
}

bool retirement_init(struct server *server)
{
	server->retirement = event_new(server->events, -1, EV_PERSIST, on_timer, server);
	return server->retirement != NULL;
}

void retirement_watch(struct server *server)
{
	struct timeval interval = {.tv_usec = POLL_MS * 1000};
	if (!is_over(server) && event_add(server->retirement, &interval) != 0)
		log_error(LOG_SERVER, "no memory for a timer: listeners that were removed stay open");
}
