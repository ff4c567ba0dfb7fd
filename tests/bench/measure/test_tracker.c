#include "measure/tracker.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

static void record_run(struct tracker *t, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		cr_assert_eq(tracker_record(t, first + i), ARRIVAL_IN_ORDER, "%u", first + i);
}

Test(tracker, what_arrives_in_order_is_in_order_for_many_windows)
{
	struct tracker t = {0};
	record_run(&t, 0, 5 * TRACKER_WINDOW + 7);
}

Test(tracker, a_loss_shows_nothing_until_the_packet_comes_late)
{
	struct tracker t = {0};
	record_run(&t, 0, 10);
	cr_expect_eq(tracker_record(&t, 15), ARRIVAL_IN_ORDER);
	for (uint32_t late = 10; late < 15; late++)
		cr_expect_eq(tracker_record(&t, late), ARRIVAL_REORDERED);
	for (uint32_t again = 0; again < 16; again++)
		cr_expect_eq(tracker_record(&t, again), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, 16), ARRIVAL_IN_ORDER);
}

Test(tracker, the_first_packets_may_be_lost_or_late)
{
	struct tracker t = {0};
	cr_expect_eq(tracker_record(&t, 3), ARRIVAL_IN_ORDER);
	cr_expect_eq(tracker_record(&t, 0), ARRIVAL_REORDERED);
	cr_expect_eq(tracker_record(&t, 0), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, 1), ARRIVAL_REORDERED);
}

Test(tracker, duplicates_are_told_up_to_the_far_end_of_the_window)
{
	struct tracker t = {0};
	record_run(&t, 0, 3 * TRACKER_WINDOW);
	uint32_t oldest = 2 * TRACKER_WINDOW;
	cr_expect_eq(tracker_record(&t, 3 * TRACKER_WINDOW - 1), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, oldest), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, oldest - 1), ARRIVAL_STALE);
	cr_expect_eq(tracker_record(&t, 0), ARRIVAL_STALE);
}

Test(tracker, a_late_packet_is_told_at_the_far_end_of_the_window_and_stale_behind_it)
{
	struct tracker t = {0};
	record_run(&t, 0, 100);
	/* 100 and 101 are missing. */
	record_run(&t, 102, TRACKER_WINDOW - 1);
	cr_expect_eq(tracker_record(&t, 100), ARRIVAL_STALE);
	cr_expect_eq(tracker_record(&t, 101), ARRIVAL_REORDERED);
	cr_expect_eq(tracker_record(&t, 101), ARRIVAL_DUPLICATE);
}

Test(tracker, the_numbers_wrap)
{
	struct tracker t = {.next = UINT32_MAX - 9};
	record_run(&t, UINT32_MAX - 9, 8);
	/* UINT32_MAX - 1 and UINT32_MAX are missing. */
	record_run(&t, 0, 5);
	cr_expect_eq(tracker_record(&t, UINT32_MAX), ARRIVAL_REORDERED);
	cr_expect_eq(tracker_record(&t, UINT32_MAX - 1), ARRIVAL_REORDERED);
	cr_expect_eq(tracker_record(&t, UINT32_MAX - 1), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, UINT32_MAX - 5), ARRIVAL_DUPLICATE);
	cr_expect_eq(tracker_record(&t, UINT32_MAX - TRACKER_WINDOW), ARRIVAL_STALE);
	cr_expect_eq(tracker_record(&t, 5), ARRIVAL_IN_ORDER);
}

Test(tracker, a_jump_of_any_size_forgets_what_was_before)
{
	static const uint32_t jumps[] = {
		TRACKER_WINDOW - 1, TRACKER_WINDOW, TRACKER_WINDOW + 1, 2 * TRACKER_WINDOW, 1000003, INT32_MAX};
	for (unsigned i = 0; i < sizeof jumps / sizeof jumps[0]; i++) {
		struct tracker t = {0};
		record_run(&t, 0, 2 * TRACKER_WINDOW);
		uint32_t landed = t.next + jumps[i];
		cr_expect_eq(tracker_record(&t, landed), ARRIVAL_IN_ORDER);
		cr_expect_eq(tracker_record(&t, landed), ARRIVAL_DUPLICATE);
		uint32_t in_window = jumps[i] < TRACKER_WINDOW ? jumps[i] : TRACKER_WINDOW - 1;
		for (uint32_t back = 1; back <= in_window; back++)
			cr_assert_eq(tracker_record(&t, landed - back), ARRIVAL_REORDERED, "jump %u, %u back", jumps[i], back);
		cr_expect_eq(tracker_record(&t, landed - TRACKER_WINDOW), ARRIVAL_STALE);
	}
}

/* The definition, with all that was ever seen. Numbers do not wrap here: `offset` is what the tracker's are shifted by. */
struct model {
	uint8_t seen[200000];
	uint64_t next;
};

static enum arrival model_record(struct model *m, uint64_t sequence)
{
	bool again = m->seen[sequence];
	if (sequence < m->next && m->next - sequence > TRACKER_WINDOW)
		return ARRIVAL_STALE;
	m->seen[sequence] = 1;
	if (sequence >= m->next) {
		m->next = sequence + 1;
		return ARRIVAL_IN_ORDER;
	}
	return again ? ARRIVAL_DUPLICATE : ARRIVAL_REORDERED;
}

static void expect_like_model(uint32_t offset, uint64_t seed, uint64_t spread)
{
	struct model *m = calloc(1, sizeof *m);
	cr_assert_not_null(m);
	struct tracker t = {.next = offset};
	unsigned counts[4] = {0};
	for (uint64_t i = 0; i < 150000; i++) {
		uint64_t back = random_next(&seed) % 8 == 0 ? random_next(&seed) % spread : 0;
		uint64_t sequence = i + 16 > back ? i + 16 - back : 0;
		enum arrival expected = model_record(m, sequence);
		cr_assert_eq(tracker_record(&t, (uint32_t)sequence + offset), expected, "step %lu", (unsigned long)i);
		counts[expected]++;
	}
	cr_expect_gt(counts[ARRIVAL_IN_ORDER], 0);
	cr_expect_gt(counts[ARRIVAL_REORDERED], 0);
	cr_expect_gt(counts[ARRIVAL_DUPLICATE], 0);
	cr_expect(spread < TRACKER_WINDOW || counts[ARRIVAL_STALE] > 0);
	free(m);
}

Test(tracker, random_loss_duplication_and_reordering_are_told_as_by_full_memory)
{
	expect_like_model(0, 1, 20);
	expect_like_model(0, 2, 3 * TRACKER_WINDOW);
	expect_like_model(UINT32_MAX - 70000, 3, 2 * TRACKER_WINDOW);
}
