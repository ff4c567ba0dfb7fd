#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "config_rig.h"
#include "server/config_value.h"

static struct config_rig rig;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(config, .init = set_up);

/* Documents that only an administrator's mistake makes; the first line of what is said about each. */
struct mistake {
	const char *admin, *listener, *top; /* added to the rig's native document */
	const char *line;
};

#define PEM "-----BEGIN X"

static const struct mistake mistakes[] = {
	{"", ",\"port\":70000", "", "t.json: listeners[0].port: 70000 is out of range: use 1 to 65535"},
	{"", ",\"port\":0", "", "t.json: listeners[0].port: 0 is out of range: use 1 to 65535"},
	{"", ",\"port\":-1", "", "t.json: listeners[0].port: -1 is out of range: use 1 to 65535"},
	{"", ",\"port\":1.5", "", "t.json: listeners[0].port: a fraction is not a whole number: use 1 to 65535"},
	{"", ",\"port\":\"3478\"", "",
		"t.json: listeners[0].port: \"3478\" is a string: write a number from 1 to 65535 without quotes"},
	{"", ",\"port\":[]", "", "t.json: listeners[0].port: a list is not a whole number: use 1 to 65535"},
	{"", ",\"prot\":1", "", "t.json: listeners[0].prot: unknown field: did you mean \"port\"?"},
	{"", ",\"minPort\":1", "",
		"t.json: listeners[0].minPort: unknown field: remove it, or see docs/CONFIGURATION.md for the ones there are"},
	{"", ",\"protocol\":\"sctp\"", "", "t.json: listeners[0].protocol: \"sctp\" is not known: use one of udp, tcp, tls, dtls"},
	{"", ",\"protocol\":\"TLS\"", "",
		"t.json: listeners[0].cert: is missing: protocol TLS needs a certificate: add cert and key, each PEM, base64 of "
		"PEM or the name of a file"},
	{"", ",\"protocol\":\"tcp\",\"port\":8086", "",
		"t.json: listeners[0].port: 8086 is the port of admin.healthcheck_endpoint too: give each its own"},
	{",\"ice_endpoint\":\"http://\"", ",\"protocol\":\"tcp\",\"port\":8088", "",
		"t.json: listeners[0].port: 8088 is the port of admin.ice_endpoint too: give each its own"},
	{",\"metrics_endpoint\":\"http://127.0.0.1:9\"", ",\"protocol\":\"tcp\",\"port\":9", "",
		"t.json: listeners[0].port: 9 is the port of admin.metrics_endpoint too: give each its own"},
	{"", ",\"proxy_protocol\":true", "",
		"t.json: listeners[0].proxy_trusted: is missing: name the proxies that proxy_protocol believes, as in "
		"[\"10.0.0.5\", \"10.1.0.0/24\"]"},
	{"", ",\"proxy_protocol\":1", "",
		"t.json: listeners[0].proxy_protocol: a number is neither true nor false: use one of them, without quotes"},
	{"", ",\"proxy_protocol\":true,\"proxy_trusted\":\"10.0.0.1\"", "",
		"t.json: listeners[0].proxy_trusted: a string is not a list: use [ … ]"},
	{"", ",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.1\",\"balancer\"]", "",
		"t.json: listeners[0].proxy_trusted[1]: \"balancer\" is not an address or prefix: use IP or IP/bits"},
	{"",
		",\"protocol\":\"dtls\",\"cert\":\"" PEM "\",\"key\":\"" PEM "\",\"proxy_protocol\":true,\"proxy_trusted\":"
		"[\"::1\"]",
		"",
		"t.json: listeners[0].proxy_protocol: does not go with DTLS: use protocol udp, tcp or tls behind a proxy, or "
		"remove it"},
	{"", ",\"protocol\":\"tls\",\"cert\":\"" PEM "\"", "", "t.json: listeners[0].cert: has no key beside it: add \"key\""},
	{"", ",\"protocol\":\"tls\",\"key\":\"" PEM "\"", "", "t.json: listeners[0].cert: is missing beside the key: add \"cert\""},
	{"", ",\"protocol\":\"tls\",\"certificates\":[{\"cert\":\"" PEM "\",\"key\":\"" PEM "\"},{\"key\":\"" PEM "\"}]", "",
		"t.json: listeners[0].certificates[1].cert: is missing beside the key: add \"cert\""},
	{"", ",\"protocol\":\"tls\",\"certificates\":{}", "",
		"t.json: listeners[0].certificates: an object is not a list: use [{\"cert\": …, \"key\": …}, …]"},
	{"", ",\"protocol\":\"tls\",\"certificates\":[{\"crt\":\"" PEM "\"}]", "",
		"t.json: listeners[0].certificates[0].crt: unknown field: did you mean \"cert\"?"},
	{"", ",\"protocol\":\"tls\",\"cert\":7,\"key\":\"" PEM "\"", "",
		"t.json: listeners[0].cert: a number is not a string: put it in quotes"},
	{"", ",\"protocol\":\"tls\",\"cert\":\"/nonexistent/tls.crt\",\"key\":\"" PEM "\"", "",
		"t.json: listeners[0].cert: /nonexistent/tls.crt cannot be read: No such file or directory: name a readable file "
		"of "
		"PEM, or use the PEM text or base64 of it"},
	{",\"limits\":{\"streams\":{\"handshakes\":0}}", "", "",
		"t.json: admin.limits.streams.handshakes: 0 is out of range: use 1 to 65536"},
	{",\"limits\":{\"streams\":{\"handshake_timeout\":601}}", "", "",
		"t.json: admin.limits.streams.handshake_timeout: 601 is out of range: use 1 to 600"},
	{",\"limits\":{\"streams\":{\"idle_timeout\":0}}", "", "",
		"t.json: admin.limits.streams.idle_timeout: 0 is out of range: use 1 to 86400"},
	{",\"limits\":{\"streams\":{\"stuck_timeout\":3601}}", "", "",
		"t.json: admin.limits.streams.stuck_timeout: 3601 is out of range: use 1 to 3600"},
	{",\"limits\":{\"streams\":{\"per_source\":-1}}", "", "",
		"t.json: admin.limits.streams.per_source: -1 is out of range: use 0 to 16000000"},
	{",\"limits\":{\"streams\":{\"conections\":1}}", "", "",
		"t.json: admin.limits.streams.conections: unknown field: did you mean \"connections\"?"},
	{"", ",\"protocol\":7", "", "t.json: listeners[0].protocol: a number is not a string: put it in quotes"},
	{"", ",\"address\":\"relay.example\"", "",
		"t.json: listeners[0].address: \"relay.example\" is not an IP address: use one, localhost, or 0.0.0.0 for the "
		"address that clients come to"},
	{"", ",\"relay_address\":[\"192.0.2.7\",\"192.0.2.8\"]", "",
		"t.json: listeners[0].relay_address[1]: \"192.0.2.8\" is a second address of its family: use one IPv4 and one IPv6 "
		"address at most"},
	{"", ",\"relay_address\":\"x\"", "",
		"t.json: listeners[0].relay_address: \"x\" is not an IP address: use one, or a list of one per family"},
	{"", ",\"relay_address\":\"192.0.2.7\",\"advertised_address\":\"2001:db8::99\"", "",
		"t.json: listeners[0].advertised_address: there is no relay address of the family of 2001:db8::99: add one to "
		"relay_address, or remove it here"},
	{"", ",\"min_relay_port\":20000,\"max_relay_port\":10000", "",
		"t.json: listeners[0].min_relay_port: 20000 is above max_relay_port, 10000: use a range from the smaller to the "
		"greater"},
	{"", ",\"min_relay_port\":20000", "",
		"t.json: listeners[0].max_relay_port: is missing: give both min_relay_port and max_relay_port, or neither"},
	{"", ",\"max_relay_port\":20000", "",
		"t.json: listeners[0].min_relay_port: is missing: give both min_relay_port and max_relay_port, or neither"},
	{",\"loglevel\":\"all:LOUD\"", "", "",
		"t.json: admin.loglevel: \"all:LOUD\" is not scope:LEVEL: use a list like all:INFO,turn:DEBUG of DISABLE, ERROR, "
		"WARN, INFO, DEBUG, TRACE"},
	{",\"log_format\":\"xml\"", "", "", "t.json: admin.log_format: \"xml\" is not known: use one of text, json"},
	{",\"lockdown\":\"some\"", "", "",
		"t.json: admin.lockdown: \"some\" is not known: use one of true, strict, false, log, kill"},
	{",\"lockdown\":1", "", "", "t.json: admin.lockdown: a number is not a string: put it in quotes"},
	{",\"engine\":\"kqueue\"", "", "", "t.json: admin.engine: \"kqueue\" is not known: use one of auto, io_uring, epoll"},
	{",\"shards\":65", "", "", "t.json: admin.shards: 65 is out of range: use 0 to 64"},
	{",\"drain_timeout\":true", "", "", "t.json: admin.drain_timeout: true or false is not a whole number: use 0 to 604800"},
	{",\"ready_while_draining\":\"true\"", "", "",
		"t.json: admin.ready_while_draining: a string is neither true nor false: use one of them, without quotes"},
	{",\"alternate_server\":\"relay.example:3478\"", "", "",
		"t.json: admin.alternate_server: \"relay.example:3478\" is not an address: use IP:port, an IPv6 address in "
		"brackets"},
	{",\"nonce_key\":\"short\"", "", "", "t.json: admin.nonce_key: is too short: use at least 16 bytes nobody can guess"},
	{",\"metrics_endpoint\":\"https://:8080\"", "", "",
		"t.json: admin.metrics_endpoint: \"https://:8080\" is not an http:// URL: use http://:8080/path, or \"\" for no "
		"server"},
	{",\"metrics_endpoint\":\"http://metrics:8080\"", "", "",
		"t.json: admin.metrics_endpoint: \"http://metrics:8080\" names no IP address: use an IP address (IPv6 in "
		"brackets), localhost, or nothing for all addresses"},
	{",\"metrics_endpoint\":\"http://:8086/metrics\"", "", "",
		"t.json: admin.metrics_endpoint: port 8086 is the healthcheck_endpoint's too: give each its own"},
	{",\"ice_endpoint\":\"http://:8086\"", "", "",
		"t.json: admin.ice_endpoint: port 8086 is the healthcheck_endpoint's too: give each its own"},
	{",\"ice_endpoint\":\"http://127.0.0.1:8080\",\"metrics_endpoint\":\"http://:8080\"", "", "",
		"t.json: admin.ice_endpoint: port 8080 is the metrics_endpoint's too: give each its own"},
	{",\"ice_endpoint\":\"8088\"", "", "",
		"t.json: admin.ice_endpoint: \"8088\" is not an http:// URL: use http://:8080/path, or \"\" for no server"},
	{",\"healthcheck_endpoint\":\"http://:0\"", "", "",
		"t.json: admin.healthcheck_endpoint: \"http://:0\" has no usable port: use 1 to 65535"},
	{",\"limits\":{\"lifetime_max\":300}", "", "",
		"t.json: admin.limits.lifetime_default: 600 is above lifetime_max, 300: use at most that"},
	{",\"limits\":{\"unauthenticated\":{\"ipv4_prefix\":33}}", "", "",
		"t.json: admin.limits.unauthenticated.ipv4_prefix: 33 is out of range: use 8 to 32"},
	{",\"limits\":{\"unauthenticated\":{\"brust\":1}}", "", "",
		"t.json: admin.limits.unauthenticated.brust: unknown field: did you mean \"burst\"?"},
	{",\"limits\":5", "", "", "t.json: admin.limits: a number is not an object: use { … }"},
	{",\"user_quota\":3,\"limits\":{\"user_quota\":4}", "", "",
		"t.json: admin.limits.user_quota: 4 contradicts admin.user_quota, 3: give one of them"},
	{"", "", ",\"revoked\":true", "t.json: revoked: unknown field: did you mean \"revoke\"?"},
	{"", "", ",\"revoke\":1", "t.json: revoke: a number is neither true nor false: use one of them, without quotes"},
};

Test(config, names_file_path_fault_and_remedy_of_every_mistake)
{
	for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
		const struct mistake *m = &mistakes[i];
		struct config_problems problems = {0};
		struct config *config = config_rig_load(&rig, config_rig_native(m->admin, m->listener, m->top), &problems);
		cr_assert_null(config, "taken: %s", m->line);
		cr_assert_eq(problems.errors, 1, "%s: %zu errors", m->line, problems.errors);
		cr_assert_str_eq(problems.list[0].text, m->line);
	}
}

#define V1_AUTH "\"auth\":{\"credentials\":{\"username\":\"u\",\"password\":\"p\"}}"
#define NATIVE "{\"version\":\"uturn/v1\","
#define LISTENER "\"listeners\":[{\"name\":\"l\"}]"

struct document {
	const char *text;
	const char *line; /* the first */
};

static const struct document bad_documents[] = {
	{"", "t.json: is empty: write a configuration into it"},
	{" \n", "t.json: is empty: write a configuration into it"},
	{"{\n  \"version\": \"v1\",\n  oops\n}", "t.json:3:6: is not JSON: string or '}' expected near 'oops'"},
	{"{\"version\":\"v1\",\"version\":\"v1\"}", "t.json:1:25: is not JSON: duplicate object key near '\"version\"'"},
	{"[]", "t.json: a list is not a configuration: use an object, { … }"},
	{"{}", "t.json: version: is missing: add \"version\": \"uturn/v1\" (or \"v1\" or \"v1alpha1\", stunnerd's)"},
	{"{\"version\":\"v2\"}", "t.json: version: \"v2\" is not known: use \"uturn/v1\", or \"v1\" or \"v1alpha1\", stunnerd's"},
	{"{\"version\":1}", "t.json: version: a number is not known: use \"uturn/v1\", or \"v1\" or \"v1alpha1\", stunnerd's"},
	{NATIVE V1_AUTH "}", "t.json: listeners: there is none: add one, such as {\"name\": \"udp\", \"port\": 3478}"},
	{NATIVE V1_AUTH ",\"listeners\":{}}", "t.json: listeners: an object is not a list: use [ … ]"},
	{NATIVE V1_AUTH ",\"listeners\":[{\"port\":1}]}",
		"t.json: listeners[0]: has no name: add \"name\", by which it appears in metrics and logs"},
	{NATIVE V1_AUTH ",\"listeners\":[7]}", "t.json: listeners[0]: a number is not an object: use { … }"},
	{NATIVE V1_AUTH ",\"listeners\":[{\"name\":\"a\",\"routes\":[\"x\"]}]}",
		"t.json: listeners[0].routes[0]: there is no cluster \"x\": add it to clusters, or remove the route"},
	{NATIVE LISTENER "}", "t.json: auth.credentials.username: is missing: type static needs username and password"},
	{NATIVE LISTENER ",\"auth\":{\"credentials\":{\"username\":\"u\"}}}",
		"t.json: auth.credentials.password: is missing: type static needs username and password"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"ephemeral\",\"credentials\":{\"username\":\"u\"}}}",
		"t.json: auth.credentials.secret: is missing: type ephemeral needs a secret"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"ephemeral\",\"credentials\":{\"accepted_secrets\":[\"s\"]}}}",
		"t.json: auth.credentials.secret: is missing: type ephemeral needs a secret"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"ephemeral\",\"credentials\":{\"secret\":\"s\",\"accepted_secrets\":\"\"}}}",
		"t.json: auth.credentials.accepted_secrets: is empty: leave it away, or use the secret that credentials were made "
		"with"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"ephemeral\",\"credentials\":{\"secret\":\"s\",\"accepted_secrets\":[7]}}}",
		"t.json: auth.credentials.accepted_secrets[0]: a number is not a string: put it in quotes"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"ephemeral\",\"credentials\":{\"secret\":\"s\",\"accepted_secrets\":"
			 "[\"1\",\"2\",\"3\",\"4\"]}}}",
		"t.json: auth.credentials.accepted_secrets[3]: is one too many: use at most 3 beside auth.credentials.secret"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"oauth\"}}",
		"t.json: auth.type: \"oauth\" is not known: use one of static, ephemeral, none"},
	{NATIVE LISTENER ",\"auth\":{\"type\":\"none\",\"credentials\":{\"usrname\":\"u\"}}}",
		"t.json: auth.credentials.usrname: unknown field: did you mean \"username\"?"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"endpoints\":[]}]}",
		"t.json: clusters[0]: has no name: add \"name\", by which listeners route to it"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"name\":\"a\"},{\"name\":\"a\"}]}",
		"t.json: clusters[1]: name \"a\" is used by another cluster: give each its own"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"10.0.0.0/33\"]}]}",
		"t.json: clusters[0].endpoints[0]: \"10.0.0.0/33\" is not a domain name: use labels of letters, digits, '-' and "
		"'_' "
		"with dots between them, or IP or IP/bits; :<min-max> may stand behind it for a range of ports"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"name\":\"a\",\"endpoints\":[\"10.0.0.1\",\"media.example\"]}]}",
		"t.json: clusters[0].endpoints[1]: \"media.example\" is not an address or prefix: use IP or IP/bits, with "
		":<min-max> behind it for a range of ports; domain names take type STRICT_DNS"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"name\":\"a\",\"endpoints\":[\"10.0.0.0/33\"]}]}",
		"t.json: clusters[0].endpoints[0]: \"10.0.0.0/33\" is not an address or prefix: use IP or IP/bits, with :<min-max> "
		"behind it for a range of ports; domain names take type STRICT_DNS"},
	{NATIVE V1_AUTH ",\"clusters\":[{\"name\":\"a\",\"endpoints\":[\"10.0.0.0/8:<9-8>\"]}]}",
		"t.json: clusters[0].endpoints[0]: \"10.0.0.0/8:<9-8>\" has no usable range of ports: use :<min-max> with angle "
		"brackets, from 1 to 65535"},
	{NATIVE V1_AUTH ",\"listeners\":[{\"name\":\"a\"},{\"name\":\"a\",\"port\":2}]}",
		"t.json: listeners[1]: name \"a\" is used by another listener: give each its own"},
	{"{\"version\":\"v1\"," V1_AUTH ",\"listeners\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		"t.json: listeners[1].port: 3478 is the UDP port of listeners[0] too: give each its own port or bind_address"},
	{NATIVE V1_AUTH ",\"listeners\":[{\"name\":\"a\"},{\"name\":\"b\",\"protocol\":\"dtls\",\"port\":3478,\"cert\":\"" PEM
			"\",\"key\":\"" PEM "\"}]}",
		"t.json: listeners[1].port: 3478 is the UDP port of listeners[0] too: give each its own port or bind_address"},
	{NATIVE V1_AUTH ",\"listeners\":[{\"name\":\"a\",\"protocol\":\"tcp\"},{\"name\":\"b\",\"protocol\":\"tls\",\"port\":3478,"
			"\"cert\":\"" PEM "\",\"key\":\"" PEM "\"}]}",
		"t.json: listeners[1].port: 3478 is the TCP port of listeners[0] too: give each its own port or bind_address"},
	{"{\"version\":\"v1\"," V1_AUTH ",\"listeners\":[{\"name\":\"a\",\"port\":\"x\"}]}",
		"t.json: listeners[0].port: \"x\" is not a number: use 1 to 65535"},
};

Test(config, takes_a_v1_document_without_listeners)
{
	struct config_problems problems = {0};
	struct config *c = config_rig_load(&rig, "{\"version\":\"v1\"," V1_AUTH ",\"listeners\":[]}", &problems);
	cr_assert_not_null(c);
	cr_assert_eq(c->listener_count, 0);
	cr_assert_eq(problems.warnings, 1);
	cr_assert_str_eq(problems.list[0].text, "t.json: listeners: there is none: nobody is served");
	config_free(c);
}

Test(config, refuses_bad_documents_with_one_line_each)
{
	for (size_t i = 0; i < sizeof bad_documents / sizeof bad_documents[0]; i++) {
		const struct document *d = &bad_documents[i];
		struct config_problems problems = {0};
		cr_assert_null(config_rig_load(&rig, d->text, &problems), "taken: %s", d->text);
		size_t first = 0;
		while (first < problems.kept && problems.list[first].warning)
			first++;
		cr_assert_lt(first, problems.kept);
		cr_assert_str_eq(problems.list[first].text, d->line);
		cr_assert_eq(
			problems.errors, 1, "%s: %zu errors, then %s", d->line, problems.errors, problems.list[first + 1].text);
	}
}

Test(config, tells_all_mistakes_up_to_a_bound)
{
	static char text[64 << 10];
	size_t used = (size_t)snprintf(text, sizeof text, NATIVE V1_AUTH ",\"listeners\":[");
	for (int i = 0; i < 100; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s{\"name\":\"l%d\",\"port\":0}", i ? "," : "", i);
	snprintf(text + used, sizeof text - used, "]}");
	struct config_problems problems = {0};
	cr_assert_null(config_rig_load(&rig, text, &problems));
	cr_assert_eq(problems.errors, 100);
	cr_assert_eq(problems.kept, CONFIG_PROBLEMS_MAX);
	cr_assert_str_eq(problems.list[31].text, "t.json: listeners[31].port: 0 is out of range: use 1 to 65535");
}

Test(config, keeps_a_line_a_line_whatever_the_document_says)
{
	struct config_problems problems = {0};
	cr_assert_null(config_rig_load(&rig, config_rig_native(",\"a\\nERROR b\\u007f\":1", "", ""), &problems));
	cr_assert_str_eq(problems.list[0].text,
		"t.json: admin.a ERROR b : unknown field: remove it, or see docs/CONFIGURATION.md for the ones there are");
}

Test(config, fills_in_the_defaults)
{
	struct config *c = config_rig_load(&rig, config_rig_native("", "", ""), NULL);
	cr_assert_eq(c->dialect, CONFIG_NATIVE);
	cr_assert_str_eq(c->admin.loglevel, "all:INFO");
	cr_assert_eq(c->admin.log_format, LOG_TEXT);
	cr_assert_not(c->admin.metrics.enabled);
	cr_assert(c->admin.health.enabled);
	cr_assert_eq(c->admin.health.port, 8086);
	cr_assert_eq(c->admin.health.ip.family, ADDR_NONE);
	cr_assert_eq(c->admin.engine, ENGINE_AUTO);
	cr_assert_eq(c->admin.lockdown, LOCKDOWN_ON);
	cr_assert_eq(c->admin.shards, 0);
	cr_assert_eq(c->admin.drain_timeout_s, 3600);
	cr_assert(c->admin.ready_while_draining);
	cr_assert_eq(c->admin.alternate_server.family, ADDR_NONE);
	cr_assert_not(c->admin.nonce_key_given);
	cr_assert_eq(c->admin.allocations_max, 0);
	cr_assert_eq(c->admin.user_quota, 0);
	cr_assert_eq(c->admin.lifetime_default_s, 600);
	cr_assert_eq(c->admin.lifetime_max_s, 3600);
	cr_assert_eq(c->admin.unauth.burst, 500);
	cr_assert_eq(c->admin.unauth.per_s, 50);
	cr_assert_eq(c->admin.unauth.spare_s, 600);
	cr_assert_eq(c->admin.unauth.ipv4_bits, 32);
	cr_assert_eq(c->admin.unauth.ipv6_bits, 64);
	cr_assert_eq(c->admin.connections_max, 0);
	cr_assert_eq(c->admin.streams.per_source, 256);
	cr_assert_eq(c->admin.streams.handshakes, 128);
	cr_assert_eq(c->admin.streams.handshake_timeout_s, 10);
	cr_assert_eq(c->admin.streams.idle_timeout_s, 60);
	cr_assert_eq(c->admin.streams.stuck_timeout_s, 15);
	cr_assert_eq(c->admin.listener_receive_buffer, 8388608);
	cr_assert_eq(c->admin.relay_receive_buffer, 524288);
	cr_assert_eq(c->admin.relay_send_buffer, 524288);
	cr_assert_eq(c->auth.type, AUTH_STATIC);
	cr_assert_not(c->revoke);
	cr_assert_eq(c->listener_count, 1);
	cr_assert_eq(c->listeners[0].port, 3478);
	cr_assert_eq(c->listeners[0].port_min, 40000);
	cr_assert_eq(c->listeners[0].port_max, 50000);
	cr_assert_not(c->listeners[0].port_range_given);
	cr_assert_null(c->listeners[0].identities);
	cr_assert_not(c->listeners[0].proxy_protocol);
	cr_assert_eq(c->listeners[0].proxy_trusted_count, 0);
	config_free(c);
}

Test(config, reads_every_field_of_its_own)
{
	const char *admin =
		",\"loglevel\":\"all:WARN,turn:DEBUG\",\"log_format\":\"json\",\"metrics_endpoint\":\"http://127.0.0.1:9000/m\","
		"\"healthcheck_endpoint\":\"\",\"user_quota\":7,\"offload_engine\":\"None\",\"offload_interfaces\":[\"eth0\"],"
		"\"license_config\":{\"key\":\"k\"},\"engine\":\"epoll\",\"lockdown\":\"kill\",\"shards\":4,"
		"\"drain_timeout\":0,"
		"\"ready_while_draining\":false,\"alternate_server\":\"[2001:db8::1]:5000\",\"nonce_key\":\"0123456789abcdef\","
		"\"limits\":{\"allocations\":99,\"lifetime_default\":60,\"lifetime_max\":120,"
		"\"unauthenticated\":{\"burst\":1,\"rate\":0,\"spare\":2,\"ipv4_prefix\":24,\"ipv6_prefix\":48},"
		"\"streams\":{\"connections\":11,\"per_source\":12,\"handshakes\":13,\"handshake_timeout\":14,\"idle_timeout\":15,"
		"\"stuck_timeout\":16}},"
		"\"buffers\":{\"listener_receive\":1,\"relay_receive\":2,\"relay_send\":3}";
	const char *listener = ",\"protocol\":\"UDP\",\"port\":1234,\"public_address\":\"turn.example\",\"public_port\":443,"
			       "\"min_relay_port\":5,\"max_relay_port\":6,\"bind_address\":[\"192.0.2.7\",\"::1\"]";
	struct config *c = config_rig_load(&rig, config_rig_native(admin, listener, ",\"revoke\":true"), NULL);
	cr_assert_str_eq(c->admin.loglevel, "all:WARN,turn:DEBUG");
	cr_assert_eq(c->admin.log_format, LOG_JSON);
	cr_assert(c->admin.metrics.enabled);
	cr_assert_eq(c->admin.metrics.port, 9000);
	cr_assert(addr_is_loopback(&c->admin.metrics.ip));
	cr_assert_str_eq(c->admin.metrics.path, "/m");
	cr_assert_not(c->admin.health.enabled);
	cr_assert_eq(c->admin.user_quota, 7);
	cr_assert_eq(c->admin.engine, ENGINE_EPOLL);
	cr_assert_eq(c->admin.lockdown, LOCKDOWN_KILL);
	cr_assert_eq(c->admin.shards, 4);
	cr_assert_eq(c->admin.drain_timeout_s, 0);
	cr_assert_not(c->admin.ready_while_draining);
	struct addr alternate = addr_with_port(config_rig_ip("2001:db8::1"), 5000);
	cr_assert(addr_equal(&c->admin.alternate_server, &alternate));
	cr_assert(c->admin.nonce_key_given);
	cr_assert_eq(c->admin.allocations_max, 99);
	cr_assert_eq(c->admin.lifetime_default_s, 60);
	cr_assert_eq(c->admin.lifetime_max_s, 120);
	cr_assert_eq(c->admin.unauth.burst, 1);
	cr_assert_eq(c->admin.unauth.per_s, 0);
	cr_assert_eq(c->admin.unauth.spare_s, 2);
	cr_assert_eq(c->admin.unauth.ipv4_bits, 24);
	cr_assert_eq(c->admin.unauth.ipv6_bits, 48);
	cr_assert_eq(c->admin.connections_max, 11);
	cr_assert_eq(c->admin.streams.per_source, 12);
	cr_assert_eq(c->admin.streams.handshakes, 13);
	cr_assert_eq(c->admin.streams.handshake_timeout_s, 14);
	cr_assert_eq(c->admin.streams.idle_timeout_s, 15);
	cr_assert_eq(c->admin.streams.stuck_timeout_s, 16);
	cr_assert_eq(c->admin.listener_receive_buffer, 1);
	cr_assert_eq(c->admin.relay_receive_buffer, 2);
	cr_assert_eq(c->admin.relay_send_buffer, 3);
	cr_assert(c->revoke);
	const struct config_listener *l = &c->listeners[0];
	cr_assert_eq(l->port, 1234);
	cr_assert_str_eq(l->public_address, "turn.example");
	cr_assert_eq(l->public_port, 443);
	cr_assert_eq(l->port_min, 5);
	cr_assert_eq(l->port_max, 6);
	struct addr bind4 = addr_with_port(config_rig_ip("192.0.2.7"), 1234), bind6 = addr_with_port(config_rig_ip("::1"), 1234);
	cr_assert(l->bind_given);
	cr_assert(addr_equal(&l->bind[RELAY_IPV4], &bind4));
	cr_assert(addr_equal(&l->bind[RELAY_IPV6], &bind6));
	config_free(c);
}

Test(config, makes_the_same_nonce_secret_of_the_same_key_only)
{
	const char *keys[] = {"the first key, long enough", "the first key, long enough", "the other key, long enough"};
	uint8_t secrets[3][NONCE_SECRET_SIZE];
	for (int i = 0; i < 3; i++) {
		char admin[100];
		snprintf(admin, sizeof admin, ",\"nonce_key\":\"%s\"", keys[i]);
		struct config *c = config_rig_load(&rig, config_rig_native(admin, "", ""), NULL);
		memcpy(secrets[i], c->admin.nonce_secret, NONCE_SECRET_SIZE);
		config_free(c);
	}
	cr_assert_arr_eq(secrets[0], secrets[1], NONCE_SECRET_SIZE);
	cr_assert_arr_neq(secrets[0], secrets[2], NONCE_SECRET_SIZE);
}

Test(config, reads_a_file_and_names_one_that_it_cannot_read)
{
	struct config_problems problems = {0};
	char path[] = "/tmp/uturn-test-XXXXXX";
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	const char *text = config_rig_native("", "", "");
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	struct config *c = config_load_file(path, &rig.world, &problems);
	unlink(path);
	cr_assert_not_null(c);
	config_free(c);
	cr_assert_null(config_load_file("/nonexistent/uturn.json", &rig.world, &problems));
	cr_assert_str_eq(problems.list[0].text,
		"/nonexistent/uturn.json: cannot be read: No such file or directory: name a readable file of YAML or JSON");
	cr_assert_null(config_load_file("/", &rig.world, &problems));
	cr_assert_str_eq(problems.list[1].text, "/: cannot be read: Is a directory: name a readable file of YAML or JSON");
}

Test(config, takes_lockdown_as_a_truth_value_or_a_word)
{
	static const struct {
		const char *admin;
		enum lockdown_mode mode;
	} cases[] = {
		{",\"lockdown\":true", LOCKDOWN_ON},
		{",\"lockdown\":false", LOCKDOWN_OFF},
		{",\"lockdown\":\"off\"", LOCKDOWN_OFF},
		{",\"lockdown\":\"log\"", LOCKDOWN_LOG},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *c = config_rig_load(&rig, config_rig_native(cases[i].admin, "", ""), NULL);
		cr_assert_eq(c->admin.lockdown, cases[i].mode, "%s", cases[i].admin);
		config_free(c);
	}
}

Test(config, refuses_a_json_document_of_too_many_values)
{
	static struct config_problems problems;
	size_t size = 2 * CONFIG_VALUES_MAX + 100;
	char *text = malloc(size + 1);
	cr_assert_not_null(text);
	for (size_t commas = CONFIG_VALUES_MAX - 1; commas <= CONFIG_VALUES_MAX; commas++) {
		size_t used = 0;
		text[used++] = '[';
		for (size_t i = 0; i < commas; i++) {
			text[used++] = '0';
			text[used++] = ',';
		}
		memcpy(text + used, "0]", 2);
		problems = (struct config_problems){0};
		cr_assert_null(config_load_text("t.json", text, used + 2, &rig.world, &problems));
		bool too_many = strcmp(problems.list[0].text, "t.json:1:2097153: is not JSON: there are too many values") == 0;
		cr_assert_eq(too_many, commas == CONFIG_VALUES_MAX, "%s", problems.list[0].text);
	}
	free(text);
}
