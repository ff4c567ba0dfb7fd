#include <criterion/criterion.h>

#include "gather.h"

enum { PACKET = 1200, MANY_SENDS = 10 };

struct load {
	uint32_t per_turn, sends; /* datagrams and sends of one turn */
	uint64_t turn_ns, bytes_each;
	unsigned busy_percent;
};

struct clock_rig {
	uint64_t now_ns, cpu_ns;
};

/* Turns of that load for so long. Returns how long the turn after that would wait. */
static uint64_t after(struct gather *gather, struct clock_rig *clock, const struct load *load, uint64_t time_ns)
{
	for (uint64_t end_ns = clock->now_ns + time_ns; clock->now_ns < end_ns;) {
		clock->now_ns += load->turn_ns;
		clock->cpu_ns += load->turn_ns * load->busy_percent / 100;
		gather_sent(gather, load->sends);
		if (gather_count(gather, load->per_turn, load->per_turn * load->bytes_each, clock->now_ns))
			gather_judge(gather, clock->cpu_ns, clock->now_ns);
	}
	return gather_wait_ns(gather);
}

static const struct load busy = {
	.per_turn = 10, .sends = MANY_SENDS, .turn_ns = 20 * 1000, .bytes_each = PACKET, .busy_percent = 95};

Test(gather, waits_for_nobody_at_low_rates)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	cr_assert_eq(gather_wait_ns(&gather), 0);
	load.per_turn = 1;
	load.turn_ns = NS_PER_S / 30000;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), 0, "30,000 packets a second, however dear each is");
}

Test(gather, waits_for_nobody_while_the_core_has_room)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	load.busy_percent = GATHER_BEGIN_PERCENT - 5;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), 0);
}

Test(gather, waits_near_the_limit_of_the_core_and_goes_on_although_that_helps)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	cr_assert_eq(after(&gather, &clock, &load, 3 * GATHER_WINDOW_NS), GATHER_NS);
	load.busy_percent = GATHER_END_PERCENT + 5;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), GATHER_NS);
	load.busy_percent = GATHER_END_PERCENT - 5;
	cr_assert_eq(after(&gather, &clock, &load, 3 * GATHER_WINDOW_NS), 0);
}

Test(gather, does_not_take_the_first_window_for_a_busy_one)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 3600 * NS_PER_S};
	struct load load = busy;
	load.busy_percent = 10;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), 0);
}

Test(gather, does_not_wait_where_batches_are_large_already)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), GATHER_NS);
	load.per_turn = GATHER_ENOUGH;
	cr_assert_eq(after(&gather, &clock, &load, load.turn_ns), 0);
	load.per_turn = GATHER_ENOUGH - 1;
	cr_assert_eq(after(&gather, &clock, &load, load.turn_ns), GATHER_NS);
}

Test(gather, does_not_wait_where_aggregates_fill_a_train_each)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	load.bytes_each = UINT64_C(8) * PACKET;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), GATHER_NS);
	load.bytes_each = UINT64_C(32) * PACKET;
	cr_assert_eq(after(&gather, &clock, &load, load.turn_ns), 0);
}

Test(gather, does_not_wait_for_the_sake_of_one_destination)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	load.sends = 2;
	uint64_t waited_ns = 0;
	for (unsigned i = 0; i < 9000; i++)
		waited_ns += after(&gather, &clock, &load, NS_PER_MS) > 0 ? NS_PER_MS : 0;
	cr_assert_leq(waited_ns, 2 * GATHER_WINDOW_NS, "a try every ten seconds");
}

Test(gather, stops_waiting_once_it_is_quiet)
{
	struct gather gather = {0};
	struct clock_rig clock = {.now_ns = NS_PER_S, .cpu_ns = 1};
	struct load load = busy;
	cr_assert_eq(after(&gather, &clock, &load, NS_PER_S), GATHER_NS);
	load.per_turn = 1;
	load.turn_ns = NS_PER_MS;
	cr_assert_eq(after(&gather, &clock, &load, 2 * GATHER_WINDOW_NS), 0);
}
