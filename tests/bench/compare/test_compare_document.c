#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/contest.h"
#include "compare_rig.h"

static struct workload workload = {
	.name = "up",
	.title = "client to peer",
	.kind = WORKLOAD_FLOOD,
	.bars =
		{
			{BAR_RUN_TIME, "ours", "coturn", 2, false},
			{BAR_RUN_TIME, "ours", "absent", 2, true},
			{BAR_RUN_TIME, "nobody", "coturn", 2, false},
			{BAR_SYSTEM_CALLS, "ours", NULL, 0.05, false},
			{BAR_RUN_TIME, "coturn", "ours", 2, false},
		},
};
static struct server_spec specs[] = {{.name = "ours"}, {.name = "coturn"}, {.name = "absent"}};
static const struct compare_plan plan = {.servers = specs, .server_count = 3, .rounds = 3, .seconds = 0.5};

static json_t *results_of(unsigned rounds)
{
	json_t *results = json_array();
	for (unsigned i = 0; i < rounds; i++)
		json_array_append_new(results, json_pack("{s:{s:s, s:i}}", "workload", "name", "up", "flows", 20));
	return results;
}

/* Ours, and a coturn that needs twice the time; a third server could not be started. */
static json_t *document_of(const char *failure)
{
	struct contender contenders[] = {
		{.spec = &specs[0], .takes_part = true, .version = "1", .results = results_of(3)},
		{.spec = &specs[1], .takes_part = true, .version = "2", .results = results_of(3)},
		{.spec = &specs[2], .results = results_of(0), .why = {"absent: not installed"}},
	};
	contenders[0].series = SERIES(FIGURE_RUN_TIME, 100, 110, 90);
	contenders[1].series = SERIES(FIGURE_RUN_TIME, 200, 231, 171);
	struct contest c = {.plan = &plan, .workload = &workload, .contenders = contenders, .reference = 1, .failure = failure};
	json_t *made = contest_document(&c);
	for (int i = 0; i < 3; i++)
		json_decref(contenders[i].results);
	return made;
}

static json_t *document(void)
{
	return document_of(NULL);
}

static const json_t *at(const json_t *array, size_t index)
{
	const json_t *item = json_array_get(array, index);
	cr_assert_not_null(item, "%zu", index);
	return item;
}

Test(compare_document, medians_and_ratios)
{
	json_t *d = document();
	cr_assert_not_null(d);
	cr_expect_str_eq(json_string_value(json_object_get(d, "reference")), "coturn");
	const json_t *described = json_object_get(d, "workload"), *servers = json_object_get(d, "servers");
	cr_expect_str_eq(json_string_value(json_object_get(described, "title")), "client to peer");
	cr_expect_eq(json_integer_value(json_object_get(described, "flows")), 20);
	cr_expect_eq(json_array_size(servers), 3);
	cr_expect_str_eq(json_string_value(json_object_get(at(servers, 2), "why")), "not installed");
	cr_expect_eq(json_array_size(json_object_get(at(servers, 2), "results")), 0);
	const json_t *ours = at(servers, 0), *coturn = at(servers, 1);
	cr_expect_eq(json_real_value(json_object_get(json_object_get(ours, "median"), "run_ns_per_packet")), 100);
	cr_expect(json_is_null(json_object_get(json_object_get(ours, "median"), "loss")));
	cr_expect_null(json_object_get(json_object_get(ours, "median"), "victim_lost"), "not a figure of this kind");
	const json_t *ratio = json_object_get(json_object_get(ours, "ratio"), "run_time");
	cr_expect_eq(json_real_value(json_object_get(ratio, "median")), 2);
	cr_expect_float_eq(json_real_value(json_object_get(ratio, "low")), 1.9, 1e-9);
	cr_expect_float_eq(json_real_value(json_object_get(ratio, "high")), 2.1, 1e-9);
	cr_expect(json_is_null(json_object_get(coturn, "ratio")));
	cr_expect_null(json_object_get(ours, "why"));
	cr_expect(json_is_null(json_object_get(d, "calibration")));
	cr_expect(json_is_false(json_object_get(d, "interrupted")));
	cr_expect_null(json_object_get(d, "failure"));
	json_decref(d);
}

Test(compare_document, bars_are_met_missed_or_not_measured)
{
	json_t *d = document();
	const json_t *bars = json_object_get(d, "bars");
	cr_assert_eq(json_array_size(bars), 4, "not the bar of a server that nobody asked for");
	cr_expect(json_is_true(json_object_get(at(bars, 0), "met")));
	cr_expect_eq(json_real_value(json_object_get(at(bars, 0), "value")), 2);
	cr_expect(json_is_null(json_object_get(at(bars, 1), "met")), "its reference was not measured");
	cr_expect(json_is_null(json_object_get(at(bars, 1), "value")));
	cr_expect(json_is_true(json_object_get(at(bars, 1), "best_quartile")));
	cr_expect_null(json_object_get(at(bars, 0), "why"));
	cr_expect_str_eq(json_string_value(json_object_get(at(bars, 1), "why")), "absent: not installed");
	cr_expect_str_eq(json_string_value(json_object_get(at(bars, 2), "why")), "they were not counted");
	cr_expect(json_is_null(json_object_get(at(bars, 2), "met")), "system calls were not counted");
	cr_expect(json_is_null(json_object_get(at(bars, 2), "reference")));
	cr_expect(json_is_false(json_object_get(at(bars, 3), "met")));
	json_t *comparisons = json_pack("[o]", d);
	cr_expect_eq(compare_bars_missed(comparisons), 1);
	json_decref(comparisons);
}

static char *printed(const json_t *comparisons)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	cr_assert_not_null(out);
	compare_print(comparisons, out);
	fclose(out);
	return text;
}

Test(compare_document, is_printed_with_a_verdict_for_each_bar)
{
	json_t *comparisons = json_pack("[o]", document());
	char *text = printed(comparisons);
	static const char *const expected[] = {
		"up: client to peer\n",
		"coturn / this",
		"2.00 [1.90-2.10]",
		"met\n",
		"MISSED\n",
		"not measured\n",
		"1 met, 1 missed, 2 not measured",
	};
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		cr_expect_not_null(strstr(text, expected[i]), "'%s' in:\n%s", expected[i], text);
	free(text);
	json_decref(comparisons);
}

Test(compare_document, a_failure_stands_beside_what_was_measured)
{
	json_t *comparisons = json_pack("[o]", document_of("up, coturn: the server has ended"));
	const json_t *d = at(comparisons, 0);
	cr_expect(json_is_true(json_object_get(d, "interrupted")));
	cr_expect_str_eq(json_string_value(json_object_get(d, "failure")), "up, coturn: the server has ended");
	char *text = printed(comparisons);
	cr_expect_not_null(strstr(text, "FAILED: up, coturn: the server has ended\n"), "%s", text);
	cr_expect_not_null(strstr(text, "not measured: not installed\n"), "%s", text);
	free(text);
	json_decref(comparisons);
}

Test(compare_document, latencies_stand_beside_their_ratio_and_no_line_is_too_long)
{
	json_t *comparisons = json_pack(
		"[{s:{s:s}, s:[{s:s, s:{s:f, s:f}}, {s:s, s:{s:f, s:f}}], s:[{s:s, s:s, s:s, s:f, s:f, s:b, s:b}]}]", "workload",
		"name", "latency-at-10-percent", "servers", "name", "uturn-io_uring", "median", "latency_p99_us", 123450.0,
		"latency_p50_us", 100120.0, "name", "coturn-multiplex", "median", "latency_p99_us", 543210.0, "latency_p50_us",
		200120.0, "bars", "figure", "latency_p99", "server", "uturn-io_uring", "reference", "coturn-multiplex", "value",
		0.227, "bound", 1.1, "best_quartile", 1, "met", 1);
	char *text = printed(comparisons);
	cr_expect_not_null(strstr(text, "met (123.45 ms / 543.21 ms)\n"), "%s", text);
	cr_expect_not_null(strstr(text, " 100.12 ms  123.45 ms "), "%s", text);
	for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
		cr_expect_leq(end - line, 132, "%.*s", (int)(end - line), line);
	free(text);
	json_decref(comparisons);
}

/* It may come from a file that something else has written. */
Test(compare_document, prints_what_lacks_everything)
{
	json_t *comparisons = json_pack("[{}, {s:[{}], s:[{}]}, []]", "servers", "bars");
	free(printed(comparisons));
	cr_expect_eq(compare_bars_missed(comparisons), 0);
	json_decref(comparisons);
}

Test(compare_document, nothing_measured_is_no_comparison)
{
	struct contender contenders[3] = {{.spec = &specs[0]}, {.spec = &specs[1]}, {.spec = &specs[2]}};
	struct contest c = {.plan = &plan, .workload = &workload, .contenders = contenders};
	for (int i = 0; i < 3; i++)
		contenders[i].results = json_array();
	cr_expect_null(contest_document(&c));
	for (int i = 0; i < 3; i++)
		json_decref(contenders[i].results);
}

Test(compare_document, a_plan_out_of_bounds_is_refused_before_anything_runs)
{
	struct failure failure;
	struct server_spec twins[] = {{.name = "same"}, {.name = "same"}};
	struct compare_plan bad = {.workloads = &workload, .workload_count = 1, .servers = twins, .server_count = 2, .rounds = 1};
	json_t *comparisons = json_array();
	cr_expect_not(compare_run(&bad, comparisons, NULL, NULL, &failure));
	cr_expect_not_null(strstr(failure.text, "same"), "%s", failure.text);
	bad.server_count = 1;
	bad.rounds = 0;
	cr_expect_not(compare_run(&bad, comparisons, NULL, NULL, &failure));
	bad.rounds = STATISTICS_VALUES_MAX + 1;
	cr_expect_not(compare_run(&bad, comparisons, NULL, NULL, &failure));
	bad.rounds = 1;
	bad.server_count = 0;
	cr_expect_not(compare_run(&bad, comparisons, NULL, NULL, &failure));
	cr_expect_eq(json_array_size(comparisons), 0);
	json_decref(comparisons);
}
