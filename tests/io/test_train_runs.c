#include <criterion/criterion.h>

#include "io_rig.h"
#include "train_private.h"
#include "train_rig.h"

/* Runs of 1 to 150 packets alike, and whether they are told apart. */
static const struct {
	uint16_t repeats;
	size_t size;
	uint8_t header_size, padding;
	bool headroom;
} run_cases[] = {
	{0, 1200, 4, 0, false},
	{0, 1200, 4, 0, true},
	{7, 1200, 0, 0, false},
	{7, 1200, 4, 0, true},
	{7, 1200, 4, 0, false},
	{31, 1199, 36, 1, true},
	{31, 1199, 36, 1, false},
	{63, 10, 4, 0, true},
	{149, 10, 4, 2, true},
	{149, 10, 0, 0, false},
	{149, 1200, 4, 0, true},
	{2, 40000, 4, 0, true},
	{3, 0, 0, 0, false},
	{3, 0, 4, 0, true},
};

/* The packet behind another one in memory; the room in front of the first. */
static struct departure nth(const struct departure *run, unsigned n)
{
	struct departure d = *run;
	d.repeats = 0;
	d.payload.data += (size_t)n * run->stride;
	if (n > 0)
		d.headroom_end = NULL;
	return d;
}

Test(train_runs, a_run_becomes_the_trains_that_its_packets_would_become)
{
	static uint8_t first[TRAIN_BYTES_MAX], second[TRAIN_BYTES_MAX];
	uint8_t header[36];
	rig_fill(header, sizeof header, 3);
	for (size_t i = 0; i < sizeof run_cases / sizeof *run_cases; i++) {
		rig_fill(memory, sizeof memory, (unsigned)i);
		struct departure run = packet(1, 1000, run_cases[i].size);
		run.payload.data = memory + 64;
		run.header = header;
		run.header_size = run_cases[i].header_size;
		run.padding = run_cases[i].padding;
		run.headroom_end = run_cases[i].headroom ? memory + 64 : NULL;
		run.repeats = run_cases[i].repeats;
		run.stride = (uint16_t)(run_cases[i].size + 4);
		struct trains *whole = trains_create(), *single = trains_create();
		struct departure before = packet(1, 1000, run.header_size + run_cases[i].size + run.padding);
		append(whole, &before);
		append(single, &before);
		append(whole, &run);
		for (unsigned n = 0; n <= run.repeats; n++) {
			struct departure one = nth(&run, n);
			append(single, &one);
		}
		cr_assert_eq(trains_count(whole), trains_count(single), "case %zu", i);
		for (unsigned n = 0; n < trains_count(whole); n++) {
			cr_assert_eq(trains_at(whole, n)->segments, trains_at(single, n)->segments, "case %zu", i);
			size_t size = gather(trains_at(whole, n), first);
			cr_assert_eq(size, trains_at(whole, n)->bytes);
			cr_assert_eq(gather(trains_at(single, n), second), size);
			cr_assert_arr_eq(first, second, size, "case %zu, train %u", i, n);
		}
		trains_free(whole);
		trains_free(single);
	}
}

Test(train_runs, a_run_that_finds_no_room_says_where_to_go_on)
{
	struct trains *t = trains_create();
	for (unsigned i = 0; i < TRAINS_MAX - 1; i++) {
		struct departure d = packet(i, 1000, 100);
		append(t, &d);
	}
	struct departure run = packet(TRAINS_MAX, 1000, 100);
	run.repeats = 99;
	run.stride = 100;
	cr_assert_eq(trains_append(t, &run, 0), (unsigned)TRAIN_SEGMENTS_MAX);
	trains_clear(t);
	cr_expect_eq(trains_append(t, &run, TRAIN_SEGMENTS_MAX), 100u);
	cr_expect_eq(trains_at(t, 0)->segments, 36);
	run.repeats = 2;
	cr_expect_eq(trains_append_alone(t, &run, 0), 3u);
	cr_expect_eq(trains_count(t), 4u);
	trains_free(t);
}
