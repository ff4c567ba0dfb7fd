#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/pool.h"

Test(pool, hands_out_every_slot_once_and_then_none)
{
	struct pool pool;
	bool seen[5] = {false};
	cr_assert_eq(pool_init(&pool, 24, 5), 0);
	for (unsigned i = 0; i < 5; i++) {
		uint32_t slot = pool_take(&pool);
		cr_assert_lt(slot, 5);
		cr_assert_not(seen[slot]);
		seen[slot] = true;
	}
	cr_assert_eq(pool_take(&pool), POOL_NONE);
	cr_assert_eq(pool.used, 5);
	pool_done(&pool);
}

Test(pool, slots_are_aligned_zeroed_and_do_not_overlap)
{
	struct pool pool;
	static const uint8_t zeros[40];
	cr_assert_eq(pool_init(&pool, sizeof zeros, 3), 0);
	for (unsigned round = 0; round < 2; round++) {
		uint32_t slots[3];
		for (unsigned i = 0; i < 3; i++) {
			slots[i] = pool_take(&pool);
			cr_assert_eq((uintptr_t)pool_at(&pool, slots[i]) % 16, 0);
			cr_assert_arr_eq(pool_at(&pool, slots[i]), zeros, sizeof zeros);
			memset(pool_at(&pool, slots[i]), 0xff, sizeof zeros);
		}
		for (unsigned i = 0; i < 3; i++)
			pool_give(&pool, slots[i]);
	}
	pool_done(&pool);
}

Test(pool, takes_the_slot_given_back_last)
{
	struct pool pool;
	cr_assert_eq(pool_init(&pool, 16, 4), 0);
	uint32_t a = pool_take(&pool), b = pool_take(&pool);
	pool_give(&pool, a);
	pool_give(&pool, b);
	cr_assert_eq(pool_take(&pool), b);
	cr_assert_eq(pool_take(&pool), a);
	pool_done(&pool);
}

Test(pool, generation_grows_when_a_slot_is_given_back)
{
	struct pool pool;
	cr_assert_eq(pool_init(&pool, 16, 4), 0);
	uint32_t slot = pool_take(&pool), other = pool_take(&pool);
	uint32_t generation = pool_generation(&pool, slot), other_generation = pool_generation(&pool, other);
	pool_give(&pool, slot);
	cr_assert_eq(pool_generation(&pool, slot), generation + 1);
	cr_assert_eq(pool_take(&pool), slot);
	cr_assert_eq(pool_generation(&pool, slot), generation + 1);
	cr_assert_eq(pool_generation(&pool, other), other_generation);
	pool_done(&pool);
}

Test(pool, refuses_a_size_that_no_address_space_holds)
{
	struct pool pool;
	cr_assert_eq(pool_init(&pool, SIZE_MAX / 4, 5), -ENOMEM);
	cr_assert_eq(pool_init(&pool, (size_t)1 << 45, 1 << 10), -ENOMEM);
}

Test(pool, giving_a_slot_that_was_never_taken_aborts, .signal = SIGABRT)
{
	struct pool pool;
	cr_assert_eq(pool_init(&pool, 16, 4), 0);
	pool_take(&pool);
	pool_give(&pool, 1);
}
