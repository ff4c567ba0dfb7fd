#include "trials/handshakes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "interrupt.h"
#include "trials/addresses.h"
#include "trials/attack.h"

enum { BUFFER_BYTES = 16 * 1024, NICE = 19 };
static const double BUSY = 0.95;
static const uint64_t SLACK_NS = NS_PER_S / 2;

struct trial {
	const struct handshakes_plan *plan;
	const struct load_target *target;
	struct addresses addresses;
	load_progress_fn *progress;
	void *context;
	const char *phase;
	struct failure *failure;
};

/* The thread beside the call. */
struct beside {
	const struct trial *trial;
	uint64_t window_start_ns, window_end_ns, end_ns;
	atomic_bool stop;
	bool running, good;
	pthread_t thread;
	unsigned inside;
	struct failure failure;
};

static unsigned parallel_of(const struct handshakes_plan *plan)
{
	return plan->parallel > 0 ? plan->parallel : HANDSHAKES_PARALLEL_DEFAULT;
}

/* Handshakes with slots and a context of their own. */
static bool make_handshakes(const struct trial *t, const struct establish_plan *plan, bool resumes,
	struct establish_figures *ret_figures, struct failure *failure)
{
	struct tls_context *tls = tls_context_create(&t->target->transport, false, resumes, failure);
	struct connection *slots = calloc(plan->parallel, sizeof *slots);
	struct connection_plan common = {.transport = &t->target->transport,
		.tls = tls,
		.local = t->addresses.local,
		.server = t->target->server,
		.buffer_bytes = BUFFER_BYTES};
	bool good = tls != NULL && (slots != NULL || fail(failure, "out of memory for %u connections", plan->parallel));
	for (unsigned i = 0; good && i < plan->parallel; i++)
		connection_init(&slots[i], &common);
	/* The session that the others offer. */
	const struct establish_plan first = {.count = 1, .parallel = 1, .binding = true, .passing = true};
	if (good && resumes)
		good = establish(slots, &first, ret_figures, failure);
	good = good && establish(slots, plan, ret_figures, failure);
	free(slots);
	tls_context_free(tls);
	return good;
}

static bool server_sample(const struct trial *t, struct server_sample *ret_sample)
{
	*ret_sample = (struct server_sample){0};
	if (t->target->pid == 0 || server_watch_sample(t->target->pid, &t->target->cores, ret_sample) == 0)
		return true;
	return fail(t->failure, "the server (process %d) has ended", (int)t->target->pid);
}

static void part_fill(const struct trial *t, const struct establish_figures *figures, const struct server_sample *before,
	const struct server_sample *after, struct handshakes_part *part)
{
	*part = (struct handshakes_part){
		.done = figures->done, .failed = figures->failed, .resumed = figures->resumed, .seconds = figures->seconds};
	part->per_s = figures->seconds > 0 ? figures->done / figures->seconds : 0;
	part->loader_busy = figures->busy;
	if (t->target->pid != 0) {
		struct server_sample spent = server_watch_difference(before, after);
		int cores = CPU_COUNT(&t->target->cores);
		part->run_ns_per_handshake = (double)spent.run_ns / figures->done;
		part->per_core_s = spent.run_ns > 0 ? (double)NS_PER_S / part->run_ns_per_handshake : 0;
		part->server_busy = (double)spent.run_ns / (double)NS_PER_S / figures->seconds / (cores > 0 ? cores : 1);
	}
	part->loader_bound = figures->busy > BUSY && !(t->target->pid != 0 && part->server_busy >= BUSY);
}

static bool measure_part(struct trial *t, bool resumes, struct handshakes_result *result)
{
	struct server_sample before, after;
	struct establish_figures figures;
	const struct establish_plan plan = {
		.count = t->plan->count,
		.parallel = parallel_of(t->plan),
		.rate_per_s = t->plan->rate_per_s,
		.end_ns = clock_mono_ns() + (uint64_t)(t->plan->seconds * (double)NS_PER_S),
		.binding = true,
		.passing = true,
	};
	if (t->progress != NULL)
		t->progress(t->context, &(struct load_progress){.phase = resumes ? "resumed handshakes" : "full handshakes"});
	if (!server_sample(t, &before) || !make_handshakes(t, &plan, resumes, &figures, t->failure) || !server_sample(t, &after))
		return false;
	if (figures.done == 0)
		return fail(t->failure, "no handshake (%s) came to its end: %s", transport_name(t->target->transport.kind),
			figures.failed > 0 ? figures.why : "the time was over before");
	memcpy(result->tls_version, figures.version, sizeof result->tls_version);
	memcpy(result->cipher, figures.cipher, sizeof result->cipher);
	part_fill(t, &figures, &before, &after, resumes ? &result->resumed : &result->full);
	return true;
}

/* Until that time, or until it is stopped. */
static bool go_on_until(struct beside *b, uint64_t end_ns, unsigned *ret_done)
{
	const struct establish_plan plan = {
		.count = HANDSHAKES_MAX,
		.parallel = parallel_of(b->trial->plan),
		.rate_per_s = b->trial->plan->rate_per_s,
		.end_ns = end_ns,
		.stop = &b->stop,
		.binding = true,
		.passing = true,
	};
	struct establish_figures figures = {0};
	bool good = make_handshakes(b->trial, &plan, false, &figures, &b->failure);
	*ret_done = figures.done;
	return good;
}

static void *beside_main(void *context)
{
	struct beside *b = context;
	unsigned before, after;
	/* So that the call's threads on the same cores go first. Lowering one's own priority is always allowed. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	b->good = go_on_until(b, b->window_start_ns, &before) && go_on_until(b, b->window_end_ns, &b->inside) &&
		  go_on_until(b, b->end_ns, &after);
	return NULL;
}

/* The allocations of the call stand. */
static void on_ready(void *context, const struct addr *relayed, unsigned count)
{
	struct beside *b = context;
	const struct load_plan *victim = &b->trial->plan->victim;
	(void)relayed;
	(void)count;
	b->window_start_ns = clock_mono_ns() + (uint64_t)(victim->warmup_s * (double)NS_PER_S);
	b->window_end_ns = b->window_start_ns + (uint64_t)(victim->seconds * (double)NS_PER_S);
	b->end_ns = b->window_end_ns + SLACK_NS;
	b->running = pthread_create(&b->thread, NULL, beside_main, b) == 0;
	if (!b->running)
		fail(&b->failure, "cannot start a thread for the handshakes");
}

static void on_progress(void *context, const struct load_progress *progress)
{
	const struct trial *t = context;
	char phase[96];
	struct load_progress named = *progress;
	snprintf(phase, sizeof phase, "%s: %.48s", t->phase, progress->phase);
	named.phase = phase;
	t->progress(t->context, &named);
}

static struct load_result *run_call(struct trial *t, struct beside *beside)
{
	struct load_target target = *t->target;
	struct load_plan plan = t->plan->victim;
	target.server = t->plan->victim_server;
	target.transport = (struct transport){.kind = TRANSPORT_UDP};
	plan.system_calls_s = 0;
	plan.ready = beside != NULL ? on_ready : NULL;
	plan.ready_context = beside;
	t->phase = beside != NULL ? "the call beside handshakes" : "the call before handshakes";
	struct load_result *result = calloc(1, sizeof *result);
	if (result == NULL) {
		fail(t->failure, "out of memory");
		return NULL;
	}
	if (load_run(&plan, &target, t->progress != NULL ? on_progress : NULL, t, result, t->failure))
		return result;
	free(result);
	return NULL;
}

static bool run_beside(struct trial *t, struct handshakes_result *result)
{
	struct beside beside = {.trial = t};
	result->during = run_call(t, &beside);
	atomic_store_explicit(&beside.stop, true, memory_order_relaxed);
	if (beside.running)
		pthread_join(beside.thread, NULL);
	if (result->during == NULL)
		return false;
	if (!beside.running || !beside.good)
		return fail(t->failure, "%s", beside.failure.text);
	result->beside = beside.inside;
	result->p99_ratio = attack_p99_ratio(result->before, result->during);
	result->loader_bound |= result->before->loader_bound || result->during->loader_bound;
	return true;
}

static bool measure(struct trial *t, struct handshakes_result *result)
{
	if (!endpoint_make_room(parallel_of(t->plan) * 2, t->failure) || !addresses_choose(t->target, &t->addresses, t->failure))
		return false;
	result->server_known = t->target->pid != 0;
	if (!measure_part(t, false, result) || !measure_part(t, true, result))
		return false;
	result->loader_bound = result->full.loader_bound || result->resumed.loader_bound;
	if (!t->plan->has_victim)
		return true;
	result->before = run_call(t, NULL);
	return result->before != NULL && run_beside(t, result);
}

static bool check(const struct handshakes_plan *plan, const struct load_target *target, struct failure *failure)
{
	if (!transport_is_secure(target->transport.kind))
		return fail(failure, "handshakes are TLS's and DTLS's: give --transport tls or dtls");
	if (plan->count == 0 || plan->count > HANDSHAKES_MAX || !(plan->seconds > 0))
		return fail(failure, "%u handshakes: give 1 to %d, and a time", plan->count, HANDSHAKES_MAX);
	if (plan->has_victim && plan->victim.kind == LOAD_FLOOD && plan->victim.flood.rate_per_s <= 0)
		return fail(failure, "the call beside handshakes must be paced: give a rate");
	return true;
}

bool handshakes_run(const struct handshakes_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct handshakes_result *ret_result, struct failure *failure)
{
	struct trial t = {.plan = plan, .target = target, .progress = progress, .context = context, .failure = failure};
	struct handshakes_result result = {0};
	const cpu_set_t *cores = &plan->victim.cores;
	if (!check(plan, target, failure))
		return false;
	cpu_set_t before;
	bool pinned = CPU_COUNT(cores) > 0 && sched_getaffinity(0, sizeof before, &before) == 0;
	if (pinned && sched_setaffinity(0, sizeof *cores, cores) != 0)
		return fail(failure, "cannot run on the loader's cores: %s", strerror(errno));
	bool done = measure(&t, &result);
	if (pinned)
		sched_setaffinity(0, sizeof before, &before);
	if (done)
		*ret_result = result;
	else
		handshakes_result_done(&result);
	return done;
}

void handshakes_result_done(struct handshakes_result *result)
{
	free(result->before);
	free(result->during);
	*result = (struct handshakes_result){0};
}
