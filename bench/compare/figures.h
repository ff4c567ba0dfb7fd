/*
 * figures - the numbers of one run that servers are compared by, and of all runs of a server.
 */
#ifndef UTURN_BENCH_COMPARE_FIGURES_H
#define UTURN_BENCH_COMPARE_FIGURES_H

#include "compare/statistics.h"
#include "load/load.h"
#include "trials/allocate.h"
#include "trials/attack.h"
#include "trials/connect.h"
#include "trials/handshakes.h"

enum figure {
	FIGURE_RUN_TIME, /* ns of the server's threads per delivered packet */
	FIGURE_DELIVERED,
	FIGURE_LOSS,
	FIGURE_LATENCY_P50, /* us; both directions together */
	FIGURE_LATENCY_P99,
	FIGURE_SYSTEM_CALLS, /* per delivered packet */
	FIGURE_BUSY,         /* cores that the server's threads kept busy */
	FIGURE_MEMORY_HELD,  /* resident bytes with all allocations made */
	FIGURE_ALLOCATIONS,  /* per second */
	FIGURE_MEMORY,       /* resident bytes per allocation */
	FIGURE_MEMORY_IDLE,
	FIGURE_CONNECTIONS, /* per second */
	FIGURE_CONNECTION,  /* resident bytes per idle connection */
	FIGURE_HANDSHAKES,  /* full ones that a core could make in a second, as the server's run time tells */
	FIGURE_RESUMED,     /* the same of resumed ones */
	FIGURE_VICTIM_LOST, /* packets, all attacks together */
	FIGURE_VICTIM_P99,  /* the worst attack's p99 / the one before it */
	FIGURES
};

/* As bench/FORMAT.md calls it. */
const char *figure_name(enum figure figure);

/* What a run did not measure is NAN. */
void figures_of_load(const struct load_result *result, double ret_figures[static FIGURES]);
void figures_of_allocate(const struct allocate_result *result, double ret_figures[static FIGURES]);
void figures_of_attack(const struct attack_result *result, double ret_figures[static FIGURES]);
void figures_of_connect(const struct connect_result *result, double ret_figures[static FIGURES]);
void figures_of_handshakes(const struct handshakes_result *result, double ret_figures[static FIGURES]);

/* A server's runs of one workload, in order. Zeroed is empty. */
struct series {
	unsigned rounds; /* at most STATISTICS_VALUES_MAX */
	unsigned loader_bound_rounds;
	double values[FIGURES][STATISTICS_VALUES_MAX];
};

void series_add(struct series *series, const double figures[static FIGURES], bool loader_bound);
double series_median(const struct series *series, enum figure figure);

/* over / under of the rounds that both have. */
struct spread series_ratio(const struct series *over, const struct series *under, enum figure figure);

#endif
