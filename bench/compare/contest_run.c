/* One run: a fresh server, the load, the figures. */
#include <stdio.h>
#include <string.h>

#include "compare/contest.h"
#include "interrupt.h"
#include "report/document.h"

#define SYSTEM_CALLS_S 0.1
#define DRAIN_S 0.3
/* Of full ones, and of resumed ones, at most. */
#define HANDSHAKES_S 1.0

unsigned contest_rounds(const struct contest *c)
{
	unsigned max = c->workload->rounds_max;
	return max > 0 && max < c->plan->rounds ? max : c->plan->rounds;
}

double contest_seconds(const struct contest *c)
{
	return c->workload->seconds > 0 ? c->workload->seconds : c->plan->seconds;
}

static double warmup_s(double seconds)
{
	double quarter = seconds / 4;
	return quarter < 0.2 ? 0.2 : quarter > 1 ? 1 : quarter;
}

struct load_plan contest_load_plan(const struct contest *c)
{
	const struct workload *w = c->workload;
	double seconds = contest_seconds(c);
	struct load_plan plan = {
		.name = w->name,
		.kind = w->kind == WORKLOAD_REPLAY ? LOAD_SCRIPT : LOAD_FLOOD,
		.flood = w->flood,
		.captures = w->capture,
		.script = c->script,
		.calls = w->calls > 0 ? w->calls : c->calibration.calls,
		.gso = w->gso,
		.warmup_s = warmup_s(seconds),
		.seconds = seconds,
		.drain_s = DRAIN_S,
		.cores = c->plan->loader_cores,
		.seed = c->plan->seed,
	};
	if (c->calibration.rate_per_s > 0) {
		plan.flood.rate_per_s = c->calibration.rate_per_s;
		plan.flood.window = 0;
	}
	return plan;
}

/* The loader says what it does, the user wants to see for whom. */
static void forward_progress(void *context, const struct load_progress *progress)
{
	const struct contest *c = context;
	char phase[sizeof c->progress_phase + 32];
	struct load_progress with_name = *progress;
	snprintf(phase, sizeof phase, "%s: %.28s", c->progress_phase, progress->phase != NULL ? progress->phase : "");
	with_name.phase = phase;
	c->progress(c->progress_context, &with_name);
}

static load_progress_fn *progress_of(const struct contest *c)
{
	return c->progress != NULL ? forward_progress : NULL;
}

static struct load_target target_of(const struct contest *c, const struct server *server)
{
	return (struct load_target){
		.server = server_address(server, c->workload->transport.kind),
		.transport = c->workload->transport,
		.username = SERVER_USERNAME,
		.password = SERVER_PASSWORD,
		.pid = server->pid,
		.cores = c->plan->place.cores,
	};
}

static bool start(struct contest *c, const struct contender *contender, struct server *server, struct failure *failure)
{
	if (c->progress != NULL)
		forward_progress(c, &(struct load_progress){.phase = "starting the server"});
	return server_start(contender->spec, &c->plan->place, c->workload->transport.kind, server, failure);
}

bool contest_load(struct contest *c, const struct contender *contender, const struct load_plan *plan, struct failure *failure)
{
	struct server server;
	if (!start(c, contender, &server, failure))
		return false;
	struct load_target target = target_of(c, &server);
	bool good = load_run(plan, &target, progress_of(c), c, c->scratch, failure);
	server_stop(&server);
	return good;
}

struct outcome {
	double figures[FIGURES];
	bool loader_bound;
	json_t *result;
};

static bool run_load(
	struct contest *c, const struct server *server, bool system_calls, struct outcome *out, struct failure *failure)
{
	struct load_plan plan = contest_load_plan(c);
	struct load_target target = target_of(c, server);
	plan.system_calls_s = system_calls ? SYSTEM_CALLS_S : 0;
	if (!load_run(&plan, &target, progress_of(c), c, c->scratch, failure))
		return false;
	figures_of_load(c->scratch, out->figures);
	out->loader_bound = c->scratch->loader_bound;
	out->result = document_load(&plan, &target, server->spec->name, server->version, c->scratch);
	return true;
}

static bool run_allocate(struct contest *c, const struct server *server, struct outcome *out, struct failure *failure)
{
	struct allocate_plan plan = {
		.held = c->workload->held,
		.channels = true,
		.cores = c->plan->loader_cores,
		.seed = c->plan->seed,
	};
	struct load_target target = target_of(c, server);
	struct allocate_result result = {0};
	if (!allocate_run(&plan, &target, &result, failure))
		return false;
	figures_of_allocate(&result, out->figures);
	out->loader_bound = result.loader_bound;
	out->result = document_allocate(&plan, &target, server->spec->name, server->version, &result);
	return true;
}

static bool run_attack(struct contest *c, const struct server *server, struct outcome *out, struct failure *failure)
{
	struct attack_plan plan = {
		.victim = contest_load_plan(c),
		.rate_per_s = c->workload->attack_rate_per_s,
		.kinds = {true, true, true},
	};
	struct load_target target = target_of(c, server);
	struct attack_result result = {0};
	if (!attack_run(&plan, &target, progress_of(c), c, &result, failure))
		return false;
	figures_of_attack(&result, out->figures);
	for (int kind = 0; kind < ATTACK_KINDS; kind++)
		if (result.kinds[kind].ran)
			out->loader_bound |= result.kinds[kind].before->loader_bound || result.kinds[kind].during->loader_bound;
	out->result = document_attack(&plan, &target, server->spec->name, server->version, &result);
	attack_result_done(&result);
	return true;
}

static bool run_connect(struct contest *c, const struct server *server, struct outcome *out, struct failure *failure)
{
	struct connect_plan plan = {.held = c->workload->held, .cores = c->plan->loader_cores};
	struct load_target target = target_of(c, server);
	struct connect_result result = {0};
	if (!connect_run(&plan, &target, &result, failure))
		return false;
	figures_of_connect(&result, out->figures);
	out->loader_bound = result.loader_bound;
	out->result = document_connect(&plan, &target, server->spec->name, server->version, &result);
	return true;
}

static bool run_handshakes(struct contest *c, const struct server *server, struct outcome *out, struct failure *failure)
{
	struct handshakes_plan plan = {
		.count = c->workload->handshakes,
		.rate_per_s = c->workload->handshakes_per_s,
		.seconds = HANDSHAKES_S,
		.has_victim = true,
		.victim_server = server->address,
		.victim = contest_load_plan(c),
	};
	struct load_target target = target_of(c, server);
	struct handshakes_result result = {0};
	if (!handshakes_run(&plan, &target, progress_of(c), c, &result, failure))
		return false;
	figures_of_handshakes(&result, out->figures);
	out->loader_bound = result.before->loader_bound || result.during->loader_bound;
	out->result = document_handshakes(&plan, &target, server->spec->name, server->version, &result);
	handshakes_result_done(&result);
	return true;
}

static bool run_kind(
	struct contest *c, const struct server *server, bool system_calls, struct outcome *out, struct failure *failure)
{
	switch (c->workload->kind) {
	case WORKLOAD_FLOOD:
	case WORKLOAD_REPLAY:
		return run_load(c, server, system_calls, out, failure);
	case WORKLOAD_ALLOCATE:
		return run_allocate(c, server, out, failure);
	case WORKLOAD_ATTACK:
		return run_attack(c, server, out, failure);
	case WORKLOAD_CONNECT:
		return run_connect(c, server, out, failure);
	case WORKLOAD_HANDSHAKES:
		return run_handshakes(c, server, out, failure);
	}
	return fail(failure, "%s: a workload of no known kind", c->workload->name);
}

bool contest_run_once(struct contest *c, struct contender *contender, bool counts, bool system_calls, struct failure *failure)
{
	struct server server;
	struct outcome out = {0};
	if (!start(c, contender, &server, &contender->why))
		return interrupt_requested() || fail(failure, "%s", contender->why.text);
	memcpy(contender->version, server.version, sizeof contender->version);
	bool good = run_kind(c, &server, system_calls, &out, &contender->why);
	server_stop(&server);
	if (!good)
		return interrupt_requested() ||
		       fail(failure, "%s, %s: %.400s", c->workload->name, contender->spec->name, contender->why.text);
	if (counts && !interrupt_requested()) {
		series_add(&contender->series, out.figures, out.loader_bound);
		json_array_append(contender->results, out.result);
	}
	json_decref(out.result);
	return true;
}
