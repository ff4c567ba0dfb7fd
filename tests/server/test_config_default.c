#include <criterion/criterion.h>
#include <stdio.h>

#include "config_rig.h"
#include "server/config_print.h"
#include "server/config_public.h"

static struct config_rig rig;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(config_default, .init = set_up);

Test(config_default, has_fresh_credentials_and_the_documented_defaults)
{
	struct config_problems problems = {0};
	struct config *a = config_load_default(&rig.world, &problems), *b = config_load_default(&rig.world, &problems);
	cr_assert_not_null(a);
	cr_assert_not_null(b);
	cr_assert_eq(problems.kept, 0);
	cr_assert_eq(a->dialect, CONFIG_EMBEDDED);
	cr_assert_str_eq(a->auth.realm, "uturn");
	cr_assert(a->auth.generated);
	cr_assert_eq(strlen(a->auth.password), 24);
	cr_assert_str_neq(a->auth.password, b->auth.password);
	cr_assert_str_neq(a->auth.username, b->auth.username);
	cr_assert_eq(a->listeners[0].port, 3478);
	cr_assert_eq(a->listeners[0].port_min, 10000);
	cr_assert_eq(a->listeners[0].port_max, 20000);
	cr_assert(a->admin.metrics.enabled);
	cr_assert_eq(a->admin.metrics.port, 8080);
	cr_assert_str_eq(a->admin.metrics.path, "/metrics");
	cr_assert_eq(a->admin.health.port, 8086);
	cr_assert_eq(a->clusters[0].endpoints[0].bits, 0);
	cr_assert_eq(a->clusters[0].endpoints[1].ip.family, ADDR_IPV6);
	config_free(a);
	config_free(b);
}

Test(config_default, is_overridden_by_the_stunner_variables)
{
	static const struct rig_variable environment[] = {{"STUNNER_PORT", "3480"}, {"STUNNER_ADDR", "192.0.2.7"},
		{"STUNNER_PUBLIC_ADDR", "203.0.113.5"}, {"STUNNER_PUBLIC_PORT", "443"}, {"STUNNER_AUTH_TYPE", "longterm"},
		{"STUNNER_SECRET", "old name"}, {"UTURN_ACCEPTED_SECRET", "earlier"}, {"STUNNER_REALM", "r"},
		{"STUNNER_LOGLEVEL", "all:DEBUG"}, {"STUNNER_MIN_PORT", "5000"}, {"STUNNER_MAX_PORT", "6000"},
		{"STUNNER_USERNAME", "u"}, {"STUNNER_PASSWORD", "p"}, {NULL, NULL}};
	struct config_problems problems = {0};
	rig.environment = environment;
	struct config *c = config_load_default(&rig.world, &problems);
	cr_assert_not_null(c, "%s", problems.list[0].text);
	cr_assert_eq(c->listeners[0].port, 3480);
	struct addr ip = config_rig_ip("192.0.2.7");
	cr_assert(addr_equal(&c->listeners[0].relay[RELAY_IPV4].bind, &ip));
	cr_assert_eq(c->auth.type, AUTH_EPHEMERAL);
	cr_assert_str_eq(c->auth.secrets[0], "old name");
	cr_assert_str_eq(c->auth.secrets[1], "earlier");
	cr_assert_str_eq(c->auth.realm, "r");
	cr_assert_str_eq(c->auth.username, "u");
	cr_assert_str_eq(c->auth.password, "p");
	cr_assert_not(c->auth.generated);
	cr_assert_str_eq(c->admin.loglevel, "all:DEBUG");
	cr_assert_eq(c->listeners[0].port_min, 5000);
	cr_assert_eq(c->listeners[0].port_max, 6000);
	char uri[CONFIG_URI_SIZE];
	cr_assert_str_eq(config_turn_uri(&c->listeners[0], &rig.world, uri), "turn:203.0.113.5:443?transport=udp");
	config_free(c);
}

Test(config_default, names_the_variable_that_is_wrong)
{
	static const struct {
		struct rig_variable variable;
		const char *line;
	} cases[] = {
		{{"STUNNER_PORT", "http"}, "environment: STUNNER_PORT: \"http\" is not a port: use 1 to 65535"},
		{{"STUNNER_MIN_PORT", "70000"}, "environment: STUNNER_MIN_PORT: \"70000\" is not a port: use 1 to 65535"},
		{{"STUNNER_MIN_PORT", "30000"}, "environment: listeners[0].min_relay_port: 30000 is above max_relay_port, 20000: "
						"use a range from the smaller to the greater"},
		{{"STUNNER_ADDR", "here"},
			"environment: STUNNER_ADDR: \"here\" is not an IP address: use the one that clients are relayed from"},
		{{"STUNNER_AUTH_TYPE", "x"},
			"environment: STUNNER_AUTH_TYPE: \"x\" is not known: use static (plaintext), ephemeral (longterm) or none"},
		{{"STUNNER_AUTH_TYPE", "longterm"},
			"environment: auth.credentials.secret: is missing: type ephemeral needs a secret"},
		{{"STUNNER_LOGLEVEL", "x"},
			"environment: STUNNER_LOGLEVEL: \"x\" is not a list of scope:LEVEL: use one like all:INFO,turn:DEBUG"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_problems problems = {0};
		struct rig_variable environment[] = {cases[i].variable, {NULL, NULL}};
		rig.environment = environment;
		cr_assert_null(config_load_default(&rig.world, &problems), "%s", cases[i].line);
		cr_assert_eq(problems.kept, 1);
		cr_assert_str_eq(problems.list[0].text, cases[i].line);
	}
}

static const char *greeting_of(struct config *config)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof text, "w");
	config_print_greeting(config, &rig.world, out);
	fclose(out);
	config_free(config);
	return text;
}

Test(config_default, greets_with_what_a_browser_needs_and_with_no_password_that_was_given)
{
	struct config_problems problems = {0};
	struct config *c = config_load_default(&rig.world, &problems);
	char expected[2048];
	snprintf(expected, sizeof expected,
		"iceServers: [{ urls: \"turn:192.0.2.7:3478?transport=udp\", username: \"%s\", credential: \"%s\" }],",
		c->auth.username, c->auth.password);
	const char *text = greeting_of(c);
	cr_assert_not_null(strstr(text, expected), "%s", text);
	cr_assert_not_null(strstr(text, "metrics: http://127.0.0.1:8080/metrics\n"));
	cr_assert_not_null(strstr(text, "health:  http://127.0.0.1:8086"));
	text = greeting_of(config_load_uri("turn://us%22er:hunter2@0.0.0.0", &rig.world, &problems));
	cr_assert_not_null(strstr(text, "username: \"us\\\"er\""));
	cr_assert_null(strstr(text, "hunter2"));
}

Test(config_default, shows_a_plan_without_credentials)
{
	static char text[4096];
	FILE *out = fmemopen(text, sizeof text, "w");
	struct config *c = config_rig_load(&rig, config_rig_native(",\"shards\":2", "", ""), NULL);
	memcpy(c->auth.password, "hunter2", 8);
	config_print_plan(c, out);
	fclose(out);
	config_free(c);
	cr_assert_null(strstr(text, "hunter2"));
	cr_assert_not_null(strstr(text, "engine:  auto, shards 2\n"), "%s", text);
	cr_assert_not_null(strstr(text, "listener \"l\": UDP 0.0.0.0:3478 [::]:3478\n"), "%s", text);
	cr_assert_not_null(
		strstr(text, "  relayed IPv4: the address that the client came to, or 192.0.2.7, ports 40000-50000\n"), "%s", text);
	cr_assert_not_null(strstr(text, "  routes: \"c\"\ncluster \"c\": 10.0.0.0/8\n"), "%s", text);
}

Test(config_default, listens_on_the_transports_that_are_switched_on)
{
	static const struct {
		const char *udp, *tcp;
		size_t count;
		enum config_protocol first;
	} cases[] = {
		{NULL, NULL, 1, PROTOCOL_UDP},
		{"1", "", 1, PROTOCOL_UDP},
		{"1", "1", 2, PROTOCOL_UDP},
		{"", "1", 1, PROTOCOL_TCP},
		{"0", "", 0, PROTOCOL_UDP},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig_variable variables[] = {{"STUNNER_TRANSPORT_UDP_ENABLE", cases[i].udp},
			{"STUNNER_TRANSPORT_TCP_ENABLE", cases[i].tcp}, {"STUNNER_PORT", "3480"},
			{"STUNNER_PUBLIC_IP", "192.0.2.9"}, {NULL, NULL}};
		struct config_problems problems = {0};
		rig.environment = variables;
		struct config *c = config_load_default(&rig.world, &problems);
		if (cases[i].count == 0) {
			cr_assert_null(c);
			cr_assert_str_eq(problems.list[0].text, "environment: STUNNER_TRANSPORT_UDP_ENABLE: is off, and so is "
								"STUNNER_TRANSPORT_TCP_ENABLE: set one of them to 1");
			continue;
		}
		cr_assert_eq(c->listener_count, cases[i].count, "%zu", i);
		cr_assert_eq(c->listeners[0].protocol, cases[i].first, "%zu", i);
		for (size_t n = 0; n < c->listener_count; n++) {
			cr_assert_eq(c->listeners[n].port, 3480);
			cr_assert_eq(c->listeners[n].port_min, 10000);
			cr_assert_eq(c->listeners[n].route_count, 1);
			cr_assert_str_eq(c->listeners[n].public_address, "192.0.2.9");
		}
		config_free(c);
	}
}
