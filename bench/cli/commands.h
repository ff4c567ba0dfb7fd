/*
 * commands - what uturn-bench can be asked to do, a file for each (command_*.c).
 */
#ifndef UTURN_BENCH_CLI_COMMANDS_H
#define UTURN_BENCH_CLI_COMMANDS_H

#include "cli/session.h"

struct command {
	const char *name;
	struct option_shape shape;
	void (*defaults)(struct options *options); /* what differs from options_init; may be NULL */
	int (*execute)(const struct run *run);     /* returns the exit status */
};

extern const struct command command_replay, command_inspect, command_flood, command_allocate, command_connect, command_handshakes,
	command_attack, command_find_max, command_compare, command_report;

#endif
