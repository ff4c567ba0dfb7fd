/*
 * compare_rig - servers' series as they would be measured, for tests of what is made of them.
 */
#ifndef UTURN_TESTS_BENCH_COMPARE_COMPARE_RIG_H
#define UTURN_TESTS_BENCH_COMPARE_COMPARE_RIG_H

#include "compare/figures.h"

/* One figure's values, one a round; all others are NAN. */
struct series series_of(enum figure figure, const double *values, unsigned count);

#define SERIES(figure, ...) series_of(figure, (double[]){__VA_ARGS__}, sizeof(double[]){__VA_ARGS__} / sizeof(double))

#endif
