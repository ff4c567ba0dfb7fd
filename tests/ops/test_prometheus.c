#include "ops/prometheus.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

static struct evbuffer *out;
static struct prometheus p;

static void open_buffer(void)
{
	out = evbuffer_new();
	prometheus_init(&p, out);
}

static void close_buffer(void)
{
	evbuffer_free(out);
}

TestSuite(prometheus, .init = open_buffer, .fini = close_buffer);

static const char *written(void)
{
	evbuffer_add(out, "", 1);
	return (const char *)evbuffer_pullup(out, -1);
}

Test(prometheus, writes_help_and_type_before_the_values)
{
	prometheus_family(&p, "uturn_requests_total", PROMETHEUS_COUNTER, "Requests.");
	prometheus_value(&p, &(struct prometheus_label){"method", "binding"}, 1, 7);
	prometheus_value(&p, (struct prometheus_label[]){{"method", "refresh"}, {"code", "401"}}, 2, UINT64_MAX);
	prometheus_single(&p, "uturn_shards", PROMETHEUS_GAUGE, "Shards.", 0);
	cr_assert_str_eq(written(), "# HELP uturn_requests_total Requests.\n"
				    "# TYPE uturn_requests_total counter\n"
				    "uturn_requests_total{method=\"binding\"} 7\n"
				    "uturn_requests_total{method=\"refresh\",code=\"401\"} 18446744073709551615\n"
				    "# HELP uturn_shards Shards.\n"
				    "# TYPE uturn_shards gauge\n"
				    "uturn_shards 0\n");
	cr_assert_not(p.failed);
}

Test(prometheus, escapes_label_values)
{
	static const struct {
		const char *value, *expected;
	} cases[] = {
		{"", "a{b=\"\"} 1\n"},
		{"plain/name with space", "a{b=\"plain/name with space\"} 1\n"},
		{"\"", "a{b=\"\\\"\"} 1\n"},
		{"\\", "a{b=\"\\\\\"} 1\n"},
		{"\n", "a{b=\"\\n\"} 1\n"},
		{"x\\n\"y\"\n", "a{b=\"x\\\\n\\\"y\\\"\\n\"} 1\n"},
		{"B\xC3\xBC"
		 "cher}",
			"a{b=\"B\xC3\xBC"
			"cher}\"} 1\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		prometheus_family(&p, "a", PROMETHEUS_GAUGE, "-");
		evbuffer_drain(out, evbuffer_get_length(out));
		prometheus_value(&p, &(struct prometheus_label){"b", cases[i].value}, 1, 1);
		cr_expect_str_eq(written(), cases[i].expected);
		evbuffer_drain(out, evbuffer_get_length(out));
	}
}

Test(prometheus, escapes_help_but_not_its_quotes)
{
	prometheus_family(&p, "a", PROMETHEUS_GAUGE, "one \"line\" \\ and\nmore");
	cr_assert_str_eq(written(), "# HELP a one \"line\" \\\\ and\\nmore\n# TYPE a gauge\n");
}

Test(prometheus, writes_times_in_seconds_to_the_nanosecond)
{
	static const struct {
		uint64_t value_ns;
		const char *expected;
	} cases[] = {
		{0, "a 0\n"},
		{1, "a 0.000000001\n"},
		{2000, "a 0.000002\n"},
		{20000000, "a 0.02\n"},
		{UINT64_C(10000000000), "a 10\n"},
		{UINT64_C(2500000000), "a 2.5\n"},
		{UINT64_MAX, "a 18446744073.709551615\n"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		prometheus_family(&p, "a", PROMETHEUS_GAUGE, "-");
		evbuffer_drain(out, evbuffer_get_length(out));
		prometheus_seconds(&p, NULL, 0, cases[i].value_ns);
		cr_expect_str_eq(written(), cases[i].expected);
		evbuffer_drain(out, evbuffer_get_length(out));
	}
}

Test(prometheus, sums_histogram_buckets_up)
{
	static const uint64_t bounds_ns[] = {2000, 5000, 10000000};
	static const uint64_t buckets[] = {3, 0, 4, 1};
	prometheus_family(&p, "uturn_turn_seconds", PROMETHEUS_HISTOGRAM, "Turns.");
	prometheus_histogram(&p, &(struct prometheus_histogram){bounds_ns, buckets, 3, 1500000000});
	cr_assert_str_eq(written(), "# HELP uturn_turn_seconds Turns.\n"
				    "# TYPE uturn_turn_seconds histogram\n"
				    "uturn_turn_seconds_bucket{le=\"0.000002\"} 3\n"
				    "uturn_turn_seconds_bucket{le=\"0.000005\"} 3\n"
				    "uturn_turn_seconds_bucket{le=\"0.01\"} 7\n"
				    "uturn_turn_seconds_bucket{le=\"+Inf\"} 8\n"
				    "uturn_turn_seconds_sum 1.5\n"
				    "uturn_turn_seconds_count 8\n");
}

Test(prometheus, refuses_names_that_are_none, .signal = SIGABRT)
{
	prometheus_family(&p, "uturn-shards", PROMETHEUS_GAUGE, "-");
}

Test(prometheus, refuses_a_plain_value_in_a_histogram, .signal = SIGABRT)
{
	prometheus_family(&p, "a", PROMETHEUS_HISTOGRAM, "-");
	prometheus_value(&p, NULL, 0, 1);
}

Test(prometheus, remembers_that_a_write_failed)
{
	evbuffer_freeze(out, 0);
	prometheus_single(&p, "a", PROMETHEUS_GAUGE, "-", 1);
	evbuffer_unfreeze(out, 0);
	cr_assert(p.failed);
}
