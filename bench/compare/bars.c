#include "compare/bars.h"

#include <math.h>

/* What a bar's value is made of. */
enum shape {
	SHAPE_REFERENCE_OVER_SERVER,
	SHAPE_SERVER_OVER_REFERENCE,
	SHAPE_MEDIAN,
	SHAPE_SUM,
};

static const struct {
	const char *name;
	enum figure figure;
	enum shape shape;
	bool at_least;
	bool small_is_good; /* the reference's better quartile is the lower one */
} rules[] = {
	[BAR_RUN_TIME] = {"run_time", FIGURE_RUN_TIME, SHAPE_REFERENCE_OVER_SERVER, true, true},
	[BAR_LATENCY_P50] = {"latency_p50", FIGURE_LATENCY_P50, SHAPE_SERVER_OVER_REFERENCE, false, true},
	[BAR_LATENCY_P99] = {"latency_p99", FIGURE_LATENCY_P99, SHAPE_SERVER_OVER_REFERENCE, false, true},
	[BAR_ALLOCATIONS] = {"allocations", FIGURE_ALLOCATIONS, SHAPE_SERVER_OVER_REFERENCE, true, false},
	[BAR_MEMORY] = {"memory", FIGURE_MEMORY, SHAPE_MEDIAN, false, true},
	[BAR_MEMORY_IDLE] = {"memory_idle", FIGURE_MEMORY_IDLE, SHAPE_MEDIAN, false, true},
	[BAR_MEMORY_HELD] = {"memory_held", FIGURE_MEMORY_HELD, SHAPE_MEDIAN, false, true},
	[BAR_SYSTEM_CALLS] = {"system_calls", FIGURE_SYSTEM_CALLS, SHAPE_MEDIAN, false, true},
	[BAR_CONNECTION] = {"memory_connection", FIGURE_CONNECTION, SHAPE_MEDIAN, false, true},
	[BAR_VICTIM_LOSS] = {"victim_loss", FIGURE_VICTIM_LOST, SHAPE_SUM, false, true},
	[BAR_VICTIM_P99] = {"victim_p99", FIGURE_VICTIM_P99, SHAPE_MEDIAN, false, true},
};

const char *bar_figure_name(enum bar_figure figure)
{
	return rules[figure].name;
}

static double sum(const struct series *series, enum figure figure)
{
	double total = series->rounds > 0 ? 0 : NAN;
	for (unsigned i = 0; i < series->rounds; i++)
		total += series->values[figure][i];
	return total;
}

static double quotient(double over, double under)
{
	return under > 0 ? over / under : NAN;
}

static double ratio(const struct bar *bar, const struct series *server, const struct series *reference)
{
	enum figure figure = rules[bar->figure].figure;
	bool server_over = rules[bar->figure].shape == SHAPE_SERVER_OVER_REFERENCE;
	if (!bar->best_quartile)
		return server_over ? series_ratio(server, reference, figure).median
				   : series_ratio(reference, server, figure).median;
	double best =
		statistics_quantile(reference->values[figure], reference->rounds, rules[bar->figure].small_is_good ? 0.25 : 0.75);
	double ours = series_median(server, figure);
	return server_over ? quotient(ours, best) : quotient(best, ours);
}

static double value_of(const struct bar *bar, const struct series *server, const struct series *reference)
{
	if (server == NULL || server->rounds == 0)
		return NAN;
	switch (rules[bar->figure].shape) {
	case SHAPE_MEDIAN:
		return series_median(server, rules[bar->figure].figure);
	case SHAPE_SUM:
		return sum(server, rules[bar->figure].figure);
	default:
		return reference == NULL ? NAN : ratio(bar, server, reference);
	}
}

struct bar_verdict bar_judge(const struct bar *bar, const struct series *server, const struct series *reference)
{
	struct bar_verdict verdict = {
		.value = value_of(bar, server, reference),
		.at_least = rules[bar->figure].at_least,
	};
	verdict.met = verdict.at_least ? verdict.value >= bar->bound : verdict.value <= bar->bound;
	return verdict;
}
