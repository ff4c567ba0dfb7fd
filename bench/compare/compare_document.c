/* A comparison as JSON: bench/FORMAT.md. */
#include <math.h>
#include <string.h>

#include "compare/bars.h"
#include "compare/contest.h"
#include "interrupt.h"

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
		return kind != WORKLOAD_ATTACK;
	case FIGURE_MEMORY_HELD:
		return kind != WORKLOAD_ATTACK && kind != WORKLOAD_HANDSHAKES;
	case FIGURE_ALLOCATIONS:
	case FIGURE_MEMORY:
		return kind == WORKLOAD_ALLOCATE;
	case FIGURE_MEMORY_IDLE:
		return kind == WORKLOAD_ALLOCATE || kind == WORKLOAD_CONNECT;
	case FIGURE_CONNECTIONS:
	case FIGURE_CONNECTION:
		return kind == WORKLOAD_CONNECT;
	case FIGURE_HANDSHAKES:
	case FIGURE_RESUMED:
		return kind == WORKLOAD_HANDSHAKES;
	case FIGURE_VICTIM_LOST:
	case FIGURE_VICTIM_P99:
		return kind == WORKLOAD_ATTACK || kind == WORKLOAD_HANDSHAKES;
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
	if (has_figure(c->workload->kind, FIGURE_HANDSHAKES))
		json_object_set_new(object, "handshakes", spread_object(series_ratio(series, reference, FIGURE_HANDSHAKES)));
	return object;
}

/* Why a server has no round, without its name in front; NULL where it has one. */
static const char *unmeasured(const struct contender *s)
{
	const char *why = s->why.text, *name = s->spec->name;
	if (s->series.rounds > 0)
		return NULL;
	if (why[0] == '\0')
		return "the run ended before its first round";
	bool named = strncmp(why, name, strlen(name)) == 0 && strncmp(why + strlen(name), ": ", 2) == 0;
	return named ? why + strlen(name) + 2 : why;
}

/* One that a workload leaves out has no row: no bar asks for it. */
static json_t *servers(const struct contest *c)
{
	json_t *array = json_array();
	for (size_t i = 0; i < c->plan->server_count; i++) {
		const struct contender *s = &c->contenders[i];
		if (!s->takes_part && s->why.text[0] == '\0')
			continue;
		json_t *server = json_pack("{s:s, s:s, s:O, s:o, s:o, s:i}", "name", s->spec->name, "version", s->version,
			"results", s->results, "median", medians(c, &s->series), "ratio",
			i == c->reference ? json_null() : ratios(c, &s->series), "loader_bound_rounds",
			(int)s->series.loader_bound_rounds);
		if (unmeasured(s) != NULL)
			json_object_set_new(server, "why", json_string(unmeasured(s)));
		json_array_append_new(array, server);
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

static json_t *unknown_server(const char *name, const struct contender *contender)
{
	if (contender == NULL)
		return json_sprintf("%s is not in this run", name);
	return unmeasured(contender) != NULL ? json_sprintf("%s: %s", name, unmeasured(contender)) : NULL;
}

/* Why a bar has no value. */
static json_t *unknown_bar(const struct bar *bar, const struct contender *server, const struct contender *reference)
{
	json_t *why = unknown_server(bar->server, server);
	if (why == NULL && bar->reference != NULL)
		why = unknown_server(bar->reference, reference);
	if (why != NULL || bar->figure != BAR_SYSTEM_CALLS)
		return why != NULL ? why : json_string("it was measured in no round");
	const json_t *calls = json_object_get(json_array_get(server->results, 0), "system_calls");
	const char *not_counted = json_string_value(json_object_get(calls, "why"));
	return json_string(not_counted != NULL ? not_counted : "they were not counted");
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
		json_t *made = json_pack("{s:s, s:s, s:s?, s:b, s:o, s:f, s:b, s:o}", "figure", bar_figure_name(bar->figure),
			"server", bar->server, "reference", bar->reference, "best_quartile", (int)bar->best_quartile, "value",
			number(verdict.value), "bound", bar->bound, "at_least", (int)verdict.at_least, "met",
			known ? json_boolean(verdict.met) : json_null());
		if (!known)
			json_object_set_new(made, "why", unknown_bar(bar, server, reference));
		json_array_append_new(array, made);
	}
	return array;
}

bool contest_measured(const struct contest *c)
{
	for (size_t i = 0; i < c->plan->server_count; i++)
		if (json_array_size(c->contenders[i].results) > 0)
			return true;
	return false;
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
		break;
	}
	return object;
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
	if (!contest_measured(c) && c->failure == NULL)
		return NULL;
	bool interrupted = interrupt_requested() || c->failure != NULL;
	json_t *comparison = json_pack("{s:o, s:i, s:f, s:s, s:b, s:b, s:o, s:o, s:o}", "workload", workload(c), "rounds",
		(int)contest_rounds(c), "seconds", contest_seconds(c), "reference", c->contenders[c->reference].spec->name, "netns",
		(int)(c->plan->place.netns_path != NULL), "interrupted", (int)interrupted, "calibration", calibration(c), "servers",
		servers(c), "bars", bars(c));
	if (c->failure != NULL)
		json_object_set_new(comparison, "failure", json_string(c->failure));
	return comparison;
}
