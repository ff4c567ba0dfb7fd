/* Whole loads against a small TURN server that treats packets as badly as a test wants. */
#include "load/load.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "interrupt.h"
#include "relay_rig.h"

static struct relay_rig rig;
static struct load_result *result;
static struct failure failure;

static void set_up(void)
{
	result = malloc(sizeof *result);
	cr_assert_not_null(result);
}

static void tear_down(void)
{
	free(result);
}

TestSuite(load, .init = set_up, .fini = tear_down, .timeout = 60);

static struct load_plan flood(double rate_per_s)
{
	return (struct load_plan){
		.name = "test",
		.kind = LOAD_FLOOD,
		.flood = {.flows = 2, .size = 300, .burst = 2, .up = true, .down = true, .rate_per_s = rate_per_s, .window = 16},
		.warmup_s = 0.05,
		.seconds = 0.5,
		.drain_s = 0.3,
		.workers = 1,
		.seed = 42,
	};
}

static bool run(const struct load_plan *plan, load_progress_fn *progress, void *context)
{
	relay_rig_start(&rig);
	struct load_target target = {.server = rig.addr, .username = "user", .password = "pass"};
	bool done = load_run(plan, &target, progress, context, result, &failure);
	relay_rig_stop(&rig);
	return done;
}

static void run_well(const struct load_plan *plan)
{
	bool done = run(plan, NULL, NULL);
	cr_assert(done, "%s", failure.text);
	cr_expect_gt(result->up.sent, 0);
}

/* `lost` of `sent` packets, as every so manieth one; the first and the last of the window may lie on either side. */
static void expect_share(uint64_t counted, uint64_t sent, unsigned every)
{
	cr_expect_geq(counted + 3, sent / every, "%lu of %lu", counted, sent);
	cr_expect_leq(counted, sent / every + 3, "%lu of %lu", counted, sent);
}

Test(load, a_paced_flood_arrives_whole)
{
	struct load_plan plan = flood(400);
	run_well(&plan);
	cr_expect_eq(result->up.delivered, result->up.sent);
	cr_expect_eq(result->down.delivered, result->down.sent);
	cr_expect_eq(result->up.delivered_bytes, 300 * result->up.sent);
	cr_expect_eq(result->up.latency.count, result->up.delivered);
	cr_expect_eq(result->up.corrupted + result->up.duplicated + result->up.reordered + result->down.corrupted, 0);
	/* Half a second at 200 packets per second and direction, on a machine that may be busy. */
	cr_expect(result->up.sent + result->up.unsent >= 50 && result->up.sent <= 150, "%lu", result->up.sent);
	cr_expect_eq(result->allocations, 2);
	cr_expect_not(result->server_known);
	cr_expect_eq(rig.refreshes, 2);
}

Test(load, loss_is_reported_truthfully)
{
	struct load_plan plan = flood(800);
	rig.drop_every = 10;
	run_well(&plan);
	expect_share(tally_lost(&result->up), result->up.sent, 10);
	expect_share(tally_lost(&result->down), result->down.sent, 10);
	cr_expect_eq(result->up.duplicated + result->up.reordered + result->up.corrupted, 0);
}

Test(load, duplicates_are_reported_truthfully)
{
	struct load_plan plan = flood(800);
	rig.duplicate_every = 8;
	run_well(&plan);
	cr_expect_eq(result->up.delivered, result->up.sent);
	expect_share(result->up.duplicated, result->up.sent, 8);
	expect_share(result->down.duplicated, result->down.sent, 8);
	cr_expect_eq(result->up.reordered + result->up.corrupted, 0);
}

Test(load, reordering_is_reported_truthfully)
{
	struct load_plan plan = flood(800);
	plan.flood.flows = 1;
	rig.swap_every = 6;
	run_well(&plan);
	expect_share(result->up.reordered, result->up.sent, 6);
	expect_share(result->down.reordered, result->down.sent, 6);
	/* The last one of all may be held for a next one that never came. */
	cr_expect_leq(tally_lost(&result->up), 1);
	cr_expect_eq(result->up.duplicated + result->up.corrupted, 0);
}

Test(load, damage_is_reported_truthfully)
{
	struct load_plan plan = flood(800);
	rig.corrupt_every = 10;
	run_well(&plan);
	expect_share(tally_lost(&result->up), result->up.sent, 10);
	expect_share(result->up.corrupted, result->up.sent, 10);
	expect_share(result->down.corrupted, result->down.sent, 10);
}

Test(load, a_closed_loop_goes_on_against_loss)
{
	struct load_plan plan = flood(0);
	rig.drop_every = 4;
	run_well(&plan);
	cr_expect_gt(result->up.sent, 200);
	cr_expect_gt(result->down.sent, 200);
	cr_expect_eq(result->up.delivered + tally_lost(&result->up), result->up.sent);
	cr_expect_eq(result->up.duplicated + result->up.corrupted + result->up.stale, 0);
}

Test(load, a_closed_loop_goes_on_when_nothing_comes_back)
{
	struct load_plan plan = flood(0);
	rig.drop_every = 1;
	run_well(&plan);
	/* Two flows give up a window of 16 every 20 ms. */
	cr_expect_gt(result->up.sent, 64);
	cr_expect_leq(result->up.sent, 2 * 16 * 27);
	cr_expect_eq(result->up.delivered, 0);
}

Test(load, indications_and_trains_carry_the_same)
{
	struct load_plan plan = flood(800);
	plan.flood.indications = true;
	plan.flood.burst = 5;
	plan.flood.size = 301;
	plan.gso = true;
	run_well(&plan);
	cr_expect_eq(result->up.delivered, result->up.sent);
	cr_expect_eq(result->down.delivered, result->down.sent);
	cr_expect_eq(result->up.corrupted + result->down.corrupted, 0);
	for (unsigned i = 0; i < rig.recorded[UP]; i++)
		cr_expect(rig.indications[i] && rig.sizes[UP][i] == 301);
}

Test(load, packets_without_room_for_a_number_are_counted)
{
	struct load_plan plan = flood(800);
	plan.flood.size = 2;
	run_well(&plan);
	cr_expect_eq(result->up.delivered, result->up.sent);
	cr_expect_eq(result->down.delivered, result->down.sent);
	cr_expect_eq(result->up.latency.count, 0);
}

/* Two allocations, three paths, one of them without a channel. */
static struct script_path script_paths[] = {
	{.allocation = 1, .channel = true}, {.allocation = 0, .channel = true}, {.allocation = 1}};

enum { SCRIPT_PACKETS = 40 };

static struct script make_script(struct script_packet packets[static SCRIPT_PACKETS])
{
	static const uint16_t sizes[] = {1200, 1200, 1100, 17, 16, 15, 4, 3, 0, 160};
	/* What goes down goes through one relayed address, and so keeps its order whatever happens. */
	for (unsigned i = 0; i < SCRIPT_PACKETS; i++)
		packets[i] = (struct script_packet){
			.at_ns = i / 2 * UINT64_C(5000000),
			.path = (uint16_t)(i % 4 == 3 ? 2 : i % 3),
			.size = sizes[i % 10],
			.direction = i % 4 == 3 ? DOWN : UP,
			.indication = i % 8 == 1,
		};
	return (struct script){
		.paths = script_paths,
		.packets = packets,
		.path_count = 3,
		.packet_count = SCRIPT_PACKETS,
		.allocations = 2,
		.length_ns = 100000000,
	};
}

Test(load, a_script_is_played_with_its_sizes_in_its_order)
{
	struct script_packet packets[SCRIPT_PACKETS];
	struct script script = make_script(packets);
	struct load_plan plan = flood(0);
	plan.kind = LOAD_SCRIPT;
	plan.script = &script;
	plan.calls = 1;
	plan.gso = true;
	plan.warmup_s = 0;
	run_well(&plan);
	cr_expect_eq(result->allocations, 2);
	cr_expect_eq(result->up.delivered, result->up.sent);
	cr_expect_eq(result->down.delivered, result->down.sent);
	cr_expect_eq(result->up.corrupted + result->down.corrupted, 0);
	if (result->up.unsent + result->down.unsent > 0)
		cr_skip("this machine was too busy to keep the schedule");
	unsigned position[DIRECTIONS] = {0};
	for (unsigned i = 0; position[UP] < result->up.sent && position[DOWN] < result->down.sent; i++) {
		const struct script_packet *p = &packets[i % SCRIPT_PACKETS];
		unsigned at = position[p->direction]++;
		cr_assert_eq(rig.sizes[p->direction][at], p->size, "packet %u", i);
		if (p->direction == UP)
			cr_assert_eq(rig.indications[at], p->indication || !script_paths[p->path].channel);
	}
	cr_expect_gt(position[UP], 50);
}

Test(load, the_copies_of_a_call_are_spread_over_it)
{
	struct script_packet packets[SCRIPT_PACKETS];
	struct script script = make_script(packets);
	struct load_plan plan = flood(0);
	plan.kind = LOAD_SCRIPT;
	plan.script = &script;
	plan.calls = 4;
	plan.workers = 2;
	run_well(&plan);
	cr_expect_eq(result->workers, 2);
	cr_expect_eq(result->allocations, 8);
	uint64_t sent = result->up.sent + result->down.sent + result->up.unsent + result->down.unsent;
	cr_expect(sent >= 4 * 40 * 5 / 2 && sent <= 4 * 40 * 5 * 3 / 2, "%lu", sent);
	cr_expect_eq(result->up.delivered, result->up.sent);
}

Test(load, a_server_that_ends_is_named)
{
	struct load_plan plan = flood(800);
	plan.seconds = 20;
	rig.end_after = 100;
	bool done = run(&plan, NULL, NULL);
	cr_expect_not(done);
	cr_expect_not_null(strstr(failure.text, "has gone"), "%s", failure.text);
}

static void interrupt_at_first(void *context, const struct load_progress *progress)
{
	unsigned *calls = context;
	++*calls;
	if (progress->sent > 0)
		interrupt_request();
}

Test(load, an_interrupt_ends_the_window)
{
	struct load_plan plan = flood(800);
	plan.seconds = 20;
	unsigned calls = 0;
	bool done = run(&plan, interrupt_at_first, &calls);
	cr_assert(done, "%s", failure.text);
	cr_expect(result->interrupted);
	cr_expect_gt(calls, 0);
	cr_expect_lt(result->seconds, 10);
	cr_expect_eq(result->up.delivered, result->up.sent);
	cr_expect_not(run(&plan, NULL, NULL), "later loads end at once");
}

Test(load, plans_out_of_bounds_are_refused)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9), .username = "user", .password = "pass"};
	struct load_plan plan = flood(0);
	plan.flood.window = 1;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	cr_expect_str_eq(failure.text, "a window of 1 packets has no room for a burst of 2");
	plan = flood(0);
	plan.flood.size = 65500;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	plan = flood(0);
	plan.flood.flows = LOAD_ALLOCATIONS_MAX + 1;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	plan = flood(0);
	plan.flood.burst = 65;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	plan = flood(0);
	plan.seconds = 0;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	struct script_packet packets[SCRIPT_PACKETS];
	struct script script = make_script(packets);
	packets[7].path = 3;
	plan = flood(0);
	plan.kind = LOAD_SCRIPT;
	plan.script = &script;
	plan.calls = 1;
	cr_expect_not(load_run(&plan, &target, NULL, NULL, result, &failure));
	cr_expect_eq(load_allocations(&plan), 2);
}
