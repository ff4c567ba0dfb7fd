#include <criterion/criterion.h>

#include "base/clock.h"
#include "gather.h"

enum { PACKET = 1200 };

/* `per_turn` datagrams every `turn_ns`, for a while. Returns how long the turn after that would wait. */
static uint64_t after(struct gather *gather, uint32_t per_turn, uint64_t turn_ns, uint64_t *now_ns)
{
	for (unsigned i = 0; i < 1000; i++) {
		*now_ns += turn_ns;
		gather_count(gather, per_turn, (uint64_t)per_turn * PACKET, *now_ns);
	}
	return gather_wait_ns(gather);
}

Test(gather, waits_for_nobody_at_low_rates)
{
	struct gather gather = {0};
	uint64_t now_ns = NS_PER_S;
	cr_assert_eq(gather_wait_ns(&gather), 0);
	cr_assert_eq(after(&gather, 1, 20 * NS_PER_MS, &now_ns), 0, "one audio call");
	cr_assert_eq(after(&gather, 1, NS_PER_S / 30000, &now_ns), 0, "30,000 packets a second");
	cr_assert_eq(after(&gather, 20, 20 * NS_PER_MS, &now_ns), 0, "bursts of a video call");
}

Test(gather, waits_when_packets_come_fast_in_small_batches)
{
	struct gather gather = {0};
	uint64_t now_ns = NS_PER_S;
	cr_assert_eq(after(&gather, 1, NS_PER_S / 100000, &now_ns), GATHER_NS);
	cr_assert_eq(after(&gather, 3, NS_PER_S / 100000, &now_ns), GATHER_NS);
}

Test(gather, does_not_wait_where_batches_are_large_already)
{
	struct gather gather = {0};
	uint64_t now_ns = NS_PER_S;
	cr_assert_eq(after(&gather, GATHER_ENOUGH, NS_PER_S / 10000, &now_ns), 0);
	now_ns += NS_PER_S / 10000;
	gather_count(&gather, GATHER_ENOUGH - 1, PACKET, now_ns);
	cr_assert_eq(gather_wait_ns(&gather), GATHER_NS);
}

Test(gather, does_not_wait_where_aggregates_fill_a_train_each)
{
	struct gather gather = {0};
	uint64_t now_ns = NS_PER_S;
	cr_assert_eq(after(&gather, 4, NS_PER_S / 100000, &now_ns), GATHER_NS);
	now_ns += NS_PER_S / 100000;
	gather_count(&gather, 4, UINT64_C(4) * 32 * PACKET, now_ns);
	cr_assert_eq(gather_wait_ns(&gather), 0);
	gather_count(&gather, 4, UINT64_C(4) * 8 * PACKET, now_ns);
	cr_assert_eq(gather_wait_ns(&gather), GATHER_NS);
}

Test(gather, stops_waiting_once_it_is_quiet)
{
	struct gather gather = {0};
	uint64_t now_ns = NS_PER_S;
	cr_assert_eq(after(&gather, 1, NS_PER_S / 100000, &now_ns), GATHER_NS);
	now_ns += 2 * NS_PER_MS;
	gather_count(&gather, 1, PACKET, now_ns);
	cr_assert_eq(gather_wait_ns(&gather), 0);
}
