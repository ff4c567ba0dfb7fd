#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/wheel.h"

#define DAY_NS (86400 * NS_PER_S)
#define START_NS (UINT64_C(123456789) * NS_PER_S + 987654321)

enum { TIMERS = 300 };

/* The wheel, and beside it what it ought to do. */
struct rig {
	struct wheel wheel;
	struct timer timers[TIMERS];
	bool running[TIMERS];
	uint64_t now_ns;
};

static struct rig *rig_create(uint64_t now_ns)
{
	struct rig *rig = calloc(1, sizeof *rig);
	rig->now_ns = now_ns;
	wheel_init(&rig->wheel, now_ns);
	return rig;
}

static void rig_start(struct rig *rig, unsigned index, uint64_t deadline_ns)
{
	wheel_start(&rig->wheel, &rig->timers[index], deadline_ns);
	rig->running[index] = true;
}

static void rig_stop(struct rig *rig, unsigned index)
{
	wheel_stop(&rig->wheel, &rig->timers[index]);
	rig->running[index] = false;
}

static uint64_t earliest_ns(const struct rig *rig)
{
	uint64_t earliest = WHEEL_NEVER;
	for (unsigned i = 0; i < TIMERS; i++)
		if (rig->running[i] && rig->timers[i].deadline_ns < earliest)
			earliest = rig->timers[i].deadline_ns;
	return earliest;
}

static bool any_running(const struct rig *rig)
{
	for (unsigned i = 0; i < TIMERS; i++)
		if (rig->running[i])
			return true;
	return false;
}

static void check_deadline(const struct rig *rig)
{
	uint64_t earliest = earliest_ns(rig), told = wheel_deadline_ns(&rig->wheel);
	cr_assert_eq(told != WHEEL_NEVER, any_running(rig));
	if (earliest != WHEEL_NEVER)
		cr_assert_lt(told, (earliest > rig->now_ns ? earliest : rig->now_ns) + WHEEL_TICK_NS);
}

/* Goes on to `now_ns` and takes what has expired; nothing may be early, twice, or more than a tick late. */
static unsigned rig_advance(struct rig *rig, uint64_t now_ns)
{
	unsigned fired = 0;
	rig->now_ns = now_ns;
	for (struct timer *timer; (timer = wheel_expired(&rig->wheel, now_ns)) != NULL; fired++) {
		unsigned index = (unsigned)(timer - rig->timers);
		cr_assert(rig->running[index], "timer %u fired twice, or after it was stopped", index);
		cr_assert_leq(timer->deadline_ns, now_ns, "timer %u is early", index);
		cr_assert_not(timer_running(timer));
		rig->running[index] = false;
	}
	cr_assert_gt(earliest_ns(rig), now_ns - WHEEL_TICK_NS, "a timer is more than a tick late");
	check_deadline(rig);
	return fired;
}

Test(wheel, has_no_deadline_while_no_timer_runs)
{
	struct rig *rig = rig_create(START_NS);
	cr_assert_eq(wheel_deadline_ns(&rig->wheel), WHEEL_NEVER);
	cr_assert_null(wheel_expired(&rig->wheel, START_NS + DAY_NS));
	rig_start(rig, 0, START_NS + 2 * DAY_NS);
	cr_assert_neq(wheel_deadline_ns(&rig->wheel), WHEEL_NEVER);
	rig_stop(rig, 0);
	cr_assert_eq(wheel_deadline_ns(&rig->wheel), WHEEL_NEVER);
	wheel_stop(&rig->wheel, &rig->timers[0]); /* harmless */
	free(rig);
}

Test(wheel, fires_at_the_latest_one_tick_after_the_deadline_whatever_the_distance)
{
	static const uint64_t distances_ns[] = {1, WHEEL_TICK_NS - 1, WHEEL_TICK_NS, WHEEL_TICK_NS + 1, 63 * WHEEL_TICK_NS,
		64 * WHEEL_TICK_NS, 65 * WHEEL_TICK_NS, 4095 * WHEEL_TICK_NS, 4096 * WHEEL_TICK_NS, 4097 * WHEEL_TICK_NS,
		262143 * WHEEL_TICK_NS, 262144 * WHEEL_TICK_NS, 262145 * WHEEL_TICK_NS, 300 * NS_PER_S, 3600 * NS_PER_S, DAY_NS,
		16515071 * WHEEL_TICK_NS, 16515072 * WHEEL_TICK_NS, 16777215 * WHEEL_TICK_NS, 16777216 * WHEEL_TICK_NS, 4 * DAY_NS,
		40 * DAY_NS};
	/* The start matters: at the end of a block the next slot is on a higher level. */
	static const uint64_t starts_ns[] = {0, START_NS, 64 * WHEEL_TICK_NS - 1, 4096 * WHEEL_TICK_NS - 1,
		262144 * WHEEL_TICK_NS - 1, 16777216 * WHEEL_TICK_NS - 1, 63 * 262144 * WHEEL_TICK_NS + 5};
	for (size_t s = 0; s < sizeof starts_ns / sizeof *starts_ns; s++) {
		for (size_t d = 0; d < sizeof distances_ns / sizeof *distances_ns; d++) {
			struct rig *rig = rig_create(starts_ns[s]);
			uint64_t deadline_ns = starts_ns[s] + distances_ns[d];
			rig_start(rig, 0, deadline_ns);
			check_deadline(rig);
			cr_assert_null(wheel_expired(&rig->wheel, deadline_ns - 1), "start %zu, distance %zu", s, d);
			cr_assert_eq(wheel_expired(&rig->wheel, deadline_ns + WHEEL_TICK_NS - 1), &rig->timers[0],
				"start %zu, distance %zu", s, d);
			cr_assert_null(wheel_expired(&rig->wheel, deadline_ns + WHEEL_TICK_NS - 1));
			free(rig);
		}
	}
}

Test(wheel, a_deadline_in_the_past_fires_at_once)
{
	struct rig *rig = rig_create(START_NS);
	rig_start(rig, 0, 0);
	rig_start(rig, 1, START_NS);
	cr_assert_leq(wheel_deadline_ns(&rig->wheel), START_NS);
	cr_assert_eq(rig_advance(rig, START_NS), 2);
	cr_assert_eq(rig_advance(rig, START_NS + DAY_NS), 0);
	rig_start(rig, 2, START_NS + DAY_NS);
	cr_assert_eq(rig_advance(rig, START_NS + DAY_NS), 1);
	free(rig);
}

Test(wheel, a_moved_timer_fires_at_its_new_time_only)
{
	struct rig *rig = rig_create(START_NS);
	rig_start(rig, 0, START_NS + NS_PER_S);
	rig_start(rig, 0, START_NS + 10 * NS_PER_S);
	cr_assert_eq(rig_advance(rig, START_NS + 9 * NS_PER_S), 0);
	rig_start(rig, 0, START_NS + 9 * NS_PER_S + 1);
	cr_assert_eq(rig_advance(rig, START_NS + 9 * NS_PER_S + 2 * WHEEL_TICK_NS), 1);
	cr_assert_eq(rig_advance(rig, START_NS + 20 * NS_PER_S), 0);
	free(rig);
}

Test(wheel, a_timer_that_has_expired_can_be_stopped_before_it_is_handed_out)
{
	struct rig *rig = rig_create(START_NS);
	for (unsigned i = 0; i < 4; i++)
		rig_start(rig, i, START_NS + NS_PER_S);
	struct timer *first = wheel_expired(&rig->wheel, START_NS + 2 * NS_PER_S);
	cr_assert_not_null(first);
	rig->running[first - rig->timers] = false;
	for (unsigned i = 0; i < 4; i++)
		if (&rig->timers[i] != first)
			rig_stop(rig, i);
	cr_assert_null(wheel_expired(&rig->wheel, START_NS + 2 * NS_PER_S));
	cr_assert_eq(wheel_deadline_ns(&rig->wheel), WHEEL_NEVER);
	free(rig);
}

Test(wheel, what_a_spent_budget_left_over_comes_later)
{
	struct rig *rig = rig_create(START_NS);
	for (unsigned i = 0; i < 100; i++)
		rig_start(rig, i, START_NS + (i + 1) * 50 * NS_PER_MS);
	uint64_t now_ns = START_NS + 10 * NS_PER_S;
	for (unsigned i = 0; i < 30; i++) {
		struct timer *timer = wheel_expired(&rig->wheel, now_ns);
		cr_assert_not_null(timer);
		rig->running[timer - rig->timers] = false;
		cr_assert_leq(wheel_deadline_ns(&rig->wheel), now_ns + WHEEL_TICK_NS);
	}
	/* Started while the wheel lags behind. */
	rig_start(rig, 200, now_ns - NS_PER_S);
	rig_start(rig, 201, now_ns + NS_PER_S);
	cr_assert_eq(rig_advance(rig, now_ns), 71);
	cr_assert_eq(rig_advance(rig, now_ns + NS_PER_S + WHEEL_TICK_NS), 1);
	free(rig);
}

Test(wheel, keeps_the_owners_tag)
{
	struct rig *rig = rig_create(START_NS);
	rig->timers[3].kind = 42;
	rig_start(rig, 3, START_NS + DAY_NS);
	struct timer *timer = wheel_expired(&rig->wheel, START_NS + 2 * DAY_NS);
	cr_assert_eq(timer, &rig->timers[3]);
	cr_assert_eq(timer->kind, 42);
	free(rig);
}

/* A wheel that walked every tick would still be walking when the time limit ends the test. */
Test(wheel, a_jump_of_centuries_costs_no_walk, .timeout = 10)
{
	struct rig *rig = rig_create(START_NS);
	uint64_t far_ns = UINT64_C(1) << 63;
	for (unsigned i = 0; i < TIMERS; i++)
		rig_start(rig, i, START_NS + (uint64_t)i * i * i * NS_PER_S);
	cr_assert_eq(rig_advance(rig, far_ns), TIMERS);
	rig_start(rig, 0, far_ns + NS_PER_S);
	cr_assert_eq(rig_advance(rig, far_ns + 2 * NS_PER_S), 1);
	free(rig);
}

Test(wheel, a_timer_that_never_fires_does_not_disturb_the_others, .timeout = 10)
{
	struct rig *rig = rig_create(START_NS);
	rig_start(rig, 0, WHEEL_NEVER);
	rig_start(rig, 1, START_NS + 30 * DAY_NS);
	cr_assert_eq(rig_advance(rig, START_NS + 29 * DAY_NS), 0);
	cr_assert_eq(rig_advance(rig, START_NS + 31 * DAY_NS), 1);
	cr_assert(timer_running(&rig->timers[0]));
	free(rig);
}

Test(wheel, time_that_goes_back_fires_nothing_early)
{
	/* Back over the start of a block, with a timer on the lowest level ahead. */
	struct rig *edge = rig_create(64 * WHEEL_TICK_NS);
	rig_start(edge, 0, 66 * WHEEL_TICK_NS);
	cr_assert_null(wheel_expired(&edge->wheel, 60 * WHEEL_TICK_NS));
	cr_assert_null(wheel_expired(&edge->wheel, 66 * WHEEL_TICK_NS - 1));
	cr_assert_not_null(wheel_expired(&edge->wheel, 66 * WHEEL_TICK_NS));
	free(edge);

	struct rig *rig = rig_create(START_NS);
	rig_start(rig, 0, START_NS + 10 * NS_PER_S);
	cr_assert_null(wheel_expired(&rig->wheel, START_NS + 5 * NS_PER_S));
	cr_assert_null(wheel_expired(&rig->wheel, START_NS));
	cr_assert_null(wheel_expired(&rig->wheel, START_NS + 10 * NS_PER_S - 1));
	cr_assert_not_null(wheel_expired(&rig->wheel, START_NS + 10 * NS_PER_S + WHEEL_TICK_NS));
	free(rig);
}

/* Mostly seconds and minutes, as TURN has them; now and then nothing, hours or weeks. */
static uint64_t random_distance_ns(void)
{
	static const uint64_t ranges_ns[] = {WHEEL_TICK_NS, NS_PER_S, NS_PER_S, 60 * NS_PER_S, 600 * NS_PER_S, 600 * NS_PER_S,
		3600 * NS_PER_S, 12 * 3600 * NS_PER_S, 5 * DAY_NS, 20 * DAY_NS};
	uint64_t range_ns = ranges_ns[(unsigned)rand() % (sizeof ranges_ns / sizeof *ranges_ns)];
	return ((uint64_t)rand() << 31 ^ (uint64_t)rand()) % range_ns;
}

static void random_step(struct rig *rig)
{
	unsigned index = (unsigned)rand() % TIMERS;
	switch (rand() % 4) {
	case 0:
		rig_stop(rig, index);
		break;
	case 1:
		rig_advance(rig, rig->now_ns + random_distance_ns() / 16);
		break;
	default:
		rig_start(rig, index, rig->now_ns + random_distance_ns());
		break;
	}
	cr_assert_eq(timer_running(&rig->timers[index]), rig->running[index]);
	check_deadline(rig);
}

Test(wheel, agrees_with_a_list_over_months_of_random_use, .timeout = 60)
{
	for (unsigned seed = 1; seed <= 5; seed++) {
		struct rig *rig = rig_create(START_NS * seed);
		srand(seed);
		for (unsigned step = 0; step < 20000; step++)
			random_step(rig);
		cr_assert_gt(rig->now_ns, START_NS * seed + 30 * DAY_NS, "the test did not get far");
		rig_advance(rig, rig->now_ns + 30 * DAY_NS);
		cr_assert_eq(earliest_ns(rig), WHEEL_NEVER);
		free(rig);
	}
}

Test(wheel, sleeping_until_its_deadline_each_time_is_enough)
{
	struct rig *rig = rig_create(START_NS);
	unsigned wakeups = 0, fired = 0;
	srand(7);
	for (unsigned i = 0; i < TIMERS; i++)
		rig_start(rig, i, START_NS + random_distance_ns());
	for (uint64_t deadline_ns; (deadline_ns = wheel_deadline_ns(&rig->wheel)) != WHEEL_NEVER; wakeups++) {
		cr_assert(wakeups == 0 || deadline_ns > rig->now_ns, "it would spin");
		fired += rig_advance(rig, deadline_ns > rig->now_ns ? deadline_ns : rig->now_ns);
	}
	cr_assert_eq(fired, TIMERS);
	/* One for the timer and at most one per level that it comes down, and per three days that it waits beyond the last. */
	cr_assert_lt(wakeups, TIMERS * (WHEEL_LEVELS + 7));
	free(rig);
}
