#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"

Test(clock, monotonic_time_passes_at_the_rate_it_was_built_with)
{
	uint64_t before_ns = clock_mono_ns();
	nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
	uint64_t passed_ns = clock_mono_ns() - before_ns;
	cr_assert_geq(passed_ns, 20 * NS_PER_MS * UTURN_CLOCK_RATE);
	cr_assert_lt(passed_ns, 10 * NS_PER_S * UTURN_CLOCK_RATE);
}

Test(clock, wall_time_is_that_of_the_system)
{
	time_t before_s = time(NULL);
	struct moment now = clock_now();
	uint64_t now_ms = clock_wall_ms();
	time_t after_s = time(NULL);
	/* time() may lag by a tick of the kernel. */
	cr_assert(now.wall_s >= (uint64_t)before_s && now.wall_s <= (uint64_t)after_s + 1);
	cr_assert(now_ms / 1000 >= now.wall_s && now_ms / 1000 <= (uint64_t)after_s + 1);
	cr_assert_leq(now.mono_ns, clock_mono_ns());
}

Test(clock, waits_long_enough_and_not_for_what_is_past)
{
	cr_assert_eq(clock_wait_ns(5, 5), 0);
	cr_assert_eq(clock_wait_ns(4, 5), 0);
	cr_assert_eq(clock_wait_ns(6, 5), 1);
	for (uint64_t left_ns = 1; left_ns < 5000; left_ns += 7) {
		uint64_t wait_ns = clock_wait_ns(1000 + left_ns, 1000);
		cr_assert_geq(wait_ns * UTURN_CLOCK_RATE, left_ns);
		cr_assert_lt((wait_ns - 1) * UTURN_CLOCK_RATE, left_ns);
	}
	cr_assert_eq(clock_wait_ns(UINT64_MAX, 0), UINT64_MAX / UTURN_CLOCK_RATE + (UINT64_MAX % UTURN_CLOCK_RATE != 0));
}
