#include "trials/allocate.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "fake_listener.h"
#include "fake_server.h"

static struct load_target target_of(const struct fake_listener *listener)
{
	return (struct load_target){.server = listener->addr, .username = FAKE_USER, .password = FAKE_PASSWORD};
}

Test(allocate, makes_binds_and_ends_what_it_is_told_to)
{
	for (int channels = 0; channels < 2; channels++) {
		struct fake_listener listener = {.refuse = 0};
		fake_listener_start(&listener);
		struct load_target target = target_of(&listener);
		struct allocate_plan plan = {.held = 150, .parallel = 20, .channels = channels != 0};
		struct allocate_result result;
		struct failure failure = {{0}};
		cr_assert(allocate_run(&plan, &target, &result, &failure), "%s", failure.text);
		fake_listener_stop(&listener);
		cr_assert_eq(listener.allocated, 150);
		cr_assert_eq(listener.bound, channels != 0 ? 150 : 0);
		cr_assert_eq(listener.ended, 150);
		cr_assert_eq(result.held, 150);
		cr_assert_gt(result.seconds, 0);
		cr_assert_float_eq(result.allocations_per_s, 150 / result.seconds, 1);
		cr_assert(result.loader_busy >= 0 && result.loader_busy <= 1);
		cr_assert_not(result.server_known);
	}
}

Test(allocate, works_over_connections)
{
	static const enum transport_kind kinds[] = {TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS};
	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		struct fake_listener listener = {.transport = kinds[k]};
		fake_listener_start(&listener);
		struct load_target target = target_of(&listener);
		target.transport.kind = kinds[k];
		struct allocate_plan plan = {.held = 60, .parallel = 20, .channels = true};
		struct allocate_result result;
		struct failure failure = {{0}};
		cr_assert(allocate_run(&plan, &target, &result, &failure), "%s", failure.text);
		fake_listener_stop(&listener);
		cr_assert_eq(listener.connections, 60);
		cr_assert_eq(listener.allocated, 60);
		cr_assert_eq(listener.bound, 60);
		cr_assert_eq(listener.ended, 60);
	}
}

Test(allocate, reads_the_servers_cost_where_it_is_here_and_goes_back_to_its_cores)
{
	struct fake_listener listener = {.refuse = 0};
	fake_listener_start(&listener);
	struct load_target target = target_of(&listener);
	target.pid = getpid();
	struct allocate_plan plan = {.held = 50};
	cpu_set_t before, after;
	cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
	for (int core = 0; CPU_COUNT(&plan.cores) == 0; core++)
		if (CPU_ISSET(core, &before))
			CPU_SET(core, &plan.cores);
	struct allocate_result result;
	struct failure failure = {{0}};
	cr_assert(allocate_run(&plan, &target, &result, &failure), "%s", failure.text);
	fake_listener_stop(&listener);
	cr_assert(result.server_known);
	cr_assert_gt(result.run_ns_per_allocation, 0);
	cr_assert(result.rss_idle_bytes > 0 && result.rss_held_bytes > 0 && result.rss_after_bytes > 0);
	cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
	cr_assert(CPU_EQUAL(&before, &after));
}

Test(allocate, refuses_a_plan_out_of_bounds)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9)};
	static const unsigned held[] = {0, ALLOCATE_HELD_MAX + 1};
	for (int i = 0; i < 2; i++) {
		struct allocate_plan plan = {.held = held[i]};
		struct allocate_result result;
		struct failure failure;
		cr_assert_not(allocate_run(&plan, &target, &result, &failure));
		cr_assert_not_null(strstr(failure.text, "cannot be held"), "%s", failure.text);
	}
}

Test(allocate, fails_with_the_servers_refusal)
{
	struct fake_listener listener = {.refuse = 486};
	fake_listener_start(&listener);
	struct load_target target = target_of(&listener);
	struct allocate_plan plan = {.held = 10};
	struct allocate_result result;
	struct failure failure;
	cr_assert_not(allocate_run(&plan, &target, &result, &failure));
	cr_assert_not_null(strstr(failure.text, "no more allocations (486)"), "%s", failure.text);
	fake_listener_stop(&listener);
}
