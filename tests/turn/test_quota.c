#include "turn/quota.h"

#include <criterion/criterion.h>
#include <signal.h>

static struct quota *quota_of(uint32_t total_max, uint32_t user_max)
{
	struct quota *quota = quota_create(total_max);
	cr_assert_not_null(quota);
	quota_set_total_max(quota, total_max);
	quota_set_user_max(quota, user_max);
	return quota;
}

Test(quota, refuses_a_user_beyond_his_limit_and_nobody_else)
{
	struct quota *quota = quota_of(100, 2);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_USER_REACHED);
	cr_expect_eq(quota_acquire(quota, 8), QUOTA_OK);
	cr_expect_eq(quota_total(quota), 3);
	quota_release(quota, 7);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_USER_REACHED);
	quota_free(quota);
}

Test(quota, without_a_user_limit_only_the_total_counts)
{
	struct quota *quota = quota_of(3, 0);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 8), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_TOTAL_REACHED);
	cr_expect_eq(quota_acquire(quota, 9), QUOTA_TOTAL_REACHED);
	cr_expect_eq(quota_total(quota), 3);
	quota_free(quota);
}

Test(quota, a_refusal_leaves_no_trace)
{
	struct quota *quota = quota_of(2, 1);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	for (unsigned i = 0; i < 1000; i++)
		cr_expect_eq(quota_acquire(quota, 7), QUOTA_USER_REACHED);
	cr_expect_eq(quota_acquire(quota, 8), QUOTA_OK);
	/* Many strangers: had each left an entry, the table would be full and the search would not end. */
	for (uint64_t user = 100; user < 1100; user++)
		cr_expect_eq(quota_acquire(quota, user), QUOTA_TOTAL_REACHED);
	quota_release(quota, 7);
	quota_release(quota, 8);
	cr_expect_eq(quota_total(quota), 0);
	quota_free(quota);
}

Test(quota, a_lower_limit_cuts_nothing_and_counts_from_then_on)
{
	struct quota *quota = quota_of(10, 5);
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	quota_set_user_max(quota, 2);
	cr_expect_eq(quota_total(quota), 5);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_USER_REACHED);
	for (unsigned i = 0; i < 3; i++)
		quota_release(quota, 7);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_USER_REACHED);
	quota_release(quota, 7);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_OK);
	quota_set_total_max(quota, 1);
	cr_expect_eq(quota_acquire(quota, 8), QUOTA_TOTAL_REACHED);
	quota_free(quota);
}

Test(quota, the_total_cannot_be_raised_beyond_its_table)
{
	struct quota *quota = quota_of(4, 0);
	quota_set_total_max(quota, UINT32_MAX);
	for (uint64_t user = 0; user < 4; user++)
		cr_expect_eq(quota_acquire(quota, user), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 4), QUOTA_TOTAL_REACHED);
	quota_free(quota);
}

Test(quota, tells_the_operators_limit_from_what_the_machine_holds)
{
	struct quota *quota = quota_of(4, 0);
	quota_set_total_max(quota, 2);
	cr_expect_eq(quota_acquire(quota, 1), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 2), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 3), QUOTA_TOTAL_REACHED);
	quota_set_total_max(quota, 0);
	cr_expect_eq(quota_acquire(quota, 3), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 4), QUOTA_OK);
	cr_expect_eq(quota_acquire(quota, 5), QUOTA_CAPACITY_REACHED);
	quota_free(quota);
}

Test(quota, of_none_refuses_all)
{
	struct quota *quota = quota_of(0, 0);
	cr_expect_eq(quota_acquire(quota, 7), QUOTA_CAPACITY_REACHED);
	quota_free(quota);
}

Test(quota, frees_nothing_without_complaint)
{
	quota_free(NULL);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 33;
}

/* Hashes that crowd the table: equal in their low bits, at its end, or both. */
static uint64_t crowded_hash(unsigned user)
{
	static const uint64_t homes[] = {0, 1, 62, 63};
	return (uint64_t)user << 32 | homes[user % 4];
}

Test(quota, agrees_with_plain_counting_over_a_long_random_history)
{
	enum { USERS = 40, TOTAL_MAX = 32, USER_MAX = 3, STEPS = 200000 };
	struct quota *quota = quota_of(TOTAL_MAX, USER_MAX);
	uint32_t held[USERS] = {0}, total = 0;
	uint64_t state = 1;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned user = (unsigned)(next_random(&state) % USERS);
		if (next_random(&state) % 2 && held[user]) {
			quota_release(quota, crowded_hash(user));
			held[user]--;
			total--;
		} else {
			enum quota_result expected = held[user] >= USER_MAX ? QUOTA_USER_REACHED
						     : total >= TOTAL_MAX   ? QUOTA_TOTAL_REACHED
									    : QUOTA_OK;
			cr_assert_eq(quota_acquire(quota, crowded_hash(user)), expected, "step %u user %u", step, user);
			held[user] += expected == QUOTA_OK;
			total += expected == QUOTA_OK;
		}
		cr_assert_eq(quota_total(quota), total);
	}
	quota_free(quota);
}

Test(quota, releasing_what_was_not_acquired_aborts, .signal = SIGABRT)
{
	struct quota *quota = quota_of(4, 0);
	quota_release(quota, 7);
}

Test(quota, holds_no_more_than_the_capacity_in_force_and_says_whose_bound_it_was)
{
	struct quota *quota = quota_create(4);
	quota_set_capacity(quota, 2);
	quota_set_total_max(quota, 0);
	cr_assert_eq(quota_acquire(quota, 1), QUOTA_OK);
	cr_assert_eq(quota_acquire(quota, 2), QUOTA_OK);
	cr_assert_eq(quota_acquire(quota, 3), QUOTA_CAPACITY_REACHED);
	quota_set_capacity(quota, 3);
	cr_assert_eq(quota_acquire(quota, 3), QUOTA_OK);
	quota_set_capacity(quota, 1);
	cr_assert_eq(quota_acquire(quota, 4), QUOTA_CAPACITY_REACHED);
	quota_set_capacity(quota, 100);
	quota_set_total_max(quota, 100);
	cr_assert_eq(quota_acquire(quota, 4), QUOTA_OK);
	cr_assert_eq(quota_acquire(quota, 5), QUOTA_TOTAL_REACHED);
	quota_free(quota);
}
