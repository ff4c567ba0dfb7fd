#include "turncat/options.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { ARGUMENTS_MAX = 24 };

static const char *cds_in_environment;

static const char *environment(const char *name)
{
	return strcmp(name, "CDS_SERVER_ADDR") == 0 ? cds_in_environment : NULL;
}

static char told[2][16384]; /* standard output, standard error */

/* The words of `line`, which begins with the program's name. */
static struct turncat_options parse(const char *line)
{
	static char copy[2048];
	char *argv[ARGUMENTS_MAX] = {NULL}, *rest = copy;
	int argc = 0;
	memset(told, 0, sizeof told);
	FILE *out = fmemopen(told[0], sizeof told[0], "w"), *err = fmemopen(told[1], sizeof told[1], "w");
	snprintf(copy, sizeof copy, "%s", line);
	for (char *word; (word = strsep(&rest, " ")) != NULL && argc < ARGUMENTS_MAX - 1;)
		argv[argc++] = word;
	struct turncat_options options = turncat_options_parse(argc, argv, environment, out, err);
	fclose(out);
	fclose(err);
	return options;
}

static struct turncat_options accepted(const char *line)
{
	struct turncat_options options = parse(line);
	cr_assert_not(options.leave, "%s: %s", line, told[1]);
	cr_assert_str_eq(told[1], "");
	return options;
}

static void refused(const char *line, const char *why)
{
	struct turncat_options options = parse(line);
	cr_expect(options.leave, "%s", line);
	cr_expect_eq(options.status, TURNCAT_USAGE, "%s: %d", line, options.status);
	cr_expect_not_null(strstr(told[1], why), "%s: %s", line, told[1]);
	cr_expect_eq(strchr(told[1], '\n'), strrchr(told[1], '\n'), "one line: %s", told[1]);
	cr_expect_null(strstr(told[1], "hush"), "a secret is shown: %s", told[1]);
	cr_expect_str_eq(told[0], "");
}

Test(turncat_options, takes_the_founding_command_line)
{
	struct turncat_options o =
		accepted("turncat --realm stunner.l7mp.io --user user1=passwd1 --log=all:TRACE udp:127.0.0.1:9000 "
			 "turn:192.0.2.1:3478 udp:10.0.0.5:9001");
	cr_expect_str_eq(o.server.username, "user1");
	cr_expect_str_eq(o.server.password, "passwd1");
	cr_expect_str_eq(o.loglevel, "all:TRACE");
	cr_expect_str_eq(o.peer.name, "10.0.0.5");
	cr_expect_eq(o.local.kind, SPEC_UDP);
}

Test(turncat_options, takes_the_later_command_line_with_kubectls_options)
{
	struct turncat_options o = accepted(
		"turncat -l all:INFO -v -i --sni turn.example.org --kubeconfig x --context=y -n prod --token t --as me "
		"--request-timeout 5s --insecure-skip-tls-verify udp://127.0.0.1:9000 turn://u:p@h?transport=tls udp://10.0.0.5:1");
	cr_expect(o.insecure);
	cr_expect_str_eq(o.sni, "turn.example.org");
	cr_expect_str_eq(o.loglevel, "all:DEBUG");
	cr_expect_str_eq(o.namespace, "prod");
	cr_expect_eq(o.server.host.port, 443);
	cr_expect_eq(o.clients_max, TURNCAT_CLIENTS_MAX);
	cr_expect_eq(o.idle_s, TURNCAT_IDLE_S);
}

Test(turncat_options, user_is_split_at_the_first_sign_of_either_kind)
{
	cr_expect_str_eq(accepted("turncat --user a:b=c - turn:h udp:p:1").server.password, "b=c");
	cr_expect_str_eq(accepted("turncat --user a=b:c - turn:h udp:p:1").server.password, "b:c");
	struct turncat_options o = accepted("turncat --user a=b - turn://x:y@h udp:p:1");
	cr_expect_str_eq(o.server.username, "a");
	cr_expect_str_eq(o.server.password, "b");
}

Test(turncat_options, takes_secrets_with_and_without_a_user)
{
	struct turncat_options o = accepted("turncat -s hush -d 30m - turn:h udp:p:1");
	cr_expect_str_eq(o.secret, "hush");
	cr_expect_eq(o.duration_s, 1800);
	cr_expect_str_eq(o.server.username, "");
	cr_expect_str_eq(accepted("turncat --secret=hush --user me - turn:h udp:p:1").server.username, "me");
	cr_expect_eq(accepted("turncat -s hush - turn:h udp:p:1").duration_s, TURNCAT_DURATION_S);
}

Test(turncat_options, finds_the_discovery_service_in_options_and_environment)
{
	cds_in_environment = "192.0.2.7:13478";
	cr_expect_str_eq(accepted("turncat - k8s://ns/gw:l udp:p:1").cds_address, "192.0.2.7:13478");
	cr_expect_str_eq(accepted("turncat --cds-server-address h:1 - k8s://ns/gw:l udp:p:1").cds_address, "h:1");
	cds_in_environment = NULL;
	struct turncat_options o = accepted("turncat --cds-server-namespace s --cds-server-port 1234 - k8s:///gw:l udp:p:1");
	cr_expect_null(o.cds_address);
	cr_expect_str_eq(o.cds_namespace, "s");
	cr_expect_str_eq(o.cds_port, "1234");
}

Test(turncat_options, refuses_wrong_usage_in_one_line)
{
	refused("turncat", "three arguments");
	refused("turncat -", "three arguments");
	refused("turncat - turn://u:hush@h", "three arguments");
	refused("turncat - turn://u:hush@h udp:p:1 udp:q:2", "too many");
	refused("turncat - turn:h udp:p:1", "no credentials");
	refused("turncat - turn://u@h udp:p:1", "no credentials");
	refused("turncat --user u - turn:h udp:p:1", "no credentials");
	refused("turncat --user u - k8s://ns/gw:l udp:p:1", "NAME=PASSWORD");
	refused("turncat --user =hush - turn:h udp:p:1", "NAME=PASSWORD");
	refused("turncat -s hush - turn://u:p@h udp:p:1", "at once");
	refused("turncat --secret= - turn:h udp:p:1", "no secret");
	refused("turncat -l nonsense - turn://u:p@h udp:p:1", "scope:LEVEL");
	refused("turncat -d x -s hush - turn:h udp:p:1", "not a time");
	refused("turncat --idle-timeout 0 - turn://u:p@h udp:p:1", "not a time");
	refused("turncat --clients-max 0 - turn://u:p@h udp:p:1", "number of clients");
	refused("turncat --clients-max 100001 - turn://u:p@h udp:p:1", "number of clients");
	refused("turncat --cds-server-port 0 - k8s://ns/gw:l udp:p:1", "not a port");
	refused("turncat -n a/b - k8s:///gw:l udp:p:1", "not a name");
	refused("turncat --nonsense=hush - turn://u:p@h udp:p:1", "unknown option");
	refused("turncat - turn://u:hush@h tcp:p:1", "not a peer");
	refused("turncat x turn://u:hush@h udp:p:1", "not where clients can arrive");
}

Test(turncat_options, shows_help_and_version)
{
	struct turncat_options o = parse("turncat -h");
	cr_expect(o.leave);
	cr_expect_eq(o.status, TURNCAT_GOOD);
	cr_expect_not_null(strstr(told[0], "CLIENT SERVER PEER"), "%s", told[0]);
	cr_expect_null(strstr(told[0], "kubeconfig"), "%s", told[0]);
	o = parse("turncat --version");
	cr_expect(o.leave);
	cr_expect_eq(o.status, TURNCAT_GOOD);
	cr_expect_str_eq(told[0], "turncat " UTURN_VERSION "\n");
}
