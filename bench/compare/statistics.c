#include "compare/statistics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static int ascending(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

double statistics_quantile(const double *values, size_t count, double fraction)
{
	double sorted[STATISTICS_VALUES_MAX];
	size_t known = 0;
	assert(count <= STATISTICS_VALUES_MAX);
	for (size_t i = 0; i < count; i++)
		if (!isnan(values[i]))
			sorted[known++] = values[i];
	if (known == 0)
		return NAN;
	qsort(sorted, known, sizeof sorted[0], ascending);
	double at = fraction * (double)(known - 1);
	size_t below = (size_t)at;
	if (below + 1 >= known)
		return sorted[known - 1];
	return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

double statistics_median(const double *values, size_t count)
{
	return statistics_quantile(values, count, 0.5);
}

struct spread statistics_ratio(const double *over, const double *under, size_t count)
{
	double ratios[STATISTICS_VALUES_MAX];
	assert(count <= STATISTICS_VALUES_MAX);
	for (size_t i = 0; i < count; i++)
		ratios[i] = under[i] > 0 ? over[i] / under[i] : NAN;
	return (struct spread){
		.median = statistics_median(ratios, count),
		.low = statistics_quantile(ratios, count, 0),
		.high = statistics_quantile(ratios, count, 1),
	};
}
