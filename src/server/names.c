/*
 * names - looks up the domain names of STRICT_DNS clusters while the relay runs: each again some seconds after its last answer,
 * some of them at a time. Where a name has other addresses than before, the shards get another configuration of what clients may
 * reach.
 */
#include <stdlib.h>

#include "base/log.h"
#include "server/config_turn.h"
#include "server/resolver.h"
#include "server_state.h"

enum {
	TICK_S = 1,
	/* Names change together, as when a Deployment's pods are replaced: one configuration for all of them. */
	SETTLE_MS = 50,
	/* … and no more than one in this time, however many names there are that change all the time. */
	APPLY_INTERVAL_MS = 1000,
};

struct names {
	struct server *server;
	struct resolver *resolver;
	struct event *tick, *settled;
	bool unapplied; /* the shards do not have the addresses as they are now */
	uint64_t next_apply_ns;
};

/* Leaves out what a name may not stand for; how many those were. */
static size_t leave_out(struct name_answer *answer)
{
	size_t kept = 0, count = answer->count;
	for (size_t i = 0; i < count; i++)
		if (config_turn_name_may_have(&answer->addresses[i]))
			answer->addresses[kept++] = answer->addresses[i];
	answer->count = kept;
	if (kept == 0 && count > 0)
		answer->result = NAME_HAS_NONE;
	return count - kept;
}

static void log_news(const struct name_news *news, const char *error)
{
	const char *cluster = news->cluster->name, *name = news->name->name;
	size_t count = news->name->addresses[RELAY_IPV4].count + news->name->addresses[RELAY_IPV6].count;
	if (news->turned && news->name->state == NAME_FAILING)
		log_warn(LOG_CONFIG, "cluster %s: %s: %s; %s", cluster, name, error,
			count == 0 ? "nothing is admitted by it yet" : "its last addresses stay");
	else if (news->turned)
		log_info(LOG_CONFIG, "cluster %s: %s has %zu address%s", cluster, name, count, count == 1 ? "" : "es");
	else if (news->changed)
		log_debug(LOG_CONFIG, "cluster %s: %s has %zu address%s now", cluster, name, count, count == 1 ? "" : "es");
}

static void apply(struct names *names)
{
	if (!names->unapplied)
		return;
	names->unapplied = !server_clusters_changed(names->server);
	names->next_apply_ns = clock_mono_ns() + APPLY_INTERVAL_MS * NS_PER_MS;
}

static void apply_soon(struct names *names)
{
	uint64_t now_ns = clock_mono_ns(), soon_ns = now_ns + SETTLE_MS * NS_PER_MS;
	uint64_t at_ns = soon_ns > names->next_apply_ns ? soon_ns : names->next_apply_ns;
	uint64_t wait_us = clock_wait_ns(at_ns, now_ns) / 1000;
	names->unapplied = true;
	if (!event_pending(names->settled, EV_TIMEOUT, NULL))
		event_add(names->settled,
			&(struct timeval){.tv_sec = (time_t)(wait_us / 1000000), .tv_usec = (suseconds_t)(wait_us % 1000000)});
}

static void on_answer(void *context, uint64_t id, struct name_answer answers[RELAY_FAMILIES], const char *error)
{
	struct names *names = context;
	size_t left_out = 0;
	for (int family = 0; family < RELAY_FAMILIES; family++)
		left_out += leave_out(&answers[family]);
	struct name_news news = cluster_names_answer(names->server->cluster_names, id, answers, clock_now());
	if (news.name != NULL)
		log_news(&news, left_out > 0 ? "has only addresses that no name may stand for (loopback, link-local, metadata)"
				: error      ? error
					     : "not enough memory");
	if (news.changed)
		apply_soon(names);
	/* There is room for another question. */
	event_active(names->tick, EV_TIMEOUT, 0);
}

static void on_settled(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	apply(context);
}

static void on_tick(evutil_socket_t fd, short what, void *context)
{
	(void)fd;
	(void)what;
	struct names *names = context;
	struct cluster_name *name;
	uint64_t now_ns = clock_mono_ns();
	while ((name = cluster_names_due(names->server->cluster_names, now_ns)) != NULL)
		if (!resolver_ask(names->resolver, name->name, name->id)) {
			name->asking = false;
			break;
		}
	if (names->unapplied && !event_pending(names->settled, EV_TIMEOUT, NULL))
		apply(names);
	if (names->server->cluster_names->count > 0)
		event_add(names->tick, &(struct timeval){.tv_sec = TICK_S});
}

bool names_start(struct server *server)
{
	struct names *names = calloc(1, sizeof *names);
	struct cluster_names *cluster_names = cluster_names_create();
	server->names = names;
	server->cluster_names = cluster_names;
	if (names == NULL || cluster_names == NULL)
		return false;
	names->server = server;
	names->resolver = resolver_create(server->events, on_answer, names);
	names->tick = event_new(server->events, -1, 0, on_tick, names);
	names->settled = event_new(server->events, -1, 0, on_settled, names);
	return names->resolver != NULL && names->tick != NULL && names->settled != NULL;
}

void names_update(struct server *server)
{
	if (!cluster_names_set(server->cluster_names, server->config))
		log_error(LOG_CONFIG, "not enough memory for the clusters' domain names: they stay as they were");
	event_active(server->names->tick, EV_TIMEOUT, 0);
}

void names_stop(struct server *server)
{
	struct names *names = server->names;
	if (names != NULL) {
		resolver_free(names->resolver);
		if (names->tick != NULL)
			event_free(names->tick);
		if (names->settled != NULL)
			event_free(names->settled);
		free(names);
	}
	cluster_names_free(server->cluster_names);
}
