#include "cli/commands.h"
#include "cli/measure.h"

static const struct argp_child children[] = {
	{&options_replay, 0, "The load:", 1},
	{&options_server, 0, "The server:", 2},
	{&options_transport, 0, "How clients reach it:", 3},
	{&options_window, 0, "Time, in seconds:", 4},
	{&options_loader, 0, "The loader:", 5},
	{&options_output, 0, "The result:", 6},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Plays copies of a captured call against a TURN server, with the captured sizes and times, in both directions: each copy "
	"has allocations, "
	"permissions, channels and peers of its own. The call is looped for the whole window; the copies start staggered. Several "
	"captures are "
	"played together as one call."
	"\v"
	"Captures are pcap or pcapng files of WebRTC traffic as a TURN client or server sees it, or of plain UDP between two "
	"hosts; packets may be "
	"truncated. `uturn-bench inspect` tells what is found in one. Payloads are made up; nothing of the capture's contents is "
	"sent.\n"
	"\n"
	"Example: 50 copies of a call for 30 seconds, the server's processor time with it:\n"
	"  uturn-bench replay call.pcap --calls 50 --seconds 30 -t 127.0.0.1:3478 \\\n"
	"    -u user -p password --server-pid PID";

static const struct argp argp = {NULL, options_parse_root, "CAPTURE...", documentation, children, NULL, NULL};

static int execute(const struct run *run)
{
	return measure_execute(run, load_measure);
}

const struct command command_replay = {
	.name = "replay",
	.shape = {.argp = &argp,
		.needs_target = true,
		.arguments_min = 1,
		.arguments_max = CAPTURES_MAX,
		.arguments_missing = "no capture"},
	.execute = execute,
};
