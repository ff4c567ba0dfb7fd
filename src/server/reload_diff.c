#include "server/reload_diff.h"

#include <string.h>

#include "server/config_cluster.h"

/* Compared as memory; engine, shards and lockdown aside. */
#define OPTION(member) offsetof(struct config, member), sizeof((struct config *)NULL)->member
static const struct {
	size_t offset, size;
} options[] = {
	{OPTION(admin.name)},
	{OPTION(admin.loglevel)},
	{OPTION(admin.log_format)},
	{OPTION(admin.metrics)},
	{OPTION(admin.health)},
	{OPTION(admin.ice)},
	{OPTION(admin.ice_key)},
	{OPTION(admin.offload_engine)},
	{OPTION(admin.drain_timeout_s)},
	{OPTION(admin.ready_while_draining)},
	{OPTION(admin.alternate_server)},
	{OPTION(admin.nonce_secret)},
	{OPTION(admin.allocations_max)},
	{OPTION(admin.user_quota)},
	{OPTION(admin.lifetime_default_s)},
	{OPTION(admin.lifetime_max_s)},
	{OPTION(admin.unauth.burst)},
	{OPTION(admin.unauth.per_s)},
	{OPTION(admin.unauth.spare_s)},
	{OPTION(admin.unauth.ipv4_bits)},
	{OPTION(admin.unauth.ipv6_bits)},
	{OPTION(admin.connections_max)},
	{OPTION(admin.streams.per_source)},
	{OPTION(admin.streams.handshakes)},
	{OPTION(admin.streams.handshake_timeout_s)},
	{OPTION(admin.streams.idle_timeout_s)},
	{OPTION(admin.streams.stuck_timeout_s)},
	{OPTION(admin.listener_receive_buffer)},
	{OPTION(admin.relay_receive_buffer)},
	{OPTION(admin.relay_send_buffer)},
	{OPTION(auth.type)},
	{OPTION(auth.realm)},
	{OPTION(auth.username)},
	{OPTION(auth.password)},
	{OPTION(auth.secrets)},
};

static bool options_equal(const struct config *a, const struct config *b)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (memcmp((const char *)a + options[i].offset, (const char *)b + options[i].offset, options[i].size) != 0)
			return false;
	return true;
}

static bool clusters_equal(const struct config *a, const struct config *b)
{
	if (a->cluster_count != b->cluster_count)
		return false;
	for (size_t i = 0; i < a->cluster_count; i++)
		if (!config_cluster_equal(&a->clusters[i], &b->clusters[i]))
			return false;
	return true;
}

static void keep_process(const struct config_admin *running, struct config_admin *incoming, struct config_problems *kept)
{
	if (incoming->engine != running->engine)
		config_warning(kept, "admin.engine", "%s -> %s takes a restart; kept %s", engine_name(running->engine),
			engine_name(incoming->engine), engine_name(running->engine));
	if (incoming->shards != running->shards)
		config_warning(kept, "admin.shards", "%u -> %u takes a restart; kept %u", running->shards, incoming->shards,
			running->shards);
	if (incoming->lockdown != running->lockdown)
		config_warning(kept, "admin.lockdown", "%s -> %s takes a restart; kept %s", config_lockdown_name(running->lockdown),
			config_lockdown_name(incoming->lockdown), config_lockdown_name(running->lockdown));
	incoming->engine = running->engine;
	incoming->shards = running->shards;
	incoming->lockdown = running->lockdown;
}

static void keep_capacity(const char *path, uint32_t running, uint32_t *incoming, uint32_t capacity, struct config_problems *kept)
{
	uint32_t asked = *incoming;
	if (asked <= capacity || asked == running)
		return;
	config_warning(kept, path, "%u is more than the %u that this process was sized for; that takes a restart; kept %u", asked,
		capacity, capacity);
	*incoming = capacity;
}

struct config *reload_diff(const struct reload_running *running, struct config *incoming, struct reload_diff *ret_diff)
{
	const struct config *old = running->config;
	*ret_diff = (struct reload_diff){.changed = incoming->revoke};
	/* A random secret was made for each; another one would only make every nonce stale. */
	if (!incoming->admin.nonce_key_given && !old->admin.nonce_key_given)
		memcpy(incoming->admin.nonce_secret, old->admin.nonce_secret, sizeof incoming->admin.nonce_secret);
	keep_process(&old->admin, &incoming->admin, &ret_diff->kept);
	keep_capacity("admin.limits.allocations", old->admin.allocations_max, &incoming->admin.allocations_max,
		running->allocations_capacity, &ret_diff->kept);
	keep_capacity("admin.limits.streams.connections", old->admin.connections_max, &incoming->admin.connections_max,
		running->connections_capacity, &ret_diff->kept);
	ret_diff->changed |= !options_equal(old, incoming) || !clusters_equal(old, incoming);
	if (reload_listeners(old, incoming, running->closing, &ret_diff->listeners, &ret_diff->kept)) {
		ret_diff->changed |= ret_diff->listeners.changed;
		return incoming;
	}
	config_free(incoming);
	return NULL;
}
