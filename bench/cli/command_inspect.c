#include <errno.h>
#include <string.h>

#include "capture/capture.h"
#include "cli/commands.h"

static const struct argp_option options[] = {
	{"packets-min", KEY_PACKETS_MIN, "N", 0, "Leave flows of fewer packets out; default 10", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{"version", KEY_VERSION, NULL, 0, "Show the version and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Tells what a packet capture contains: the media flows that `uturn-bench replay` would play, their rates, sizes and pacing."
	"\v"
	"Reads pcap and pcapng. Media is found by itself: TURN between client and server (ChannelData, Send and Data indications), "
	"or plain UDP "
	"between two hosts. Packets may be truncated to some 60 bytes and more.\n"
	"\n"
	"To take one on a TURN server:\n"
	"  tcpdump -i any -s 128 -w call.pcap udp port 3478";

static const struct argp argp = {options, options_parse_root, "CAPTURE...", documentation, NULL, NULL, NULL};

static int execute(const struct run *run)
{
	const struct options *o = &run->options;
	struct failure failure;
	for (unsigned i = 0; i < o->argument_count; i++) {
		struct capture capture;
		if (!capture_read(o->arguments[i], o->packets_min, &capture, &failure)) {
			fflush(stdout);
			return failure_print(&failure);
		}
		capture_print(&capture, o->arguments[i], stdout);
		capture_done(&capture);
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_GOOD;
	fail(&failure, "standard output: %s", strerror(errno));
	return failure_print(&failure);
}

const struct command command_inspect = {
	.name = "inspect",
	.shape = {.argp = &argp, .arguments_min = 1, .arguments_max = 64, .arguments_missing = "no capture"},
	.execute = execute,
};
