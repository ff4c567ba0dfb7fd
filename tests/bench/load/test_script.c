#include "load/script.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "load/player.h"

Test(script, is_freed_once_and_is_empty_then)
{
	struct script s = {.paths = malloc(sizeof *s.paths),
		.packets = malloc(sizeof *s.packets),
		.path_count = 1,
		.packet_count = 1,
		.length_ns = 5};
	script_free(&s);
	cr_expect(s.paths == NULL && s.packets == NULL && s.packet_count == 0 && s.length_ns == 0);
	script_free(&s);
}

Test(script, is_found_into_by_time)
{
	struct script_packet packets[] = {{.at_ns = 0}, {.at_ns = 10}, {.at_ns = 10}, {.at_ns = 30}};
	struct script s = {.packets = packets, .packet_count = 4, .length_ns = 40};
	cr_expect_eq(script_seek(&s, 0), 0);
	cr_expect_eq(script_seek(&s, 1), 1);
	cr_expect_eq(script_seek(&s, 10), 1);
	cr_expect_eq(script_seek(&s, 11), 3);
	cr_expect_eq(script_seek(&s, 30), 3);
	cr_expect_eq(script_seek(&s, 31), 4);
}
