#include "compare/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture.h"
#include "compare/contest.h"
#include "interrupt.h"

static bool check_plan(const struct compare_plan *plan, struct failure *failure)
{
	if (plan->server_count == 0)
		return fail(failure, "no server to compare");
	if (plan->workload_count == 0)
		return fail(failure, "no workload to run");
	if (plan->rounds < 1 || plan->rounds > STATISTICS_VALUES_MAX)
		return fail(failure, "%u rounds: use 1 to %d", plan->rounds, STATISTICS_VALUES_MAX);
	for (size_t i = 0; i < plan->server_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(plan->servers[i].name, plan->servers[j].name) == 0)
				return fail(failure, "two servers are named %s: give each its own name", plan->servers[i].name);
	return true;
}

/* Says now, not after half an hour, who is missing. */
static bool find_missing(const struct compare_plan *plan, struct failure *missing, struct failure *failure)
{
	size_t count = 0;
	for (size_t i = 0; i < plan->server_count; i++) {
		if (server_available(&plan->servers[i], &plan->place, &missing[i]))
			missing[i].text[0] = '\0';
		else if (count++, !plan->quiet)
			fprintf(stderr, "uturn-bench: left out: %s\n", missing[i].text);
	}
	return count < plan->server_count || fail(failure, "none of the servers can be started here: %.400s", missing[0].text);
}

static bool read_capture(
	const struct compare_plan *plan, const struct workload *w, struct capture *ret_capture, struct failure *failure)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s", plan->captures_dir != NULL ? plan->captures_dir : ".", w->capture);
	return capture_read(path, 0, ret_capture, failure);
}

/* The reference is the first available "coturn", or else the first that is available. */
static size_t find_reference(const struct compare_plan *plan, const struct contender *contenders)
{
	size_t first = plan->server_count;
	for (size_t i = 0; i < plan->server_count; i++) {
		if (!contenders[i].takes_part)
			continue;
		if (strcmp(plan->servers[i].name, "coturn") == 0)
			return i;
		if (first == plan->server_count)
			first = i;
	}
	return first;
}

static void contest_done(struct contest *c)
{
	for (size_t i = 0; c->contenders != NULL && i < c->plan->server_count; i++)
		json_decref(c->contenders[i].results);
	free(c->contenders);
	free(c->scratch);
}

static bool contest_init(struct contest *c, const struct failure *missing, struct failure *failure)
{
	c->contenders = calloc(c->plan->server_count, sizeof c->contenders[0]);
	c->scratch = calloc(1, sizeof *c->scratch);
	if (c->contenders == NULL || c->scratch == NULL)
		return fail(failure, "no memory");
	for (size_t i = 0; i < c->plan->server_count; i++) {
		struct contender *contender = &c->contenders[i];
		const char *left_out = c->workload->left_out;
		contender->spec = &c->plan->servers[i];
		contender->why = missing[i];
		contender->takes_part = missing[i].text[0] == '\0' &&
					(left_out == NULL || strcmp(left_out, contender->spec->name) != 0) &&
					server_serves(contender->spec, c->workload->transport.kind);
		contender->results = json_array();
	}
	c->reference = find_reference(c->plan, c->contenders);
	return true;
}

static bool run_rounds(struct contest *c, struct failure *failure)
{
	unsigned rounds = contest_rounds(c);
	for (unsigned round = 0; round <= rounds; round++) {
		for (size_t i = 0; i < c->plan->server_count; i++) {
			if (!c->contenders[i].takes_part)
				continue;
			if (interrupt_requested())
				return true;
			snprintf(c->progress_phase, sizeof c->progress_phase, "%s, round %u of %u, %s", c->workload->name, round,
				rounds, c->contenders[i].spec->name);
			/* System calls are counted once: counting costs time of its own. */
			if (!contest_run_once(c, &c->contenders[i], round > 0, round == 1, failure))
				return false;
		}
	}
	return true;
}

/* What was measured is kept when a later run fails; a failure before anything was measured leaves nothing. */
static bool run_contest(struct contest *c, const struct failure *missing, json_t *comparisons, struct failure *failure)
{
	if (!contest_init(c, missing, failure))
		return false;
	if (c->reference == c->plan->server_count)
		return true;
	bool good = contest_calibrate(c, failure) && run_rounds(c, failure);
	if (!good && (contest_measured(c) || json_array_size(comparisons) > 0))
		c->failure = failure->text;
	json_t *comparison = contest_document(c);
	if (comparison != NULL)
		json_array_append_new(comparisons, comparison);
	return good;
}

static bool run_all(const struct compare_plan *plan, const struct capture *captures, const struct failure *missing,
	json_t *comparisons, load_progress_fn *progress, void *context, struct failure *failure)
{
	for (size_t i = 0; i < plan->workload_count && !interrupt_requested(); i++) {
		struct contest c = {
			.plan = plan,
			.workload = &plan->workloads[i],
			.script = plan->workloads[i].kind == WORKLOAD_REPLAY ? &captures[i].script : NULL,
			.progress = progress,
			.progress_context = context,
		};
		bool good = run_contest(&c, missing, comparisons, failure);
		contest_done(&c);
		if (!good)
			return false;
	}
	return true;
}

bool compare_run(
	const struct compare_plan *plan, json_t *comparisons, load_progress_fn *progress, void *context, struct failure *failure)
{
	if (!check_plan(plan, failure))
		return false;
	struct failure *missing = calloc(plan->server_count, sizeof *missing);
	struct capture *captures = calloc(plan->workload_count, sizeof *captures);
	bool good = missing != NULL && captures != NULL ? find_missing(plan, missing, failure) : fail(failure, "no memory");
	size_t read = 0;
	for (; good && read < plan->workload_count; read++)
		if (plan->workloads[read].kind == WORKLOAD_REPLAY)
			good = read_capture(plan, &plan->workloads[read], &captures[read], failure);
	good = good && run_all(plan, captures, missing, comparisons, progress, context, failure);
	for (size_t i = 0; captures != NULL && i < read; i++)
		capture_done(&captures[i]);
	free(captures);
	free(missing);
	return good;
}
