/*
 * bars - holds measured figures against the bars of a workload.
 */
#ifndef UTURN_BENCH_COMPARE_BARS_H
#define UTURN_BENCH_COMPARE_BARS_H

#include "compare/figures.h"
#include "compare/workload.h"

struct bar_verdict {
	double value;  /* NAN: not measured */
	bool at_least; /* the value must be at least the bound; otherwise at most */
	bool met;
};

/* As bench/FORMAT.md calls it. */
const char *bar_figure_name(enum bar_figure figure);

/*
 * `server` and `reference` are the series of the bar's servers; NULL where a server was not measured. A ratio is the median of the
 * rounds' ratios; with best_quartile it is the quotient of the reference's better quartile and the server's median.
 */
struct bar_verdict bar_judge(const struct bar *bar, const struct series *server, const struct series *reference);

#endif
