/* RESULTs of connections and handshakes, and what a load over a transport says of it: as JSON and as text. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "report/document.h"
#include "results.h"

static double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	cr_assert(json_is_number(value), "%s", key);
	return json_number_value(value);
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

static void expect_says(const json_t *result, const char *words)
{
	char *text = printed(result);
	cr_expect_not_null(strstr(text, words), "\"%s\" is not in:\n%s", words, text);
	free(text);
}

static struct load_target target_over(enum transport_kind kind)
{
	struct load_target target = target_local();
	target.transport.kind = kind;
	return target;
}

Test(document_connections, a_load_tells_its_transport_and_what_was_agreed_upon)
{
	const struct load_plan plan = plan_flood();
	struct load_target target = target_over(TRANSPORT_TLS);
	struct load_result *result = result_flood();
	target.transport.separate_writes = true;
	strcpy(result->tls_version, "1.2");
	strcpy(result->cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
	json_t *json = document_load(&plan, &target, NULL, NULL, result);
	cr_assert_not_null(json);
	cr_expect_str_eq(string(json_object_get(json, "workload"), "transport"), "tls");
	cr_expect(json_is_true(json_object_get(json_object_get(json, "workload"), "separate_writes")));
	cr_expect_str_eq(string(json_object_get(json, "tls"), "version"), "1.2");
	expect_says(json, ", over TLS, each frame in a send of its own\n");
	expect_says(json, "agreed on  version 1.2, ECDHE-ECDSA-AES128-GCM-SHA256\n");
	json_decref(json);
	free(result);
}

Test(document_connections, a_load_over_udp_tells_of_none)
{
	const struct load_plan plan = plan_flood();
	struct load_target target = target_over(TRANSPORT_UDP);
	struct load_result *result = result_flood();
	json_t *json = document_load(&plan, &target, NULL, NULL, result);
	cr_expect_null(json_object_get(json_object_get(json, "workload"), "transport"));
	cr_expect_null(json_object_get(json_object_get(json, "workload"), "separate_writes"));
	cr_expect(json_is_null(json_object_get(json, "tls")));
	json_decref(json);
	free(result);
}

static const struct connect_result connected = {
	.held = 5000,
	.tls_version = "1.2",
	.cipher = "ECDHE-ECDSA-AES128-GCM-SHA256",
	.seconds = 2.5,
	.connections_per_s = 2000,
	.server_known = true,
	.run_ns_per_connection = 412345,
	.server_busy = 0.8,
	.rss_idle_bytes = 8 << 20,
	.rss_held_bytes = 58 << 20,
	.rss_after_bytes = 12 << 20,
	.rss_bytes_per_connection = 10240,
};

Test(document_connections, idle_connections_have_their_figures)
{
	const struct connect_plan plan = {.held = 5000};
	const struct load_target target = target_over(TRANSPORT_DTLS);
	json_t *json = document_connect(&plan, &target, "coturn", "4.6.1", &connected);
	cr_assert_not_null(json);
	cr_expect_str_eq(string(json, "kind"), "connect");
	cr_expect_str_eq(string(json_object_get(json, "workload"), "transport"), "dtls");
	cr_expect_eq(number(json_object_get(json, "workload"), "parallel"), CONNECT_PARALLEL_DEFAULT);
	cr_expect_eq(number(json, "held"), 5000);
	cr_expect_eq(number(json, "connections_per_s"), 2000);
	cr_expect_eq(number(json, "rss_bytes_per_connection"), 10240);
	expect_says(json, "connect: 5000 idle connections, 64 at a time, over DTLS\n");
	expect_says(json, "412.3 us per connection");
	expect_says(json,
		"10.00 KiB per idle connection; 8.00 MiB resident before, 58.00 MiB with all held, 12.00 MiB after they ended");
	json_decref(json);
	struct connect_result unknown = connected;
	unknown.server_known = false;
	unknown.loader_bound = true;
	json = document_connect(&plan, &target, NULL, NULL, &unknown);
	cr_expect(json_is_null(json_object_get(json, "rss_bytes_per_connection")));
	expect_says(json, "not known, nor memory: the server's process was not given");
	expect_says(json, "LOADER-BOUND");
	json_decref(json);
}

static struct handshakes_result handshaken(void)
{
	return (struct handshakes_result){
		.server_known = true,
		.full = {.done = 1000,
			.failed = 2,
			.seconds = 1,
			.per_s = 1000,
			.run_ns_per_handshake = 250000,
			.per_core_s = 4000},
		.resumed = {.done = 900,
			.resumed = 890,
			.seconds = 1,
			.per_s = 900,
			.run_ns_per_handshake = 100000,
			.per_core_s = 10000},
		.p99_ratio = 1.25,
		.beside = 777,
	};
}

Test(document_connections, handshakes_have_their_figures)
{
	const struct handshakes_plan plan = {.count = 1000,
		.rate_per_s = 500,
		.seconds = 1,
		.has_victim = true,
		.victim = plan_flood(),
		.victim_server = addr_ipv4(127, 0, 0, 1, 3999)};
	const struct load_target target = target_over(TRANSPORT_TLS);
	struct handshakes_result result = handshaken();
	result.before = result_flood();
	result.during = result_flood();
	json_t *json = document_handshakes(&plan, &target, "coturn", "4.6.1", &result);
	cr_assert_not_null(json);
	cr_expect_str_eq(string(json, "kind"), "handshakes");
	cr_expect_eq(number(json_object_get(json, "full"), "per_core_s"), 4000);
	cr_expect_eq(number(json_object_get(json, "resumed"), "resumed"), 890);
	const json_t *call = json_object_get(json, "call"), *during = json_object_get(call, "during");
	cr_expect_eq(number(call, "handshakes"), 777);
	cr_expect_eq(number(call, "lost"), 10);
	cr_expect_null(json_object_get(json_object_get(during, "workload"), "transport"), "the call is over UDP");
	cr_expect_str_eq(string(json_object_get(during, "server"), "address"), "127.0.0.1:3999");
	expect_says(json, "handshakes: up to 1000 of each kind, 16 at a time, 500/s, over TLS\n");
	expect_says(json, "1000 handshakes (0 resumed, 2 failed) in");
	expect_says(json, "250.0 us of the server's run time each: 4000/s of one core\n");
	expect_says(json, "a call over UDP beside 777 full handshakes\n");
	expect_says(json, "the victim lost 10 packets; its p99 is 1.25 times what it was\n");
	json_decref(json);
	handshakes_result_done(&result);
}

Test(document_connections, handshakes_without_a_call_and_a_process)
{
	const struct handshakes_plan plan = {.count = 10, .seconds = 1};
	const struct load_target target = target_over(TRANSPORT_DTLS);
	struct handshakes_result result = handshaken();
	result.server_known = false;
	json_t *json = document_handshakes(&plan, &target, NULL, NULL, &result);
	cr_expect(json_is_null(json_object_get(json, "call")));
	cr_expect(json_is_null(json_object_get(json_object_get(json, "workload"), "call")));
	cr_expect(json_is_null(json_object_get(json_object_get(json, "full"), "per_core_s")));
	expect_says(json, "over DTLS\n");
	json_decref(json);
}
