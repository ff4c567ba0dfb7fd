/*
 * drain - leaving without cutting a call: new allocations are refused, live ones go on, the process ends with the last of them.
 *
 *	running ──first SIGTERM──► draining ──no allocation left, or time out──► end
 *	                               └──────second SIGTERM──────────────────► end
 */
#include <sched.h>

#include "base/log.h"
#include "server_state.h"

enum { DRAIN_POLL_MS = 100 };

static void leave(struct server *server, const char *why)
{
	uint32_t left = shard_shared_allocations(server->shared);
	if (left > 0)
		log_warn(LOG_SERVER, "leaving: %s; %u live allocation%s end%s", why, left, left == 1 ? "" : "s",
			left == 1 ? "s" : "");
	else
		log_info(LOG_SERVER, "leaving: %s", why);
	event_base_loopbreak(server->events);
}

/* By the configuration that runs now: who wants to wait longer, or no longer, changes it. */
static bool time_is_over(const struct server *server)
{
	uint64_t timeout_s = server->config->admin.drain_timeout_s;
	return timeout_s != 0 && clock_mono_ns() - server->drain_began_ns >= timeout_s * NS_PER_S;
}

static void poll_drain(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct server *server = context;
	if (shard_shared_allocations(server->shared) == 0)
		leave(server, "no allocation is left");
	else if (time_is_over(server))
		leave(server, "the drain timeout has passed");
}

void server_drain(struct server *server)
{
	if (server->view.draining) {
		leave(server, "told a second time");
		return;
	}
	server->view.draining = true;
	for (unsigned i = 0; i < server->shard_count; i++)
		while (!shard_drain(server->shards[i]))
			sched_yield();
	server->drain_began_ns = clock_mono_ns();
	log_info(LOG_SERVER, "draining: new allocations are refused, %u live ones go on; the same signal again leaves at once",
		shard_shared_allocations(server->shared));
	server->drain_poll = event_new(server->events, -1, EV_PERSIST, poll_drain, server);
	struct timeval interval = {.tv_usec = DRAIN_POLL_MS * 1000};
	if (server->drain_poll == NULL || event_add(server->drain_poll, &interval) != 0)
		leave(server, "no memory for a timer");
	else
		poll_drain(-1, 0, server);
}
