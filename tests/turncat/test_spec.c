#include "turncat/spec.h"

#include <criterion/criterion.h>

static struct spec_server server_of(const char *text)
{
	struct spec_server server;
	struct failure failure = {""};
	cr_assert(spec_parse_server(text, &server, &failure), "%s: %s", text, failure.text);
	return server;
}

static void expect_server(const char *text, const char *host, unsigned port, enum transport_kind transport)
{
	struct spec_server server = server_of(text);
	cr_expect_str_eq(server.host.name, host, "%s", text);
	cr_expect_eq(server.host.port, port, "%s: port %u", text, server.host.port);
	cr_expect_eq(server.transport, transport, "%s: %s", text, transport_name(server.transport));
	cr_expect_not(server.k8s);
}

static void expect_no_server(const char *text, const char *why)
{
	struct spec_server server;
	struct failure failure = {""};
	cr_expect_not(spec_parse_server(text, &server, &failure), "%s", text);
	cr_expect_not_null(strstr(failure.text, why), "%s: %s", text, failure.text);
	cr_expect_null(strstr(failure.text, "secret"), "%s", failure.text);
}

Test(spec, takes_servers_of_both_generations)
{
	expect_server("turn://u:p@192.0.2.1:3478?transport=udp", "192.0.2.1", 3478, TRANSPORT_UDP);
	expect_server("turn:192.0.2.1:4000", "192.0.2.1", 4000, TRANSPORT_UDP);
	expect_server("turn:turn.example.org", "turn.example.org", 3478, TRANSPORT_UDP);
	expect_server("TURN://u:p@[2001:db8::1]:4000/?transport=TCP", "2001:db8::1", 4000, TRANSPORT_TCP);
	expect_server("turn://[::1]", "::1", 3478, TRANSPORT_UDP);
}

Test(spec, chooses_ports_as_documented)
{
	expect_server("turn://h?transport=tcp", "h", 3478, TRANSPORT_TCP);
	expect_server("turn://h?transport=tls", "h", 443, TRANSPORT_TLS);
	expect_server("turn://h?transport=dtls", "h", 443, TRANSPORT_DTLS);
	expect_server("turns://h", "h", 5349, TRANSPORT_TLS);
	expect_server("turns:h?transport=tcp", "h", 5349, TRANSPORT_TLS);
	expect_server("turns:h?transport=udp", "h", 5349, TRANSPORT_DTLS);
	expect_server("turns:h?transport=dtls", "h", 5349, TRANSPORT_DTLS);
}

Test(spec, decodes_credentials)
{
	struct spec_server server = server_of("turn://1700000000%3auser:p@ss?%2f:word@h:1");
	cr_expect_str_eq(server.username, "1700000000:user");
	cr_expect_str_eq(server.password, "p@ss?/:word");
	cr_expect_str_eq(server.host.name, "h");
	server = server_of("turn://user@h");
	cr_expect_str_eq(server.username, "user");
	cr_expect_str_eq(server.password, "");
}

Test(spec, refuses_what_is_no_server_without_showing_secrets)
{
	expect_no_server("http://u:secret@h", "not a server");
	expect_no_server("turn://u:secret@h?transport=sctp", "transport");
	expect_no_server("turn://u:secret@h?transport=", "transport");
	expect_no_server("turn://u:secret@h:0", "host and port");
	expect_no_server("turn://u:secret@h:65536", "host and port");
	expect_no_server("turn://u:secret@", "host and port");
	expect_no_server("turn://u:secret@ho st", "host and port");
	expect_no_server("turn://u:secret@[::1", "host and port");
	expect_no_server("turn://u:secret%zz@h", "password is not usable");
	expect_no_server("turn://u%00:secret@h", "user name is not usable");
	expect_no_server("k8s://ns/gateway", "no gateway");
	expect_no_server("k8s://ns", "no gateway");
	expect_no_server("k8s://n s/gateway:listener", "no gateway");
	expect_no_server("k8s://ns/../x:listener", "no gateway");
	expect_no_server("k8s://ns/a%2fb:listener", "no gateway");
}

Test(spec, refuses_names_that_are_too_long)
{
	char text[4096] = "turn://";
	memset(text + 7, 'a', 600);
	expect_no_server(text, "host and port");
	memset(text + 7, 'a', 3000);
	expect_no_server(text, "too long");
	strcpy(text + 7 + 520, ":p@h");
	expect_no_server(text, "user name is not usable");
}

Test(spec, takes_gateways)
{
	struct spec_server server = server_of("k8s://stunner/udp-gateway:udp-listener");
	cr_expect(server.k8s);
	cr_expect_str_eq(server.namespace, "stunner");
	cr_expect_str_eq(server.gateway, "udp-gateway");
	cr_expect_str_eq(server.listener, "udp-listener");
	server = server_of("k8s:///gw:l");
	cr_expect_str_eq(server.namespace, "");
	cr_expect_str_eq(server.gateway, "gw");
}

static struct spec_local local_of(const char *text)
{
	struct spec_local local;
	struct failure failure = {""};
	cr_assert(spec_parse_local(text, &local, &failure), "%s: %s", text, failure.text);
	return local;
}

static void expect_address(const char *text, enum spec_local_kind kind, const char *address)
{
	char shown[ADDR_TEXT_SIZE];
	struct spec_local local = local_of(text);
	cr_expect_eq(local.kind, kind, "%s", text);
	cr_expect_str_eq(addr_format(&local.addr, shown), address, "%s", text);
}

Test(spec, takes_local_ends)
{
	expect_address("udp:127.0.0.1:9000", SPEC_UDP, "127.0.0.1:9000");
	expect_address("udp://[::1]:9000", SPEC_UDP, "[::1]:9000");
	expect_address("UDP://localhost:9000", SPEC_UDP, "127.0.0.1:9000");
	expect_address("tcp://:9000", SPEC_TCP, "0.0.0.0:9000");
	cr_expect_eq(local_of("-").kind, SPEC_STDIO);
	cr_expect_eq(local_of("file://stdin").kind, SPEC_STDIO);
	cr_expect_str_eq(local_of("unix:///run/x.sock").path, "/run/x.sock");
	cr_expect_str_eq(local_of("unix:@abstract").path, "@abstract");
}

Test(spec, refuses_what_is_no_local_end)
{
	static const char *const texts[] = {"", "udp", "udp:", "udp://127.0.0.1", "udp://127.0.0.1:0", "udp://127.0.0.1:70000",
		"udp://host:9000", "tcp://[::1:9000", "unix:", "sctp://127.0.0.1:9000", "file://other"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct spec_local local;
		struct failure failure = {""};
		cr_expect_not(spec_parse_local(texts[i], &local, &failure), "%s", texts[i]);
		cr_expect_neq(failure.text[0], '\0');
	}
	char path[SPEC_PATH_SIZE + 8] = "unix:/";
	memset(path + 6, 'a', sizeof path - 7);
	struct spec_local local;
	struct failure failure;
	cr_expect_not(spec_parse_local(path, &local, &failure));
}

Test(spec, takes_peers_over_udp_only)
{
	struct spec_host peer;
	struct failure failure = {""};
	cr_assert(spec_parse_peer("udp://echo.default.svc:9001", &peer, &failure));
	cr_expect_str_eq(peer.name, "echo.default.svc");
	cr_expect_eq(peer.port, 9001);
	cr_assert(spec_parse_peer("udp:[2001:db8::5]:9001", &peer, &failure));
	cr_expect_str_eq(peer.name, "2001:db8::5");
	static const char *const wrong[] = {"tcp://10.0.0.1:9", "udp://10.0.0.1", "udp://:9", "udp://10.0.0.1:x", "10.0.0.1:9"};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_expect_not(spec_parse_peer(wrong[i], &peer, &failure), "%s", wrong[i]);
}

Test(spec, reads_durations_as_go_writes_them)
{
	static const struct {
		const char *text;
		uint32_t seconds;
	} good[] = {{"1h", 3600}, {"90s", 90}, {"1h30m", 5400}, {"1h0m5s", 3605}, {"300", 300}};
	static const char *const wrong[] = {"", "0", "0s", "h", "1x", "-1s", "1.5h", "99999999999h", "9999999999", "300000h"};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		uint32_t seconds = 0;
		cr_expect(spec_parse_duration(good[i].text, &seconds), "%s", good[i].text);
		cr_expect_eq(seconds, good[i].seconds, "%s: %u", good[i].text, seconds);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		uint32_t seconds;
		cr_expect_not(spec_parse_duration(wrong[i], &seconds), "%s", wrong[i]);
	}
}
