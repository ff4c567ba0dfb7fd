#include "server/server_status.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fake_shards.h"
#include "server/server_metrics.h"

static struct server_view *view;
static struct http_reply reply;

static void open_view(void)
{
	view = fake_view();
	reply = (struct http_reply){.status = 200, .content_type = "text/plain", .body = evbuffer_new()};
}

static void close_view(void)
{
	evbuffer_free(reply.body);
	fake_remove_listeners();
	cluster_registry_free((struct cluster_registry *)view->registry);
}

TestSuite(server_status, .init = open_view, .fini = close_view);

static const char *ask(http_handler *handler)
{
	evbuffer_drain(reply.body, evbuffer_get_length(reply.body));
	reply.status = 200;
	handler(view, &(struct http_request){"/", ""}, &reply);
	evbuffer_add(reply.body, "", 1);
	cr_expect_str_eq(reply.content_type, "application/json; charset=utf-8");
	return (const char *)evbuffer_pullup(reply.body, -1);
}

Test(server_status, is_live_in_the_bytes_of_stunnerd)
{
	cr_assert_str_eq(ask(server_status_live), "{}\n");
	cr_assert_eq(reply.status, 200);
}

Test(server_status, is_live_while_a_shard_is_a_little_late)
{
	fake_shards[1].heartbeat_ns = clock_mono_ns() - (LIVENESS_S - 1) * NS_PER_S * UTURN_CLOCK_RATE;
	ask(server_status_live);
	cr_assert_eq(reply.status, 200);
	fake_shards[1].heartbeat_ns = clock_mono_ns() + NS_PER_S;
	ask(server_status_live);
	cr_assert_eq(reply.status, 200);
}

Test(server_status, is_not_live_when_a_shard_stands_still)
{
	fake_shards[1].heartbeat_ns = clock_mono_ns() - (LIVENESS_S + 1) * NS_PER_S * UTURN_CLOCK_RATE;
	cr_assert_str_eq(ask(server_status_live), "{\"status\":503,\"message\":\"shard 1 has not moved for 10 s or more\"}\n");
	cr_assert_eq(reply.status, 503);
}

Test(server_status, is_ready_in_the_bytes_of_stunnerd)
{
	static const struct {
		bool ready, draining, ready_while_draining;
		int status;
		const char *body;
	} cases[] = {
		{true, false, false, 200, "{\"status\":200,\"message\":\"READY\"}\n"},
		{true, false, true, 200, "{\"status\":200,\"message\":\"READY\"}\n"},
		{true, true, true, 200, "{\"status\":200,\"message\":\"READY\"}\n"},
		{true, true, false, 503, "{\"status\":503,\"message\":\"stunnerd not ready\"}\n"},
		{false, false, true, 503, "{\"status\":503,\"message\":\"stunnerd not ready\"}\n"},
		{false, true, true, 503, "{\"status\":503,\"message\":\"stunnerd not ready\"}\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		view->ready = cases[i].ready;
		view->draining = cases[i].draining;
		fake_config.admin.ready_while_draining = cases[i].ready_while_draining;
		cr_expect_str_eq(ask(server_status_ready), cases[i].body, "case %zu", i);
		cr_expect_eq(reply.status, cases[i].status, "case %zu", i);
	}
}

Test(server_status, prints_what_stunnerd_prints)
{
	fake_shards[0].counters.listeners[0] = (struct traffic_counters){{1}, {2}, {3}, {4}};
	fake_shards[1].counters.listeners[0] = (struct traffic_counters){{10}, {20}, {30}, {40}};
	fake_shards[1].counters.clusters[0] = (struct traffic_counters){{5}, {6}, {7}, {8}};
	fake_shared.allocations = 9;
	const char *expected =
		"{\"version\":\"v1\",\"admin\":{\"name\":\"ns/gateway\",\"loglevel\":\"all:INFO\","
		"\"metrics_endpoint\":\"http://:8080/metrics\",\"healthcheck_endpoint\":\"http://127.0.0.1:8086\",\"quota\":\"7\","
		"\"offload\":\"None[all]\",\"licensing_info\":\"<MISSING>\"},"
		"\"auth\":{\"type\":\"static\",\"realm\":\"stunner.l7mp.io\","
		"\"credentials\":{\"username\":\"<redacted>\",\"password\":\"<redacted>\"}},"
		"\"listeners\":[{\"name\":\"udp\",\"protocol\":\"TURN-UDP\",\"public_address\":\"203.0.113.7\",\"public_port\":443,"
		"\"address\":\"10.1.2.3\",\"port\":3478,\"routes\":[\"a\\\"b\",\"pods\"],"
		"\"stats\":{\"rx\":{\"pkts\":11,\"bytes\":22,\"timestamp\":0},\"tx\":{\"pkts\":33,\"bytes\":44,\"timestamp\":0}}}],"
		"\"clusters\":[{\"name\":\"pods\",\"type\":\"STATIC\",\"protocol\":\"UDP\","
		"\"endpoints\":[\"10.0.0.0/8:<10000-20000>\",\"192.0.2.1\",\"2001:db8::/64:<5-5>\"],"
		"\"stats\":{\"rx\":{\"pkts\":5,\"bytes\":6,\"timestamp\":0},\"tx\":{\"pkts\":7,\"bytes\":8,\"timestamp\":0}}},"
		"{\"name\":\"a\\\"b\",\"type\":\"STATIC\",\"protocol\":\"UDP\",\"endpoints\":[],"
		"\"stats\":{\"rx\":{\"pkts\":0,\"bytes\":0,\"timestamp\":0},\"tx\":{\"pkts\":0,\"bytes\":0,\"timestamp\":0}}}],"
		"\"allocationCount\":9,\"status\":\"READY\",\"uturn\":{";
	const char *status = ask(server_status_serve);
	cr_assert_eq(strncmp(status, expected, strlen(expected)), 0, "%s\nexpected\n%s", status, expected);
}

static json_t *ask_json(http_handler *handler)
{
	json_error_t error;
	json_t *status = json_loads(ask(handler), 0, &error);
	cr_assert(status, "%s: %s", error.text, (const char *)evbuffer_pullup(reply.body, -1));
	return status;
}

/* Two names of the cluster "pods"; the first has two addresses now, the second none. */
static struct cluster_names *name_pods(void)
{
	static struct config_domain domains[] = {{"media.test", 10000, 20000}, {"other.test", 1, 65535}};
	static struct addr ipv4[1];
	ipv4[0] = addr_ipv4(10, 0, 0, 7, 0);
	struct cluster_names *names = cluster_names_create();
	fake_config.clusters[0].type = CLUSTER_STRICT_DNS;
	fake_config.clusters[0].endpoint_count = 0;
	fake_config.clusters[0].domains = domains;
	fake_config.clusters[0].domain_count = 2;
	cr_assert(cluster_names_set(names, &fake_config));
	struct addr ipv6[1];
	addr_parse_ip("fd00::7", &ipv6[0]);
	struct name_answer answers[RELAY_FAMILIES] = {
		[RELAY_IPV4] = {NAME_HAS_ADDRESSES, ipv4, 1}, [RELAY_IPV6] = {NAME_HAS_ADDRESSES, ipv6, 1}};
	const struct moment now = {.mono_ns = 1, .wall_s = 1700000000};
	cluster_names_answer(names, cluster_names_due(names, 0)->id, answers, now);
	struct name_answer none[RELAY_FAMILIES] = {{.result = NAME_FAILED}, {.result = NAME_HAS_NONE}};
	cluster_names_answer(names, cluster_names_due(names, 0)->id, none, now);
	view->cluster_names = names;
	return names;
}

Test(server_status, shows_what_domain_names_stand_for)
{
	struct cluster_names *names = name_pods();
	cr_expect(strstr(ask(server_status_serve), "\"clusters\":[{\"name\":\"pods\",\"type\":\"STRICT_DNS\",\"protocol\":\"UDP\","
						   "\"endpoints\":[\"media.test:<10000-20000>\",\"other.test\"],\"resolved\":{"
						   "\"addresses\":[\"10.0.0.7\",\"fd00::7\"],"
						   "\"last_success\":1700000000,\"successes\":1,\"failures\":1},\"stats\":"));
	struct evbuffer *out = evbuffer_new();
	cr_assert(server_metrics_write(view, out));
	evbuffer_add(out, "", 1);
	const char *metrics = (const char *)evbuffer_pullup(out, -1);
	cr_expect(strstr(metrics, "\nuturn_cluster_addresses{name=\"pods\"} 2\n"));
	cr_expect(strstr(metrics, "\nuturn_cluster_lookups_total{name=\"pods\",result=\"success\"} 1\n"));
	cr_expect(strstr(metrics, "\nuturn_cluster_lookups_total{name=\"pods\",result=\"failure\"} 1\n"));
	cr_expect(strstr(metrics, "\nuturn_cluster_last_lookup_timestamp_seconds{name=\"pods\"} 1700000000\n"));
	cr_expect_null(strstr(metrics, "uturn_cluster_addresses{name=\"a"));
	evbuffer_free(out);
	cluster_names_free(names);
}

Test(server_status, tells_uturns_own_state)
{
	view->draining = true;
	view->started.mono_ns -= 90 * NS_PER_S * UTURN_CLOCK_RATE;
	json_t *status = ask_json(server_status_serve), *uturn = json_object_get(status, "uturn");
	cr_expect_str_eq(json_string_value(json_object_get(status, "status")), "TERMINATING");
	cr_expect_str_eq(json_string_value(json_object_get(uturn, "version")), UTURN_VERSION);
	cr_expect_str_eq(json_string_value(json_object_get(uturn, "engine")), "epoll");
	cr_expect_str_eq(json_string_value(json_object_get(uturn, "engine_reason")), "io_uring: \"EPERM\"");
	json_t *lockdown = json_object_get(uturn, "lockdown");
	cr_expect_str_eq(json_string_value(json_object_get(lockdown, "mode")), "kill");
	cr_expect(json_is_true(json_object_get(lockdown, "no_new_privileges")));
	cr_expect_str_eq(json_string_value(json_object_get(lockdown, "capabilities")), "none");
	cr_expect_eq(json_integer_value(json_object_get(lockdown, "landlock")), 7);
	cr_expect_eq(json_integer_value(json_object_get(lockdown, "system_calls")), 99);
	cr_expect_eq(json_integer_value(json_object_get(uturn, "shards")), 2);
	cr_expect_eq(json_integer_value(json_object_get(uturn, "allocations_max")), 4000);
	cr_expect(json_is_true(json_object_get(uturn, "draining")));
	cr_expect(json_is_true(json_object_get(uturn, "last_reload_ok")));
	cr_expect(json_is_false(json_object_get(uturn, "truncated")));
	long long uptime_s = json_integer_value(json_object_get(uturn, "uptime_s"));
	cr_expect(uptime_s >= 90 && uptime_s < 95, "%lld", uptime_s);
	json_decref(status);
	view->draining = false;
	view->ready = false;
	status = ask_json(server_status_serve);
	cr_expect_str_eq(json_string_value(json_object_get(status, "status")), "NOT-READY");
	json_decref(status);
}

Test(server_status, shows_what_retires_and_who_is_left)
{
	fake_config.retiring_count = 1;
	fake_config.listeners[1] = (struct config_listener){.name = "old", .protocol = PROTOCOL_DTLS, .port = 5349, .slot = 9};
	counter_set(&fake_shards[0].turn.listener_allocations[9], 2);
	counter_set(&fake_shards[1].turn.listener_allocations[9], 3);
	counter_set(&fake_shards[1].counters.streams.connections[9], 4);
	json_t *status = ask_json(server_status_serve);
	cr_expect_eq(json_array_size(json_object_get(status, "listeners")), 1);
	json_t *retiring = json_object_get(json_object_get(status, "uturn"), "retiring");
	cr_assert_eq(json_array_size(retiring), 1);
	json_t *old = json_array_get(retiring, 0);
	cr_expect_str_eq(json_string_value(json_object_get(old, "name")), "old");
	cr_expect_str_eq(json_string_value(json_object_get(old, "protocol")), "DTLS");
	cr_expect_eq(json_integer_value(json_object_get(old, "port")), 5349);
	cr_expect_eq(json_integer_value(json_object_get(old, "allocations")), 5);
	cr_expect_eq(json_integer_value(json_object_get(old, "connections")), 4);
	cr_expect_eq(json_array_size(json_object_get(json_object_get(status, "uturn"), "waiting")), 0);
	json_decref(status);
}

Test(server_status, shows_what_waits_for_its_sockets)
{
	fake_config.listeners[0].waits[RELAY_IPV6] = true;
	json_t *status = ask_json(server_status_serve);
	json_t *waiting = json_object_get(json_object_get(status, "uturn"), "waiting");
	cr_assert_eq(json_array_size(waiting), 1);
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(waiting, 0), "name")), "udp");
	cr_expect_str_eq(json_string_value(json_object_get(json_array_get(waiting, 0), "protocol")), "UDP");
	cr_expect_eq(json_integer_value(json_object_get(json_array_get(waiting, 0), "port")), 3478);
	json_decref(status);
}

Test(server_status, shows_transports_connections_and_certificates_of_listeners)
{
	static const char *const protocols[] = {"TURN-UDP", "TURN-TCP", "TURN-TLS", "TURN-DTLS"};
	fake_add_listeners();
	counter_add(&fake_shards[0].counters.streams.connections[2], 2);
	counter_add(&fake_shards[1].counters.streams.connections[2], 3);
	json_t *status = ask_json(server_status_serve), *listeners = json_object_get(status, "listeners");
	cr_assert_eq(json_array_size(listeners), 4);
	for (size_t i = 0; i < 4; i++) {
		json_t *listener = json_array_get(listeners, i), *certificates = json_object_get(listener, "certificates");
		cr_expect_str_eq(json_string_value(json_object_get(listener, "protocol")), protocols[i]);
		cr_expect_eq(json_object_get(listener, "connections") != NULL, i > 0);
		cr_expect_eq(json_array_size(certificates), i >= 2 ? 1 : 0);
	}
	json_t *tls = json_array_get(listeners, 2);
	cr_expect_eq(json_integer_value(json_object_get(tls, "connections")), 5);
	json_t *certificate = json_array_get(json_object_get(tls, "certificates"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(certificate, "name")), "turn.example.com");
	const char *expires = json_string_value(json_object_get(certificate, "expires"));
	cr_expect_eq(strlen(expires), strlen("2027-01-31T12:00:00Z"), "%s", expires);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(status, "uturn"), "connections_max")), 3000);
	json_decref(status);
}

Test(server_status, shows_no_secret)
{
	static const enum auth_type types[] = {AUTH_STATIC, AUTH_EPHEMERAL, AUTH_NONE};
	strcpy(fake_config.auth.secrets[0], "secret-secret");
	memcpy(fake_config.admin.nonce_secret, "secret-nonce", 12);
	for (size_t i = 0; i < 3; i++) {
		fake_config.auth.type = types[i];
		json_t *status = ask_json(server_status_serve);
		json_t *credentials = json_object_get(json_object_get(status, "auth"), "credentials");
		cr_expect_eq(json_object_size(credentials), types[i] == AUTH_STATIC ? 2 : types[i] == AUTH_EPHEMERAL ? 1 : 0);
		cr_expect_null(strstr((const char *)evbuffer_pullup(reply.body, -1), "secret-"));
		json_decref(status);
	}
}

Test(server_status, leaves_out_what_is_off)
{
	fake_config.admin.metrics.enabled = false;
	fake_config.listeners[0].public_address[0] = '\0';
	fake_config.listeners[0].public_port = 0;
	fake_config.listeners[0].address = (struct addr){0};
	json_t *status = ask_json(server_status_serve);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(status, "admin"), "metrics_endpoint")), "");
	json_t *listener = json_array_get(json_object_get(status, "listeners"), 0);
	cr_expect_null(json_object_get(listener, "public_address"));
	cr_expect_null(json_object_get(listener, "public_port"));
	cr_expect_str_eq(json_string_value(json_object_get(listener, "address")), "0.0.0.0");
	json_decref(status);
}

Test(server_status, is_bounded_whatever_is_configured)
{
	enum { CLUSTERS = STATUS_CLUSTERS_MAX + 10, ENDPOINTS = STATUS_ENDPOINTS_MAX / 2 + 1 };
	struct config_endpoint *endpoints = calloc(ENDPOINTS, sizeof *endpoints);
	for (size_t i = 0; i < ENDPOINTS; i++)
		endpoints[i] = (struct config_endpoint){addr_ipv4(10, 0, 0, 1, 0), 32, 1, 65535};
	fake_config.clusters = calloc(CLUSTERS, sizeof *fake_config.clusters);
	fake_config.cluster_count = CLUSTERS;
	for (size_t i = 0; i < CLUSTERS; i++)
		fake_config.clusters[i] = (struct config_cluster){.endpoints = endpoints, .endpoint_count = ENDPOINTS};
	json_t *status = ask_json(server_status_serve);
	json_t *clusters = json_object_get(status, "clusters");
	cr_expect_eq(json_array_size(clusters), STATUS_CLUSTERS_MAX);
	cr_expect_eq(json_array_size(json_object_get(json_array_get(clusters, 0), "endpoints")), ENDPOINTS);
	cr_expect_eq(json_array_size(json_object_get(json_array_get(clusters, 1), "endpoints")), ENDPOINTS - 2);
	cr_expect_eq(json_array_size(json_object_get(json_array_get(clusters, 2), "endpoints")), 0);
	cr_expect(json_is_true(json_object_get(json_object_get(status, "uturn"), "truncated")));
	json_decref(status);
	free(fake_config.clusters);
	free(endpoints);
}

Test(server_status, tells_where_configurations_come_from)
{
	strcpy(view->source.place, "/etc/uturn.yaml");
	json_t *status = ask_json(server_status_serve);
	json_t *source = json_object_get(json_object_get(status, "uturn"), "source");
	cr_expect_str_eq(json_string_value(json_object_get(source, "place")), "/etc/uturn.yaml");
	cr_expect_null(json_object_get(source, "connected"));
	json_decref(status);
	view->source = (struct source_view){
		.place = "http://10.0.0.1:13478", .id = "ns/gw", .problem = "it is away", .messages = 7, .refused = 2};
	status = ask_json(server_status_serve);
	source = json_object_get(json_object_get(status, "uturn"), "source");
	cr_expect_str_eq(json_string_value(json_object_get(source, "id")), "ns/gw");
	cr_expect(json_is_false(json_object_get(source, "connected")));
	cr_expect_str_eq(json_string_value(json_object_get(source, "problem")), "it is away");
	cr_expect_eq(json_integer_value(json_object_get(source, "messages")), 7);
	cr_expect_eq(json_integer_value(json_object_get(source, "refused")), 2);
	json_decref(status);
}
