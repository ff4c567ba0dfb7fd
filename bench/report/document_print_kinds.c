#include <math.h>
#include <string.h>

#include "document_text.h"

void print_allocate(const json_t *result, FILE *out)
{
	if (true_at(result, "loader_bound"))
		fputs("  LOADER-BOUND: the loader's own core was full. This is the loader's limit, not the server's.\n", out);
	fprintf(out, "  rate       %s allocations/s; %s held\n", text_count(number_at(result, "allocations_per_s")).text,
		text_count(number_at(result, "held")).text);
	if (!isfinite(number_at(result, "run_ns_per_allocation"))) {
		fputs("  run time   not known, nor memory: the server's process was not given\n", out);
		return;
	}
	fprintf(out, "  run time   %s per allocation (schedstat of the server's threads), %s busy\n",
		text_ns(number_at(result, "run_ns_per_allocation")).text, text_percent(number_at(result, "busy")).text);
	fprintf(out, "  memory     %s per allocation; %s resident before, %s with all held, %s after they ended\n",
		text_bytes(number_at(result, "rss_bytes_per_allocation")).text,
		text_bytes(number_at(result, "rss_idle_bytes")).text, text_bytes(number_at(result, "rss_held_bytes")).text,
		text_bytes(number_at(result, "rss_after_bytes")).text);
}

static void print_victim(const char *name, const json_t *load, FILE *out)
{
	const json_t *packets = json_object_get(load, "packets");
	fprintf(out, "    %-8s %12s %10s %10s %12s %12s %12s%s%s\n", name, text_count(number_at(packets, "sent")).text,
		text_count(number_at(packets, "lost")).text, text_percent(number_at(load, "loss")).text,
		text_us(number_in(load, "latency", "p50_us")).text, text_us(number_in(load, "latency", "p99_us")).text,
		text_us(number_in(load, "latency", "max_us")).text, true_at(load, "loader_bound") ? "  LOADER-BOUND" : "",
		true_at(load, "interrupted") ? "  INTERRUPTED" : "");
}

void print_victims(const json_t *harmed, FILE *out)
{
	fprintf(out, "    %-8s %12s %10s %10s %12s %12s %12s\n", "victim", "sent", "lost", "loss", "p50", "p99", "max");
	print_victim("before", json_object_get(harmed, "before"), out);
	print_victim("during", json_object_get(harmed, "during"), out);
	fprintf(out, "    the victim lost %s packets; its p99 ", text_count(number_at(harmed, "lost")).text);
	if (isfinite(number_at(harmed, "p99_ratio")))
		fprintf(out, "is %s times what it was\n", text_factor(number_at(harmed, "p99_ratio")).text);
	else
		fputs("was not measured\n", out);
}

void print_attack(const json_t *result, FILE *out)
{
	static const struct {
		const char *name, *what;
	} kinds[] = {
		{"unauthenticated", "Allocate requests without credentials"},
		{"unpermitted", "packets from peers without a permission"},
		{"client", "one allowed client that sends as fast as it can"},
	};
	const json_t *attacks = json_object_get(result, "attacks");
	for (size_t i = 0; i < json_array_size(attacks); i++) {
		const json_t *attack = json_array_get(attacks, i);
		const char *name = text_at(attack, "name"), *what = NULL;
		for (size_t kind = 0; name != NULL && kind < sizeof kinds / sizeof kinds[0]; kind++)
			if (strcmp(kinds[kind].name, name) == 0)
				what = kinds[kind].what;
		fprintf(out, "  %s%s%s: %s packets\n", name != NULL ? name : "-", what != NULL ? ", " : "",
			what != NULL ? what : "", text_count(number_at(attack, "attack_packets")).text);
		print_victims(attack, out);
	}
}

static void print_step(const json_t *step, FILE *out)
{
	const char *outcome = true_at(step, "passed") ? "good" : "too much";
	if (true_at(step, "loader_bound"))
		outcome = "LOADER-BOUND";
	fprintf(out, "  %10s %12s %12s %10s %12s %12s %8s  %s\n", text_count(number_at(step, "load")).text,
		text_count(number_at(step, "offered_per_s")).text, text_count(number_at(step, "delivered_per_s")).text,
		text_percent(number_at(step, "loss")).text, text_us(number_at(step, "latency_p50_us")).text,
		text_us(number_at(step, "latency_p99_us")).text, text_percent(number_at(step, "busy")).text, outcome);
}

void print_find_max(const json_t *result, FILE *out)
{
	const json_t *steps = json_object_get(result, "steps");
	const char *unit = text_at(result, "unit");
	if (unit == NULL)
		unit = "-";
	fprintf(out, "  %10s %12s %12s %10s %12s %12s %8s\n", unit, "offered/s", "delivered/s", "loss", "p50", "p99", "busy");
	bool loader_bound = false;
	for (size_t i = 0; i < json_array_size(steps); i++) {
		print_step(json_array_get(steps, i), out);
		loader_bound = loader_bound || true_at(json_array_get(steps, i), "loader_bound");
	}
	if (true_at(result, "interrupted"))
		fputs("  INTERRUPTED: the search had not ended.\n", out);
	if (loader_bound)
		fputs("  LOADER-BOUND: the loader's own cores were full before the server's limit was reached.\n", out);
	fprintf(out, "  found      %s%s %s at no more than %s loss and a p99 of %s\n",
		true_at(result, "at_least") ? "at least " : "", text_count(number_at(result, "found")).text, unit,
		text_percent(number_at(result, "loss_max")).text, text_us(number_at(result, "latency_p99_max_us")).text);
}
