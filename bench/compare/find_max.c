#include "compare/find_max.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "clients/endpoint.h"
#include "interrupt.h"
#include "report/document.h"

#define STEP_PACKETS_PER_S 1000.0
#define CLOSE_ENOUGH 1.05
#define LOADER_FULL 0.9
enum { SOCKETS_OF_OUR_OWN = 64 };

enum step { STEP_PASSED, STEP_FAILED, STEP_ENDS /* the loader's limit, an interrupt */ };

struct search {
	const struct find_max_plan *plan;
	const struct load_target *target;
	load_progress_fn *progress;
	void *context;
	struct load_result *result; /* owned: too large for a stack */
	json_t *steps;
	unsigned passed; /* the largest load that did; 0: none */
	bool at_least, interrupted;
};

static struct load_plan plan_of(const struct search *s, unsigned load)
{
	struct load_plan plan = s->plan->load;
	if (plan.kind == LOAD_SCRIPT) {
		plan.calls = load;
	} else {
		plan.flood.rate_per_s = load * STEP_PACKETS_PER_S;
		plan.flood.window = 0;
	}
	return plan;
}

/* Whether this machine has sockets for it: a client's for each allocation, a peer's for each path. */
static bool room_for(const struct load_plan *plan)
{
	struct failure ignored;
	uint64_t allocations = plan->kind == LOAD_SCRIPT ? (uint64_t)plan->script->allocations * plan->calls : plan->flood.flows;
	uint64_t paths = plan->kind == LOAD_SCRIPT ? (uint64_t)plan->script->path_count * plan->calls : plan->flood.flows;
	uint64_t sockets = allocations + paths + SOCKETS_OF_OUR_OWN;
	return allocations <= LOAD_ALLOCATIONS_MAX && paths <= LOADER_PORT_MAX - LOADER_PORT_MIN && sockets <= UINT32_MAX &&
	       endpoint_make_room((unsigned)sockets, &ignored);
}

/* In calls, or packets per second. */
static double in_unit(const struct search *s, unsigned load)
{
	return s->plan->load.kind == LOAD_SCRIPT ? load : load * STEP_PACKETS_PER_S;
}

static double per_s(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

static void note_step(struct search *s, unsigned load, double loss, const struct histogram *latency, bool passed)
{
	const struct load_result *r = s->result;
	uint64_t sent = tally_read(&r->up.sent) + tally_read(&r->down.sent);
	uint64_t delivered = tally_read(&r->up.delivered) + tally_read(&r->down.delivered);
	json_t *busy = r->server_known ? json_real(per_s(r->server.run_ns, r->seconds) / 1e9) : json_null();
	json_array_append_new(
		s->steps, json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:b, s:b}", "load", in_unit(s, load), "offered_per_s",
				  per_s(sent, r->seconds), "delivered_per_s", per_s(delivered, r->seconds), "loss", loss,
				  "latency_p50_us", (double)histogram_quantile_ns(latency, 0.5) / 1e3, "latency_p99_us",
				  (double)histogram_quantile_ns(latency, 0.99) / 1e3, "busy", busy, "passed", (int)passed,
				  "loader_bound", (int)r->loader_bound));
}

static enum step judge(struct search *s, unsigned load)
{
	const struct load_result *r = s->result;
	struct histogram latency;
	histogram_reset(&latency);
	histogram_add(&latency, &r->up.latency);
	histogram_add(&latency, &r->down.latency);
	uint64_t sent = tally_read(&r->up.sent) + tally_read(&r->down.sent);
	double loss = sent > 0 ? (double)(tally_lost(&r->up) + tally_lost(&r->down)) / (double)sent : 1;
	bool passed = loss <= s->plan->loss_max && histogram_quantile_ns(&latency, 0.99) <= s->plan->latency_p99_max_ns;
	note_step(s, load, loss, &latency, passed);
	if (passed && load > s->passed)
		s->passed = load;
	if (r->loader_bound) {
		s->at_least = true;
		return STEP_ENDS;
	}
	return passed ? STEP_PASSED : STEP_FAILED;
}

/*
 * A server that has carried less and is still there has refused more allocations than it can have: that is its limit, too. One
 * that has not yet forgotten those of an earlier step has refused nothing.
 */
static bool refused_more(const struct search *s)
{
	pid_t pid = s->target->pid;
	return s->passed > 0 && !s->result->port_taken && (pid == 0 || kill(pid, 0) == 0 || errno == EPERM);
}

static void note_refusal(struct search *s, unsigned load, const char *why)
{
	json_array_append_new(s->steps, json_pack("{s:f, s:n, s:n, s:n, s:n, s:n, s:n, s:b, s:b, s:s}", "load", in_unit(s, load),
						"offered_per_s", "delivered_per_s", "loss", "latency_p50_us", "latency_p99_us",
						"busy", "passed", 0, "loader_bound", 0, "why", why));
}

static bool try_load(struct search *s, unsigned load, enum step *ret_step, struct failure *failure)
{
	struct load_plan plan = plan_of(s, load);
	struct failure why;
	if (!room_for(&plan)) {
		s->at_least = true;
		*ret_step = STEP_ENDS;
		return true;
	}
	bool good = load_run(&plan, s->target, s->progress, s->context, s->result, &why);
	/* Late now and then, with time to spare, is what a busy machine does to any load: that ends no search at once. */
	if (good && s->result->loader_bound && s->result->loader_busy < LOADER_FULL && !interrupt_requested())
		good = load_run(&plan, s->target, s->progress, s->context, s->result, &why);
	if (interrupt_requested()) {
		s->interrupted = true;
		*ret_step = STEP_ENDS;
		return true;
	}
	if (good) {
		*ret_step = judge(s, load);
		return true;
	}
	if (!refused_more(s))
		return fail(failure, "%s", why.text);
	note_refusal(s, load, why.text);
	*ret_step = STEP_FAILED;
	return true;
}

static unsigned first_load(const struct find_max_plan *plan)
{
	unsigned first = plan->first < plan->limit ? plan->first : plan->limit;
	return first < 1 ? 1 : first;
}

/* Doubles until a step fails; *ret_failed is that one, 0 when none did. */
static bool climb(struct search *s, unsigned *ret_failed, struct failure *failure)
{
	unsigned limit = s->plan->limit > 0 ? s->plan->limit : 1, load = first_load(s->plan);
	*ret_failed = 0;
	for (;;) {
		enum step step;
		if (!try_load(s, load, &step, failure))
			return false;
		if (step == STEP_FAILED)
			*ret_failed = load;
		if (step != STEP_PASSED)
			return true;
		if (load == limit) {
			s->at_least = true;
			return true;
		}
		load = load > limit / 2 ? limit : load * 2;
	}
}

static bool bisect(struct search *s, unsigned failed, struct failure *failure)
{
	while (failed > s->passed + 1 && (double)failed > (double)s->passed * CLOSE_ENOUGH) {
		unsigned middle = s->passed + (failed - s->passed) / 2;
		enum step step;
		if (!try_load(s, middle, &step, failure))
			return false;
		if (step == STEP_ENDS)
			return true;
		if (step == STEP_FAILED)
			failed = middle;
	}
	return true;
}

static json_t *document(const struct search *s)
{
	struct load_plan load = plan_of(s, s->passed > 0 ? s->passed : first_load(s->plan));
	bool calls = load.kind == LOAD_SCRIPT;
	json_t *workload = document_workload(&load, s->target);
	/* What is searched is no parameter: each step has its own. */
	json_object_del(workload, calls ? "calls" : "rate_per_s");
	return json_pack("{s:s, s:o, s:o, s:f, s:s, s:b, s:b, s:f, s:f, s:O}", "kind", "find-max", "workload", workload, "server",
		document_server(s->target, NULL, NULL), "found", in_unit(s, s->passed), "unit", calls ? "calls" : "packets/s",
		"at_least", (int)s->at_least, "interrupted", (int)s->interrupted, "loss_max", s->plan->loss_max,
		"latency_p99_max_us", (double)s->plan->latency_p99_max_ns / 1e3, "steps", s->steps);
}

bool find_max_run(const struct find_max_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	json_t **ret_result, struct failure *failure)
{
	struct search s = {
		.plan = plan,
		.target = target,
		.progress = progress,
		.context = context,
		.result = calloc(1, sizeof *s.result),
		.steps = json_array(),
	};
	unsigned failed = 0;
	bool good = s.result != NULL && s.steps != NULL ? climb(&s, &failed, failure) : fail(failure, "no memory");
	if (good && failed > 0)
		good = bisect(&s, failed, failure);
	json_t *result = good ? document(&s) : NULL;
	if (good && result == NULL)
		good = fail(failure, "no memory for the result");
	if (good)
		*ret_result = result;
	json_decref(s.steps);
	free(s.result);
	return good;
}
