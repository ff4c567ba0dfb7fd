#include "fake_shards.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"

struct shard fake_shards[FAKE_SHARDS];
struct shard_shared fake_shared;
struct config fake_config;
struct stream_config fake_streams;
struct listener_accounts fake_accounts;

const uint64_t turn_time_bounds_ns[TURN_TIME_BUCKETS - 1] = {
	2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000, 20000000};

const struct shard_counters *shard_counters(const struct shard *shard)
{
	return &shard->counters;
}

const struct turn_counters *shard_turn_counters(const struct shard *shard)
{
	return &shard->turn;
}

const struct engine_counters *shard_engine_counters(const struct shard *shard)
{
	return &shard->engine;
}

uint64_t shard_heartbeat_ns(const struct shard *shard)
{
	return shard->heartbeat_ns;
}

uint32_t shard_shared_allocations(struct shard_shared *shared)
{
	return shared->allocations;
}

static bool matches(const struct allocation_info *info, const char *username, const struct addr *client)
{
	if (username != NULL && strcmp(info->username, username) != 0)
		return false;
	return client->family == ADDR_NONE ||
	       (addr_ip_equal(&info->flow.client, client) && (client->port == 0 || info->flow.client.port == client->port));
}

ssize_t shard_find_allocations(
	struct shard *shard, const char *username, const struct addr *client, struct allocation_info *ret_infos, size_t max)
{
	shard->asked++;
	if (shard->deaf)
		return -ETIMEDOUT;
	size_t found = 0;
	for (size_t i = 0; i < shard->allocation_count; i++) {
		if (!matches(&shard->allocations[i], username, client))
			continue;
		if (found < max)
			ret_infos[found] = shard->allocations[i];
		found++;
	}
	return (ssize_t)found;
}

const char *engine_name(enum engine_kind kind)
{
	return kind == ENGINE_EPOLL ? "epoll" : kind == ENGINE_IO_URING ? "io_uring" : "auto";
}

const uint16_t turn_error_codes[] = {300, 400, 401, 508, 0};

static void fill_config(void)
{
	static uint16_t routes[] = {1, 0};
	static struct config_endpoint pods[3];
	static struct config_cluster clusters[2] = {
		{.name = "pods", .endpoints = pods, .endpoint_count = 3},
		{.name = "a\"b", .endpoint_count = 0},
	};
	pods[0] = (struct config_endpoint){addr_ipv4(10, 0, 0, 0, 0), 8, 10000, 20000};
	pods[1] = (struct config_endpoint){addr_ipv4(192, 0, 2, 1, 0), 32, 1, 65535};
	pods[2].bits = 64;
	pods[2].port_min = 5;
	pods[2].port_max = 5;
	addr_parse_ip("2001:db8::", &pods[2].ip);
	fake_config = (struct config){
		.admin = {.name = "ns/gateway",
			.loglevel = "all:INFO",
			.metrics = {.enabled = true, .port = 8080, .path = "/metrics"},
			.health = {.enabled = true, .ip = addr_ipv4(127, 0, 0, 1, 0), .port = 8086, .path = "/"},
			.user_quota = 7},
		.auth = {.type = AUTH_STATIC, .realm = "stunner.l7mp.io", .username = "secret-user", .password = "secret-password"},
		.listener_count = 1,
		.clusters = clusters,
		.cluster_count = 2,
	};
	fake_config.listeners[0] = (struct config_listener){
		.name = "udp",
		.port = 3478,
		.public_address = "203.0.113.7",
		.public_port = 443,
		.address = addr_ipv4(10, 1, 2, 3, 0),
		.routes = routes,
		.route_count = 2,
	};
}

static void add_listener(const char *name, enum config_protocol protocol, enum transport transport, struct tls_context *tls)
{
	struct config_listener *listener = &fake_config.listeners[fake_config.listener_count];
	uint8_t slot = (uint8_t)fake_config.listener_count;
	fake_streams.listeners[fake_config.listener_count++] = (struct stream_listener){.transport = transport, .tls = tls};
	*listener = (struct config_listener){.protocol = protocol, .port = 5349, .slot = slot};
	strcpy(listener->name, name);
	listener_accounts_update(&fake_accounts, &fake_config);
}

void fake_add_listeners(void)
{
	enum { DAYS = 365 };
	char *certificate, *key, error[TLS_TEXT_SIZE];
	size_t at_fault;
	uint64_t now_s = clock_now().wall_s;
	cr_assert(tls_self_signed("turn.example.com", now_s, DAYS, &certificate, &key));
	struct tls_identity_pem identity = {bytes_of_string(certificate), bytes_of_string(key)};
	struct tls_context_params params = {.identities = &identity, .identity_count = 1};
	struct tls_context *tls = tls_context_create(&params, now_s, &at_fault, error);
	cr_assert_not_null(tls, "%s", error);
	add_listener("tcp", PROTOCOL_TCP, TRANSPORT_TCP, NULL);
	add_listener("tls", PROTOCOL_TLS, TRANSPORT_TLS, tls);
	add_listener("dtls", PROTOCOL_DTLS, TRANSPORT_DTLS, tls_context_ref(tls));
	free(certificate);
	free(key);
}

void fake_remove_listeners(void)
{
	for (size_t i = 0; i < LIMIT_LISTENERS; i++)
		tls_context_unref(fake_streams.listeners[i].tls);
	fake_streams = (struct stream_config){0};
}

struct server_view *fake_view(void)
{
	static const struct lockdown lockdown = {
		.mode = LOCKDOWN_KILL, .no_new_privileges = true, .capabilities = "none", .landlock = 7, .system_calls = 99};
	static struct shard *shards[FAKE_SHARDS] = {&fake_shards[0], &fake_shards[1]};
	static struct server_view view;
	struct cluster_registry *registry = cluster_registry_create();
	cluster_registry_id(registry, "pods");
	cluster_registry_id(registry, "a\"b");
	fill_config();
	for (unsigned i = 0; i < FAKE_SHARDS; i++)
		fake_shards[i] = (struct shard){.heartbeat_ns = clock_mono_ns()};
	fake_shared.allocations = 0;
	fake_accounts = (struct listener_accounts){.shards = shards, .shard_count = FAKE_SHARDS};
	listener_accounts_update(&fake_accounts, &fake_config);
	view = (struct server_view){
		.shards = shards,
		.shard_count = FAKE_SHARDS,
		.shared = &fake_shared,
		.config = &fake_config,
		.streams = &fake_streams,
		.registry = registry,
		.accounts = &fake_accounts,
		.engine = ENGINE_EPOLL,
		.engine_reason = "io_uring: \"EPERM\"",
		.lockdown = &lockdown,
		.allocations_max = 4000,
		.connections_max = 3000,
		.ready = true,
		.started = clock_now(),
		.last_reload_ok = true,
		.last_reload_wall_s = 1700000000,
	};
	return &view;
}
