#include "compare/server.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void expect_known(const char *name)
{
	struct server_spec spec;
	struct failure failure;
	cr_assert(server_spec_parse(name, &spec, &failure), "%s", failure.text);
	cr_expect_str_eq(spec.name, name);
	cr_expect_not_null(spec.kind);
	cr_expect_null(spec.command);
	server_spec_done(&spec);
}

Test(server, known_kinds)
{
	static const char *const kinds[] = {"uturn-io_uring", "uturn-epoll", "coturn", "coturn-new", "coturn-multiplex", "pion"};
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		expect_known(kinds[i]);
}

Test(server, a_command_of_the_users_own)
{
	struct server_spec spec;
	struct failure failure;
	cr_assert(server_spec_parse("mine.2=./server -p {port} --realm={realm}", &spec, &failure), "%s", failure.text);
	cr_expect_str_eq(spec.name, "mine.2");
	cr_expect_str_eq(spec.command, "./server -p {port} --realm={realm}");
	cr_expect_null(spec.kind);
	server_spec_done(&spec);
	cr_expect_null(spec.command);
}

static void expect_refused(const char *text, const char *why)
{
	struct server_spec spec;
	struct failure failure;
	cr_expect_not(server_spec_parse(text, &spec, &failure), "%s", text);
	cr_expect_not_null(strstr(failure.text, why), "%s: %s", text, failure.text);
}

Test(server, what_is_no_server_is_refused)
{
	expect_refused("nginx", "there are uturn-io_uring");
	expect_refused("", "there are");
	expect_refused("=x", "name");
	expect_refused("a b=x", "name");
	expect_refused("../x=y", "name");
	expect_refused("mine=", "empty");
	expect_refused("mine='x", "not closed");
	char long_name[80];
	memset(long_name, 'a', sizeof long_name);
	memcpy(long_name + sizeof long_name - 3, "=x", 3);
	expect_refused(long_name, "name");
}

Test(server, what_is_missing_is_said_with_what_brings_it)
{
	struct server_place place = {
		.address = addr_ipv4(127, 0, 0, 1, 0), .uturn_binary = "/no/such/uturn", .peers_dir = "/no/such"};
	struct server_spec spec;
	struct failure failure;
	cr_assert(server_spec_parse("uturn-epoll", &spec, &failure));
	cr_expect_not(server_available(&spec, &place, &failure));
	cr_expect_not_null(strstr(failure.text, "/no/such/uturn"), "%s", failure.text);
	cr_expect_not_null(strstr(failure.text, "./dev build"), "%s", failure.text);
	cr_assert(server_spec_parse("pion", &spec, &failure));
	cr_expect_not(server_available(&spec, &place, &failure));
	cr_expect_not_null(strstr(failure.text, "bench/peers/prepare"), "%s", failure.text);
	cr_assert(server_spec_parse("mine=anything", &spec, &failure));
	cr_expect(server_available(&spec, &place, &failure));
	server_spec_done(&spec);
}

/* Without a working server here: what does not come up must leave nothing behind. */
static void expect_no_start(const char *text, const char *why)
{
	struct server_place place = {.address = addr_ipv4(127, 0, 0, 1, 0)};
	struct server_spec spec;
	struct server server = {.pid = 0};
	struct failure failure;
	cr_assert(server_spec_parse(text, &spec, &failure), "%s", failure.text);
	cr_expect_not(server_start(&spec, &place, TRANSPORT_UDP, &server, &failure), "%s", text);
	cr_expect_not_null(strstr(failure.text, why), "%s: %s", text, failure.text);
	cr_expect_eq(server.pid, 0);
	server_stop(&server);
	server_spec_done(&spec);
}

/* coturn takes no port above 65000 for --multiplex-peer-port. */
Test(server, relay_ports_are_those_that_every_server_takes)
{
	struct server_place place = {.address = addr_ipv4(127, 0, 0, 1, 0)};
	struct server_spec spec;
	struct failure failure;
	cr_assert(server_spec_parse("mine=sh -c 'echo {relay_port}'", &spec, &failure), "%s", failure.text);
	for (int i = 0; i < 20; i++) {
		struct server server;
		cr_assert_not(server_start(&spec, &place, TRANSPORT_UDP, &server, &failure));
		const char *log = strstr(failure.text, "the end of its log: ");
		cr_assert_not_null(log, "%s", failure.text);
		unsigned long port = strtoul(log + strlen("the end of its log: "), NULL, 10);
		cr_expect(port >= 49152 && port <= 64900, "%lu", port);
	}
	server_spec_done(&spec);
}

/* What a command of the user's may name: files that are there while it runs. */
Test(server, a_command_gets_a_certificate_its_key_and_a_port_for_them)
{
	struct server_place place = {.address = addr_ipv4(127, 0, 0, 1, 0)};
	struct server_spec spec;
	struct server server;
	struct failure failure;
	const char *text =
		"mine=sh -c 'openssl x509 -in {cert} -noout -pubkey >{folder}/a && openssl pkey -in {key} -pubout >{folder}/b && "
		"cmp {folder}/a {folder}/b && echo alike {tls_port} {port}'";
	cr_assert(server_spec_parse(text, &spec, &failure), "%s", failure.text);
	cr_assert_not(server_start(&spec, &place, TRANSPORT_TLS, &server, &failure));
	const char *log = strstr(failure.text, "the end of its log: alike ");
	cr_assert_not_null(log, "%s", failure.text);
	unsigned tls_port, port;
	cr_assert_eq(sscanf(log, "the end of its log: alike %u %u", &tls_port, &port), 2);
	cr_expect_neq(tls_port, port);
	server_spec_done(&spec);
}

Test(server, what_serves_no_other_transport_says_so)
{
	struct server_place place = {.address = addr_ipv4(127, 0, 0, 1, 0)};
	struct server_spec spec;
	struct server server;
	struct failure failure;
	cr_assert(server_spec_parse("pion", &spec, &failure));
	cr_expect(server_serves(&spec, TRANSPORT_UDP));
	cr_expect_not(server_serves(&spec, TRANSPORT_TLS));
	cr_expect_not(server_start(&spec, &place, TRANSPORT_TLS, &server, &failure));
	cr_expect_not_null(strstr(failure.text, "does not serve tls"), "%s", failure.text);
	cr_assert(server_spec_parse("mine=x", &spec, &failure));
	for (int kind = 0; kind < TRANSPORT_KINDS; kind++)
		cr_expect(server_serves(&spec, (enum transport_kind)kind));
	server_spec_done(&spec);
}

static unsigned entries(const char *folder)
{
	unsigned count = 0;
	DIR *d = opendir(folder);
	cr_assert_not_null(d);
	while (readdir(d) != NULL)
		count++;
	closedir(d);
	return count;
}

Test(server, what_does_not_start_says_why_and_leaves_nothing)
{
	char parent[] = "/tmp/ut-XXXXXX";
	cr_assert_not_null(mkdtemp(parent));
	setenv("TMPDIR", parent, 1);
	expect_no_start("mine=/no/such/server", "mine: cannot start /no/such/server");
	expect_no_start("mine=sh -c 'echo no licence; exit 3' {port}", "the end of its log: no licence");
	expect_no_start("mine=sh -c 'mkdir -p {folder}/a/b; echo x >{folder}/a/c; echo gone'", "mine: the server ended");
	expect_no_start("mine=server {adress}", "{adress}");
	cr_expect_eq(entries(parent), 2, "only . and ..");
	rmdir(parent);
}
