#include "trials/handshakes.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "fake_listener.h"

TestSuite(handshakes, .timeout = 60);

static struct load_target target_of(const struct fake_listener *listener)
{
	return (struct load_target){.server = listener->addr,
		.transport = {.kind = listener->transport},
		.username = FAKE_USER,
		.password = FAKE_PASSWORD,
		.pid = getpid()};
}

Test(handshakes, are_full_and_then_resumed)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < 2; k++) {
		struct fake_listener listener = {.transport = kinds[k]};
		fake_listener_start(&listener);
		struct load_target target = target_of(&listener);
		const struct handshakes_plan plan = {.count = 40, .parallel = 4, .seconds = 10};
		struct handshakes_result result;
		struct failure failure = {{0}};
		cr_assert(handshakes_run(&plan, &target, NULL, NULL, &result, &failure), "%s", failure.text);
		fake_listener_stop(&listener);
		cr_expect_eq(result.full.done, 40);
		cr_expect_eq(result.full.resumed, 0);
		cr_expect_eq(result.resumed.done, 40);
		cr_expect_eq(result.resumed.resumed, 40);
		/* The one whose session the first of the others resumes is beside them. */
		cr_expect_eq(listener.handshakes, 81);
		cr_expect_eq(listener.resumed, 40);
		cr_expect_gt(result.full.per_s, 0);
		cr_expect_float_eq(result.full.per_core_s, 1e9 / result.full.run_ns_per_handshake, 1);
		cr_expect_null(result.before);
		cr_expect_null(result.during);
		handshakes_result_done(&result);
	}
}

Test(handshakes, keep_to_their_rate_and_their_time)
{
	struct fake_listener listener = {.transport = TRANSPORT_TLS};
	fake_listener_start(&listener);
	struct load_target target = target_of(&listener);
	const struct handshakes_plan plan = {.count = 1000, .rate_per_s = 50, .seconds = 0.4};
	struct handshakes_result result;
	struct failure failure = {{0}};
	cr_assert(handshakes_run(&plan, &target, NULL, NULL, &result, &failure), "%s", failure.text);
	fake_listener_stop(&listener);
	cr_expect(result.full.done >= 5 && result.full.done <= 21, "%u", result.full.done);
	cr_expect(result.resumed.done >= 5 && result.resumed.done <= 21, "%u", result.resumed.done);
	handshakes_result_done(&result);
}

static void expect_refused(const struct handshakes_plan *plan, enum transport_kind kind, const char *why)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9), .transport = {.kind = kind}};
	struct handshakes_result result;
	struct failure failure;
	cr_expect_not(handshakes_run(plan, &target, NULL, NULL, &result, &failure));
	cr_expect_not_null(strstr(failure.text, why), "%s", failure.text);
}

Test(handshakes, refuse_a_plan_that_cannot_be)
{
	const struct handshakes_plan good = {.count = 1, .seconds = 1}, none = {.seconds = 1}, no_time = {.count = 1};
	const struct handshakes_plan unpaced = {.count = 1, .seconds = 1, .has_victim = true, .victim = {.kind = LOAD_FLOOD}};
	expect_refused(&good, TRANSPORT_TCP, "TLS's and DTLS's");
	expect_refused(&none, TRANSPORT_TLS, "0 handshakes");
	expect_refused(&no_time, TRANSPORT_TLS, "a time");
	expect_refused(&unpaced, TRANSPORT_TLS, "must be paced");
	expect_refused(&good, TRANSPORT_TLS, "no handshake (tls) came to its end: nothing listens there");
}
