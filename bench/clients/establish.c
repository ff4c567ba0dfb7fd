#include "clients/establish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/tls_link.h"
#include "clients/endpoint.h"
#include "crypto/random.h"
#include "interrupt.h"
#include "wire/stun_build.h"
#include "wire/stun_view.h"

enum { EVENTS_MAX = 64, TICK_MS = 20, RESEND_MS = 500 };

struct candidate {
	uint8_t id[STUN_TRANSACTION_ID_SIZE];
	bool at_work, asked, answered;
	uint64_t asked_ns;
};

struct establish {
	struct connection *connections;
	struct candidate *candidates;
	unsigned *free_slots, free_count;
	const struct establish_plan *plan;
	struct establish_figures *figures;
	unsigned slots, begun, working;
	uint64_t start_ns, heard_ns, waited_ns;
	int epoll;
	struct failure *failure;
};

static bool not_reached(struct establish *e, const struct connection *c)
{
	char text[ADDR_TEXT_SIZE];
	addr_format(&c->plan->server, text);
	return fail(e->failure, "the connection to the server at %s (%s) failed: %s", text,
		transport_name(c->plan->transport->kind), c->why);
}

static void ask(struct connection *c, struct candidate *candidate, uint64_t now_ns)
{
	uint8_t request[STUN_HEADER_SIZE + 8];
	static _Thread_local struct random_source ids;
	if (!candidate->asked)
		random_bytes(&ids, candidate->id, sizeof candidate->id);
	struct stun_builder b = stun_build(request, sizeof request, STUN_BINDING, STUN_REQUEST, candidate->id);
	connection_send(c, stun_build_end(&b));
	candidate->asked = true;
	candidate->asked_ns = now_ns;
}

static void take_answer(void *context, struct bytes frame)
{
	struct candidate *candidate = context;
	struct stun_view view;
	if (stun_view_parse(frame, &view) == STUN_PARSED && view.class == STUN_SUCCESS &&
		memcmp(stun_view_transaction_id(&view), candidate->id, sizeof candidate->id) == 0)
		candidate->answered = true;
}

/* -1 with one line. */
static int open_socket(const struct connection_plan *p, struct failure *failure)
{
	struct addr bound;
	int fd = transport_is_stream(p->transport->kind) ? endpoint_open_stream(&p->local, p->buffer_bytes, &bound, failure)
							 : endpoint_open(&p->local, true, p->buffer_bytes, &bound, failure);
	if (fd >= 0 && !endpoint_connect(fd, &p->server, failure)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool begin(struct establish *e, uint64_t now_ns)
{
	unsigned slot = e->free_slots[--e->free_count];
	struct connection *c = &e->connections[slot];
	e->candidates[slot] = (struct candidate){.at_work = true, .asked_ns = now_ns};
	e->begun++;
	e->working++;
	int fd = open_socket(c->plan, e->failure);
	if (fd < 0 || !connection_start(c, fd, e->failure))
		return false;
	return connection_watch(c, e->epoll, slot) || fail(e->failure, "epoll_ctl: %s", strerror(errno));
}

/* How many may have been begun by now. */
static double allowed(const struct establish *e, uint64_t now_ns)
{
	double rate = e->plan->rate_per_s;
	return rate > 0 ? 1 + rate * (double)(now_ns - e->start_ns) / (double)NS_PER_S : (double)e->plan->count;
}

static bool is_over(const struct establish *e, uint64_t now_ns)
{
	return (e->plan->end_ns != 0 && now_ns >= e->plan->end_ns) ||
	       (e->plan->stop != NULL && atomic_load_explicit(e->plan->stop, memory_order_relaxed));
}

static bool begin_some(struct establish *e, uint64_t now_ns)
{
	unsigned parallel = e->plan->parallel > 0 ? e->plan->parallel : 1;
	while (e->begun < e->plan->count && e->working < parallel && e->free_count > 0 && (double)e->begun < allowed(e, now_ns))
		if (!begin(e, now_ns))
			return false;
	return true;
}

static void release(struct establish *e, unsigned slot)
{
	e->candidates[slot].at_work = false;
	e->working--;
	if (!e->plan->passing)
		return;
	connection_close(&e->connections[slot]);
	e->free_slots[e->free_count++] = slot;
}

static void note_done(struct establish *e, const struct connection *c)
{
	struct establish_figures *f = e->figures;
	f->done++;
	if (c->tls == NULL)
		return;
	f->resumed += tls_link_resumed(c->tls);
	if (f->cipher[0] == '\0') {
		snprintf(f->version, sizeof f->version, "%s", tls_link_version(c->tls));
		snprintf(f->cipher, sizeof f->cipher, "%s", tls_link_cipher(c->tls));
	}
}

/* After anything that may have moved it on. */
static bool look_at(struct establish *e, unsigned slot, uint64_t now_ns)
{
	struct connection *c = &e->connections[slot];
	struct candidate *candidate = &e->candidates[slot];
	if (c->state == CONNECTION_OPEN && e->plan->binding && !candidate->asked)
		ask(c, candidate, now_ns);
	if (c->state == CONNECTION_ENDED) {
		if (!e->plan->passing)
			return not_reached(e, c);
		if (e->figures->failed++ == 0)
			snprintf(e->figures->why, sizeof e->figures->why, "%s", c->why);
		release(e, slot);
	} else if (c->state == CONNECTION_OPEN && (candidate->answered || !e->plan->binding)) {
		note_done(e, c);
		release(e, slot);
	}
	return true;
}

static bool tick(struct establish *e, uint64_t now_ns)
{
	for (unsigned slot = 0; slot < e->slots; slot++) {
		struct connection *c = &e->connections[slot];
		struct candidate *candidate = &e->candidates[slot];
		if (!candidate->at_work)
			continue;
		connection_tick(c);
		if (c->plan->transport->kind == TRANSPORT_DTLS && candidate->asked &&
			now_ns - candidate->asked_ns > RESEND_MS * NS_PER_MS)
			ask(c, candidate, now_ns);
		if (!look_at(e, slot, now_ns))
			return false;
	}
	if (now_ns - e->heard_ns <= ESTABLISH_SILENCE_MS * NS_PER_MS)
		return true;
	char text[ADDR_TEXT_SIZE];
	return fail(e->failure, "the server at %s does not answer (%s)", addr_format(&e->connections[0].plan->server, text),
		transport_name(e->connections[0].plan->transport->kind));
}

static bool wait_and_take(struct establish *e)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t before_ns = clock_mono_ns();
	/* A rate may ask for one sooner than that. */
	int ready = epoll_wait(e->epoll, events, EVENTS_MAX, e->plan->rate_per_s > 0 ? 1 : TICK_MS);
	uint64_t now_ns = clock_mono_ns();
	e->waited_ns += now_ns - before_ns;
	if (ready < 0 && errno != EINTR)
		return fail(e->failure, "epoll_wait: %s", strerror(errno));
	for (int i = 0; i < ready; i++) {
		unsigned slot = events[i].data.u32;
		struct connection *c = &e->connections[slot];
		if (!e->candidates[slot].at_work)
			continue;
		e->heard_ns = now_ns;
		if (c->state == CONNECTION_CONNECTING || (events[i].events & EPOLLOUT) != 0)
			connection_writable(c);
		if ((events[i].events & ~(unsigned)EPOLLOUT) != 0)
			connection_readable(c, take_answer, &e->candidates[slot]);
		if (!look_at(e, slot, now_ns))
			return false;
	}
	return true;
}

static bool run(struct establish *e)
{
	uint64_t tick_ns = e->start_ns = e->heard_ns = clock_mono_ns();
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		if (is_over(e, now_ns))
			break;
		if (!begin_some(e, now_ns))
			return false;
		if (e->working == 0 && e->begun == e->plan->count)
			break;
		/* Nothing is awaited while a rate keeps from beginning the next one. */
		e->heard_ns = e->working == 0 ? now_ns : e->heard_ns;
		if (interrupt_requested())
			return fail(e->failure, "interrupted");
		if (now_ns - tick_ns >= TICK_MS * NS_PER_MS) {
			tick_ns = now_ns;
			if (!tick(e, now_ns))
				return false;
		}
		if (!wait_and_take(e))
			return false;
	}
	uint64_t spent_ns = clock_mono_ns() - e->start_ns;
	e->figures->seconds = (double)spent_ns / (double)NS_PER_S;
	e->figures->busy = spent_ns == 0 ? 0 : 1 - (double)e->waited_ns / (double)spent_ns;
	return true;
}

static bool prepare(struct establish *e)
{
	e->candidates = calloc(e->slots, sizeof *e->candidates);
	e->free_slots = calloc(e->slots, sizeof *e->free_slots);
	if (e->candidates == NULL || e->free_slots == NULL)
		return fail(e->failure, "out of memory for %u connections", e->slots);
	/* The first slot is taken first. */
	while (e->free_count < e->slots) {
		e->free_slots[e->free_count] = e->slots - 1 - e->free_count;
		e->free_count++;
	}
	e->epoll = epoll_create1(EPOLL_CLOEXEC);
	return e->epoll >= 0 || fail(e->failure, "epoll_create1: %s", strerror(errno));
}

/* Those that are up wait in another epoll set from now on. */
static void leave(struct establish *e)
{
	for (unsigned slot = 0; slot < e->slots; slot++) {
		if (e->plan->passing)
			connection_close(&e->connections[slot]);
		e->connections[slot].epoll = -1;
	}
	if (e->epoll >= 0)
		close(e->epoll);
	free(e->candidates);
	free(e->free_slots);
}

bool establish(struct connection *connections, const struct establish_plan *plan, struct establish_figures *ret_figures,
	struct failure *failure)
{
	unsigned parallel = plan->parallel > 0 ? plan->parallel : 1;
	struct establish e = {
		.connections = connections,
		.plan = plan,
		.figures = ret_figures,
		.slots = plan->passing && parallel < plan->count ? parallel : plan->count,
		.epoll = -1,
		.failure = failure,
	};
	*ret_figures = (struct establish_figures){0};
	if (plan->count == 0)
		return true;
	bool done = prepare(&e) && run(&e);
	leave(&e);
	return done;
}
