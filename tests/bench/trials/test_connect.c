#include "trials/connect.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "fake_listener.h"

static struct load_target target_of(const struct fake_listener *listener)
{
	return (struct load_target){.server = listener->addr, .transport = {.kind = listener->transport}, .pid = getpid()};
}

TestSuite(connect, .timeout = 60);

Test(connect, holds_what_it_is_told_to_and_tells_what_it_cost)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct fake_listener listener = {.transport = kinds[k]};
		fake_listener_start(&listener);
		struct load_target target = target_of(&listener);
		const struct connect_plan plan = {.held = 80, .parallel = 10};
		struct connect_result result;
		struct failure failure = {{0}};
		cr_assert(connect_run(&plan, &target, &result, &failure), "%s", failure.text);
		fake_listener_stop(&listener);
		/* One comes and goes before them. */
		cr_expect_eq(listener.connections, 81);
		cr_expect_eq(listener.frames, 81);
		cr_expect_eq(listener.allocated, 0);
		cr_expect_eq(result.held, 80);
		cr_expect_float_eq(result.connections_per_s, 80 / result.seconds, 1);
		cr_expect(result.server_known && result.run_ns_per_connection > 0);
		cr_expect(result.rss_idle_bytes > 0 && result.rss_held_bytes > 0 && result.rss_after_bytes > 0);
		cr_expect_float_eq(result.rss_bytes_per_connection,
			((double)result.rss_held_bytes - (double)result.rss_idle_bytes) / 80, 1e-6);
		cr_expect_eq(result.cipher[0] == '\0', kinds[k] == TRANSPORT_TCP);
	}
}

Test(connect, refuses_a_plan_that_cannot_be)
{
	struct load_target udp = {.server = addr_ipv4(127, 0, 0, 1, 9)}, tcp = udp;
	tcp.transport.kind = TRANSPORT_TCP;
	struct connect_result result;
	struct failure failure;
	cr_expect_not(connect_run(&(struct connect_plan){.held = 0}, &tcp, &result, &failure));
	cr_expect_not(connect_run(&(struct connect_plan){.held = CONNECT_HELD_MAX + 1}, &tcp, &result, &failure));
	cr_expect_not_null(strstr(failure.text, "cannot be held"), "%s", failure.text);
	cr_expect_not(connect_run(&(struct connect_plan){.held = 1}, &udp, &result, &failure));
	cr_expect_not_null(strstr(failure.text, "UDP has no connections"), "%s", failure.text);
}

Test(connect, says_that_nothing_listens)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9), .transport = {.kind = TRANSPORT_TLS}};
	struct connect_result result;
	struct failure failure;
	cr_expect_not(connect_run(&(struct connect_plan){.held = 1}, &target, &result, &failure));
	cr_expect_not_null(strstr(failure.text, "nothing listens there"), "%s", failure.text);
}
