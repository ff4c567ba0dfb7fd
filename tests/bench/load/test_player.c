#include "load/player.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "load/worker.h"

enum { LENGTH_NS = 1000000000 };

static struct script_path paths[] = {{.channel = true}};
static struct script_packet packets[] = {{.size = 100}, {.at_ns = LENGTH_NS / 2, .size = 100}};
static const struct script script = {
	.paths = paths,
	.packets = packets,
	.path_count = 1,
	.packet_count = 2,
	.allocations = 1,
	.length_ns = LENGTH_NS,
};

/* Where each copy of the call begins, as the number of its `calls`th part. */
static void expect_spread(unsigned calls, unsigned workers)
{
	bool begun[64] = {0};
	struct load_plan plan = {.kind = LOAD_SCRIPT, .script = &script, .calls = calls};
	struct load_control control = {.start_ns = 5 * (uint64_t)LENGTH_NS};
	struct paths all = {.units = calls, .unit_allocations = 1, .unit_paths = 1};
	for (unsigned number = 0; number < workers; number++) {
		struct worker *w = calloc(1, sizeof *w);
		cr_assert_not_null(w);
		w->plan = &plan;
		w->control = &control;
		w->paths = &all;
		w->number = number;
		w->workers = workers;
		w->unit_first = calls * number / workers;
		w->unit_count = calls * (number + 1) / workers - w->unit_first;
		cr_assert(players_init(w));
		for (unsigned i = 0; i < w->unit_count; i++) {
			uint64_t offset_ns = (control.start_ns + LENGTH_NS - w->players[i].started_ns) % LENGTH_NS;
			unsigned part = (unsigned)((offset_ns * calls + LENGTH_NS / 2) / LENGTH_NS);
			cr_assert_lt(part, calls);
			cr_expect_not(begun[part], "%u calls, %u workers: two begin at part %u", calls, workers, part);
			begun[part] = true;
		}
		schedule_done(&w->schedule);
		free(w->players);
		free(w);
	}
}

Test(player, each_copy_of_a_call_begins_at_a_place_of_its_own)
{
	for (unsigned calls = 1; calls <= 20; calls++)
		for (unsigned workers = 1; workers <= calls && workers <= 8; workers++)
			expect_spread(calls, workers);
}

/* A rate that nothing can keep: counted without a loop over each of the bursts. */
Test(player, what_a_flood_leaves_out_counts_inside_the_window_only, .timeout = 5)
{
	struct load_plan plan = {.kind = LOAD_FLOOD, .flood = {.flows = 1, .burst = 1, .size = 100, .up = true, .rate_per_s = 1e9}};
	struct load_control control = {.start_ns = 5 * (uint64_t)LENGTH_NS};
	atomic_store(&control.window.start_ns, 6 * (uint64_t)LENGTH_NS);
	atomic_store(&control.window.end_ns, 8 * (uint64_t)LENGTH_NS);
	struct paths all = {.units = 1, .unit_allocations = 1, .unit_paths = 1};
	struct worker *w = calloc(1, sizeof *w);
	cr_assert_not_null(w);
	w->plan = &plan;
	w->control = &control;
	w->paths = &all;
	w->workers = w->unit_count = 1;
	cr_assert(players_init(w));
	players_finish(w, 7 * (uint64_t)LENGTH_NS);
	cr_expect_eq(tally_read(&w->skipped), LENGTH_NS);
	players_finish(w, 10 * (uint64_t)LENGTH_NS);
	cr_expect_eq(tally_read(&w->skipped), 2 * LENGTH_NS);
	cr_expect_eq(tally_read(&w->tallies[UP].unsent), 2 * LENGTH_NS);
	schedule_done(&w->schedule);
	free(w->players);
	free(w);
}
