/* A comparison as JSON: bench/FORMAT.md. */
#include <math.h>

#include "compare/bars.h"
#include "compare/contest.h"

static json_t *number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

/* Which figures each kind of workload has. */
static bool has_figure(enum workload_kind kind, enum figure figure)
{
	switch (figure) {
	case FIGURE_RUN_TIME:
	case FIGURE_DELIVERED:
	case FIGURE_LOSS:
	case FIGURE_LATENCY_P50:
	case FIGURE_LATENCY_P99:
	case FIGURE_SYSTEM_CALLS:
		return kind == WORKLOAD_FLOOD || kind == WORKLOAD_REPLAY;
	case FIGURE_BUSY:
	case FIGURE_MEMORY_HELD:
		return kind != WORKLOAD_ATTACK;
	case FIGURE_ALLOCATIONS:
	case FIGURE_MEMORY:
	case FIGURE_MEMORY_IDLE:
		return kind == WORKLOAD_ALLOCATE;
	case FIGURE_VICTIM_LOST:
	case FIGURE_VICTIM_P99:
		return kind == WORKLOAD_ATTACK;
	case FIGURES:
		break;
	}
	return false;
}

static json_t *medians(const struct contest *c, const struct series *series)
{
	json_t *object = json_object();
	for (int figure = 0; figure < FIGURES; figure++)
		if (has_figure(c->workload->kind, figure))
			json_object_set_new(object, figure_name(figure), number(series_median(series, figure)));
	return object;
}

static json_t *spread_object(struct spread spread)
{
	return json_pack(
		"{s:o, s:o, s:o}", "median", number(spread.median), "low", number(spread.low), "high", number(spread.high));
}

static json_t *ratios(const struct contest *c, const struct series *series)
{
	const struct series *reference = &c->contenders[c->reference].series;
	json_t *object = json_object();
	if (has_figure(c->workload->kind, FIGURE_RUN_TIME)) {
		json_object_set_new(object, "run_time", spread_object(series_ratio(reference, series, FIGURE_RUN_TIME)));
		json_object_set_new(object, "latency_p50", spread_object(series_ratio(series, reference, FIGURE_LATENCY_P50)));
		json_object_set_new(object, "latency_p99", spread_object(series_ratio(series, reference, FIGURE_LATENCY_P99)));
	}
	if (has_figure(c->workload->kind, FIGURE_ALLOCATIONS))
		json_object_set_new(object, "allocations", spread_object(series_ratio(series, reference, FIGURE_ALLOCATIONS)));
	return object;
}

static json_t *servers(const struct contest *c)
{
	json_t *array = json_array();
	for (size_t i = 0; i < c->plan->server_count; i++) {
		const struct contender *s = &c->contenders[i];
		if (!s->takes_part)
			continue;
		json_array_append_new(array, json_pack("{s:s, s:s, s:O, s:o, s:o, s:i}", "name", s->spec->name, "version",
						     s->version, "results", s->results, "median", medians(c, &s->series), "ratio",
						     i == c->reference ? json_null() : ratios(c, &s->series), "loader_bound_rounds",
						     (int)s->series.loader_bound_rounds));
	}
	return array;
}

static const struct contender *find(const struct contest *c, const char *name)
{
	for (size_t i = 0; name != NULL && i < c->plan->server_count; i++)
		if (strcmp(c->contenders[i].spec->name, name) == 0)
			return &c->contenders[i];
	return NULL;
}

static const struct series *series_of(const struct contender *contender)
{
	return contender != NULL && contender->takes_part ? &contender->series : NULL;
}

/*
 * The bars of every server that was asked for. One whose reference was not measured stands there without a value: it must not look
 * met because nobody looked.
 */
static json_t *bars(const struct contest *c)
{
	json_t *array = json_array();
	for (const struct bar *bar = c->workload->bars; bar < c->workload->bars + WORKLOAD_BARS_MAX && bar->server != NULL; bar++) {
		const struct contender *server = find(c, bar->server), *reference = find(c, bar->reference);
		if (server == NULL)
			continue;
		struct bar_verdict verdict = bar_judge(bar, series_of(server), series_of(reference));
		bool known = isfinite(verdict.value);
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s?, s:b, s:o, s:f, s:b, s:o}", "figure", bar_figure_name(bar->figure),
				       "server", bar->server, "reference", bar->reference, "best_quartile", (int)bar->best_quartile,
				       "value", number(verdict.value), "bound", bar->bound, "at_least", (int)verdict.at_least,
				       "met", known ? json_boolean(verdict.met) : json_null()));
	}
	return array;
}

/* As the RESULTs describe it, with the title in front of them. */
static json_t *workload(const struct contest *c)
{
	json_t *object = json_pack("{s:s, s:s}", "name", c->workload->name, "title", c->workload->title);
	for (size_t i = 0; i < c->plan->server_count; i++) {
		json_t *first = json_array_get(c->contenders[i].results, 0);
		if (first == NULL)
			continue;
		json_object_update_missing(object, json_object_get(first, "workload"));
		return object;
	}
	json_decref(object);
	return NULL;
}

static json_t *calibration(const struct contest *c)
{
	const struct calibration *made = &c->calibration;
	if (!made->made)
		return json_null();
	json_t *object = json_pack("{s:s, s:f, s:b}", "server", c->contenders[c->reference].spec->name, "busy", made->busy,
		"loader_bound", (int)made->loader_bound);
	if (made->calls > 0)
		json_object_set_new(object, "calls", json_integer(made->calls));
	else
		json_object_set_new(object, "rate_per_s", json_real(made->rate_per_s));
	return object;
}

json_t *contest_document(const struct contest *c)
{
	json_t *described = workload(c);
	if (described == NULL)
		return NULL;
	return json_pack("{s:o, s:i, s:f, s:s, s:b, s:b, s:o, s:o, s:o}", "workload", described, "rounds", (int)contest_rounds(c),
		"seconds", contest_seconds(c), "reference", c->contenders[c->reference].spec->name, "netns",
		(int)(c->plan->place.netns_path != NULL), "interrupted", (int)load_interrupted(), "calibration", calibration(c),
		"servers", servers(c), "bars", bars(c));
}
