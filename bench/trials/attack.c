#include "trials/attack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "interrupt.h"
#include "trials/attacker.h"

/* The window begins a little after the victim's warm-up was to end: its threads have to start. */
static const uint64_t SLACK_NS = NS_PER_S / 2;

struct window {
	const struct load_plan *victim;
	struct attacker *attacker;
	struct failure failure; /* of the attacker's start */
	char phase[64];
	const char *name;
	load_progress_fn *progress;
	void *context;
};

const char *attack_kind_name(enum attack_kind kind)
{
	static const char *const names[ATTACK_KINDS] = {
		[ATTACK_UNAUTHENTICATED] = "unauthenticated", [ATTACK_UNPERMITTED] = "unpermitted", [ATTACK_CLIENT] = "client"};
	return kind < ATTACK_KINDS ? names[kind] : "unknown";
}

static void on_progress(void *context, const struct load_progress *progress)
{
	struct window *w = context;
	struct load_progress named = *progress;
	snprintf(w->phase, sizeof w->phase, "%s, %s attack: %s", w->name, w->attacker != NULL ? "under" : "before the",
		progress->phase);
	named.phase = w->phase;
	w->progress(w->context, &named);
}

static void on_ready(void *context, const struct addr *relayed, unsigned count)
{
	struct window *w = context;
	if (w->victim->ready != NULL)
		w->victim->ready(w->victim->ready_context, relayed, count);
	if (w->attacker == NULL)
		return;
	struct attacker_times times = {.window_start_ns = clock_mono_ns() + (uint64_t)(w->victim->warmup_s * 1e9)};
	times.window_end_ns = times.window_start_ns + (uint64_t)(w->victim->seconds * 1e9);
	times.end_ns = times.window_end_ns + SLACK_NS;
	attacker_start(w->attacker, relayed, count, &times, &w->failure);
}

/* One run of the victim; NULL with one line in `failure`. */
static struct load_result *window_run(struct window *w, const struct load_target *target, struct failure *failure)
{
	struct load_plan plan = *w->victim;
	plan.system_calls_s = 0;
	plan.ready = on_ready;
	plan.ready_context = w;
	struct load_result *result = calloc(1, sizeof *result);
	if (result == NULL) {
		fail(failure, "out of memory");
		return NULL;
	}
	if (load_run(&plan, target, w->progress != NULL ? on_progress : NULL, w, result, failure))
		return result;
	free(result);
	return NULL;
}

static uint64_t p99_ns(const struct load_result *result)
{
	struct histogram both;
	histogram_reset(&both);
	histogram_add(&both, &result->up.latency);
	histogram_add(&both, &result->down.latency);
	return histogram_quantile_ns(&both, 0.99);
}

double attack_p99_ratio(const struct load_result *before, const struct load_result *during)
{
	uint64_t alone_ns = p99_ns(before);
	return alone_ns == 0 ? 0 : (double)p99_ns(during) / (double)alone_ns;
}

static struct load_result *attacked_run(
	struct window *w, const struct load_target *target, uint64_t *ret_packets, struct failure *failure)
{
	struct load_result *during = window_run(w, target, failure);
	if (during == NULL)
		return NULL;
	if (w->failure.text[0] != '\0')
		*failure = w->failure;
	else if (attacker_stop(w->attacker, ret_packets, failure))
		return during;
	free(during);
	return NULL;
}

static bool kind_run(const struct attack_plan *plan, enum attack_kind kind, const struct load_target *target, struct window *w,
	struct attack_result *result, struct failure *failure)
{
	struct load_result *before = window_run(w, target, failure), *during = NULL;
	if (before == NULL || interrupt_requested()) {
		free(before);
		return before != NULL && fail(failure, "interrupted");
	}
	w->attacker = attacker_open(kind, plan, target, failure);
	if (w->attacker != NULL)
		during = attacked_run(w, target, &result->kinds[kind].attack_packets, failure);
	attacker_free(w->attacker);
	w->attacker = NULL;
	if (during != NULL) {
		result->kinds[kind].ran = true;
		result->kinds[kind].before = before;
		result->kinds[kind].during = during;
		result->kinds[kind].p99_ratio = attack_p99_ratio(before, during);
	} else {
		free(before);
	}
	return during != NULL;
}

static bool any_ran(const struct attack_result *result)
{
	bool any = false;
	for (int kind = 0; kind < ATTACK_KINDS; kind++)
		any |= result->kinds[kind].ran;
	return any;
}

bool attack_run(const struct attack_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct attack_result *ret_result, struct failure *failure)
{
	if (plan->victim.kind == LOAD_FLOOD && plan->victim.flood.rate_per_s <= 0)
		return fail(failure, "the victim of an attack must be paced: give a rate");
	struct attack_result result = {0};
	for (int kind = 0; kind < ATTACK_KINDS; kind++) {
		if (!plan->kinds[kind])
			continue;
		struct window w = {.victim = &plan->victim,
			.name = attack_kind_name((enum attack_kind)kind),
			.progress = progress,
			.context = context};
		if (!kind_run(plan, (enum attack_kind)kind, target, &w, &result, failure)) {
			if (interrupt_requested() && any_ran(&result))
				break;
			attack_result_done(&result);
			return false;
		}
		if (interrupt_requested())
			break;
	}
	*ret_result = result;
	return true;
}

void attack_result_done(struct attack_result *result)
{
	for (int kind = 0; kind < ATTACK_KINDS; kind++) {
		free(result->kinds[kind].before);
		free(result->kinds[kind].during);
	}
	*result = (struct attack_result){0};
}
