#include "cli/commands.h"
#include "cli/measure.h"

static const struct argp_child children[] = {
	{&options_flood, 0, "The load:", 1},
	{&options_server, 0, "The server:", 2},
	{&options_transport, 0, "How clients reach it:", 3},
	{&options_window, 0, "Time, in seconds:", 4},
	{&options_loader, 0, "The loader:", 5},
	{&options_output, 0, "The result:", 6},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Loads a TURN server with equal packets: a number of flows, each an allocation with one peer. With --rate it is paced and "
	"latencies mean "
	"something; without, the server works at its limit, each flow keeping --window packets under way."
	"\v"
	"Examples: what does a packet cost my server, and what does it relay at most?\n"
	"  uturn-bench flood -t 127.0.0.1 -u user -p password --server-pid PID\n"
	"Latency under 20000 packets a second in both directions:\n"
	"  uturn-bench flood -t 192.0.2.1 -u user -p password --direction both \\\n"
	"    --rate 20k --burst 1\n"
	"\n"
	"It loads the server to its limit. Point it at servers of your own only.";

static const struct argp argp = {NULL, options_parse_root, NULL, documentation, children, NULL, NULL};

static int execute(const struct run *run)
{
	return measure_execute(run, load_measure);
}

const struct command command_flood = {
	.name = "flood",
	.shape = {.argp = &argp, .needs_target = true},
	.execute = execute,
};
