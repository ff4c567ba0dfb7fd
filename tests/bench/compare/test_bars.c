#include "compare/bars.h"

#include <criterion/criterion.h>
#include <math.h>

#include "compare_rig.h"

Test(bars, run_time_is_the_references_over_ours)
{
	struct bar bar = {BAR_RUN_TIME, "ours", "theirs", 2, false};
	struct series ours = SERIES(FIGURE_RUN_TIME, 1000, 1000, 1000), theirs = SERIES(FIGURE_RUN_TIME, 2100, 1900, 2000);
	struct bar_verdict verdict = bar_judge(&bar, &ours, &theirs);
	cr_expect_eq(verdict.value, 2);
	cr_expect(verdict.at_least);
	cr_expect(verdict.met);
	bar.bound = 2.01;
	cr_expect_not(bar_judge(&bar, &ours, &theirs).met);
}

Test(bars, the_best_quartile_of_the_reference_counts_where_it_is_asked_for)
{
	struct bar bar = {BAR_RUN_TIME, "ours", "theirs", 2, true};
	struct series ours = SERIES(FIGURE_RUN_TIME, 900, 1000, 1100, 1000, 1000);
	struct series theirs = SERIES(FIGURE_RUN_TIME, 2400, 1200, 2400, 2400, 1500);
	cr_expect_eq(bar_judge(&bar, &ours, &theirs).value, 1.5);
	bar.best_quartile = false;
	cr_expect_gt(bar_judge(&bar, &ours, &theirs).value, 2);

	struct bar allocations = {BAR_ALLOCATIONS, "ours", "theirs", 2, true};
	struct series fast = SERIES(FIGURE_ALLOCATIONS, 30, 30, 30, 30, 30), slow = SERIES(FIGURE_ALLOCATIONS, 5, 10, 10, 20, 40);
	cr_expect_eq(bar_judge(&allocations, &fast, &slow).value, 1.5, "the better quartile of a rate is the upper one");
}

Test(bars, latency_is_ours_over_the_references)
{
	struct bar bar = {BAR_LATENCY_P99, "ours", "theirs", 1.1, false};
	struct series ours = SERIES(FIGURE_LATENCY_P99, 110, 90), theirs = SERIES(FIGURE_LATENCY_P99, 100, 100);
	struct bar_verdict verdict = bar_judge(&bar, &ours, &theirs);
	cr_expect_float_eq(verdict.value, 1, 1e-9);
	cr_expect_not(verdict.at_least);
	cr_expect(verdict.met);
	struct series slow = SERIES(FIGURE_LATENCY_P99, 150, 130);
	cr_expect_not(bar_judge(&bar, &slow, &theirs).met);
}

Test(bars, a_figure_without_reference_is_its_median)
{
	struct bar bar = {BAR_MEMORY, "ours", NULL, 2048, false};
	struct series ours = SERIES(FIGURE_MEMORY, 2000, 2048, 3000);
	cr_expect_eq(bar_judge(&bar, &ours, NULL).value, 2048);
	cr_expect(bar_judge(&bar, &ours, NULL).met);
}

/* A single lost packet in one of the rounds is one too many. */
Test(bars, the_victims_losses_of_all_rounds_count)
{
	struct bar bar = {BAR_VICTIM_LOSS, "ours", NULL, 0, false};
	struct series clean = SERIES(FIGURE_VICTIM_LOST, 0, 0, 0), once = SERIES(FIGURE_VICTIM_LOST, 0, 1, 0);
	cr_expect(bar_judge(&bar, &clean, NULL).met);
	cr_expect_eq(bar_judge(&bar, &once, NULL).value, 1);
	cr_expect_not(bar_judge(&bar, &once, NULL).met);
}

Test(bars, what_was_not_measured_is_not_met)
{
	struct bar bar = {BAR_RUN_TIME, "ours", "theirs", 0, false}, at_most = {BAR_VICTIM_LOSS, "ours", NULL, 10, false};
	struct series some = SERIES(FIGURE_RUN_TIME, 1), empty = {0}, unknown = SERIES(FIGURE_RUN_TIME, NAN);
	const struct series *pairs[][2] = {{NULL, &some}, {&some, NULL}, {&empty, &some}, {&some, &empty}, {&unknown, &some}};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct bar_verdict verdict = bar_judge(&bar, pairs[i][0], pairs[i][1]);
		cr_expect(isnan(verdict.value), "pair %zu", i);
		cr_expect_not(verdict.met, "pair %zu", i);
	}
	cr_expect_not(bar_judge(&at_most, &empty, NULL).met);
	cr_expect_not(bar_judge(&at_most, &unknown, NULL).met);
}

/* An interrupted run: the reference has had its turn, the server has not. */
Test(bars, a_round_that_only_one_has_is_left_out)
{
	struct bar bar = {BAR_RUN_TIME, "ours", "theirs", 2, false};
	struct series ours = SERIES(FIGURE_RUN_TIME, 10), theirs = SERIES(FIGURE_RUN_TIME, 20, 1000);
	cr_expect_eq(bar_judge(&bar, &ours, &theirs).value, 2);
}

Test(bars, memory_of_a_connection_is_its_median)
{
	struct bar bar = {BAR_CONNECTION, "ours", NULL, 2048, false};
	struct series ours = SERIES(FIGURE_CONNECTION, 2000, 2048, 3000);
	struct bar_verdict verdict = bar_judge(&bar, &ours, NULL);
	cr_expect_eq(verdict.value, 2048);
	cr_expect(verdict.met && !verdict.at_least);
	cr_expect_str_eq(bar_figure_name(BAR_CONNECTION), "memory_connection");
}
