#include "report/document.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "results.h"

static double number(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	cr_assert(json_is_number(value), "%s", key);
	return json_number_value(value);
}

static void expect_keys(const json_t *object, const char *keys)
{
	char *copy = strdup(keys), *rest = copy;
	for (char *key = strsep(&rest, " "); key != NULL; key = strsep(&rest, " "))
		cr_expect_not_null(json_object_get(object, key), "%s", key);
	free(copy);
}

Test(document, a_new_one_says_what_it_is_and_where_it_was_made)
{
	char program[] = "uturn-bench", command_name[] = "flood", option[] = "--name=caf\xe9";
	char *words[] = {program, command_name, option};
	json_t *document = document_new(3, words, 9007199254740991);
	expect_valid(document);
	expect_keys(document, "format created command version seed machine results comparisons");
	cr_expect_str_eq(json_string_value(json_object_get(document, "format")), "uturn-bench/1");
	cr_expect_eq(json_integer_value(json_object_get(document, "seed")), 9007199254740991);
	cr_expect_eq(json_array_size(json_object_get(document, "results")), 0);
	cr_expect_eq(json_array_size(json_object_get(document, "comparisons")), 0);
	const json_t *command = json_object_get(document, "command");
	cr_expect_str_eq(json_string_value(json_array_get(command, 1)), "flood");
	cr_expect_str_eq(json_string_value(json_array_get(command, 2)), "--name=caf?");
	const char *created = json_string_value(json_object_get(document, "created"));
	cr_expect_eq(strlen(created), strlen("2025-01-01T00:00:00Z"));
	expect_keys(json_object_get(document, "machine"),
		"kernel distribution processor cores memory_bytes clock_source load_average irq_time_accounting");
	json_decref(document);
}

Test(document, a_flood_has_its_figures)
{
	json_t *result = flood_json();
	expect_valid(result);
	expect_keys(result, "kind workload server seconds interrupted loader_bound setup_s offered_per_s delivered_per_s "
			    "goodput_bit_per_s packets "
			    "loss up down latency jitter lateness cpu memory system_calls loader");
	cr_expect_str_eq(json_string_value(json_object_get(result, "kind")), "flood");
	cr_expect_float_eq(number(result, "offered_per_s"), 500, 1e-9);
	cr_expect_float_eq(number(result, "delivered_per_s"), 495, 1e-9);
	cr_expect_float_eq(number(result, "goodput_bit_per_s"), 1200 * 8 * 495.0, 1e-6);
	cr_expect_float_eq(number(result, "loss"), 0.01, 1e-12);
	const json_t *packets = json_object_get(result, "packets");
	static const char *const counts[] = {
		"sent", "delivered", "lost", "duplicated", "reordered", "corrupted", "stale", "unsent"};
	static const double values[] = {1000, 990, 10, 3, 4, 5, 6, 7};
	for (unsigned i = 0; i < 8; i++)
		cr_expect_eq(number(packets, counts[i]), values[i], "%s", counts[i]);
	cr_expect(json_is_null(json_object_get(result, "down")));
	cr_expect(json_is_null(json_object_get(result, "lateness")));
	expect_keys(json_object_get(result, "up"), "packets delivered_per_s latency jitter");
	cr_expect_float_eq(number(json_object_get(result, "system_calls"), "per_packet"), 0.0421, 1e-12);
	json_decref(result);
}

Test(document, a_flood_names_its_parameters_and_its_server)
{
	json_t *result = flood_json();
	const json_t *workload = json_object_get(result, "workload"), *server = json_object_get(result, "server");
	expect_keys(workload, "name flows size burst direction indications gso window");
	cr_expect_null(json_object_get(workload, "rate_per_s"));
	cr_expect_str_eq(json_string_value(json_object_get(workload, "direction")), "up");
	cr_expect_str_eq(json_string_value(json_object_get(server, "address")), "127.0.0.1:3478");
	cr_expect_eq(number(server, "pid"), 4321);
	cr_expect_eq(json_array_size(json_object_get(server, "cores")), 1);
	const json_t *loader_cores = json_object_get(json_object_get(result, "loader"), "cores");
	cr_expect_eq(json_integer_value(json_array_get(json_object_get(server, "cores"), 0)), 0);
	cr_expect_eq(json_integer_value(json_array_get(loader_cores, 0)), 1);
	json_decref(result);
}

Test(document, processor_figures_are_told_apart)
{
	json_t *result = flood_json();
	const json_t *cpu = json_object_get(result, "cpu");
	expect_keys(cpu, "run_ns_per_packet run_s busy ksoftirqd_s context_switches threads core_split");
	cr_expect_float_eq(number(cpu, "run_ns_per_packet"), 1000, 1e-9);
	cr_expect_float_eq(number(cpu, "run_s"), 0.00099, 1e-12);
	cr_expect_float_eq(number(cpu, "busy"), 0.000495, 1e-12);
	cr_expect_float_eq(number(cpu, "ksoftirqd_s"), 1.5, 1e-12);
	expect_keys(json_object_get(cpu, "core_split"), "user_s system_s softirq_s irq_s idle_s other_s");
	const json_t *memory = json_object_get(result, "memory");
	cr_expect_eq(number(memory, "rss_before_bytes"), 1 << 20);
	cr_expect_eq(number(memory, "rss_held_bytes"), 2 << 20);
	cr_expect_eq(number(memory, "rss_bytes"), 3 << 20);
	cr_expect_eq(number(memory, "rss_peak_bytes"), 4 << 20);
	cr_expect(json_is_null(json_object_get(memory, "pss_bytes")));
	json_decref(result);
}

Test(document, a_distribution_is_in_microseconds)
{
	json_t *result = flood_json();
	const json_t *latency = json_object_get(result, "latency"), *points = json_object_get(latency, "percentiles");
	cr_expect_eq(number(latency, "count"), 990);
	cr_expect_float_eq(number(latency, "mean_us"), 495.5, 1e-6);
	cr_expect_eq(number(latency, "min_us"), 1);
	cr_expect_float_eq(number(latency, "p50_us"), 495, 495 / 64.0);
	cr_expect_float_eq(number(latency, "p99_us"), 981, 981 / 64.0);
	cr_expect_eq(number(latency, "max_us"), 990);
	cr_expect_eq(json_array_size(points), 12);
	double percent = -1, us = 0;
	for (size_t i = 0; i < json_array_size(points); i++) {
		const json_t *point = json_array_get(points, i);
		cr_expect_gt(json_number_value(json_array_get(point, 0)), percent);
		cr_expect_geq(json_number_value(json_array_get(point, 1)), us);
		percent = json_number_value(json_array_get(point, 0));
		us = json_number_value(json_array_get(point, 1));
	}
	cr_expect_eq(percent, 100);
	cr_expect_eq(us, 990);
	json_decref(result);
}

Test(document, a_replay_has_both_directions_and_its_captures)
{
	struct load_plan plan = plan_replay();
	struct load_target target = target_local();
	struct load_result *result = result_flood();
	tally_add(&result->down, &result->up);
	histogram_record(&result->down.lateness, 5000);
	json_t *json = document_load(&plan, &target, NULL, NULL, result);
	expect_valid(json);
	cr_expect_str_eq(json_string_value(json_object_get(json, "kind")), "replay");
	const json_t *workload = json_object_get(json, "workload"), *captures = json_object_get(workload, "captures");
	cr_expect_eq(number(workload, "calls"), 10);
	cr_expect_eq(number(workload, "call_seconds"), 1.5);
	cr_expect_eq(number(workload, "packets_per_call"), 3);
	cr_expect_eq(json_array_size(captures), 2);
	cr_expect_str_eq(json_string_value(json_array_get(captures, 0)), "a.pcap");
	cr_expect_str_eq(json_string_value(json_array_get(captures, 1)), "b.pcapng");
	cr_expect_eq(number(json_object_get(json, "packets"), "sent"), 2000);
	cr_expect_eq(number(json_object_get(json_object_get(json, "down"), "packets"), "sent"), 1000);
	cr_expect_eq(number(json_object_get(json, "lateness"), "p50_us"), 5);
	cr_expect(json_is_null(json_object_get(json_object_get(json, "server"), "name")));
	json_decref(json);
	free(result);
}

Test(document, what_nothing_was_measured_of_is_null_and_never_zero)
{
	struct load_plan plan = plan_replay();
	plan.captures = NULL;
	struct load_target target = {.server = addr_ipv4(192, 0, 2, 1, 3478)};
	struct load_result *result = calloc(1, sizeof *result);
	tally_reset(&result->up);
	tally_reset(&result->down);
	strcpy(result->system_calls_why, "not today");
	json_t *json = document_load(&plan, &target, NULL, NULL, result);
	expect_valid(json);
	static const char *const nulls[] = {
		"offered_per_s", "delivered_per_s", "goodput_bit_per_s", "loss", "up", "down", "cpu", "memory"};
	for (unsigned i = 0; i < sizeof nulls / sizeof nulls[0]; i++)
		cr_expect(json_is_null(json_object_get(json, nulls[i])), "%s", nulls[i]);
	static const char *const quantiles[] = {"mean_us", "min_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "max_us"};
	static const char *const distributions[] = {"latency", "jitter", "lateness"};
	for (unsigned i = 0; i < 3; i++) {
		const json_t *distribution = json_object_get(json, distributions[i]);
		cr_expect_eq(number(distribution, "count"), 0);
		cr_expect_eq(json_array_size(json_object_get(distribution, "percentiles")), 0);
		for (unsigned k = 0; k < sizeof quantiles / sizeof quantiles[0]; k++)
			cr_expect(
				json_is_null(json_object_get(distribution, quantiles[k])), "%s %s", distributions[i], quantiles[k]);
	}
	const json_t *calls = json_object_get(json, "system_calls");
	cr_expect(json_is_null(json_object_get(calls, "per_packet")));
	cr_expect_str_eq(json_string_value(json_object_get(calls, "why")), "not today");
	cr_expect(json_is_null(json_object_get(json_object_get(json, "server"), "pid")));
	json_decref(json);
	free(result);
}

static void expect_valid_with(double odd)
{
	struct load_plan plan = plan_replay(), flood = plan_flood();
	flood.flood.rate_per_s = odd;
	struct load_target target = target_local();
	struct load_result *result = result_flood();
	result->seconds = result->loader_busy = result->lost_schedule = result->setup_s = result->system_calls_per_packet = odd;
	result->server.cores = (struct core_split){odd, odd, odd, odd, odd, odd};
	result->server.at_ns = 0;
	json_t *json = document_load(&plan, &target, "a", "b", result), *other = document_load(&flood, &target, "a", "b", result);
	expect_valid(json);
	expect_valid(other);
	const struct allocate_plan allocate = {.held = 5};
	const struct allocate_result allocated = {.seconds = odd,
		.allocations_per_s = odd,
		.loader_busy = odd,
		.server_known = true,
		.run_ns_per_allocation = odd,
		.server_busy = odd,
		.rss_bytes_per_allocation = odd};
	json_t *third = document_allocate(&allocate, &target, NULL, NULL, &allocated);
	expect_valid(third);
	json_decref(json);
	json_decref(other);
	json_decref(third);
	free(result);
}

Test(document, nothing_makes_it_invalid)
{
	expect_valid_with((double)NAN);
	expect_valid_with((double)INFINITY);
	expect_valid_with(-(double)INFINITY);
	expect_valid_with(0);
	expect_valid_with(1e308);
	expect_valid_with(-1e-308);
}

Test(document, allocations_have_their_figures)
{
	const struct allocate_plan plan = {.held = 4000, .channels = true};
	struct allocate_result result = {.held = 4000,
		.seconds = 0.5,
		.allocations_per_s = 8000,
		.server_known = true,
		.run_ns_per_allocation = 51234,
		.server_busy = 0.9,
		.rss_idle_bytes = 1,
		.rss_held_bytes = 2,
		.rss_after_bytes = 3,
		.rss_bytes_per_allocation = 2000.5};
	const struct load_target target = target_local();
	json_t *json = document_allocate(&plan, &target, "uturn-epoll", "0.1.0", &result);
	expect_valid(json);
	expect_keys(json,
		"kind workload server held allocations_per_s run_ns_per_allocation busy loader_bound rss_idle_bytes rss_held_bytes "
		"rss_after_bytes rss_bytes_per_allocation");
	cr_expect_eq(number(json, "allocations_per_s"), 8000);
	cr_expect_eq(number(json, "rss_bytes_per_allocation"), 2000.5);
	const json_t *server = json_object_get(json, "server");
	cr_expect_str_eq(json_string_value(json_object_get(server, "address")), "127.0.0.1:3478");
	cr_expect_eq(number(server, "pid"), target.pid);
	cr_expect_eq(json_array_size(json_object_get(server, "cores")), (size_t)CPU_COUNT(&target.cores));
	cr_expect_eq(number(json_object_get(json, "workload"), "parallel"), ALLOCATE_PARALLEL_DEFAULT);
	json_decref(json);
	result.server_known = false;
	json = document_allocate(&plan, NULL, NULL, NULL, &result);
	cr_expect(json_is_null(json_object_get(json, "busy")));
	cr_expect(json_is_null(json_object_get(json, "rss_held_bytes")));
	json_decref(json);
}

Test(document, attacks_have_a_before_and_a_during)
{
	const struct attack_plan plan = {.victim = plan_flood()};
	struct load_target target = target_local();
	struct attack_result result = {0};
	result.kinds[ATTACK_CLIENT].ran = true;
	result.kinds[ATTACK_CLIENT].before = result_flood();
	result.kinds[ATTACK_CLIENT].during = result_flood();
	result.kinds[ATTACK_CLIENT].attack_packets = 123456;
	result.kinds[ATTACK_CLIENT].p99_ratio = 1.5;
	json_t *json = document_attack(&plan, &target, "coturn", "4", &result);
	expect_valid(json);
	const json_t *attacks = json_object_get(json, "attacks"), *attack = json_array_get(attacks, 0);
	cr_assert_eq(json_array_size(attacks), 1);
	cr_expect_str_eq(json_string_value(json_object_get(attack, "name")), "client");
	cr_expect_eq(number(attack, "attack_packets"), 123456);
	cr_expect_eq(number(attack, "lost"), 10);
	cr_expect_eq(number(attack, "p99_ratio"), 1.5);
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(attack, "before"), "kind")), "flood");
	cr_expect_eq(number(json_object_get(attack, "during"), "seconds"), 2);
	json_decref(json);
	result.kinds[ATTACK_CLIENT].p99_ratio = 0;
	json = document_attack(&plan, &target, "coturn", "4", &result);
	attack = json_array_get(json_object_get(json, "attacks"), 0);
	cr_expect(json_is_null(json_object_get(attack, "p99_ratio")), "nothing arrived in one of the windows");
	json_decref(json);
	free(result.kinds[ATTACK_CLIENT].before);
	free(result.kinds[ATTACK_CLIENT].during);
}
