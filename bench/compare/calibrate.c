/* How much load a row gets: as much as brings the reference's server to a share of a core, or of its own maximum. */
#include <stdio.h>

#include "compare/contest.h"
#include "interrupt.h"

#define CALIBRATION_S 0.6
#define CLOSE_ENOUGH 0.05
#define LOADER_FULL 0.9
enum { RUNS_MAX = 4, FIRST_PACKETS_PER_S = 60000, WINDOW_DEFAULT = 64 };

static double busy_of(const struct load_result *result)
{
	return result->seconds > 0 ? (double)result->server.run_ns / 1e9 / result->seconds : 0;
}

static double distance(double a, double b)
{
	return a > b ? a - b : b - a;
}

static unsigned whole_calls(double calls, unsigned calls_max)
{
	return calls < 1 ? 1 : calls > calls_max ? calls_max : (unsigned)(calls + 0.5);
}

unsigned calibration_next(unsigned calls, double busy, double wanted, unsigned calls_max)
{
	return whole_calls(busy > 0 ? (double)calls * wanted / busy : (double)calls * 2, calls_max);
}

/* The first guess: less than any server of this kind can take. */
static unsigned first_calls(const struct script *script, unsigned calls_max)
{
	double packets_per_s = (double)script->packet_count * 1e9 / (double)(script->length_ns > 0 ? script->length_ns : 1);
	return whole_calls(packets_per_s > 0 ? FIRST_PACKETS_PER_S / packets_per_s : 1, calls_max);
}

/* Full, not only late now and then: that is what a busy machine does to any load. */
static bool loader_exhausted(const struct load_result *result)
{
	return result->loader_bound && result->loader_busy > LOADER_FULL;
}

struct climb {
	double wanted, off; /* off: how far the best run so far is from what is wanted */
	unsigned good, limit,
		most; /* the most calls that the loader could send, the fewest that it could not (0: unknown), and the bound */
};

static void judge(struct climb *climb, const struct load_result *result, unsigned calls, struct calibration *best)
{
	bool exhausted = loader_exhausted(result);
	double busy = busy_of(result);
	if (exhausted)
		climb->limit = calls;
	else if (calls > climb->good)
		climb->good = calls;
	if (best->made && (exhausted || distance(busy, climb->wanted) >= climb->off))
		return;
	climb->off = distance(busy, climb->wanted);
	*best = (struct calibration){.made = true, .calls = calls, .busy = busy, .loader_bound = exhausted};
}

static unsigned next_calls(const struct climb *climb, const struct load_result *result, unsigned calls)
{
	unsigned next = calibration_next(calls, busy_of(result), climb->wanted, climb->most);
	if (climb->limit > 0 && next >= climb->limit)
		next = climb->good + (climb->limit - climb->good) / 2;
	return next < 1 ? 1 : next;
}

static bool calibrate_calls(struct contest *c, struct failure *failure)
{
	const struct contender *reference = &c->contenders[c->reference];
	struct climb climb = {
		.wanted = c->workload->load_share,
		.most = LOAD_ALLOCATIONS_MAX / (c->script->allocations > 0 ? c->script->allocations : 1),
	};
	struct load_plan plan = contest_load_plan(c);
	plan.seconds = CALIBRATION_S;
	plan.calls = first_calls(c->script, climb.most);
	for (unsigned run = 1; run <= RUNS_MAX; run++) {
		snprintf(c->progress_phase, sizeof c->progress_phase, "%s, calibrating: %u calls, %s", c->workload->name,
			plan.calls, reference->spec->name);
		if (!contest_load(c, reference, &plan, failure))
			return interrupt_requested();
		judge(&climb, c->scratch, plan.calls, &c->calibration);
		unsigned next = next_calls(&climb, c->scratch, plan.calls);
		if (climb.off <= CLOSE_ENOUGH * climb.wanted || next == plan.calls)
			break;
		plan.calls = next;
	}
	/* It would have been more, had the loader been able to. */
	if (climb.limit > 0 && c->calibration.busy < climb.wanted * (1 - CLOSE_ENOUGH))
		c->calibration.loader_bound = true;
	return true;
}

static bool calibrate_rate(struct contest *c, struct failure *failure)
{
	const struct contender *reference = &c->contenders[c->reference];
	struct load_plan plan = contest_load_plan(c);
	plan.seconds = CALIBRATION_S;
	plan.flood.rate_per_s = 0;
	if (plan.flood.window == 0)
		plan.flood.window = WINDOW_DEFAULT;
	snprintf(c->progress_phase, sizeof c->progress_phase, "%s, calibrating: the most that %s relays", c->workload->name,
		reference->spec->name);
	if (!contest_load(c, reference, &plan, failure))
		return interrupt_requested();
	double delivered = (double)(tally_read(&c->scratch->up.delivered) + tally_read(&c->scratch->down.delivered));
	double per_s = c->scratch->seconds > 0 ? delivered / c->scratch->seconds : 0;
	if (per_s * c->workload->rate_share < 1)
		return interrupt_requested() ||
		       fail(failure, "%s: %s relays nothing, so there is no share of it", c->workload->name, reference->spec->name);
	c->calibration = (struct calibration){
		.made = true,
		.rate_per_s = (double)(uint64_t)(per_s * c->workload->rate_share),
		.busy = busy_of(c->scratch),
		.loader_bound = c->scratch->loader_bound,
	};
	return true;
}

bool contest_calibrate(struct contest *c, struct failure *failure)
{
	if (c->workload->kind == WORKLOAD_REPLAY && c->workload->calls == 0)
		return calibrate_calls(c, failure);
	if (c->workload->kind == WORKLOAD_FLOOD && c->workload->rate_share > 0)
		return calibrate_rate(c, failure);
	return true;
}
