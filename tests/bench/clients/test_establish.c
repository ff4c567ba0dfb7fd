#include "clients/establish.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fake_listener.h"
#include "interrupt.h"

enum { MANY = 100 };

struct crowd {
	struct fake_listener listener;
	struct transport transport;
	struct connection_plan plan;
	struct connection connections[MANY];
	struct establish_figures figures;
	struct failure failure;
};

static struct crowd *crowd_open(enum transport_kind kind, bool resumes, const struct fake_listener *how)
{
	struct crowd *c = calloc(1, sizeof *c);
	if (how != NULL)
		c->listener.mute = how->mute;
	c->listener.transport = c->transport.kind = kind;
	fake_listener_start(&c->listener);
	c->plan = (struct connection_plan){
		.transport = &c->transport, .local = addr_ipv4(127, 0, 0, 1, 0), .server = c->listener.addr, .buffer_bytes = 16384};
	if (transport_is_secure(kind))
		c->plan.tls = tls_context_create(&c->transport, true, resumes, &c->failure);
	for (unsigned i = 0; i < MANY; i++)
		connection_init(&c->connections[i], &c->plan);
	return c;
}

static void crowd_close(struct crowd *c)
{
	for (unsigned i = 0; i < MANY; i++)
		connection_close(&c->connections[i]);
	if (!c->listener.stop)
		fake_listener_stop(&c->listener);
	tls_context_free(c->plan.tls);
}

TestSuite(establish, .timeout = 60);

Test(establish, brings_up_all_and_each_has_been_answered)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct crowd *c = crowd_open(kinds[k], false, NULL);
		const struct establish_plan plan = {.count = MANY, .parallel = 7, .binding = true};
		cr_assert(establish(c->connections, &plan, &c->figures, &c->failure), "%s", c->failure.text);
		cr_expect_eq(c->figures.done, MANY);
		for (unsigned i = 0; i < MANY; i++)
			cr_expect_eq(c->connections[i].state, CONNECTION_OPEN);
		crowd_close(c);
		cr_expect_eq(c->listener.connections, MANY);
		cr_expect_eq(c->listener.frames, MANY, "%s: %u requests", transport_name(kinds[k]), c->listener.frames);
		cr_expect_eq(c->figures.resumed, 0);
		if (kinds[k] == TRANSPORT_TCP)
			cr_expect_str_empty(c->figures.cipher);
		else
			cr_expect_not_null(strstr(c->figures.cipher, "128"), "%s", c->figures.cipher);
		free(c);
	}
}

Test(establish, makes_passing_ones_in_few_slots_full_or_resumed)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < 2; k++) {
		for (int resumes = 0; resumes < 2; resumes++) {
			struct crowd *c = crowd_open(kinds[k], resumes != 0, NULL);
			const struct establish_plan first = {.count = 1, .parallel = 1, .binding = true, .passing = true};
			const struct establish_plan plan = {.count = 50, .parallel = 4, .binding = true, .passing = true};
			cr_assert(establish(c->connections, &first, &c->figures, &c->failure), "%s", c->failure.text);
			cr_assert(establish(c->connections, &plan, &c->figures, &c->failure), "%s", c->failure.text);
			cr_expect_eq(c->figures.done, 50);
			cr_expect_eq(c->figures.failed, 0);
			cr_expect_eq(c->figures.resumed, resumes ? 50 : 0, "%s: %u", transport_name(kinds[k]), c->figures.resumed);
			crowd_close(c);
			cr_expect_eq(c->listener.resumed, resumes ? 50 : 0);
			free(c);
		}
	}
}

Test(establish, begins_no_more_in_a_second_than_it_may)
{
	struct crowd *c = crowd_open(TRANSPORT_TCP, false, NULL);
	const struct establish_plan plan = {.count = 31, .parallel = 64, .rate_per_s = 100, .binding = true};
	cr_assert(establish(c->connections, &plan, &c->figures, &c->failure), "%s", c->failure.text);
	cr_expect_geq(c->figures.seconds, 0.29);
	cr_expect_lt(c->figures.busy, 0.9);
	crowd_close(c);
	free(c);
}

Test(establish, ends_at_its_time_with_those_that_are_done)
{
	struct crowd *c = crowd_open(TRANSPORT_TCP, false, NULL);
	const struct establish_plan plan = {.count = 1000000,
		.parallel = 4,
		.rate_per_s = 1000,
		.end_ns = clock_mono_ns() + NS_PER_S / 5,
		.binding = true,
		.passing = true};
	cr_assert(establish(c->connections, &plan, &c->figures, &c->failure), "%s", c->failure.text);
	cr_expect(c->figures.done > 10 && c->figures.done <= 201, "%u", c->figures.done);
	cr_expect_lt(c->figures.seconds, 1);
	crowd_close(c);
	free(c);
}

Test(establish, says_that_nothing_listens)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct crowd *c = crowd_open(kinds[k], false, NULL);
		fake_listener_stop(&c->listener);
		const struct establish_plan plan = {.count = 3, .parallel = 1};
		cr_expect_not(establish(c->connections, &plan, &c->figures, &c->failure));
		cr_expect_not_null(strstr(c->failure.text, "nothing listens there"), "%s", c->failure.text);
		cr_expect_not_null(strstr(c->failure.text, transport_name(kinds[k])), "%s", c->failure.text);
		crowd_close(c);
		free(c);
	}
}

Test(establish, gives_up_on_a_silent_server)
{
	struct crowd *c = crowd_open(TRANSPORT_TCP, false, &(struct fake_listener){.mute = true});
	const struct establish_plan plan = {.count = 3, .parallel = 3, .binding = true};
	uint64_t start_ns = clock_mono_ns();
	cr_expect_not(establish(c->connections, &plan, &c->figures, &c->failure));
	cr_expect_lt(clock_mono_ns() - start_ns, (ESTABLISH_SILENCE_MS + 1000) * NS_PER_MS);
	cr_expect_not_null(strstr(c->failure.text, "does not answer (tcp)"), "%s", c->failure.text);
	crowd_close(c);
	free(c);
}

Test(establish, ends_when_it_is_interrupted)
{
	struct crowd *c = crowd_open(TRANSPORT_TCP, false, &(struct fake_listener){.mute = true});
	const struct establish_plan plan = {.count = 3, .parallel = 3, .binding = true};
	interrupt_request();
	cr_expect_not(establish(c->connections, &plan, &c->figures, &c->failure));
	cr_expect_str_eq(c->failure.text, "interrupted");
	crowd_close(c);
	free(c);
}
