#include "load/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "load/closed_loop.h"

/* How soon a worker sees that the load is over. */
#define WAIT_MAX_NS (10 * NS_PER_MS)
/* A wait that is over sooner has not waited: what came was there already. */
#define WAIT_MIN_NS UINT64_C(2000)

enum { EVENTS_MAX = 64 };

/* What epoll gives back: an allocation's client, or a path's peer. */
#define EVENT_CLIENT (UINT64_C(1) << 32)

static bool watch(struct worker *w, int fd, uint64_t name, struct failure *failure)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = name};
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	return fail(failure, "epoll_ctl: %s", strerror(errno));
}

static bool watch_sockets(struct worker *w, struct failure *failure)
{
	struct paths *p = w->paths;
	uint32_t allocation = w->unit_first * p->unit_allocations, path = w->unit_first * p->unit_paths;
	for (uint32_t i = 0; i < w->unit_count * p->unit_allocations; i++) {
		const struct allocation *a = &p->allocations[allocation + i];
		uint64_t name = EVENT_CLIENT | (allocation + i);
		bool watched = a->connection != NULL ? connection_watch(a->connection, w->epoll, name) ||
							       fail(failure, "epoll_ctl: %s", strerror(errno))
						     : watch(w, a->fd, name, failure);
		if (!watched)
			return false;
	}
	for (uint32_t i = 0; i < w->unit_count * p->unit_paths; i++)
		if (!watch(w, p->paths[path + i].peer_fd, path + i, failure))
			return false;
	return true;
}

bool worker_init(struct worker *w, struct failure *failure)
{
	struct paths *p = w->paths;
	for (unsigned direction = 0; direction < DIRECTIONS; direction++)
		tally_reset(&w->tallies[direction]);
	sender_init(&w->sender, w->plan->gso, &w->control->window, w->tallies);
	if (plan_is_closed_loop(w->plan))
		closed_loop_init(w);
	else if (!players_init(w))
		return fail(failure, "out of memory for the calls");
	if (!receiver_init(&w->receiver, p->paths, &w->sender.refused, w->tallies) ||
		!keepalive_init(&w->keepalive, p->clients + (size_t)w->unit_first * p->unit_allocations,
			w->unit_count * p->unit_allocations))
		return fail(failure, "out of memory for a worker");
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (w->epoll < 0)
		return fail(failure, "epoll_create1: %s", strerror(errno));
	return watch_sockets(w, failure);
}

void worker_done(struct worker *w)
{
	keepalive_done(&w->keepalive);
	receiver_done(&w->receiver);
	schedule_done(&w->schedule);
	free(w->players);
	w->players = NULL;
	if (w->epoll > 0)
		close(w->epoll);
	w->epoll = 0;
}

/* The part of a wait that lies inside the window. */
static void count_wait(struct worker *w, uint64_t from_ns, uint64_t to_ns)
{
	if (to_ns - from_ns < WAIT_MIN_NS)
		return;
	uint64_t start_ns = atomic_load_explicit(&w->control->window.start_ns, memory_order_relaxed);
	uint64_t end_ns = atomic_load_explicit(&w->control->window.end_ns, memory_order_relaxed);
	from_ns = from_ns > start_ns ? from_ns : start_ns;
	to_ns = to_ns < end_ns ? to_ns : end_ns;
	if (to_ns > from_ns)
		tally_count(&w->waited_ns, to_ns - from_ns);
}

static int wait_until(struct worker *w, struct epoll_event *events, uint64_t due_ns)
{
	uint64_t before_ns = clock_mono_ns();
	uint64_t wait_ns = due_ns > before_ns ? due_ns - before_ns : 0;
	wait_ns = wait_ns < WAIT_MAX_NS ? wait_ns : WAIT_MAX_NS;
	struct timespec timeout = {.tv_nsec = (long)wait_ns};
	int count = epoll_pwait2(w->epoll, events, EVENTS_MAX, &timeout, NULL);
	w->now_ns = clock_mono_ns();
	if (wait_ns > 0)
		count_wait(w, before_ns, w->now_ns);
	return count;
}

/* What a stream's packets that came back make room for goes out at once. */
static void take(struct worker *w, uint64_t name, bool answering)
{
	struct paths *p = w->paths;
	uint32_t index = (uint32_t)name;
	if ((name & EVENT_CLIENT) == 0) {
		receiver_read_peer(&w->receiver, &p->paths[index]);
		if (answering)
			closed_loop_top_up(w, &p->paths[index], UP);
		return;
	}
	struct turn_client *client = &p->turn_clients[index];
	w->receiver.answered = NULL;
	receiver_read_client(&w->receiver, &p->allocations[index], client);
	if (w->receiver.answered != NULL)
		keepalive_answered(&w->keepalive, client, clock_mono_ns());
	/* The allocations of a flood have one path each. */
	if (answering)
		closed_loop_top_up(w, &p->paths[p->allocations[index].path_first], DOWN);
}

static void loop(struct worker *w)
{
	struct epoll_event events[EVENTS_MAX];
	const struct load_control *control = w->control;
	bool closed_loop = plan_is_closed_loop(w->plan);
	uint64_t due_ns = control->start_ns, quiet_ns = 0;
	while (!atomic_load_explicit(&control->stop, memory_order_relaxed)) {
		bool quiet = atomic_load_explicit(&control->quiet, memory_order_relaxed);
		int count = wait_until(w, events, due_ns);
		bool sending = !quiet && w->now_ns >= control->start_ns;
		for (int i = 0; i < count; i++)
			take(w, events[i].data.u64, sending && closed_loop);
		if (sending)
			due_ns = closed_loop ? closed_loop_work(w, w->now_ns) : players_play(w, w->now_ns);
		else
			due_ns = quiet ? UINT64_MAX : control->start_ns;
		if (quiet && quiet_ns == 0)
			quiet_ns = w->now_ns;
		keepalive_poll(&w->keepalive, w->now_ns);
	}
	if (!closed_loop)
		players_finish(w, quiet_ns != 0 ? quiet_ns : clock_mono_ns());
}

/* Timers as exact as the kernel has them: packets of a paced load leave by them. */
static void *run(void *argument)
{
	struct worker *w = argument;
	prctl(PR_SET_NAME, "bench-load");
	prctl(PR_SET_TIMERSLACK, 1);
	if (w->core >= 0) {
		cpu_set_t cores;
		CPU_ZERO(&cores);
		CPU_SET((size_t)w->core, &cores);
		sched_setaffinity(0, sizeof cores, &cores);
	}
	loop(w);
	return NULL;
}

/* Signals are the coordinator's. */
bool worker_start(struct worker *w, struct failure *failure)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	w->started = error == 0;
	return w->started || fail(failure, "cannot start a thread: %s", strerror(error));
}

void worker_join(struct worker *w)
{
	if (w->started)
		pthread_join(w->thread, NULL);
	w->started = false;
}
