#include "load/schedule.h"

#include <criterion/criterion.h>

static uint64_t next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 40;
}

static void expect_heap(const struct schedule *s)
{
	for (uint32_t i = 1; i < s->count; i++)
		cr_assert_leq(s->entries[(i - 1) / 2].due_ns, s->entries[i].due_ns);
}

Test(schedule, gives_the_players_in_the_order_of_their_times)
{
	struct schedule s;
	uint64_t state = 1;
	cr_assert(schedule_init(&s, 1000));
	for (uint32_t player = 0; player < 1000; player++)
		schedule_add(&s, player, next(&state));
	expect_heap(&s);
	uint64_t last_ns = 0;
	for (unsigned i = 0; i < 20000; i++) {
		cr_assert_geq(s.entries[0].due_ns, last_ns);
		last_ns = s.entries[0].due_ns;
		schedule_postpone(&s, last_ns + next(&state));
	}
	expect_heap(&s);
	bool seen[1000] = {false};
	for (uint32_t i = 0; i < s.count; i++)
		seen[s.entries[i].player] = true;
	for (unsigned i = 0; i < 1000; i++)
		cr_assert(seen[i]);
	schedule_done(&s);
}

Test(schedule, works_with_few)
{
	struct schedule s;
	cr_assert(schedule_init(&s, 2));
	schedule_add(&s, 7, 5);
	schedule_postpone(&s, 10);
	cr_expect_eq(s.entries[0].due_ns, 10);
	schedule_add(&s, 8, 3);
	cr_expect_eq(s.entries[0].player, 8);
	schedule_postpone(&s, 11);
	cr_expect_eq(s.entries[0].player, 7);
	schedule_done(&s);
	cr_assert(schedule_init(&s, 0));
	schedule_done(&s);
}
