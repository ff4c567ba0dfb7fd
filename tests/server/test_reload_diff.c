#include <criterion/criterion.h>
#include <stdio.h>

#include "config_rig.h"
#include "server/reload_diff.h"

static struct config_rig rig;
static struct reload_diff diff;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(reload_diff, .init = set_up);

enum { CAPACITY = 1000 };

static struct config *load(const char *text)
{
	struct config_problems problems = {0};
	struct config *config = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(config, "%s", problems.list[0].text);
	return config;
}

/* What runs after a reload of the native rig document, changed as given. */
static struct config *reload_with(const char *admin, const char *listener, const char *top)
{
	struct config *running = load(config_rig_native("", "", ""));
	struct config *merged = reload_diff(running, load(config_rig_native(admin, listener, top)), CAPACITY, &diff);
	cr_assert_not_null(merged);
	config_free(running);
	return merged;
}

Test(reload_diff, sees_that_nothing_changed)
{
	config_free(reload_with("", "", ""));
	cr_assert_not(diff.changed);
	cr_assert_eq(diff.kept.kept, 0);
}

static const struct {
	const char *admin, *listener;
	const char *line;
} restarts[] = {
	{"", ",\"protocol\":\"tcp\"", "listeners[0].protocol: UDP -> TCP takes a restart; kept UDP"},
	{"", ",\"protocol\":\"tls\",\"port\":3478,\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\"",
		"listeners[0].protocol: UDP -> TLS takes a restart; kept UDP"},
	{"", ",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.1\"]",
		"listeners[0].proxy_protocol: false -> true takes a restart; kept false"},
	{",\"limits\":{\"streams\":{\"connections\":9}}", "", "admin.limits.streams.connections: 0 -> 9 takes a restart; kept 0"},
	{"", ",\"port\":3479", "listeners[0].port: 3478 -> 3479 takes a restart; kept 3478"},
	{"", ",\"address\":\"192.0.2.7\"", "listeners[0].address: 0.0.0.0 -> 192.0.2.7 takes a restart; kept 0.0.0.0"},
	{"", ",\"bind_address\":\"127.0.0.1\"",
		"listeners[0].bind_address: 0.0.0.0, :: -> 127.0.0.1 takes a restart; kept 0.0.0.0, ::"},
	{"", ",\"relay_address\":\"192.0.2.7\"", "listeners[0].relay_address: none -> 192.0.2.7 takes a restart; kept none"},
	{"", ",\"advertised_address\":\"203.0.113.1\"",
		"listeners[0].advertised_address: none -> 203.0.113.1 takes a restart; kept none"},
	{"", ",\"min_relay_port\":39999,\"max_relay_port\":50000",
		"listeners[0].min_relay_port: 40000 -> 39999 takes a restart; kept 40000"},
	{"", ",\"min_relay_port\":40000,\"max_relay_port\":50001",
		"listeners[0].max_relay_port: 50000 -> 50001 takes a restart; kept 50000"},
	{",\"engine\":\"epoll\"", "", "admin.engine: auto -> epoll takes a restart; kept auto"},
	{",\"shards\":2", "", "admin.shards: 0 -> 2 takes a restart; kept 0"},
	{",\"metrics_endpoint\":\"http://[::1]:99/m\"", "",
		"admin.metrics_endpoint: none -> http://[::1]:99/m takes a restart; kept none"},
	{",\"healthcheck_endpoint\":\"\"", "",
		"admin.healthcheck_endpoint: http://:8086/ -> none takes a restart; kept http://:8086/"},
	{",\"buffers\":{\"listener_receive\":1}", "", "admin.buffers.listener_receive: 8388608 -> 1 takes a restart; kept 8388608"},
	{",\"buffers\":{\"relay_receive\":1}", "", "admin.buffers.relay_receive: 524288 -> 1 takes a restart; kept 524288"},
	{",\"buffers\":{\"relay_send\":1}", "", "admin.buffers.relay_send: 524288 -> 1 takes a restart; kept 524288"},
};

Test(reload_diff, names_and_keeps_what_takes_a_restart)
{
	struct config *running = load(config_rig_native("", "", ""));
	for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++) {
		struct config *c = reload_with(restarts[i].admin, restarts[i].listener, "");
		cr_assert_eq(diff.kept.kept, 1, "%s: %zu lines", restarts[i].line, diff.kept.kept);
		cr_assert_str_eq(diff.kept.list[0].text, restarts[i].line);
		cr_assert_not(diff.changed, "%s", restarts[i].line);
		cr_assert_eq(c->listeners[0].port, running->listeners[0].port);
		cr_assert_eq(c->listeners[0].protocol, PROTOCOL_UDP);
		cr_assert_null(c->listeners[0].identities);
		cr_assert_not(c->listeners[0].proxy_protocol);
		cr_assert_eq(c->listeners[0].proxy_trusted_count, 0);
		cr_assert_eq(c->admin.connections_max, 0);
		cr_assert_arr_eq(c->listeners[0].bind, running->listeners[0].bind, sizeof c->listeners[0].bind);
		cr_assert_arr_eq(c->listeners[0].relay, running->listeners[0].relay, sizeof c->listeners[0].relay);
		cr_assert_eq(c->listeners[0].port_min, running->listeners[0].port_min);
		cr_assert_eq(c->listeners[0].port_max, running->listeners[0].port_max);
		cr_assert_eq(c->admin.engine, running->admin.engine);
		cr_assert_eq(c->admin.shards, running->admin.shards);
		cr_assert_arr_eq(&c->admin.metrics, &running->admin.metrics, sizeof c->admin.metrics);
		cr_assert_arr_eq(&c->admin.health, &running->admin.health, sizeof c->admin.health);
		cr_assert_eq(c->admin.listener_receive_buffer, running->admin.listener_receive_buffer);
		config_free(c);
	}
	config_free(running);
}

Test(reload_diff, takes_up_what_is_live)
{
	static const struct {
		const char *admin, *listener, *top;
	} cases[] = {
		{",\"loglevel\":\"all:DEBUG\"", "", ""},
		{",\"log_format\":\"json\"", "", ""},
		{",\"drain_timeout\":1", "", ""},
		{",\"ready_while_draining\":false", "", ""},
		{",\"alternate_server\":\"192.0.2.1\"", "", ""},
		{",\"nonce_key\":\"0123456789abcdef\"", "", ""},
		{",\"user_quota\":1", "", ""},
		{",\"limits\":{\"allocations\":500}", "", ""},
		{",\"limits\":{\"lifetime_default\":60}", "", ""},
		{",\"limits\":{\"lifetime_max\":601}", "", ""},
		{",\"limits\":{\"unauthenticated\":{\"burst\":1}}", "", ""},
		{",\"limits\":{\"unauthenticated\":{\"rate\":1}}", "", ""},
		{",\"limits\":{\"unauthenticated\":{\"spare\":1}}", "", ""},
		{",\"limits\":{\"unauthenticated\":{\"ipv4_prefix\":24}}", "", ""},
		{",\"limits\":{\"unauthenticated\":{\"ipv6_prefix\":48}}", "", ""},
		{",\"limits\":{\"streams\":{\"per_source\":1}}", "", ""},
		{",\"limits\":{\"streams\":{\"handshakes\":1}}", "", ""},
		{",\"limits\":{\"streams\":{\"handshake_timeout\":1}}", "", ""},
		{",\"limits\":{\"streams\":{\"idle_timeout\":1}}", "", ""},
		{",\"limits\":{\"streams\":{\"stuck_timeout\":1}}", "", ""},
		{"", ",\"public_address\":\"turn.example\"", ""},
		{"", ",\"public_port\":443", ""},
		{"", "", ",\"revoke\":true"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		config_free(reload_with(cases[i].admin, cases[i].listener, cases[i].top));
		cr_assert(diff.changed, "%s%s%s", cases[i].admin, cases[i].listener, cases[i].top);
		cr_assert_eq(diff.kept.kept, 0, "%s", diff.kept.list[0].text);
	}
	struct config *c = reload_with(",\"user_quota\":3", ",\"public_port\":443", "");
	cr_assert_eq(c->admin.user_quota, 3);
	cr_assert_eq(c->listeners[0].public_port, 443);
	config_free(c);
}

Test(reload_diff, takes_up_new_credentials_and_never_shows_them)
{
	struct config *running = load(config_rig_native("", "", ""));
	struct config *incoming =
		load("{\"version\":\"uturn/v1\",\"admin\":{\"name\":\"rig\"},\"auth\":{\"type\":\"ephemeral\","
		     "\"realm\":\"other\",\"credentials\":{\"secret\":\"hunter2\"}},\"listeners\":[{\"name\":\"l\"}]}");
	struct config *c = reload_diff(running, incoming, CAPACITY, &diff);
	cr_assert(diff.changed);
	cr_assert_eq(diff.kept.kept, 0);
	cr_assert_eq(c->auth.type, AUTH_EPHEMERAL);
	cr_assert_str_eq(c->auth.secret, "hunter2");
	cr_assert_str_eq(c->auth.realm, "other");
	cr_assert_eq(c->listeners[0].route_count, 0);
	config_free(c);
	config_free(running);
}

Test(reload_diff, keeps_the_random_nonce_secret_while_no_key_is_given)
{
	struct config *running = load(config_rig_native("", "", "")), *incoming = load(config_rig_native("", "", ""));
	cr_assert_arr_neq(running->admin.nonce_secret, incoming->admin.nonce_secret, NONCE_SECRET_SIZE);
	struct config *c = reload_diff(running, incoming, CAPACITY, &diff);
	cr_assert_arr_eq(c->admin.nonce_secret, running->admin.nonce_secret, NONCE_SECRET_SIZE);
	config_free(c);
	config_free(running);
}

Test(reload_diff, does_not_let_allocations_grow_past_what_was_sized)
{
	struct config *c = reload_with(",\"limits\":{\"allocations\":1001}", "", "");
	cr_assert_eq(diff.kept.kept, 1);
	cr_assert_str_eq(diff.kept.list[0].text, "admin.limits.allocations: 1001 is more than the 1000 that this process was sized "
						 "for; that takes a restart; kept 1000");
	cr_assert_eq(c->admin.allocations_max, CAPACITY);
	config_free(c);
}

#define TWO                                                                                                                        \
	"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"port\":1,\"routes\":[\"x\",\"y\"]},"    \
	"{\"name\":\"b\",\"port\":2,\"routes\":[\"x\",\"y\"]}],\"clusters\":[{\"name\":\"x\",\"endpoints\":[\"10.0.0.1\"]},"       \
	"{\"name\":\"y\",\"endpoints\":[\"10.0.0.2\"]}]}"

Test(reload_diff, keeps_the_order_and_number_of_listeners)
{
	struct config *running = load(TWO);
	struct config *incoming = load(
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"c\",\"port\":3},"
		"{\"name\":\"b\",\"port\":2,\"routes\":[\"y\"]}],\"clusters\":[{\"name\":\"y\",\"endpoints\":[\"10.0.0.9\"]}]}");
	struct config *c = reload_diff(running, incoming, CAPACITY, &diff);
	cr_assert(diff.changed);
	cr_assert_eq(diff.kept.kept, 2);
	cr_assert_str_eq(diff.kept.list[0].text, "listeners: removing \"a\" takes a restart; kept it");
	cr_assert_str_eq(diff.kept.list[1].text, "listeners: adding \"c\" takes a restart; not opened");
	cr_assert_eq(c->listener_count, 2);
	cr_assert_str_eq(c->listeners[0].name, "a");
	cr_assert_eq(c->listeners[0].port, 1);
	/* Of its routes, what the new configuration still has. */
	cr_assert_eq(c->listeners[0].route_count, 1);
	cr_assert_str_eq(c->clusters[c->listeners[0].routes[0]].name, "y");
	cr_assert_str_eq(c->listeners[1].name, "b");
	cr_assert_eq(c->listeners[1].route_count, 1);
	cr_assert_str_eq(c->clusters[c->listeners[1].routes[0]].name, "y");
	config_free(c);
	config_free(running);
}

Test(reload_diff, sees_changes_of_routes_and_clusters)
{
	static const char *const incoming[] = {
		/* another endpoint */
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"port\":1,\"routes\":[\"x\","
		"\"y\"]},"
		"{\"name\":\"b\",\"port\":2,\"routes\":[\"x\",\"y\"]}],\"clusters\":[{\"name\":\"x\",\"endpoints\":[\"10.0.0.1\"]},"
		"{\"name\":\"y\",\"endpoints\":[\"10.0.0.3\"]}]}",
		/* other ports */
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"port\":1,\"routes\":[\"x\","
		"\"y\"]},"
		"{\"name\":\"b\",\"port\":2,\"routes\":[\"x\",\"y\"]}],\"clusters\":[{\"name\":\"x\",\"endpoints\":[\"10.0.0.1\"]},"
		"{\"name\":\"y\",\"endpoints\":[\"10.0.0.2:<1-2>\"]}]}",
		/* a route less */
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"port\":1,\"routes\":[\"x\","
		"\"y\"]},"
		"{\"name\":\"b\",\"port\":2,\"routes\":[\"y\"]}],\"clusters\":[{\"name\":\"x\",\"endpoints\":[\"10.0.0.1\"]},"
		"{\"name\":\"y\",\"endpoints\":[\"10.0.0.2\"]}]}",
	};
	for (size_t i = 0; i < sizeof incoming / sizeof incoming[0]; i++) {
		struct config *running = load(TWO);
		struct config *c = reload_diff(running, load(incoming[i]), CAPACITY, &diff);
		cr_assert(diff.changed, "%s", incoming[i]);
		cr_assert_eq(diff.kept.kept, 0);
		config_free(c);
		config_free(running);
	}
	struct config *running = load(TWO);
	struct config *c = reload_diff(running, load(TWO), CAPACITY, &diff);
	cr_assert_not(diff.changed);
	config_free(c);
	config_free(running);
}

/* What runs after a reload from one listener's fields to another's. */
static struct config *reload_listener(const char *before, const char *after)
{
	struct config *running = load(config_rig_native("", before, ""));
	struct config *merged = reload_diff(running, load(config_rig_native("", after, "")), CAPACITY, &diff);
	cr_assert_not_null(merged);
	config_free(running);
	return merged;
}

#define TLS ",\"protocol\":\"tls\""
#define PAIR "\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\""

Test(reload_diff, takes_up_other_certificates_and_proxies)
{
	static const struct {
		const char *before, *after;
	} cases[] = {
		{TLS "," PAIR, TLS ",\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN B\""},
		{TLS "," PAIR, TLS ",\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN C\""},
		{TLS "," PAIR, TLS "," PAIR ",\"certificates\":[{" PAIR "}]"},
		{TLS ",\"certificates\":[{" PAIR "},{" PAIR "}]", TLS ",\"certificates\":[{" PAIR "}]"},
		{TLS "," PAIR ",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.1\"]",
			TLS "," PAIR ",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.2\"]"},
		{",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.0/8\"]",
			",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.0/9\"]"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		config_free(reload_listener(cases[i].before, cases[i].after));
		cr_assert(diff.changed, "%s", cases[i].after);
		cr_assert_eq(diff.kept.kept, 0, "%s", diff.kept.list[0].text);
		config_free(reload_listener(cases[i].after, cases[i].after));
		cr_assert_not(diff.changed, "%s", cases[i].after);
	}
}

Test(reload_diff, keeps_the_certificates_of_a_protocol_that_stays)
{
	struct config *c = reload_listener(TLS "," PAIR, ",\"protocol\":\"tcp\",\"port\":5349");
	cr_assert_not(diff.changed);
	cr_assert_eq(c->listeners[0].protocol, PROTOCOL_TLS);
	cr_assert_str_eq(c->listeners[0].identities->list[0].certificates.text, "-----BEGIN A");
	config_free(c);
}

Test(reload_diff, keeps_the_proxies_while_they_are_waited_for)
{
	struct config *c = reload_listener(",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.1\"]", "");
	cr_assert_not(diff.changed);
	cr_assert(c->listeners[0].proxy_protocol);
	cr_assert_eq(c->listeners[0].proxy_trusted_count, 1);
	config_free(c);
}

Test(reload_diff, keeps_the_certificates_of_a_listener_that_is_gone)
{
	struct config *running = load(config_rig_native("", TLS "," PAIR, ""));
	struct config *incoming = load("{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"new\","
				       "\"protocol\":\"tls\"," PAIR "}]}");
	struct config *c = reload_diff(running, incoming, CAPACITY, &diff);
	config_free(running);
	cr_assert_eq(c->listener_count, 1);
	cr_assert_str_eq(c->listeners[0].name, "l");
	cr_assert_str_eq(c->listeners[0].identities->list[0].key.text, "-----BEGIN B");
	config_free(c);
}
