#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

static void expect_says(const json_t *result, const char *words)
{
	char *text = printed(result);
	cr_expect_not_null(strstr(text, words), "'%s' not in:\n%s", words, text);
	free(text);
}

static void expect_silent_of(const json_t *result, const char *words)
{
	char *text = printed(result);
	cr_expect_null(strstr(text, words), "'%s' in:\n%s", words, text);
	free(text);
}

Test(document_print, a_flood_reads_as_text)
{
	json_t *result = flood_json();
	expect_says(result,
		"flood up-8x1200: up, 20 flows, bursts of 8 x 1200 B in ChannelData, closed loop of 64 under way per stream\n");
	expect_says(result, "against    coturn (4.6.1) at 127.0.0.1:3478, process 4321, core 0\n");
	expect_says(result, "1000 packets in 2.00 s, 500/s");
	expect_says(result, "990 packets, 495/s, 4.8 Mbit/s of payload");
	expect_says(result, "10 packets, 1.00 %");
	expect_says(result, "3 duplicated, 4 reordered, 5 corrupted, 6 stale\n");
	expect_says(result, "7 packets: the loader's own sockets were full, or it was behind its schedule\n");
	expect_says(result, "p50          p90          p99        p99.9          max\n");
	expect_says(result, "990.0 us\n");
	expect_says(result, "run time   1000 ns per delivered packet");
	expect_says(result, "ksoftirqd  1.50 s");
	expect_says(result, "user 10 %, system 40 %, softirq 20 %, irq 0 %, idle 30 %, other 0 %");
	expect_says(result,
		"3.00 MiB resident, 4.00 MiB at its peak; 1.00 MiB before the allocations, 2.00 MiB with them; - proportional");
	expect_says(result, "0.0421 per delivered packet");
	expect_silent_of(result, "LOADER-BOUND");
	expect_silent_of(result, "INTERRUPTED");
	expect_silent_of(result, "nan");
	json_decref(result);
}

Test(document_print, a_loader_bound_or_interrupted_run_is_marked)
{
	json_t *result = flood_json();
	json_object_set_new(result, "loader_bound", json_true());
	expect_says(result, "LOADER-BOUND: the loader had its own cores full. This is the loader's limit, not the server's.\n");
	json_object_set_new(result, "interrupted", json_true());
	expect_says(result, "INTERRUPTED");
	json_decref(result);
}

Test(document_print, what_is_not_known_says_why)
{
	json_t *result = flood_json();
	json_object_set_new(result, "system_calls", json_pack("{s:n, s:s}", "per_packet", "why", "no tracefs"));
	expect_says(result, "sys calls  not known: no tracefs\n");
	json_object_set_new(result, "cpu", json_null());
	json_object_set_new(result, "memory", json_null());
	expect_says(result, "run time   not known: the server's process was not given\n");
	expect_silent_of(result, "memory");
	expect_silent_of(result, "sys calls");
	json_decref(result);
}

Test(document_print, allocations_read_as_text)
{
	const struct allocate_plan plan = {.held = 4000, .parallel = 32, .channels = true};
	const struct allocate_result result = {.held = 4000,
		.allocations_per_s = 8000.4,
		.server_known = true,
		.loader_bound = true,
		.run_ns_per_allocation = 51234,
		.server_busy = 0.9,
		.rss_idle_bytes = 8 << 20,
		.rss_held_bytes = 16 << 20,
		.rss_after_bytes = 12 << 20,
		.rss_bytes_per_allocation = 2048};
	const struct load_target target = target_local();
	json_t *json = document_allocate(&plan, &target, "uturn-epoll", "0.1.0", &result);
	expect_says(json, "allocate: 4000 allocations with a channel each, 32 at a time\n");
	expect_says(json, "against    uturn-epoll (0.1.0) at 127.0.0.1:3478, process");
	expect_says(json, "8000 allocations/s; 4000 held");
	expect_says(json, "51.2 us per allocation");
	expect_says(json, "2.00 KiB per allocation; 8.00 MiB resident before, 16.00 MiB with all held, 12.00 MiB after they ended");
	expect_says(json, "LOADER-BOUND");
	json_decref(json);
}

static json_t *attack_json(void)
{
	return json_pack("{s:s, s:{s:s}, s:[{s:s, s:i, s:o, s:o, s:i, s:f}]}", "kind", "attack", "workload", "name", "victim",
		"attacks", "name", "unpermitted", "attack_packets", 5000, "before", flood_json(), "during", flood_json(), "lost",
		10, "p99_ratio", 1.25);
}

Test(document_print, attacks_read_as_text)
{
	json_t *json = attack_json();
	expect_says(json, "unpermitted, packets from peers without a permission: 5000 packets\n");
	expect_says(json, "before           1000         10     1.00 %");
	expect_says(json, "during           1000         10     1.00 %");
	expect_says(json, "the victim lost 10 packets; its p99 is 1.25 times what it was\n");
	json_object_set_new(json_array_get(json_object_get(json, "attacks"), 0), "p99_ratio", json_null());
	expect_says(json, "the victim lost 10 packets; its p99 was not measured\n");
	json_decref(json);
}

static json_t *find_max_json(bool at_least)
{
	static const char step[] = "{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:b, s:b}";
	json_t *first = json_pack(step, "load", 10, "offered_per_s", 1000, "delivered_per_s", 1000, "loss", 0.0, "latency_p50_us",
		31.25, "latency_p99_us", 40.0, "busy", 0.1, "passed", 1, "loader_bound", 0);
	json_t *second = json_pack(step, "load", 20, "offered_per_s", 2000, "delivered_per_s", 1800, "loss", 0.1, "latency_p50_us",
		1500.0, "latency_p99_us", 2e6, "busy", 1.0, "passed", 0, "loader_bound", at_least);
	return json_pack("{s:s, s:{s:s, s:i, s:i}, s:i, s:s, s:b, s:f, s:f, s:[o, o]}", "kind", "find-max", "workload", "name",
		"a.pcap", "packets_per_call", 3, "call_seconds", 2, "found", 10, "unit", "calls", "at_least", at_least, "loss_max",
		0.001, "latency_p99_max_us", 10000.0, "steps", first, second);
}

Test(document_print, a_search_reads_as_text)
{
	json_t *json = find_max_json(false);
	expect_says(json, "find-max a.pcap: 3 packets in 2.00 s\n");
	expect_says(json, "31.2 us      40.0 us     10 %  good\n");
	expect_says(json, "1.50 ms       2.00 s    100 %  too much\n");
	expect_says(json, "found      10 calls at no more than 0.10 % loss and a p99 of 10.00 ms\n");
	expect_silent_of(json, "LOADER-BOUND");
	json_decref(json);
	json = find_max_json(true);
	expect_says(json, "LOADER-BOUND: ");
	expect_says(json, "found      at least 10 calls");
	json_decref(json);
}

/* Every member of `node`, at any depth, is left out and replaced in turn; the whole must still be printed. */
static void expect_printable_without(const json_t *whole, json_t *node)
{
	json_t *const odd[] = {
		NULL, json_null(), json_string("x"), json_integer(-1), json_real(1e300), json_array(), json_object()};
	json_t *members = json_copy(node);
	const char *key;
	json_t *member;
	json_object_foreach(members, key, member)
	{
		for (unsigned i = 0; i < sizeof odd / sizeof odd[0]; i++) {
			if (odd[i] == NULL)
				json_object_del(node, key);
			else
				json_object_set(node, key, odd[i]);
			free(printed(whole));
		}
		json_object_set(node, key, member);
		if (json_is_object(member))
			expect_printable_without(whole, member);
		for (size_t i = 0; i < json_array_size(member); i++)
			if (json_is_object(json_array_get(member, i)))
				expect_printable_without(whole, json_array_get(member, i));
	}
	json_decref(members);
	for (unsigned i = 1; i < sizeof odd / sizeof odd[0]; i++)
		json_decref(odd[i]);
}

Test(document_print, what_a_file_lacks_or_has_wrong_does_no_harm)
{
	json_t *results[] = {flood_json(), attack_json(), find_max_json(true), json_pack("{s:s}", "kind", "allocate"),
		json_object(), json_array()};
	for (unsigned i = 0; i < sizeof results / sizeof results[0]; i++) {
		free(printed(results[i]));
		if (json_is_object(results[i]))
			expect_printable_without(results[i], results[i]);
		json_decref(results[i]);
	}
}
