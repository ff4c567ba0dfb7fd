#include "load/phases.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "interrupt.h"
#include "measure/system_calls.h"

#define LOOK_EVERY_NS (200 * NS_PER_MS)
#define DRAIN_STEP_NS (5 * NS_PER_MS)
#define DRAIN_MIN_NS (20 * NS_PER_MS)
/* A little before a phase's end nothing else is begun: the samples at the window's ends must not come late. */
#define NO_LOOK_BEFORE_END_NS (10 * NS_PER_MS)
#define INTERRUPTED_DRAIN_MAX_NS NS_PER_S
#define SILENCE_MAX_NS (2 * NS_PER_S)

enum outcome { PHASE_OVER, PHASE_INTERRUPTED, PHASE_FAILED };

bool process_is_alive(pid_t pid)
{
	char path[64], text[512];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t size = read(fd, text, sizeof text - 1);
	close(fd);
	if (size <= 0)
		return false;
	text[size] = '\0';
	/* proc_pid_stat(5): the name in brackets may hold anything, the state follows it. */
	const char *name_end = strrchr(text, ')');
	return name_end != NULL && name_end[1] == ' ' && name_end[2] != 'Z' && name_end[2] != 'X';
}

static uint64_t delivered_all(const struct load *load)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < load->worker_count; i++)
		sum += tally_read(&load->workers[i]->receiver.delivered);
	return sum;
}

static uint64_t sent_all(const struct load *load)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < load->worker_count; i++)
		sum += tally_read(&load->workers[i]->sender.sent);
	return sum;
}

static uint64_t refused_all(const struct load *load)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < load->worker_count; i++)
		sum += tally_read(&load->workers[i]->sender.refused);
	return sum;
}

static double seconds_of(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static void report(struct load *load, const char *phase, uint64_t now_ns)
{
	const struct load_plan *plan = load->plan;
	uint64_t delivered = delivered_all(load), interval_ns = now_ns - load->looked_ns;
	struct load_progress progress = {
		.phase = phase,
		.elapsed_s = now_ns > load->control.start_ns ? seconds_of(now_ns - load->control.start_ns) : 0,
		.total_s = plan->warmup_s + plan->seconds + plan->system_calls_s,
		.delivered_per_s = interval_ns == 0 ? 0 : (double)(delivered - load->looked_delivered) / seconds_of(interval_ns),
	};
	load->looked_ns = now_ns;
	load->looked_delivered = delivered;
	if (load->progress == NULL)
		return;
	histogram_reset(load->latency);
	for (unsigned i = 0; i < load->worker_count; i++) {
		for (unsigned direction = 0; direction < DIRECTIONS; direction++) {
			const struct tally *tally = &load->workers[i]->tallies[direction];
			progress.sent += tally_read(&tally->sent);
			progress.delivered += tally_read(&tally->delivered);
			histogram_add(load->latency, &tally->latency);
		}
	}
	progress.latency_p99_ns = histogram_quantile_ns(load->latency, 0.99);
	load->progress(load->progress_context, &progress);
}

static bool server_gone(const struct load *load)
{
	return fail(load->failure, "the server (pid %d) ended during the measurement", (int)load->target->pid);
}

/* Without a process to look at, the server is gone when its port refuses packets and nothing comes through any more. */
static bool server_refuses(struct load *load, uint64_t now_ns)
{
	uint64_t delivered = delivered_all(load), sent = sent_all(load);
	if (delivered != load->silent_delivered || sent == load->silent_sent) {
		load->silent_since_ns = now_ns;
		load->silent_delivered = delivered;
		load->silent_sent = sent;
	}
	return now_ns - load->silent_since_ns >= SILENCE_MAX_NS && refused_all(load) > 0;
}

/* Whether the server is still there and content. */
static bool check(struct load *load, uint64_t now_ns)
{
	char text[ADDR_TEXT_SIZE];
	if (load->target->pid > 0 && !process_is_alive(load->target->pid))
		return server_gone(load);
	if (server_refuses(load, now_ns))
		return fail(load->failure, "the server at %s has gone: its port refuses packets, and nothing arrived for 2 s",
			addr_format(&load->target->server, text));
	for (unsigned i = 0; i < load->worker_count; i++) {
		const struct turn_client *failed = atomic_load_explicit(&load->workers[i]->keepalive.failed, memory_order_acquire);
		if (failed != NULL)
			return fail(load->failure, "%s", failed->failure.text);
		const struct connection *ended = atomic_load_explicit(&load->workers[i]->receiver.ended, memory_order_acquire);
		if (ended != NULL)
			return fail(load->failure, "the server at %s ended a connection (%s): %s",
				addr_format(&load->target->server, text), transport_name(load->target->transport.kind), ended->why);
	}
	return true;
}

static void sleep_until(uint64_t until_ns)
{
	struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S)};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* Sleeps to the end of a phase, and looks around now and then. A signal ends a sleep early. */
static enum outcome wait_phase(struct load *load, const char *phase, uint64_t until_ns)
{
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		if (interrupt_requested())
			return PHASE_INTERRUPTED;
		if (now_ns >= until_ns)
			return PHASE_OVER;
		bool late = until_ns - now_ns < NO_LOOK_BEFORE_END_NS;
		if (!late && now_ns - load->looked_ns >= LOOK_EVERY_NS) {
			if (!check(load, now_ns))
				return PHASE_FAILED;
			report(load, phase, now_ns);
		}
		uint64_t look_ns = load->looked_ns + LOOK_EVERY_NS;
		bool to_the_end = until_ns < look_ns + NO_LOOK_BEFORE_END_NS;
		sleep_until(to_the_end ? until_ns : look_ns);
	}
}

static bool sample(struct load *load, struct server_sample *ret_sample)
{
	*ret_sample = (struct server_sample){0};
	if (load->target->pid <= 0)
		return true;
	if (server_watch_sample(load->target->pid, &load->target->cores, ret_sample) != 0)
		return server_gone(load);
	return true;
}

static bool measure_window(struct load *load, struct load_result *result)
{
	struct window *window = &load->control.window;
	struct server_sample before, after;
	uint64_t start_ns = tally_read(&window->start_ns);
	switch (wait_phase(load, "warm-up", start_ns)) {
	case PHASE_OVER:
		break;
	case PHASE_INTERRUPTED:
		return fail(load->failure, "interrupted before anything was measured");
	case PHASE_FAILED:
		return false;
	}
	if (!sample(load, &before))
		return false;
	enum outcome outcome = wait_phase(load, "measuring", tally_read(&window->end_ns));
	if (outcome == PHASE_FAILED)
		return false;
	if (outcome == PHASE_INTERRUPTED) {
		uint64_t now_ns = clock_mono_ns();
		atomic_store_explicit(&window->end_ns, now_ns > start_ns ? now_ns : start_ns + 1, memory_order_relaxed);
		result->interrupted = true;
	}
	result->seconds = seconds_of(tally_read(&window->end_ns) - start_ns);
	if (!sample(load, &after))
		return false;
	result->server = server_watch_difference(&before, &after);
	return true;
}

static bool count_system_calls(struct load *load, struct load_result *result)
{
	char *why = result->system_calls_why;
	size_t why_size = sizeof result->system_calls_why;
	if (load->plan->system_calls_s <= 0 || load->target->pid <= 0 || result->interrupted) {
		snprintf(why, why_size, "%s",
			result->interrupted      ? "interrupted"
			: load->target->pid <= 0 ? "the server's process is not known"
						 : "not asked for");
		return true;
	}
	struct system_calls *counters = system_calls_start(load->target->pid, why, why_size);
	if (counters == NULL)
		return true;
	uint64_t until_ns = clock_mono_ns() + (uint64_t)(load->plan->system_calls_s * (double)NS_PER_S);
	uint64_t before = delivered_all(load);
	enum outcome outcome = wait_phase(load, "counting system calls", until_ns);
	uint64_t delivered = delivered_all(load) - before;
	uint64_t calls = system_calls_stop(counters);
	result->interrupted |= outcome == PHASE_INTERRUPTED;
	if (outcome == PHASE_OVER && delivered > 0) {
		result->system_calls_known = true;
		result->system_calls_per_packet = (double)calls / (double)delivered;
	} else {
		snprintf(why, why_size, "%s", outcome == PHASE_OVER ? "nothing was delivered meanwhile" : "interrupted");
	}
	return outcome != PHASE_FAILED;
}

static bool missing_some(const struct load *load)
{
	uint64_t missing = 0;
	for (unsigned i = 0; i < load->worker_count; i++)
		for (unsigned direction = 0; direction < DIRECTIONS; direction++)
			missing += tally_lost(&load->workers[i]->tallies[direction]);
	return missing > 0;
}

/* What an interrupt ended waits for the packets under way, but not for long; one that comes meanwhile ends the wait. */
static bool drain(struct load *load, struct load_result *result)
{
	atomic_store_explicit(&load->control.quiet, true, memory_order_relaxed);
	uint64_t now_ns = clock_mono_ns(), drain_ns = (uint64_t)(load->plan->drain_s * (double)NS_PER_S);
	if (result->interrupted && drain_ns > INTERRUPTED_DRAIN_MAX_NS)
		drain_ns = INTERRUPTED_DRAIN_MAX_NS;
	uint64_t until_ns = now_ns + drain_ns;
	sleep_until(now_ns + DRAIN_MIN_NS);
	while (missing_some(load) && (now_ns = clock_mono_ns()) < until_ns) {
		if (!result->interrupted && interrupt_requested()) {
			result->interrupted = true;
			break;
		}
		if (now_ns - load->looked_ns >= LOOK_EVERY_NS) {
			if (!check(load, now_ns))
				return false;
			report(load, "waiting for late packets", now_ns);
		}
		sleep_until(now_ns + DRAIN_STEP_NS);
	}
	return true;
}

static bool start(struct load *load)
{
	const struct load_plan *plan = load->plan;
	struct load_control *control = &load->control;
	uint64_t start_ns = control->start_ns + (uint64_t)(plan->warmup_s * (double)NS_PER_S);
	/* Before the workers begin: one that starts late must know at once what belongs to the window. */
	atomic_store_explicit(
		&control->window.end_ns, start_ns + (uint64_t)(plan->seconds * (double)NS_PER_S), memory_order_relaxed);
	atomic_store_explicit(&control->window.start_ns, start_ns, memory_order_relaxed);
	for (unsigned i = 0; i < load->worker_count; i++)
		if (!worker_start(load->workers[i], load->failure))
			return false;
	load->looked_ns = clock_mono_ns();
	load->silent_since_ns = load->looked_ns;
	return true;
}

bool phases_run(struct load *load, struct load_result *result)
{
	bool done = start(load) && measure_window(load, result) && count_system_calls(load, result) && drain(load, result);
	atomic_store_explicit(&load->control.stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < load->worker_count; i++)
		worker_join(load->workers[i]);
	return done;
}
