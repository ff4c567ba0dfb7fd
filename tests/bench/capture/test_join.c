#include <criterion/criterion.h>

#include "call_rig.h"

static struct capture call_of(unsigned first_ms, unsigned step_ms, unsigned count, bool two_clients)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	for (unsigned i = 0; i < count; i++)
		call_up(&c, first_ms + i * step_ms, rig_channel_data(0x4000, 0x80, step_ms));
	if (two_clients)
		rig_udp(&c.file, (uint64_t)first_ms * 1000000, &c.server, &c.other_client, rig_channel_data(0x4000, 0x80, 1));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	rig_done(&c.file);
	return capture;
}

Test(capture_join, all_start_together_and_loop_at_the_longest)
{
	struct capture captures[] = {call_of(1000, 20, 3, true), call_of(5000, 30, 2, false)};
	struct script script;
	struct failure failure;
	cr_assert(capture_join(captures, 2, &script, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&script), "0 1 2 | 0:0>20 0:1<1 0:2>30 20000:0>20 30000:2>30 40000:0>20");
	uint64_t lengths[] = {captures[0].script.length_ns, captures[1].script.length_ns};
	cr_expect_eq(lengths[1], 60000000);
	cr_expect_eq(script.length_ns, lengths[0] > lengths[1] ? lengths[0] : lengths[1]);
	script_free(&script);
	capture_done(&captures[0]);
	capture_done(&captures[1]);
}

Test(capture_join, one_alone_stays_as_it_is)
{
	struct capture capture = call_of(0, 20, 5, true);
	struct script script;
	struct failure failure;
	cr_assert(capture_join(&capture, 1, &script, &failure), "%s", failure.text);
	cr_assert_eq(script.packet_count, capture.script.packet_count);
	cr_expect_eq(script.length_ns, capture.script.length_ns);
	cr_expect_eq(memcmp(script.packets, capture.script.packets, script.packet_count * sizeof *script.packets), 0);
	script_free(&script);
	capture_done(&capture);
}

Test(capture_join, too_much_is_refused)
{
	struct script_path paths[1] = {0};
	struct capture captures[SCRIPT_PATHS_MAX + 1] = {0};
	for (size_t i = 0; i < SCRIPT_PATHS_MAX + 1; i++)
		captures[i].script = (struct script){.paths = paths, .path_count = 1, .allocations = 1, .length_ns = 1};
	struct script script;
	struct failure failure;
	cr_assert_not(capture_join(captures, SCRIPT_PATHS_MAX + 1, &script, &failure));
	cr_expect(strstr(failure.text, "1025 captures with 1025 paths") == failure.text, "%s", failure.text);
}
