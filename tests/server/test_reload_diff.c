#include <criterion/criterion.h>

#include "config_rig.h"
#include "server/reload_diff.h"

static struct config_rig rig;
static struct reload_diff diff;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(reload_diff, .init = set_up);

enum { CAPACITY = 1000, CONNECTIONS = 500 };

static struct config *load(const char *text)
{
	struct config_problems problems = {0};
	struct config *config = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(config, "%s", problems.list[0].text);
	return config;
}

static struct config *diff_of(const struct config *running, struct config *incoming)
{
	const struct reload_running now = {running, CAPACITY, CONNECTIONS, 0};
	return reload_diff(&now, incoming, &diff);
}

/* What runs after a reload of the native rig document, changed as given. */
static struct config *reload_with(const char *admin, const char *listener, const char *top)
{
	struct config *running = load(config_rig_native("", "", ""));
	struct config *merged = diff_of(running, load(config_rig_native(admin, listener, top)));
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

Test(reload_diff, names_and_keeps_what_takes_a_restart)
{
	static const struct {
		const char *admin, *line;
	} restarts[] = {
		{",\"engine\":\"epoll\"", "admin.engine: auto -> epoll takes a restart; kept auto"},
		{",\"shards\":2", "admin.shards: 0 -> 2 takes a restart; kept 0"},
		{",\"lockdown\":false", "admin.lockdown: on -> off takes a restart; kept on"},
	};
	for (size_t i = 0; i < sizeof restarts / sizeof restarts[0]; i++) {
		struct config *c = reload_with(restarts[i].admin, "", "");
		cr_assert_eq(diff.kept.kept, 1, "%s: %zu lines", restarts[i].line, diff.kept.kept);
		cr_assert_str_eq(diff.kept.list[0].text, restarts[i].line);
		cr_assert_not(diff.changed, "%s", restarts[i].line);
		cr_assert_eq(c->admin.engine, ENGINE_AUTO);
		cr_assert_eq(c->admin.shards, 0);
		config_free(c);
	}
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
		{",\"limits\":{\"streams\":{\"connections\":9}}", "", ""},
		{",\"buffers\":{\"listener_receive\":1}", "", ""},
		{",\"buffers\":{\"relay_receive\":1}", "", ""},
		{",\"buffers\":{\"relay_send\":1}", "", ""},
		{",\"metrics_endpoint\":\"http://[::1]:99/m\"", "", ""},
		{",\"healthcheck_endpoint\":\"\"", "", ""},
		{"", ",\"address\":\"192.0.2.7\"", ""},
		{"", ",\"relay_address\":\"192.0.2.7\"", ""},
		{"", ",\"advertised_address\":\"203.0.113.1\"", ""},
		{"", ",\"min_relay_port\":39999,\"max_relay_port\":50000", ""},
		{"", ",\"min_relay_port\":40000,\"max_relay_port\":50001", ""},
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
	struct config *c = diff_of(running, incoming);
	cr_assert(diff.changed);
	cr_assert_eq(diff.kept.kept, 0);
	cr_assert_eq(c->auth.type, AUTH_EPHEMERAL);
	cr_assert_str_eq(c->auth.secrets[0], "hunter2");
	cr_assert_str_eq(c->auth.realm, "other");
	cr_assert_eq(c->listeners[0].route_count, 0);
	config_free(running);
	incoming = load(
		"{\"version\":\"uturn/v1\",\"admin\":{\"name\":\"rig\"},\"auth\":{\"type\":\"ephemeral\",\"realm\":\"other\","
		"\"credentials\":{\"secret\":\"hunter2\",\"accepted_secrets\":\"hunter1\"}},\"listeners\":[{\"name\":\"l\"}]}");
	running = c;
	c = diff_of(running, incoming);
	cr_assert(diff.changed);
	config_free(c);
	config_free(running);
}

Test(reload_diff, keeps_the_random_nonce_secret_while_no_key_is_given)
{
	struct config *running = load(config_rig_native("", "", "")), *incoming = load(config_rig_native("", "", ""));
	cr_assert_arr_neq(running->admin.nonce_secret, incoming->admin.nonce_secret, NONCE_SECRET_SIZE);
	struct config *c = diff_of(running, incoming);
	cr_assert_arr_eq(c->admin.nonce_secret, running->admin.nonce_secret, NONCE_SECRET_SIZE);
	config_free(c);
	config_free(running);
}

Test(reload_diff, does_not_let_tables_grow_past_what_was_sized)
{
	struct config *c = reload_with(",\"limits\":{\"allocations\":1001,\"streams\":{\"connections\":501}}", "", "");
	cr_assert_eq(diff.kept.kept, 2);
	cr_assert_str_eq(diff.kept.list[0].text, "admin.limits.allocations: 1001 is more than the 1000 that this process was sized "
						 "for; that takes a restart; kept 1000");
	cr_assert_str_eq(diff.kept.list[1].text, "admin.limits.streams.connections: 501 is more than the 500 that this process was "
						 "sized for; that takes a restart; kept 500");
	cr_assert_eq(c->admin.allocations_max, CAPACITY);
	cr_assert_eq(c->admin.connections_max, CONNECTIONS);
	config_free(c);
}

#define TWO                                                                                                                        \
	"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"port\":1,\"routes\":[\"x\",\"y\"]},"    \
	"{\"name\":\"b\",\"port\":2,\"routes\":[\"x\",\"y\"]}],\"clusters\":[{\"name\":\"x\",\"endpoints\":[\"10.0.0.1\"]},"       \
	"{\"name\":\"y\",\"endpoints\":[\"10.0.0.2\"]}]}"

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
		struct config *c = diff_of(running, load(incoming[i]));
		cr_assert(diff.changed, "%s", incoming[i]);
		cr_assert_eq(diff.kept.kept, 0);
		config_free(c);
		config_free(running);
	}
	struct config *running = load(TWO);
	struct config *c = diff_of(running, load(TWO));
	cr_assert_not(diff.changed);
	config_free(c);
	config_free(running);
}

/* What runs after a reload from one listener's fields to another's. */
static struct config *reload_listener(const char *before, const char *after)
{
	struct config *running = load(config_rig_native("", before, ""));
	struct config *merged = diff_of(running, load(config_rig_native("", after, "")));
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
