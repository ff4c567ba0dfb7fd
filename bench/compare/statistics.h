/*
 * statistics - medians, quantiles and ratios over the rounds of a comparison. A value that could not be had is NAN and left out.
 */
#ifndef UTURN_BENCH_COMPARE_STATISTICS_H
#define UTURN_BENCH_COMPARE_STATISTICS_H

#include <stddef.h>

enum { STATISTICS_VALUES_MAX = 100 };

struct spread {
	double median, low, high; /* NAN where there is no value */
};

/*
 * The value below which `fraction` (0 … 1) of all values lie, interpolated between neighbours. NAN when there is none. At most
 * STATISTICS_VALUES_MAX values.
 */
double statistics_quantile(const double *values, size_t count, double fraction);
double statistics_median(const double *values, size_t count);

/* Of over[i] / under[i], one a round; rounds in which one is missing, or `under` is 0, are left out. */
struct spread statistics_ratio(const double *over, const double *under, size_t count);

#endif
