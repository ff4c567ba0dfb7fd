#include "compare/figures.h"

#include <assert.h>
#include <math.h>

static const char *const names[FIGURES] = {
	[FIGURE_RUN_TIME] = "run_ns_per_packet",
	[FIGURE_DELIVERED] = "delivered_per_s",
	[FIGURE_LOSS] = "loss",
	[FIGURE_LATENCY_P50] = "latency_p50_us",
	[FIGURE_LATENCY_P99] = "latency_p99_us",
	[FIGURE_SYSTEM_CALLS] = "system_calls_per_packet",
	[FIGURE_BUSY] = "busy",
	[FIGURE_MEMORY_HELD] = "rss_held_bytes",
	[FIGURE_ALLOCATIONS] = "allocations_per_s",
	[FIGURE_MEMORY] = "rss_bytes_per_allocation",
	[FIGURE_MEMORY_IDLE] = "rss_idle_bytes",
	[FIGURE_CONNECTIONS] = "connections_per_s",
	[FIGURE_CONNECTION] = "rss_bytes_per_connection",
	[FIGURE_HANDSHAKES] = "handshakes_per_core_s",
	[FIGURE_RESUMED] = "resumed_per_core_s",
	[FIGURE_VICTIM_LOST] = "victim_lost",
	[FIGURE_VICTIM_P99] = "victim_p99_ratio",
};

const char *figure_name(enum figure figure)
{
	return names[figure];
}

static void clear(double figures[static FIGURES])
{
	for (int i = 0; i < FIGURES; i++)
		figures[i] = NAN;
}

static void add_latency(const struct load_result *result, double figures[static FIGURES])
{
	struct histogram both;
	histogram_reset(&both);
	histogram_add(&both, &result->up.latency);
	histogram_add(&both, &result->down.latency);
	if (tally_read(&both.count) == 0)
		return;
	figures[FIGURE_LATENCY_P50] = (double)histogram_quantile_ns(&both, 0.5) / 1e3;
	figures[FIGURE_LATENCY_P99] = (double)histogram_quantile_ns(&both, 0.99) / 1e3;
}

void figures_of_load(const struct load_result *result, double ret_figures[static FIGURES])
{
	double sent = (double)(tally_read(&result->up.sent) + tally_read(&result->down.sent));
	double delivered = (double)(tally_read(&result->up.delivered) + tally_read(&result->down.delivered));
	clear(ret_figures);
	if (result->seconds <= 0)
		return;
	ret_figures[FIGURE_DELIVERED] = delivered / result->seconds;
	if (sent > 0)
		ret_figures[FIGURE_LOSS] = (double)(tally_lost(&result->up) + tally_lost(&result->down)) / sent;
	add_latency(result, ret_figures);
	if (result->server_known) {
		if (delivered > 0)
			ret_figures[FIGURE_RUN_TIME] = (double)result->server.run_ns / delivered;
		ret_figures[FIGURE_BUSY] = (double)result->server.run_ns / 1e9 / result->seconds;
		ret_figures[FIGURE_MEMORY_HELD] = (double)result->rss_held_bytes;
	}
	if (result->system_calls_known)
		ret_figures[FIGURE_SYSTEM_CALLS] = result->system_calls_per_packet;
}

void figures_of_allocate(const struct allocate_result *result, double ret_figures[static FIGURES])
{
	clear(ret_figures);
	ret_figures[FIGURE_ALLOCATIONS] = result->allocations_per_s;
	if (!result->server_known)
		return;
	ret_figures[FIGURE_BUSY] = result->server_busy;
	ret_figures[FIGURE_MEMORY_HELD] = (double)result->rss_held_bytes;
	ret_figures[FIGURE_MEMORY_IDLE] = (double)result->rss_idle_bytes;
	ret_figures[FIGURE_MEMORY] = result->rss_bytes_per_allocation;
}

/* One attack of which nothing is known leaves the whole unknown. */
static double worse(double a, double b)
{
	return isnan(a) || isnan(b) ? NAN : a > b ? a : b;
}

void figures_of_attack(const struct attack_result *result, double ret_figures[static FIGURES])
{
	double lost = 0, p99_ratio = 0;
	unsigned attacks = 0;
	clear(ret_figures);
	for (int kind = 0; kind < ATTACK_KINDS; kind++) {
		if (!result->kinds[kind].ran)
			continue;
		const struct load_result *during = result->kinds[kind].during;
		double ratio = result->kinds[kind].p99_ratio;
		lost += (double)(tally_lost(&during->up) + tally_lost(&during->down));
		p99_ratio = worse(p99_ratio, ratio > 0 ? ratio : NAN);
		attacks++;
	}
	if (attacks == 0)
		return;
	ret_figures[FIGURE_VICTIM_LOST] = lost;
	ret_figures[FIGURE_VICTIM_P99] = p99_ratio;
}

void figures_of_connect(const struct connect_result *result, double ret_figures[static FIGURES])
{
	clear(ret_figures);
	ret_figures[FIGURE_CONNECTIONS] = result->connections_per_s;
	if (!result->server_known)
		return;
	ret_figures[FIGURE_BUSY] = result->server_busy;
	ret_figures[FIGURE_MEMORY_HELD] = (double)result->rss_held_bytes;
	ret_figures[FIGURE_MEMORY_IDLE] = (double)result->rss_idle_bytes;
	ret_figures[FIGURE_CONNECTION] = result->rss_bytes_per_connection;
}

/* A server that resumes only some has no figure for resumed ones. */
void figures_of_handshakes(const struct handshakes_result *result, double ret_figures[static FIGURES])
{
	clear(ret_figures);
	if (result->server_known) {
		ret_figures[FIGURE_BUSY] = result->full.server_busy;
		ret_figures[FIGURE_HANDSHAKES] = result->full.per_core_s;
		if (result->resumed.done > 0 && result->resumed.resumed == result->resumed.done)
			ret_figures[FIGURE_RESUMED] = result->resumed.per_core_s;
	}
	if (result->during == NULL)
		return;
	ret_figures[FIGURE_VICTIM_LOST] = (double)(tally_lost(&result->during->up) + tally_lost(&result->during->down));
	if (result->p99_ratio > 0)
		ret_figures[FIGURE_VICTIM_P99] = result->p99_ratio;
}

void series_add(struct series *series, const double figures[static FIGURES], bool loader_bound)
{
	assert(series->rounds < STATISTICS_VALUES_MAX);
	for (int i = 0; i < FIGURES; i++)
		series->values[i][series->rounds] = figures[i];
	series->rounds++;
	series->loader_bound_rounds += loader_bound;
}

double series_median(const struct series *series, enum figure figure)
{
	return statistics_median(series->values[figure], series->rounds);
}

struct spread series_ratio(const struct series *over, const struct series *under, enum figure figure)
{
	unsigned rounds = over->rounds < under->rounds ? over->rounds : under->rounds;
	return statistics_ratio(over->values[figure], under->values[figure], rounds);
}
