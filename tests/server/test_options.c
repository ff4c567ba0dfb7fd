#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "config_rig.h"
#include "server/options.h"

static char out_text[8192], err_text[1024];
static struct config_rig rig;

/* `line` is split at spaces. */
static struct options parse_as(const char *name, const char *line, const struct rig_variable *environment)
{
	static char copy[1024];
	static char *argv[64];
	int argc = 0;
	char *rest = NULL;
	config_rig_init(&rig, environment);
	snprintf(copy, sizeof copy, "%s %s", name, line);
	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	argv[argc] = NULL;
	memset(out_text, 0, sizeof out_text);
	memset(err_text, 0, sizeof err_text);
	FILE *out = fmemopen(out_text, sizeof out_text - 1, "w"), *err = fmemopen(err_text, sizeof err_text - 1, "w");
	struct options options = options_parse(argc, argv, &rig.world, out, err);
	fclose(out);
	fclose(err);
	return options;
}

static struct options parse(const char *line)
{
	return parse_as("uturn", line, NULL);
}

Test(options, run_the_embedded_default_when_there_are_none)
{
	struct options o = parse("");
	cr_assert_eq(o.action, OPTIONS_RUN);
	cr_assert_null(o.file);
	cr_assert_null(o.uri);
	cr_assert_null(o.loglevel);
	cr_assert_not(o.engine_given || o.shards_given || o.drain_timeout_given || o.log_format_given);
}

Test(options, read_everything_there_is)
{
	struct options o = parse("--engine epoll --lockdown kill --shards 4 --drain-timeout=7 -w -l all:WARN --log-format JSON -c "
				 "file:///etc/u.json");
	cr_assert_eq(o.action, OPTIONS_RUN, "%s", err_text);
	cr_assert_str_eq(o.file, "/etc/u.json");
	cr_assert(o.engine_given && o.shards_given && o.drain_timeout_given && o.log_format_given);
	cr_assert(o.lockdown_given);
	cr_assert_eq(o.lockdown, LOCKDOWN_KILL);
	cr_assert_eq(o.engine, ENGINE_EPOLL);
	cr_assert_eq(o.shards, 4);
	cr_assert_eq(o.drain_timeout_s, 7);
	cr_assert_eq(o.log_format, LOG_JSON);
	cr_assert_str_eq(o.loglevel, "all:WARN");
	cr_assert(o.awaits);
	cr_assert_not(parse("-w").awaits, "there is no file to wait for");
	cr_assert_not(parse("-c u.json").awaits);
	cr_assert_str_eq(parse("--config=u.json").file, "u.json");
	cr_assert_str_eq(parse("-v").loglevel, "all:DEBUG");
	cr_assert_str_eq(parse("turn://u:p@h").uri, "turn://u:p@h");
	cr_assert_eq(parse("-c u.json --check").action, OPTIONS_CHECK);
	cr_assert_eq(parse("-d -c u.json").action, OPTIONS_DRY_RUN);
	cr_assert_eq(parse("--dry-run").action, OPTIONS_DRY_RUN);
}

Test(options, publish_the_address_of_a_service)
{
	const struct publish_params *p;
	struct options o = parse("--publish-address ns/stunner");
	p = &o.publish.params;
	cr_assert_eq(o.action, OPTIONS_PUBLISH, "%s", err_text);
	cr_assert_str_eq(p->service.namespace, "ns");
	cr_assert_str_eq(p->service.name, "stunner");
	cr_assert_str_eq(p->configmap.namespace, "");
	cr_assert_str_eq(p->configmap.name, "stunner-config");
	cr_assert_str_eq(p->api.folder, "/var/run/secrets/kubernetes.io/serviceaccount");
	cr_assert_eq(p->wait_s, 20);
	cr_assert_eq(p->timeout_s, 300);
	o = parse(
		"--publish-address stunner --publish-configmap a/b --publish-wait 1 --publish-timeout=2 --publish-credentials /c");
	cr_assert_str_eq(p->service.namespace, "");
	cr_assert_str_eq(p->configmap.namespace, "a");
	cr_assert_str_eq(p->configmap.name, "b");
	cr_assert_str_eq(p->api.folder, "/c");
	cr_assert_eq(p->wait_s, 1);
	cr_assert_eq(p->timeout_s, 2);
	cr_assert_eq(parse("--publish-address stunner --version").action, OPTIONS_LEAVE);
	cr_assert_not(parse("").publish.asked);
}

Test(options, refuse_wrong_use_of_publishing)
{
	static const struct {
		const char *line, *text;
	} bad[] = {
		{"--publish-address /x",
			"uturn: /x: not the name of an object: use NAMESPACE/NAME, or NAME in the pod's own namespace"},
		{"--publish-address x/", "uturn: x/: not the name"},
		{"--publish-address a/../b", "uturn: a/../b: not the name"},
		{"--publish-address x --publish-configmap X", "uturn: X: not the name"},
		{"--publish-address x --publish-wait -1", "uturn: -1: not a time: use 0 to 86400 seconds"},
		{"--publish-address x --publish-timeout 86401", "uturn: 86401: not a time"},
		{"--publish-wait 1", "uturn: publish-wait: goes with --publish-address only (see uturn --help)"},
		{"--publish-address", "uturn: --publish-address: unknown option, or its value is missing"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct options o = parse(bad[i].line);
		cr_expect_eq(o.action, OPTIONS_LEAVE, "%s", bad[i].line);
		cr_expect_eq(o.status, 2, "%s", bad[i].line);
		cr_expect_eq(strncmp(err_text, bad[i].text, strlen(bad[i].text)), 0, "%s: %s", bad[i].line, err_text);
	}
}

Test(options, help_and_version_leave_with_status_0)
{
	struct options o = parse("--help");
	cr_assert_eq(o.action, OPTIONS_LEAVE);
	cr_assert_eq(o.status, 0);
	cr_assert_not_null(strstr(out_text, "Usage: uturn [OPTION...]"), "%s", out_text);
	cr_assert_not_null(strstr(out_text, "Examples:"));
	cr_assert_not_null(strstr(out_text, "--drain-timeout"));
	cr_assert_str_eq(err_text, "");
	cr_assert_eq(parse("-h").status, 0);
	o = parse("--version");
	cr_assert_eq(o.action, OPTIONS_LEAVE);
	cr_assert_eq(o.status, 0);
	cr_assert_str_eq(out_text, "uturn " UTURN_VERSION "\n");
}

Test(options, say_in_one_line_what_is_wrong_and_leave_with_status_2)
{
	static const struct {
		const char *line, *error;
	} cases[] = {
		{"--bogus", "uturn: --bogus: unknown option, or its value is missing (see uturn --help)\n"},
		{"-x", "uturn: -x: unknown option, or its value is missing (see uturn --help)\n"},
		{"-c", "uturn: -c: unknown option, or its value is missing (see uturn --help)\n"},
		{"--bogus --check --help", "uturn: --bogus: unknown option, or its value is missing (see uturn --help)\n"},
		{"-c ftp://cds",
			"uturn: ftp://cds: is neither a file nor a config discovery service: use a path, file://path, IP:port, "
			"http://host:port, or ws://, https://, wss:// likewise (see uturn --help)\n"},
		{"-c file://", "uturn: file://: has no path in it: use a path or file://path (see uturn --help)\n"},
		{"-c k8s --cds-server-port x",
			"uturn: -c k8s: --cds-server-address, --cds-server-namespace or --cds-server-port: is not "
			"a port: use 1 to 65535 (see uturn --help)\n"},
		{"-i gateway", "uturn: gateway: not an identity: use namespace/name, those of the Gateway (see uturn --help)\n"},
		{"-c :1 --certificate-authority /nonexistent", "uturn: /nonexistent: cannot be read: name a file of PEM with the "
							       "certificates to trust (see uturn --help)\n"},
		{"-u many", "uturn: many: not a number of threads: use 0 to 65535 (see uturn --help)\n"},
		{"--watch=perhaps", "uturn: perhaps: neither true nor false (see uturn --help)\n"},
		{"--lockdown some", "uturn: some: no such mode: use on, strict, off, log or kill (see uturn --help)\n"},
		{"--engine kqueue", "uturn: kqueue: no such engine: use auto, io_uring or epoll (see uturn --help)\n"},
		{"--shards 65", "uturn: 65: not a number of shards: use 0 to 64 (see uturn --help)\n"},
		{"--shards -1", "uturn: -1: not a number of shards: use 0 to 64 (see uturn --help)\n"},
		{"--drain-timeout 1h", "uturn: 1h: not a time-out: use 0 to 604800 seconds (see uturn --help)\n"},
		{"--log-format xml", "uturn: xml: no such log format: use text or json (see uturn --help)\n"},
		{"-l loud", "uturn: loud: not a list of scope:LEVEL: use one like all:INFO,turn:DEBUG (see uturn --help)\n"},
		{"u.json", "uturn: u.json: not a turn: URI: use turn://user:password@address:port?transport=udp, or -c for a file "
			   "(see uturn --help)\n"},
		{"turn:a turn:b", "uturn: turn:b: one argument too many: use one URI (see uturn --help)\n"},
		{"-c u.json turn:a", "uturn: u.json: a configuration and a URI at once: use one of them (see uturn --help)\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct options o = parse(cases[i].line);
		cr_assert_eq(o.action, OPTIONS_LEAVE, "%s", cases[i].line);
		cr_assert_eq(o.status, 2, "%s", cases[i].line);
		cr_assert_str_eq(err_text, cases[i].error);
		cr_assert_str_eq(out_text, "");
	}
}

Test(options, win_over_the_configuration)
{
	struct config_problems problems = {0};
	struct options o = parse("turn://u:p@0.0.0.0:9 --engine io_uring --lockdown off --shards 3 --drain-timeout 0 -l all:ERROR "
				 "--log-format json");
	struct config *c = options_load(&o, &rig.world, &problems);
	cr_assert_not_null(c);
	cr_assert_eq(c->dialect, CONFIG_URI);
	cr_assert_eq(c->listeners[0].port, 9);
	cr_assert_eq(c->admin.engine, ENGINE_IO_URING);
	cr_assert_eq(c->admin.lockdown, LOCKDOWN_OFF);
	cr_assert_eq(c->admin.shards, 3);
	cr_assert_eq(c->admin.drain_timeout_s, 0);
	cr_assert_str_eq(c->admin.loglevel, "all:ERROR");
	cr_assert_eq(c->admin.log_format, LOG_JSON);
	config_free(c);
	o = parse("");
	c = options_load(&o, &rig.world, &problems);
	cr_assert_eq(c->dialect, CONFIG_EMBEDDED);
	cr_assert_str_eq(c->admin.loglevel, "all:INFO");
	cr_assert_eq(c->admin.drain_timeout_s, 3600);
	config_free(c);
	o = parse("-c /nonexistent");
	cr_assert_null(options_load(&o, &rig.world, &problems));
}

static const struct rig_variable operators[] = {{"STUNNER_ADDR", "10.0.0.9"}, {"STUNNER_NAME", "gw"}, {"STUNNER_NAMESPACE", "ns"},
	{"STUNNER_NODENAME", "node-1"}, {"STUNNER_CONFIG_ORIGIN", "http://10.0.0.1:13478"}, {NULL, NULL}};

/* What the operator starts a data plane with. */
Test(options, the_operators_pod_follows_its_gateway)
{
	struct options o = parse_as("stunnerd", "-w --udp-thread-num=16 --log-format=text", operators);
	cr_assert_eq(o.action, OPTIONS_RUN, "%s", err_text);
	cr_assert(o.discovers && o.awaits);
	cr_assert_null(o.file);
	cr_assert_eq(o.shards_max, 16);
	cr_assert_not(o.shards_given);
	cr_assert_str_eq(o.cds.host, "10.0.0.1");
	cr_assert_eq(o.cds.port, 13478);
	cr_assert_str_eq(o.cds.id, "ns/gw");
	cr_assert_str_eq(o.cds.node, "node-1");
	cr_assert_not(o.cds.secure);
}

Test(options, the_name_decides_what_nothing_means)
{
	static const struct rig_variable origin[] = {{"STUNNER_CONFIG_ORIGIN", "file:///c.yaml"}, {NULL, NULL}};
	struct options o = parse_as("/usr/bin/stunnerd", "", NULL);
	cr_assert(o.discovers);
	cr_assert_str_eq(o.cds.host, "127.0.0.1");
	cr_assert_eq(o.cds.port, 13478);
	cr_assert_eq(strncmp(o.cds.id, "default/stunnerd-", 17), 0, "%s", o.cds.id);
	cr_assert_not(o.awaits);
	cr_assert_not(parse_as("stunnerd-wrapper", "", NULL).discovers);
	cr_assert_not(parse_as("uturn", "-w", NULL).awaits);
	cr_assert_str_eq(parse_as("stunnerd", "", origin).file, "/c.yaml");
	cr_assert_str_eq(parse_as("uturn", "-w", origin).file, "/c.yaml");
	cr_assert_str_eq(parse_as("uturn", "-c d.yaml", origin).file, "d.yaml");
	o = parse_as("stunnerd", "-w turn://u:p@h", operators);
	cr_assert_str_eq(o.uri, "turn://u:p@h");
	cr_assert_not(o.discovers || o.awaits);
}

Test(options, an_identity_is_told_or_found)
{
	static const struct rig_variable name_only[] = {{"STUNNER_NAME", "gw"}, {NULL, NULL}};
	static const struct rig_variable bad[] = {{"STUNNER_NAME", "a/b"}, {"STUNNER_NAMESPACE", "ns"}, {NULL, NULL}};
	cr_assert_str_eq(parse_as("uturn", "-c :1 -i a/b", operators).cds.id, "a/b");
	cr_assert_str_eq(parse_as("uturn", "-c :1 --id=a/b", NULL).cds.id, "a/b");
	cr_assert_eq(strncmp(parse_as("uturn", "-c :1", name_only).cds.id, "default/stunnerd-", 17), 0);
	cr_assert_eq(parse_as("uturn", "-c :1", bad).status, 2);
	cr_assert_str_eq(err_text,
		"uturn: ns/a/b: not an identity: use -i namespace/name, or STUNNER_NAMESPACE and STUNNER_NAME (see "
		"uturn --help)\n");
}

Test(options, the_service_of_the_cluster_is_named_by_options_or_variables)
{
	static const struct rig_variable variables[] = {
		{"CDS_SERVER_ADDR", "10.0.0.2"}, {"CDS_SERVER_NAMESPACE", "other"}, {"CDS_SERVER_PORT", "9"}, {NULL, NULL}};
	struct options o = parse("-c k8s");
	cr_assert(o.discovers);
	cr_assert_str_eq(o.cds.host, "stunner-config-discovery.stunner-system.svc");
	o = parse("-c k8s --cds-server-namespace=media --cds-server-port 7");
	cr_assert_str_eq(o.cds.host, "stunner-config-discovery.media.svc");
	cr_assert_eq(o.cds.port, 7);
	o = parse_as("uturn", "-c k8s", variables);
	cr_assert_str_eq(o.cds.host, "10.0.0.2");
	cr_assert_eq(o.cds.port, 9);
	cr_assert_str_eq(parse_as("uturn", "-c k8s --cds-server-address 10.0.0.3", variables).cds.host, "10.0.0.3");
}

Test(options, kubectls_options_are_accepted)
{
	struct options o =
		parse("--kubeconfig k --context c -n ns -s http://x --token t --as a --as-group g --as-uid u --cluster c "
		      "--user u --cache-dir d --client-certificate f --client-key f --tls-server-name n --request-timeout 1 "
		      "--insecure-skip-tls-verify --disable-compression=true --certificate-authority /dev/null -c :1 "
		      "--force-ready-status");
	cr_assert_eq(o.action, OPTIONS_RUN, "%s", err_text);
	cr_assert_str_eq(o.cds.ca_file, "/dev/null");
	cr_assert(o.ready_forced);
}

Test(options, switches_may_have_a_value_as_in_go)
{
	cr_assert(parse("--watch -c u").awaits);
	cr_assert(parse("--watch=true -c u").awaits);
	cr_assert_not(parse("--watch=false -c u").awaits);
	cr_assert_not(parse("--force-ready-status=false").ready_forced);
	cr_assert_eq(parse("--dry-run=false").action, OPTIONS_RUN);
	cr_assert_str_eq(parse("--verbose=1").loglevel, "all:DEBUG");
	cr_assert_str_eq(parse("-l all:WARN -v").loglevel, "all:WARN");
	cr_assert_str_eq(parse("-v -l all:WARN").loglevel, "all:WARN");
}

Test(options, ready_while_draining_can_be_forced)
{
	struct options o = parse("--force-ready-status");
	struct config config = {.admin.ready_while_draining = false};
	options_apply(&o, &config);
	cr_assert(config.admin.ready_while_draining);
	config.admin.ready_while_draining = false;
	o = parse("");
	options_apply(&o, &config);
	cr_assert_not(config.admin.ready_while_draining);
}
