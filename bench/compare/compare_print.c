/* The table for people, from the JSON alone. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/compare.h"
#include "report/document_text.h"

enum { RATIO_WIDTH = 18 };

/* How one column is made from a server's object. */
struct column {
	const char *title;
	int width;
	const char *figure; /* of "median" */
	struct text (*format)(double value);
};

static struct text whole(double value)
{
	struct text t;
	snprintf(t.text, sizeof t.text, isfinite(value) ? "%.0f" : "-", value);
	return t;
}

static struct text thousands(double value)
{
	struct text t;
	snprintf(t.text, sizeof t.text, isfinite(value) ? "%.1f" : "-", value / 1e3);
	return t;
}

static struct text cores(double value)
{
	struct text t;
	snprintf(t.text, sizeof t.text, isfinite(value) ? "%.2f" : "-", value);
	return t;
}

static struct text small(double value)
{
	struct text t;
	snprintf(t.text, sizeof t.text, isfinite(value) ? "%.3f" : "-", value);
	return t;
}

static const struct column load_columns[] = {
	{"ns/packet", 10, "run_ns_per_packet", whole},
	{"k/s", 8, "delivered_per_s", thousands},
	{"p50", 11, "latency_p50_us", text_us},
	{"p99", 11, "latency_p99_us", text_us},
	{"loss", 10, "loss", text_percent},
	{"busy", 6, "busy", cores},
	{"syscalls", 9, "system_calls_per_packet", small},
	{NULL, 0, NULL, NULL},
};
static const struct column allocate_columns[] = {
	{"allocations/s", 14, "allocations_per_s", whole},
	{"B/allocation", 13, "rss_bytes_per_allocation", whole},
	{"idle", 10, "rss_idle_bytes", text_bytes},
	{"held", 10, "rss_held_bytes", text_bytes},
	{"busy", 6, "busy", cores},
	{NULL, 0, NULL, NULL},
};
static const struct column attack_columns[] = {
	{"victim lost", 12, "victim_lost", whole},
	{"p99 during/before", 18, "victim_p99_ratio", text_factor},
	{NULL, 0, NULL, NULL},
};

static const struct column connect_columns[] = {
	{"connections/s", 14, "connections_per_s", whole},
	{"B/connection", 13, "rss_bytes_per_connection", whole},
	{"idle", 10, "rss_idle_bytes", text_bytes},
	{"held", 10, "rss_held_bytes", text_bytes},
	{"busy", 6, "busy", cores},
	{NULL, 0, NULL, NULL},
};
static const struct column handshakes_columns[] = {
	{"full/s of a core", 18, "handshakes_per_core_s", whole},
	{"resumed/s of a core", 20, "resumed_per_core_s", whole},
	{"victim lost", 12, "victim_lost", whole},
	{"p99 during/before", 18, "victim_p99_ratio", text_factor},
	{NULL, 0, NULL, NULL},
};

static const struct column *columns_of(const json_t *servers)
{
	const json_t *median = json_object_get(json_array_get(servers, 0), "median");
	if (json_object_get(median, "allocations_per_s") != NULL)
		return allocate_columns;
	if (json_object_get(median, "connections_per_s") != NULL)
		return connect_columns;
	if (json_object_get(median, "handshakes_per_core_s") != NULL)
		return handshakes_columns;
	return json_object_get(median, "victim_lost") != NULL ? attack_columns : load_columns;
}

static const char *or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static void print_ratio(const json_t *server, int width, FILE *out)
{
	const json_t *ratio = json_object_get(server, "ratio");
	const json_t *of = json_object_get(ratio, "run_time");
	if (of == NULL)
		of = json_object_get(ratio, "allocations");
	if (of == NULL)
		of = json_object_get(ratio, "handshakes");
	char text[64] = "";
	if (isfinite(number_at(of, "median")))
		snprintf(text, sizeof text, "%.2f [%.2f-%.2f]", number_at(of, "median"), number_at(of, "low"),
			number_at(of, "high"));
	if (text[0] != '\0' || width > 0)
		fprintf(out, "  %*s", -width, text);
}

static void print_server(const json_t *server, const struct column *columns, bool with_ratio, FILE *out)
{
	char name[128];
	snprintf(name, sizeof name, "%s %s", or_dash(text_at(server, "name")), or_dash(text_at(server, "version")));
	fprintf(out, "  %-26s", name);
	if (text_at(server, "why") != NULL) {
		fprintf(out, "  not measured: %s\n", text_at(server, "why"));
		return;
	}
	for (const struct column *c = columns; c->title != NULL; c++)
		fprintf(out, "%*s", c->width, c->format(number_in(server, "median", c->figure)).text);
	double bound = number_at(server, "loader_bound_rounds");
	if (with_ratio)
		print_ratio(server, bound > 0 ? RATIO_WIDTH : 0, out);
	if (bound > 0)
		fprintf(out, "  L %.0f/%zu", bound, json_array_size(json_object_get(server, "results")));
	fputc('\n', out);
}

static void print_conditions(const json_t *comparison, FILE *out)
{
	const json_t *calibration = json_object_get(comparison, "calibration");
	fprintf(out, "  %.0f rounds of %.2g s%s", number_at(comparison, "rounds"), number_at(comparison, "seconds"),
		true_at(comparison, "netns") ? ", over veth" : "");
	if (json_is_object(calibration)) {
		bool calls = json_object_get(calibration, "calls") != NULL;
		fprintf(out, "; %.0f %s, found with %s at %.0f %% of a core%s",
			number_at(calibration, calls ? "calls" : "rate_per_s"), calls ? "calls" : "packets/s",
			or_dash(text_at(calibration, "server")), 100 * number_at(calibration, "busy"),
			true_at(calibration, "loader_bound") ? " (the loader's limit)" : "");
	}
	fputs(true_at(comparison, "interrupted") ? "; interrupted\n" : "\n", out);
	if (text_at(comparison, "failure") != NULL)
		fprintf(out, "  FAILED: %s\n", text_at(comparison, "failure"));
}

static void print_comparison(const json_t *comparison, FILE *out)
{
	const json_t *servers = json_object_get(comparison, "servers"), *workload = json_object_get(comparison, "workload");
	const struct column *columns = columns_of(servers);
	const char *reference = or_dash(text_at(comparison, "reference"));
	fprintf(out, "%s: %s\n", or_dash(text_at(workload, "name")), or_dash(text_at(workload, "title")));
	print_conditions(comparison, out);
	fprintf(out, "  %-26s", "server");
	for (const struct column *c = columns; c->title != NULL; c++)
		fprintf(out, "%*s", c->width, c->title);
	bool with_ratio = columns != attack_columns && columns != connect_columns && json_array_size(servers) > 1;
	if (with_ratio && columns != load_columns)
		fprintf(out, "  this / %s", reference);
	else if (with_ratio)
		fprintf(out, "  %s / this", reference);
	fputc('\n', out);
	for (size_t i = 0; i < json_array_size(servers); i++)
		print_server(json_array_get(servers, i), columns, with_ratio, out);
	fputc('\n', out);
}

/* In words; %s is the reference. */
static const struct {
	const char *figure, *words;
} figures[] = {
	{"run_time", "run time: %s / this"},
	{"latency_p50", "latency p50: this / %s"},
	{"latency_p99", "latency p99: this / %s"},
	{"allocations", "allocations/s: this / %s"},
	{"memory", "bytes per allocation"},
	{"memory_idle", "resident, idle"},
	{"memory_held", "resident, all held"},
	{"system_calls", "system calls per packet"},
	{"memory_connection", "bytes per idle connection"},
	{"victim_loss", "packets the victim lost"},
	{"victim_p99", "victim's p99: during / before"},
};

static void print_figure(const json_t *bar, FILE *out)
{
	const char *figure = or_dash(text_at(bar, "figure")), *reference = or_dash(text_at(bar, "reference"));
	const char *words = figure, *at = NULL;
	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		if (strcmp(figures[i].figure, figure) == 0)
			words = figures[i].words;
	char text[128];
	at = strstr(words, "%s");
	if (at != NULL)
		snprintf(text, sizeof text, "%.*s%s%s%s", (int)(at - words), words, reference, at + 2,
			true_at(bar, "best_quartile") ? " *" : "");
	else
		snprintf(text, sizeof text, "%s", words);
	fprintf(out, "%-37s", text);
}

static struct text amount(const json_t *bar, const char *key)
{
	const char *figure = or_dash(text_at(bar, "figure"));
	double value = number_at(bar, key);
	if (!isfinite(value))
		return (struct text){"-"};
	if (strcmp(figure, "memory_idle") == 0 || strcmp(figure, "memory_held") == 0)
		return text_bytes(value);
	bool counts =
		strcmp(figure, "memory") == 0 || strcmp(figure, "memory_connection") == 0 || strcmp(figure, "victim_loss") == 0;
	return counts ? whole(value) : small(value);
}

static const char *verdict(const json_t *bar)
{
	const json_t *met = json_object_get(bar, "met");
	if (!json_is_boolean(met))
		return "not measured";
	return json_is_true(met) ? "met" : "MISSED";
}

static double median_of(const json_t *servers, const char *name, const char *figure)
{
	for (size_t i = 0; name != NULL && i < json_array_size(servers); i++) {
		const json_t *server = json_array_get(servers, i);
		if (strcmp(or_dash(text_at(server, "name")), name) == 0)
			return number_in(server, "median", figure);
	}
	return NAN;
}

/* A ratio of latencies says little without them: 2 us more is nothing, or twice as much. */
static void print_latencies(const json_t *servers, const json_t *bar, FILE *out)
{
	char figure[32];
	snprintf(figure, sizeof figure, "%s_us", or_dash(text_at(bar, "figure")));
	double ours = median_of(servers, text_at(bar, "server"), figure);
	double theirs = median_of(servers, text_at(bar, "reference"), figure);
	if (isfinite(ours) && isfinite(theirs))
		fprintf(out, " (%s / %s)", text_us(ours).text, text_us(theirs).text);
}

static void print_bar(const json_t *comparison, const json_t *bar, FILE *out)
{
	const char *workload = or_dash(text_at(json_object_get(comparison, "workload"), "name"));
	fprintf(out, "  %-20s %-16s", workload, or_dash(text_at(bar, "server")));
	print_figure(bar, out);
	fprintf(out, "%10s  %s %-9s %s", amount(bar, "value").text,
		true_at(bar, "at_least") ? ">=" : "<=", amount(bar, "bound").text, verdict(bar));
	print_latencies(json_object_get(comparison, "servers"), bar, out);
	fputc('\n', out);
}

enum verdict_kind { MET, MISSED, NOT_MEASURED, VERDICTS };

static void count_bars(const json_t *comparisons, unsigned counts[static VERDICTS])
{
	for (size_t i = 0; i < json_array_size(comparisons); i++) {
		const json_t *bars = json_object_get(json_array_get(comparisons, i), "bars");
		for (size_t j = 0; j < json_array_size(bars); j++) {
			const json_t *met = json_object_get(json_array_get(bars, j), "met");
			counts[json_is_true(met) ? MET : json_is_false(met) ? MISSED : NOT_MEASURED]++;
		}
	}
}

static void print_bars(const json_t *comparisons, FILE *out)
{
	unsigned counts[VERDICTS] = {0};
	count_bars(comparisons, counts);
	if (counts[MET] + counts[MISSED] + counts[NOT_MEASURED] == 0)
		return;
	fprintf(out, "bars\n");
	for (size_t i = 0; i < json_array_size(comparisons); i++) {
		const json_t *comparison = json_array_get(comparisons, i), *bars = json_object_get(comparison, "bars");
		for (size_t j = 0; j < json_array_size(bars); j++)
			print_bar(comparison, json_array_get(bars, j), out);
	}
	fprintf(out, "  %u met, %u missed, %u not measured\n", counts[MET], counts[MISSED], counts[NOT_MEASURED]);
}

void compare_print(const json_t *comparisons, FILE *out)
{
	for (size_t i = 0; i < json_array_size(comparisons); i++)
		print_comparison(json_array_get(comparisons, i), out);
	print_bars(comparisons, out);
	fputs("\nMedians of the rounds; [lowest-highest] of the rounds' ratios. ns/packet: run time of the server's threads. busy: "
	      "cores.\n"
	      "L: rounds in which the loader's cores were the limit. *: the reference counts with its better quartile.\n",
		out);
}

unsigned compare_bars_missed(const json_t *comparisons)
{
	unsigned counts[VERDICTS] = {0};
	count_bars(comparisons, counts);
	return counts[MISSED];
}
