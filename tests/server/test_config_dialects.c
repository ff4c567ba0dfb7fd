/* The dialects that stunnerd's documents are in, what the environment does to them, and the examples of the documentation. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"

static struct config_rig rig;

static const struct rig_variable stunner_environment[] = {
	{"STUNNER_ADDR", "192.0.2.7"},
	{"STUNNER_PORT", "3479"},
	{"STUNNER_REALM", "realm.example"},
	{"STUNNER_AUTH_TYPE", "plaintext"},
	{"STUNNER_USERNAME", "alice\"$X"},
	{"STUNNER_PASSWORD", "secret"},
	{"STUNNER_SHARED_SECRET", "my-shared-secret"},
	{"UTURN_ACCEPTED_SECRET", "my-earlier-secret"},
	{"STUNNER_LOGLEVEL", "all:WARN"},
	{"STUNNER_MIN_PORT", "10000"},
	{"STUNNER_MAX_PORT", "20000"},
	{NULL, NULL},
};

static void set_up(void)
{
	config_rig_init(&rig, stunner_environment);
}

TestSuite(config_dialects, .init = set_up);

#define AUTH "\"auth\":{\"credentials\":{\"username\":\"u\",\"password\":\"p\"}}"

Test(config_dialects, takes_the_document_of_stunners_operator)
{
	const char *text =
		"{\"version\":\"v1\",\"admin\":{\"name\":\"stunner/udp-gateway\",\"loglevel\":\"all:INFO\","
		"\"healthcheck_endpoint\":\"http://:8086\",\"offload_engine\":\"None\"},"
		"\"auth\":{\"type\":\"static\",\"realm\":\"stunner.l7mp.io\",\"credentials\":{\"username\":\"user-1\",\"password\":"
		"\"pass-1\"}},"
		"\"listeners\":[{\"name\":\"stunner/udp-gateway/"
		"udp-listener\",\"protocol\":\"TURN-UDP\",\"public_address\":\"34.118.88.91\","
		"\"public_port\":3478,\"address\":\"$STUNNER_ADDR\",\"port\":3478,\"routes\":[\"stunner/iperf-server\"]}],"
		"\"clusters\":[{\"name\":\"stunner/iperf-server\",\"type\":\"STATIC\",\"protocol\":\"UDP\","
		"\"endpoints\":[\"10.76.1.4\",\"10.80.4.47\"]}]}";
	struct config *c = config_rig_load(&rig, text, NULL);
	cr_assert_eq(c->dialect, CONFIG_V1);
	cr_assert_str_eq(c->admin.name, "stunner/udp-gateway");
	cr_assert_str_eq(c->auth.realm, "stunner.l7mp.io");
	cr_assert_str_eq(c->auth.username, "user-1");
	struct addr relay = config_rig_ip("192.0.2.7");
	cr_assert(addr_equal(&c->listeners[0].relay[RELAY_IPV4].bind, &relay));
	cr_assert_eq(c->listeners[0].route_count, 1);
	cr_assert_eq(c->cluster_count, 1);
	cr_assert_eq(c->clusters[0].endpoint_count, 2);
	cr_assert_eq(c->clusters[0].endpoints[1].bits, 32);
	cr_assert_eq(c->clusters[0].endpoints[1].port_min, 1);
	cr_assert_eq(c->clusters[0].endpoints[1].port_max, 65535);
	config_free(c);
}

Test(config_dialects, warns_of_what_a_newer_controller_may_send_and_goes_on)
{
	struct config_problems problems = {0};
	const char *text = "{\"version\":\"v1\",\"future\":{},\"admin\":{\"colour\":\"blue\",\"offload_engine\":\"XDP\"}," AUTH
			   ",\"listeners\":[{\"name\":\"a\",\"routes\":[\"gone\"]},{\"name\":\"t\",\"protocol\":\"TURN-TLS\","
			   "\"port\":5349,\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\",\"colour\":\"blue\"}],"
			   "\"clusters\":[{\"name\":\"t\",\"protocol\":\"TCP\",\"endpoints\":[\"10.0.0.1\"]}]}";
	static const char *const lines[] = {
		"t.json: admin.offload_engine: \"XDP\": this version offloads nothing; goes on without",
		"t.json: admin.colour: unknown field, ignored",
		"t.json: clusters[0]: protocol TCP: this version relays to UDP peers only; nothing is admitted by this cluster",
		"t.json: listeners[0].routes[0]: there is no cluster \"gone\": route ignored",
		"t.json: listeners[1].colour: unknown field, ignored",
		"t.json: future: unknown field, ignored",
	};
	struct config *c = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(c);
	cr_assert_eq(problems.warnings, sizeof lines / sizeof lines[0]);
	for (size_t i = 0; i < problems.kept; i++)
		cr_assert_str_eq(problems.list[i].text, lines[i]);
	cr_assert_eq(c->listener_count, 2);
	cr_assert_eq(c->listeners[0].route_count, 0);
	cr_assert_eq(c->listeners[1].protocol, PROTOCOL_TLS);
	config_free(c);
}

Test(config_dialects, takes_names_in_any_case_numbers_as_strings_and_empty_strings_as_nothing)
{
	const char *text =
		"{\"version\":\"v1\",\"Admin\":{\"LogLevel\":\"all:ERROR\",\"user_quota\":\"5\",\"ready_while_draining\":\"False\","
		"\"metrics_endpoint\":\"\",\"engine\":\"\"}," AUTH ",\"listeners\":[{\"name\":\"a\",\"port\":\"3480\","
		"\"protocol\":\"\",\"address\":\"\",\"public_port\":null}]}";
	struct config *c = config_rig_load(&rig, text, NULL);
	cr_assert_str_eq(c->admin.loglevel, "all:ERROR");
	cr_assert_eq(c->admin.user_quota, 5);
	cr_assert_not(c->admin.ready_while_draining);
	cr_assert_not(c->admin.metrics.enabled);
	cr_assert_eq(c->listeners[0].port, 3480);
	cr_assert(addr_is_any(&c->listeners[0].relay[RELAY_IPV4].bind));
	config_free(c);
}

Test(config_dialects, takes_credentials_literally_but_for_v1alpha1)
{
	static const struct {
		const char *version, *username;
	} cases[] = {{"v1", "$STUNNER_REALM"}, {"uturn/v1", "$STUNNER_REALM"}, {"v1alpha1", "realm.example"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[400];
		snprintf(text, sizeof text,
			"{\"version\":\"%s\",\"auth\":{\"realm\":\"${STUNNER_REALM}\",\"credentials\":{\"username\":\"$STUNNER_"
			"REALM\","
			"\"password\":\"p\"}},\"clusters\":[{\"name\":\"c\"}],\"listeners\":[{\"name\":\"a\",\"routes\":[\"c\"]}]}",
			cases[i].version);
		struct config *c = config_rig_load(&rig, text, NULL);
		cr_assert_str_eq(c->auth.realm, "realm.example");
		cr_assert_str_eq(c->auth.username, cases[i].username);
		config_free(c);
	}
}

Test(config_dialects, expands_variables_outside_of_strings_too)
{
	const char *text = "{\"version\":\"v1\"," AUTH
			   ",\"listeners\":[{\"name\":\"a\",\"port\":$STUNNER_PORT,\"min_relay_port\":$STUNNER_MIN_PORT,"
			   "\"max_relay_port\":${STUNNER_MAX_PORT},\"public_port\":$NOT_SET}]}";
	struct config *c = config_rig_load(&rig, text, NULL);
	cr_assert_eq(c->listeners[0].port, 3479);
	cr_assert_eq(c->listeners[0].port_min, 10000);
	cr_assert_eq(c->listeners[0].port_max, 20000);
	cr_assert_eq(c->listeners[0].public_port, 0);
	config_free(c);
}

Test(config_dialects, takes_the_flat_form_of_v1alpha1)
{
	const char *text = "{\"version\":\"v1alpha1\",\"admin\":{\"loglevel\":\"$STUNNER_LOGLEVEL\"},"
			   "\"auth\":{\"type\":\"longterm\",\"credentials\":{\"secret\":\"$STUNNER_SHARED_SECRET\","
			   "\"accepted_secrets\":[\"$UTURN_ACCEPTED_SECRET\",\"$NO_SUCH_VARIABLE\"]}},"
			   "\"listeners\":[{\"name\":\"a\",\"minPort\":1000,\"maxPort\":2000,\"routes\":[\"c\"]}],"
			   "\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"fd00::/8:<1-100>\"]}]}";
	struct config *c = config_rig_load(&rig, text, NULL);
	cr_assert_eq(c->dialect, CONFIG_V1ALPHA1);
	cr_assert_eq(c->auth.type, AUTH_EPHEMERAL);
	cr_assert_str_eq(c->auth.secrets[0], "my-shared-secret");
	cr_assert_str_eq(c->auth.secrets[1], "my-earlier-secret");
	cr_assert_str_empty(c->auth.secrets[2], "a variable that is not set is no secret");
	cr_assert_str_eq(c->auth.realm, "stunner.l7mp.io");
	cr_assert_eq(c->listeners[0].port_min, 1000);
	cr_assert_eq(c->listeners[0].port_max, 2000);
	cr_assert_eq(c->clusters[0].endpoints[0].bits, 8);
	cr_assert_eq(c->clusters[0].endpoints[0].port_min, 1);
	cr_assert_eq(c->clusters[0].endpoints[0].port_max, 100);
	config_free(c);
}

#define EARLY                                                                                                                      \
	"{\"version\":\"v1alpha1\",\"admin\":{\"name\":\"stunnerd\",\"logLevel\":\"$STUNNER_LOGLEVEL\",\"realm\":\"$STUNNER_"      \
	"REALM\"},"                                                                                                                \
	"\"static\":{\"auth\":{\"type\":\"$STUNNER_AUTH_TYPE\",\"credentials\":{\"username\":\"$STUNNER_USERNAME\","               \
	"\"password\":\"$STUNNER_PASSWORD\",\"secret\":\"$STUNNER_SHARED_SECRET\"}},\"listeners\":["                               \
	"{\"name\":\"udp\",\"address\":\"$STUNNER_ADDR\",\"protocol\":\"udp\",\"port\":$STUNNER_PORT,\"minPort\":$STUNNER_MIN_"    \
	"PORT,"                                                                                                                    \
	"\"maxPort\":$STUNNER_MAX_PORT}%s]}%s}"

Test(config_dialects, takes_the_first_form_of_v1alpha1)
{
	struct config_problems problems = {0};
	char text[1000];
	snprintf(text, sizeof text, EARLY, "", "");
	struct config *c = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(c, "%s", problems.list[0].text);
	cr_assert_eq(problems.kept, 1);
	cr_assert_str_eq(problems.list[0].text,
		"t.json: static: names no clusters: peers are limited to public addresses; to reach others add clusters");
	cr_assert_str_eq(c->auth.realm, "realm.example");
	cr_assert_str_eq(c->auth.username, "alice\"$X");
	cr_assert_str_eq(c->auth.password, "secret");
	cr_assert_str_eq(c->admin.loglevel, "all:WARN");
	cr_assert_eq(c->listeners[0].port, 3479);
	cr_assert_eq(c->listeners[0].port_min, 10000);
	cr_assert_eq(c->listeners[0].route_count, 1);
	cr_assert_str_eq(c->clusters[0].name, "allow-any");
	cr_assert_eq(c->clusters[0].endpoints[0].bits, 0);
	config_free(c);
}

Test(config_dialects, lets_the_first_form_of_v1alpha1_have_clusters)
{
	char text[1000];
	snprintf(text, sizeof text, EARLY, ",{\"name\":\"b\",\"port\":99,\"routes\":[\"c\"]}",
		",\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"10.0.0.0/8\"]}]");
	struct config *c = config_rig_load(&rig, text, NULL);
	cr_assert_eq(c->cluster_count, 1);
	cr_assert_eq(c->listeners[0].route_count, 0);
	cr_assert_eq(c->listeners[1].route_count, 1);
	config_free(c);
}

Test(config_dialects, names_paths_of_the_first_form_as_they_are_there)
{
	struct config_problems problems = {0};
	char text[1000];
	snprintf(text, sizeof text, EARLY, ",{\"name\":\"b\",\"minPort\":\"low\"}", "");
	cr_assert_null(config_rig_load(&rig, text, &problems));
	cr_assert_str_eq(problems.list[1].text, "t.json: static.listeners[1].minPort: \"low\" is not a number: use 1 to 65535");
}

Test(config_dialects, loads_every_example_of_the_documentation)
{
	DIR *folder = opendir(UTURN_SOURCE_ROOT "/docs/examples");
	cr_assert_not_null(folder);
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(folder));) {
		char path[512];
		struct config_problems problems = {0};
		if (strstr(entry->d_name, ".json") == NULL && strstr(entry->d_name, ".yaml") == NULL)
			continue;
		snprintf(path, sizeof path, UTURN_SOURCE_ROOT "/docs/examples/%s", entry->d_name);
		struct config *c = config_load_file(path, &rig.world, &problems);
		cr_assert_not_null(c, "%s", problems.list[0].text);
		cr_assert(problems.warnings == 0 || c->dialect == CONFIG_V1ALPHA1, "%s", problems.list[0].text);
		config_free(c);
		count++;
	}
	closedir(folder);
	cr_assert_geq(count, 8);
}

Test(config_dialects, serve_every_protocol)
{
	static const char *const versions[] = {"uturn/v1", "v1", "v1alpha1"};
	static const struct {
		const char *name;
		enum config_protocol protocol;
		uint16_t native_port;
	} protocols[] = {
		{"udp", PROTOCOL_UDP, 3478},
		{"TURN-UDP", PROTOCOL_UDP, 3478},
		{"tcp", PROTOCOL_TCP, 3478},
		{"turn-tcp", PROTOCOL_TCP, 3478},
		{"tls", PROTOCOL_TLS, 5349},
		{"TURN-TLS", PROTOCOL_TLS, 5349},
		{"Dtls", PROTOCOL_DTLS, 5349},
		{"turn-dtls", PROTOCOL_DTLS, 5349},
	};
	for (size_t v = 0; v < 3; v++)
		for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
			char text[600];
			struct config_problems problems = {0};
			snprintf(text, sizeof text,
				"{\"version\":\"%s\"," AUTH ",\"clusters\":[{\"name\":\"c\"}],\"listeners\":[{\"name\":\"a\","
				"\"protocol\":\"%s\",\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\",\"routes\":[\"c\"]}]}",
				versions[v], protocols[i].name);
			struct config *c = config_rig_load(&rig, text, &problems);
			cr_assert_not_null(c, "%s", problems.list[0].text);
			cr_assert_eq(c->listeners[0].protocol, protocols[i].protocol, "%s", text);
			cr_assert_eq(c->listeners[0].port, v == 0 ? protocols[i].native_port : 3478, "%s", text);
			cr_assert_eq(c->listeners[0].identities != NULL, config_listener_is_secure(&c->listeners[0]));
			config_free(c);
		}
}

static const char founding[] = "version: v1alpha1\n"
			       "admin: {name: stunnerd, logLevel: $STUNNER_LOGLEVEL, realm: $STUNNER_REALM}\n"
			       "static:\n"
			       "  auth: {type: $STUNNER_AUTH_TYPE, credentials: {username: $STUNNER_USERNAME, password: "
			       "$STUNNER_PASSWORD, secret: $STUNNER_SHARED_SECRET}}\n"
			       "  listeners:\n"
			       "  - {name: u, address: \"$STUNNER_ADDR\", protocol: udp, port: $STUNNER_PORT, minPort: "
			       "$STUNNER_MIN_PORT, maxPort: $STUNNER_MAX_PORT}\n"
			       "  - {name: t, address: \"$STUNNER_ADDR\", protocol: tcp, port: $STUNNER_PORT, min_relay_port: "
			       "$STUNNER_MIN_PORT, max_relay_port: $STUNNER_MAX_PORT}\n";

Test(config_dialects, takes_the_founding_file_as_it_is)
{
	struct config_problems problems = {0};
	struct config *c = config_rig_load(&rig, founding, &problems);
	cr_assert_not_null(c, "%s", problems.list[0].text);
	cr_assert_eq(c->listener_count, 2);
	cr_assert_str_eq(c->auth.realm, "realm.example");
	cr_assert_str_eq(c->auth.username, "alice\"$X");
	cr_assert_str_eq(c->auth.secrets[0], "my-shared-secret");
	cr_assert_eq(c->auth.type, AUTH_STATIC);
	for (size_t i = 0; i < 2; i++) {
		cr_assert_eq(c->listeners[i].port, 3479);
		cr_assert_eq(c->listeners[i].port_min, 10000);
		cr_assert_eq(c->listeners[i].port_max, 20000);
	}
	config_free(c);
}

/* What is not set is as if it were not there. */
Test(config_dialects, takes_the_founding_file_with_little_set)
{
	static const struct rig_variable little[] = {{"STUNNER_USERNAME", "u"}, {"STUNNER_PASSWORD", "0123"}, {NULL, NULL}};
	struct config_problems problems = {0};
	rig.environment = little;
	struct config *c = config_rig_load(&rig, founding, &problems);
	cr_assert_not_null(c, "%s", problems.list[0].text);
	cr_assert_str_eq(c->auth.realm, "stunner.l7mp.io");
	cr_assert_str_eq(c->auth.password, "0123");
	cr_assert_str_eq(c->admin.loglevel, "all:INFO");
	cr_assert_eq(c->listeners[0].port, 3478);
	cr_assert_eq(c->listeners[0].port_min, 40000);
	config_free(c);
}

Test(config_dialects, leaves_out_what_the_founding_documents_switch_off)
{
	static const struct {
		const char *udp, *tcp;
		size_t count;
		enum config_protocol first;
	} cases[] = {
		{NULL, NULL, 2, PROTOCOL_UDP},
		{"1", "", 1, PROTOCOL_UDP},
		{"", "1", 1, PROTOCOL_TCP},
		{NULL, "", 1, PROTOCOL_UDP},
		{"", "", 0, PROTOCOL_UDP},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig_variable variables[] = {{"STUNNER_USERNAME", "u"}, {"STUNNER_PASSWORD", "p"},
			{"STUNNER_TRANSPORT_UDP_ENABLE", cases[i].udp}, {"STUNNER_TRANSPORT_TCP_ENABLE", cases[i].tcp},
			{NULL, NULL}};
		struct config_problems problems = {0};
		rig.environment = variables;
		struct config *c = config_rig_load(&rig, founding, &problems);
		if (cases[i].count == 0) {
			cr_assert_null(c);
			cr_assert_not_null(
				strstr(problems.list[1].text, "static.listeners: none is left"), "%s", problems.list[1].text);
			continue;
		}
		cr_assert_eq(c->listener_count, cases[i].count, "%zu", i);
		cr_assert_eq(c->listeners[0].protocol, cases[i].first, "%zu", i);
		config_free(c);
	}
}

/* The switches belong to the first form: a document that names its listeners by itself is not changed by them. */
Test(config_dialects, switches_off_nothing_in_other_forms)
{
	static const struct rig_variable off[] = {{"STUNNER_TRANSPORT_UDP_ENABLE", ""}, {NULL, NULL}};
	rig.environment = off;
	struct config *c = config_rig_load(
		&rig, "version: v1\nauth: {type: none}\nlisteners: [{name: u, protocol: udp, routes: []}]\nclusters: []\n", NULL);
	cr_assert_eq(c->listener_count, 1);
	config_free(c);
}
