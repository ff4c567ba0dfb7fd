#include "server/config_streams.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "config_rig.h"
#include "pem_files.h"

static struct config_rig rig;
static struct config_problems problems;
static struct tls_tickets *tickets;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
	problems = (struct config_problems){0};
	tickets = tls_tickets_create(1700000000);
	pem_files_open();
}

static void tear_down(void)
{
	tls_tickets_free(tickets);
	pem_files_close();
}

TestSuite(config_streams, .init = set_up, .fini = tear_down);

static struct stream_config *build(
	const struct config *config, const struct config *running, const struct stream_config *running_streams)
{
	const struct config_streams_params params = {
		.config = config,
		.running = running,
		.running_streams = running_streams,
		.world = &rig.world,
		.tickets = tickets,
		.now_s = clock_now().wall_s,
		.handshakes_max = 100,
	};
	return config_streams_create(&params, &problems);
}

/* Four listeners: UDP, TCP, and TLS and DTLS with the certificate and key in these files. */
static struct config *load_four(const char *certificate, const char *key)
{
	char text[2048];
	snprintf(text, sizeof text,
		"{\"version\":\"v1\",\"admin\":{\"limits\":{\"streams\":{\"per_source\":1,\"handshakes\":200,\"handshake_timeout\":"
		"3,"
		"\"idle_timeout\":4,\"stuck_timeout\":5}}},\"auth\":{\"type\":\"none\"},\"listeners\":["
		"{\"name\":\"udp\"},"
		"{\"name\":\"tcp\",\"protocol\":\"tcp\",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.1.0.0/16\",\"::1\"]},"
		"{\"name\":\"tls\",\"protocol\":\"tls\",\"port\":5349,\"cert\":\"%s\",\"key\":\"%s\"},"
		"{\"name\":\"dtls\",\"protocol\":\"dtls\",\"port\":5349,\"certificates\":[{\"cert\":\"%s\",\"key\":\"%s\"}]}]}",
		certificate, key, certificate, key);
	return config_rig_load(&rig, text, NULL);
}

static struct config *load_pair(const char *name, long days)
{
	struct pem_pair pair = pem_pair(name, days);
	const char *certificate = pem_files_put("tls.crt", pair.certificate), *key = pem_files_put("tls.key", pair.key);
	pem_pair_free(&pair);
	return load_four(certificate, key);
}

static bool trusts(const struct stream_listener *listener, const char *ip)
{
	struct addr addr = config_rig_ip(ip);
	struct prefix_walk walk = prefix_walk_start(listener->proxy_trusted, &addr);
	return prefix_walk_next(&walk) != NULL;
}

Test(config_streams, gives_each_listener_what_it_needs)
{
	struct config *c = load_pair("turn.example.com", 20);
	struct stream_config *streams = build(c, NULL, NULL);
	cr_assert_not_null(streams, "%s", problems.list[0].text);
	cr_assert_eq(problems.kept, 0, "%s", problems.list[0].text);
	const struct stream_listener *l = streams->listeners;
	cr_expect_eq(l[0].transport, TRANSPORT_UDP);
	cr_expect_not(l[0].proxy);
	cr_expect_null(l[0].tls);
	cr_expect_eq(l[1].transport, TRANSPORT_TCP);
	cr_expect(l[1].proxy);
	cr_expect(trusts(&l[1], "10.1.255.1"));
	cr_expect(trusts(&l[1], "::1"));
	cr_expect_not(trusts(&l[1], "10.2.0.1"));
	cr_expect_not(trusts(&l[1], "::2"));
	cr_expect_eq(l[2].transport, TRANSPORT_TLS);
	cr_expect_str_eq(tls_context_identity_name(l[2].tls, 0), "turn.example.com");
	cr_expect_eq(l[3].transport, TRANSPORT_DTLS);
	cr_expect_not_null(l[3].tls);
	stream_config_unref(streams);
	config_free(c);
}

Test(config_streams, carries_the_limits_over_as_far_as_memory_goes)
{
	struct config *c = load_pair("turn.example.com", 20);
	struct stream_config *streams = build(c, NULL, NULL);
	cr_expect_eq(streams->limits.per_source, 1);
	cr_expect_eq(streams->limits.handshakes, 100);
	cr_expect_eq(streams->limits.handshake_timeout_s, 3);
	cr_expect_eq(streams->limits.idle_timeout_s, 4);
	cr_expect_eq(streams->limits.stuck_timeout_s, 5);
	stream_config_unref(streams);
	config_free(c);
}

Test(config_streams, refuses_a_key_of_another_certificate_and_names_the_place)
{
	struct pem_pair a = pem_pair("a.example", 20), b = pem_pair("b.example", 20);
	struct config *c = load_four(pem_files_put("a.crt", a.certificate), pem_files_put("b.key", b.key));
	cr_assert_null(build(c, NULL, NULL));
	cr_assert_eq(problems.errors, 2);
	cr_expect_eq(strncmp(problems.list[0].text, "listeners[2].cert: listener \"tls\": /tmp/uturn-pem-", 50), 0, "%s",
		problems.list[0].text);
	cr_expect_not_null(strstr(problems.list[0].text, "a.crt: "), "%s", problems.list[0].text);
	cr_expect_eq(strncmp(problems.list[1].text, "listeners[3].certificates[0].cert: listener \"dtls\": ", 52), 0, "%s",
		problems.list[1].text);
	config_free(c);
	pem_pair_free(&a);
	pem_pair_free(&b);
}

Test(config_streams, takes_an_expired_certificate_at_the_start_only)
{
	struct config *old = load_pair("old.example", -2);
	struct stream_config *streams = build(old, NULL, NULL);
	cr_assert_not_null(streams, "%s", problems.list[0].text);
	cr_expect_eq(problems.warnings, 2);
	cr_expect_not_null(
		strstr(problems.list[0].text, "listeners[2].cert: \"old.example\" has expired on 20"), "%s", problems.list[0].text);
	/* It stays while it is the same, and nothing more is said. */
	problems = (struct config_problems){0};
	struct stream_config *again = build(old, old, streams);
	cr_assert_not_null(again);
	cr_expect_eq(problems.kept, 0);
	cr_expect_eq(again->listeners[2].tls, streams->listeners[2].tls);
	stream_config_unref(again);
	/* Another one that has expired is a mistake. */
	struct config *other = load_pair("other.example", -1);
	cr_assert_null(build(other, old, streams));
	cr_expect_eq(problems.errors, 2);
	stream_config_unref(streams);
	config_free(other);
	config_free(old);
}

Test(config_streams, keeps_the_context_of_certificates_that_did_not_change)
{
	struct config *old = load_pair("turn.example.com", 20);
	struct stream_config *streams = build(old, NULL, NULL);
	struct config *renewed = load_pair("turn.example.com", 25);
	struct stream_config *next = build(renewed, old, streams);
	cr_assert_not_null(next, "%s", problems.list[0].text);
	cr_expect_neq(next->listeners[2].tls, streams->listeners[2].tls);
	cr_expect_neq(next->listeners[3].tls, streams->listeners[3].tls);
	cr_expect_gt(tls_context_identity_expiry_s(next->listeners[2].tls, 0),
		tls_context_identity_expiry_s(streams->listeners[2].tls, 0));
	struct stream_config *last = build(renewed, renewed, next);
	cr_expect_eq(last->listeners[2].tls, next->listeners[2].tls);
	cr_expect_eq(last->listeners[3].tls, next->listeners[3].tls);
	stream_config_unref(last);
	stream_config_unref(next);
	stream_config_unref(streams);
	config_free(renewed);
	config_free(old);
}

Test(config_streams, makes_a_certificate_for_a_uri)
{
	static const struct {
		const char *uri, *name;
	} cases[] = {{"turns:u:p@127.0.0.1", "127.0.0.1"}, {"turns:u:p@0.0.0.0?transport=udp", "192.0.2.7"}};
	for (size_t i = 0; i < 2; i++) {
		char expected[256];
		problems = (struct config_problems){0};
		struct config *c = config_load_uri(cases[i].uri, &rig.world, &problems);
		cr_assert_not_null(c, "%s", problems.list[0].text);
		struct stream_config *streams = build(c, NULL, NULL);
		cr_assert_not_null(streams, "%s", problems.list[0].text);
		cr_expect_str_eq(tls_context_identity_name(streams->listeners[0].tls, 0), cases[i].name);
		snprintf(expected, sizeof expected,
			"URI: listener \"default-listener\": no certificate was given: made a self-signed one for %s, which "
			"browsers "
			"refuse; name one in a configuration file",
			cases[i].name);
		cr_expect_str_eq(problems.list[0].text, expected);
		stream_config_unref(streams);
		config_free(c);
	}
}

Test(config_streams, is_nothing_to_plain_udp)
{
	struct config *c = config_rig_load(&rig, config_rig_native("", "", ""), NULL);
	struct config_streams_needs needs = config_streams_needs(c);
	cr_expect_not(needs.connections || needs.handshakes || needs.sockets);
	config_free(c);
	c = load_pair("turn.example.com", 20);
	needs = config_streams_needs(c);
	cr_expect(needs.connections && needs.handshakes && needs.sockets);
	config_free(c);
	c = config_rig_load(&rig, config_rig_native("", ",\"proxy_protocol\":true,\"proxy_trusted\":[\"::1\"]", ""), NULL);
	needs = config_streams_needs(c);
	cr_expect(needs.connections && !needs.handshakes && !needs.sockets);
	config_free(c);
}
