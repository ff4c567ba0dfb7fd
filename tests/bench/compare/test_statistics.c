#include "compare/statistics.h"

#include <criterion/criterion.h>
#include <math.h>

#define COUNT(values) (sizeof(values) / sizeof *(values))

Test(statistics, median_of_odd_and_even_counts)
{
	double odd[] = {5, 1, 3}, even[] = {4, 1, 3, 2}, one[] = {7};
	cr_expect_eq(statistics_median(odd, COUNT(odd)), 3);
	cr_expect_eq(statistics_median(even, COUNT(even)), 2.5);
	cr_expect_eq(statistics_median(one, 1), 7);
	cr_expect_eq(odd[0], 5, "the values keep their order");
}

Test(statistics, what_could_not_be_had_is_left_out)
{
	double some[] = {NAN, 2, NAN, 4}, none[] = {NAN, NAN};
	cr_expect_eq(statistics_median(some, COUNT(some)), 3);
	cr_expect(isnan(statistics_median(none, COUNT(none))));
	cr_expect(isnan(statistics_median(none, 0)));
}

Test(statistics, quantiles_lie_between_neighbours)
{
	double values[] = {50, 10, 40, 20, 30};
	cr_expect_eq(statistics_quantile(values, COUNT(values), 0), 10);
	cr_expect_eq(statistics_quantile(values, COUNT(values), 0.25), 20);
	cr_expect_eq(statistics_quantile(values, COUNT(values), 0.75), 40);
	cr_expect_eq(statistics_quantile(values, COUNT(values), 0.875), 45);
	cr_expect_eq(statistics_quantile(values, COUNT(values), 1), 50);
}

/* The median of the ratios, which is not the ratio of the medians. */
Test(statistics, ratios_are_those_of_each_round)
{
	double over[] = {10, 40, 90}, under[] = {10, 20, 30};
	struct spread spread = statistics_ratio(over, under, COUNT(over));
	cr_expect_eq(spread.median, 2);
	cr_expect_eq(spread.low, 1);
	cr_expect_eq(spread.high, 3);
	double crossed[] = {30, 10, 20}, ours[] = {10, 20, 5};
	cr_expect_eq(statistics_ratio(crossed, ours, 3).median, 3);
	cr_expect_eq(statistics_median(crossed, 3) / statistics_median(ours, 3), 2);
}

Test(statistics, rounds_without_a_pair_are_left_out_of_ratios)
{
	double over[] = {10, NAN, 90, 5}, under[] = {10, 20, 30, 0};
	struct spread spread = statistics_ratio(over, under, COUNT(over));
	cr_expect_eq(spread.median, 2);
	cr_expect_eq(spread.low, 1);
	cr_expect_eq(spread.high, 3);
	cr_expect(isnan(statistics_ratio(over, under, 0).median));
}
