#include "compare/figures.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

static struct load_result *result_of(double seconds, uint64_t sent, uint64_t delivered)
{
	struct load_result *result = calloc(1, sizeof *result);
	cr_assert_not_null(result);
	tally_reset(&result->up);
	tally_reset(&result->down);
	result->seconds = seconds;
	tally_count(&result->up.sent, sent);
	tally_count(&result->up.delivered, delivered);
	return result;
}

Test(figures, of_a_load)
{
	struct load_result *result = result_of(2, 1000, 900);
	double figures[FIGURES];
	tally_count(&result->down.sent, 1000);
	tally_count(&result->down.delivered, 1000);
	for (int i = 0; i < 99; i++)
		histogram_record(&result->up.latency, 1000);
	histogram_record(&result->down.latency, 1000000);
	result->server_known = true;
	result->server.run_ns = 1900000;
	result->rss_held_bytes = 4096;
	figures_of_load(result, figures);
	cr_expect_eq(figures[FIGURE_RUN_TIME], 1000);
	cr_expect_eq(figures[FIGURE_DELIVERED], 950);
	cr_expect_eq(figures[FIGURE_LOSS], 0.05);
	cr_expect_float_eq(figures[FIGURE_BUSY], 0.00095, 1e-9);
	cr_expect_eq(figures[FIGURE_MEMORY_HELD], 4096);
	cr_expect_float_eq(figures[FIGURE_LATENCY_P50], 1, 0.02);
	cr_expect_float_eq(figures[FIGURE_LATENCY_P99], 1, 0.02, "99 of 100 are no longer, both directions together");
	cr_expect(isnan(figures[FIGURE_SYSTEM_CALLS]));
	cr_expect(isnan(figures[FIGURE_ALLOCATIONS]));
	free(result);
}

Test(figures, nothing_arrived)
{
	struct load_result *result = result_of(1, 0, 0);
	double figures[FIGURES];
	result->server_known = true;
	figures_of_load(result, figures);
	cr_expect(isnan(figures[FIGURE_RUN_TIME]));
	cr_expect(isnan(figures[FIGURE_LOSS]));
	cr_expect(isnan(figures[FIGURE_LATENCY_P99]));
	free(result);
}

Test(figures, of_an_attack)
{
	struct attack_result result = {0};
	double figures[FIGURES];
	figures_of_attack(&result, figures);
	cr_expect(isnan(figures[FIGURE_VICTIM_LOST]), "nothing ran");
	struct load_result *first = result_of(1, 100, 98), *second = result_of(1, 100, 100);
	result.kinds[ATTACK_UNPERMITTED].ran = result.kinds[ATTACK_CLIENT].ran = true;
	result.kinds[ATTACK_UNPERMITTED].during = first;
	result.kinds[ATTACK_UNPERMITTED].p99_ratio = 1.2;
	result.kinds[ATTACK_CLIENT].during = second;
	result.kinds[ATTACK_CLIENT].p99_ratio = 1.7;
	figures_of_attack(&result, figures);
	cr_expect_eq(figures[FIGURE_VICTIM_LOST], 2);
	cr_expect_eq(figures[FIGURE_VICTIM_P99], 1.7);
	result.kinds[ATTACK_UNPERMITTED].p99_ratio = 0; /* nothing arrived before */
	figures_of_attack(&result, figures);
	cr_expect(isnan(figures[FIGURE_VICTIM_P99]), "one that is not known hides behind no other");
	free(first);
	free(second);
}

Test(figures, of_idle_connections)
{
	struct connect_result result = {
		.connections_per_s = 5000, .rss_held_bytes = 90, .rss_idle_bytes = 10, .rss_bytes_per_connection = 8};
	double figures[FIGURES];
	figures_of_connect(&result, figures);
	cr_expect_eq(figures[FIGURE_CONNECTIONS], 5000);
	cr_expect(isnan(figures[FIGURE_CONNECTION]), "the process was not known");
	result.server_known = true;
	figures_of_connect(&result, figures);
	cr_expect_eq(figures[FIGURE_CONNECTION], 8);
	cr_expect_eq(figures[FIGURE_MEMORY_IDLE], 10);
	cr_expect_eq(figures[FIGURE_MEMORY_HELD], 90);
	cr_expect(isnan(figures[FIGURE_ALLOCATIONS]));
}

Test(figures, of_handshakes)
{
	struct handshakes_result result = {
		.server_known = true,
		.full = {.done = 10, .per_core_s = 2000},
		.resumed = {.done = 10, .resumed = 10, .per_core_s = 5000},
	};
	double figures[FIGURES];
	figures_of_handshakes(&result, figures);
	cr_expect_eq(figures[FIGURE_HANDSHAKES], 2000);
	cr_expect_eq(figures[FIGURE_RESUMED], 5000);
	cr_expect(isnan(figures[FIGURE_VICTIM_LOST]), "there was no call");
	result.resumed.resumed = 9;
	result.during = result_of(1, 100, 97);
	result.p99_ratio = 1.5;
	figures_of_handshakes(&result, figures);
	cr_expect(isnan(figures[FIGURE_RESUMED]), "one of them was a full one");
	cr_expect_eq(figures[FIGURE_VICTIM_LOST], 3);
	cr_expect_eq(figures[FIGURE_VICTIM_P99], 1.5);
	result.server_known = false;
	figures_of_handshakes(&result, figures);
	cr_expect(isnan(figures[FIGURE_HANDSHAKES]));
	free(result.during);
}
