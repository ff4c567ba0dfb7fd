#include "load/load.h"

#include <stdlib.h>

#include "base/clock.h"
#include "client/tls_link.h"
#include "interrupt.h"
#include "load/phases.h"

/* Sending begins when the workers are made and their threads run: that takes a moment, and a little for every socket. */
#define START_AFTER_NS (20 * NS_PER_MS)
#define START_AFTER_SOCKET_NS UINT64_C(3000)

static const double busy_max = 0.95, lost_schedule_max = 0.01;

unsigned load_allocations(const struct load_plan *plan)
{
	return plan->kind == LOAD_SCRIPT ? plan->calls * plan->script->allocations : plan->flood.flows;
}

static bool check_flood(const struct load_flood *f, struct failure *failure)
{
	if (f->flows < 1 || f->flows > LOAD_ALLOCATIONS_MAX)
		return fail(failure, "%u flows: there must be 1 to %d", f->flows, LOAD_ALLOCATIONS_MAX);
	if (f->size > SENDER_PAYLOAD_MAX)
		return fail(failure, "packets of %u bytes do not fit into a datagram with their framing: at most %d", f->size,
			SENDER_PAYLOAD_MAX);
	if (f->burst < 1 || f->burst > SENDER_PACKETS_MAX)
		return fail(failure, "bursts of %u packets: there must be 1 to %d", f->burst, SENDER_PACKETS_MAX);
	if (!f->up && !f->down)
		return fail(failure, "a flood needs a direction");
	if (!(f->rate_per_s >= 0 && f->rate_per_s <= 1e9))
		return fail(failure, "a rate of %g packets per second is out of bounds", f->rate_per_s);
	if (f->rate_per_s <= 0 && f->window < f->burst)
		return fail(failure, "a window of %u packets has no room for a burst of %u", f->window, f->burst);
	return true;
}

static unsigned size_max(const struct load_plan *plan)
{
	unsigned most = 0;
	if (plan->kind == LOAD_FLOOD)
		return plan->flood.size;
	for (size_t i = 0; i < plan->script->packet_count; i++)
		most = plan->script->packets[i].size > most ? plan->script->packets[i].size : most;
	return most;
}

/* A datagram of DTLS is one record (RFC 6347, section 4.1.1). */
static bool check_transport(const struct load_plan *plan, const struct load_target *target, struct failure *failure)
{
	unsigned most = TLS_PLAIN_MAX - DATA_INDICATION_HEADER_MAX;
	if (target->transport.kind != TRANSPORT_DTLS || size_max(plan) <= most)
		return true;
	return fail(failure, "packets of %u bytes do not fit into a record of DTLS with their framing: at most %u", size_max(plan),
		most);
}

static bool check_script(const struct load_plan *plan, struct failure *failure)
{
	const struct script *s = plan->script;
	if (plan->calls < 1 || (uint64_t)plan->calls * s->allocations > LOAD_ALLOCATIONS_MAX)
		return fail(failure, "%u calls of %u allocations each: there must be 1 to %d allocations in all", plan->calls,
			s->allocations, LOAD_ALLOCATIONS_MAX);
	if (s->packet_count == 0 || s->packet_count > SCRIPT_PACKETS_MAX || s->length_ns == 0)
		return fail(failure, "the script of a call has no packets, or no length");
	if (s->path_count == 0 || s->path_count > SCRIPT_PATHS_MAX || s->allocations == 0)
		return fail(failure, "a script of %zu paths: there must be 1 to %d", s->path_count, SCRIPT_PATHS_MAX);
	for (size_t i = 0; i < s->path_count; i++)
		if (s->paths[i].allocation >= s->allocations)
			return fail(failure, "path %zu of the script belongs to allocation %u of %u", i, s->paths[i].allocation,
				s->allocations);
	for (size_t i = 0; i < s->packet_count; i++) {
		const struct script_packet *p = &s->packets[i];
		if (p->path >= s->path_count || p->direction >= DIRECTIONS || p->size > SENDER_PAYLOAD_MAX ||
			p->at_ns > s->length_ns || (i > 0 && p->at_ns < p[-1].at_ns))
			return fail(
				failure, "packet %zu of the script (%u bytes on path %u) is out of bounds", i, p->size, p->path);
	}
	return true;
}

static bool check_plan(const struct load_plan *plan, struct failure *failure)
{
	if (!(plan->seconds > 0) || !(plan->warmup_s >= 0) || !(plan->system_calls_s >= 0) || !(plan->drain_s >= 0))
		return fail(failure, "a load needs a positive number of seconds to be measured");
	if (plan->workers > LOAD_WORKERS_MAX)
		return fail(failure, "%u worker threads: at most %d", plan->workers, LOAD_WORKERS_MAX);
	return plan->kind == LOAD_SCRIPT ? check_script(plan, failure) : check_flood(&plan->flood, failure);
}

static unsigned worker_count_of(const struct load_plan *plan, const cpu_set_t *allowed, unsigned units)
{
	unsigned count = plan->workers;
	if (count == 0)
		count = (unsigned)CPU_COUNT(CPU_COUNT(&plan->cores) > 0 ? &plan->cores : allowed);
	count = count < LOAD_WORKERS_MAX ? count : LOAD_WORKERS_MAX;
	return count < units ? count : units;
}

/* The index-th core of the set, from the start again behind its end; -1 of an empty set. */
static int core_of(const cpu_set_t *cores, unsigned index)
{
	unsigned count = (unsigned)CPU_COUNT(cores);
	if (count == 0)
		return -1;
	index %= count;
	for (unsigned core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, cores) && index-- == 0)
			return (int)core;
	return -1;
}

static bool make_worker(struct load *load, unsigned number)
{
	uint64_t units = load->paths.units, count = load->worker_count;
	/* A cache line is never two workers'. */
	size_t size = (sizeof(struct worker) + 63) / 64 * 64;
	struct worker *w = aligned_alloc(64, size);
	if (w == NULL)
		return fail(load->failure, "out of memory for a worker");
	memset(w, 0, size);
	w->plan = load->plan;
	w->control = &load->control;
	w->paths = &load->paths;
	w->unit_first = (unsigned)(units * number / count);
	w->unit_count = (unsigned)(units * (number + 1) / count) - w->unit_first;
	w->number = number;
	w->workers = load->worker_count;
	w->core = core_of(&load->plan->cores, number);
	load->workers[number] = w;
	return worker_init(w, load->failure);
}

static bool make_workers(struct load *load, const cpu_set_t *allowed)
{
	unsigned count = worker_count_of(load->plan, allowed, load->paths.units);
	load->latency = malloc(sizeof *load->latency);
	load->workers = calloc(count, sizeof(struct worker *));
	if (load->latency == NULL || load->workers == NULL)
		return fail(load->failure, "out of memory for %u workers", count);
	load->control.start_ns =
		clock_mono_ns() + START_AFTER_NS + (load->paths.allocation_count + load->paths.path_count) * START_AFTER_SOCKET_NS;
	atomic_store(&load->control.window.start_ns, UINT64_MAX);
	atomic_store(&load->control.window.end_ns, UINT64_MAX);
	load->worker_count = count;
	for (unsigned i = 0; i < count; i++)
		if (!make_worker(load, i))
			return false;
	return true;
}

static void free_workers(struct load *load)
{
	for (unsigned i = 0; i < load->worker_count; i++) {
		if (load->workers[i] != NULL)
			worker_done(load->workers[i]);
		free(load->workers[i]);
	}
	free(load->workers);
	free(load->latency);
}

static bool read_rss(const struct load *load, uint64_t *ret_bytes)
{
	struct server_sample sample;
	pid_t pid = load->target->pid;
	if (pid <= 0)
		return true;
	if (server_watch_sample(pid, &load->target->cores, &sample) != 0)
		return fail(load->failure, "the server (pid %d) has ended before the measurement", (int)pid);
	*ret_bytes = sample.rss_bytes;
	return true;
}

static bool set_up(struct load *load, struct load_result *result)
{
	const struct load_target *target = load->target;
	if (interrupt_requested())
		return fail(load->failure, "interrupted before anything was measured");
	if (!paths_open(&load->paths, load->plan, target, load->failure) || !read_rss(load, &result->rss_before_bytes))
		return false;
	if (!paths_set_up(&load->paths, &result->setup_s, load->failure)) {
		result->port_taken = paths_port_taken(&load->paths);
		if (target->pid > 0 && !process_is_alive(target->pid))
			fail(load->failure, "the server (pid %d) ended while the allocations were made", (int)target->pid);
		return false;
	}
	return read_rss(load, &result->rss_held_bytes) && paths_announce(&load->paths, load->plan, load->failure);
}

static bool is_loader_bound(const struct load *load, const struct load_result *result, uint64_t skipped)
{
	if (!plan_is_closed_loop(load->plan))
		return result->lost_schedule > lost_schedule_max || skipped > 0;
	if (result->loader_busy <= busy_max)
		return false;
	int cores = CPU_COUNT(&load->target->cores);
	double server_busy = (double)result->server.run_ns / (double)NS_PER_S / result->seconds;
	return !result->server_known || server_busy < busy_max * (cores > 1 ? cores : 1);
}

static void collect(const struct load *load, struct load_result *result)
{
	uint64_t late = 0, skipped = 0;
	for (unsigned i = 0; i < load->worker_count; i++) {
		const struct worker *w = load->workers[i];
		tally_add(&result->up, &w->tallies[UP]);
		tally_add(&result->down, &w->tallies[DOWN]);
		late += tally_read(&w->sender.late);
		skipped += tally_read(&w->skipped);
		double busy = 1 - (double)tally_read(&w->waited_ns) / (double)NS_PER_S / result->seconds;
		result->loader_busy = busy > result->loader_busy ? busy : result->loader_busy;
	}
	uint64_t timed = tally_read(&result->up.lateness.count) + tally_read(&result->down.lateness.count);
	result->lost_schedule = timed == 0 ? 0 : (double)late / (double)timed;
	result->workers = load->worker_count;
	result->allocations = load->paths.allocation_count;
	memcpy(result->tls_version, load->paths.tls_version, sizeof result->tls_version);
	memcpy(result->cipher, load->paths.cipher, sizeof result->cipher);
	result->server_known = load->target->pid > 0;
	result->loader_bound = is_loader_bound(load, result, skipped);
}

static void reset_result(struct load_result *result)
{
	memset(result, 0, sizeof *result);
	tally_reset(&result->up);
	tally_reset(&result->down);
}

/* This thread keeps off the server's cores, too, as long as the load runs. */
bool load_run(const struct load_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct load_result *ret_result, struct failure *failure)
{
	if (!check_plan(plan, failure) || !check_transport(plan, target, failure))
		return false;
	struct load *load = calloc(1, sizeof *load);
	if (load == NULL)
		return fail(failure, "out of memory");
	load->plan = plan;
	load->target = target;
	load->progress = progress;
	load->progress_context = context;
	load->failure = failure;
	cpu_set_t allowed;
	CPU_ZERO(&allowed);
	bool pinned = sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&plan->cores) > 0;
	if (pinned)
		sched_setaffinity(0, sizeof plan->cores, &plan->cores);
	probe_pattern_init(plan->seed);
	reset_result(ret_result);
	bool done = set_up(load, ret_result) && make_workers(load, &allowed) && phases_run(load, ret_result);
	if (done)
		collect(load, ret_result);
	free_workers(load);
	paths_close(&load->paths);
	free(load);
	if (pinned)
		sched_setaffinity(0, sizeof allowed, &allowed);
	return done;
}
