#include "cli/commands.h"
#include "cli/measure.h"
#include "compare/find_max.h"

static const struct argp_option bound_options[] = {
	{"loss", KEY_LOSS, "SHARE", 0, "The most packets that may be lost, 0 to 1; default 0.001", 0},
	{"p99-ms", KEY_P99, "MS", 0, "The highest p99 of the one-way latency; default 20", 0},
	{"first", KEY_FIRST, "N", 0, "Calls (without a capture: thousands of packets per second) to begin with; default 10", 0},
	{"limit", KEY_LIMIT, "N", 0, "Where to stop in any case; default 100000", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option load_options[] = {
	{"packets-min", KEY_PACKETS_MIN, "N", 0, "With a capture: leave flows of fewer packets out; default 10", 0},
	{"flows", KEY_FLOWS, "N", 0, "Without: allocations, each with one peer; default 20", 0},
	{"size", KEY_SIZE, "BYTES", 0, "Payload of each packet; default 1200", 0},
	{"burst", KEY_BURST, "N", 0, "Packets of one flow at a time; default 8", 0},
	{"direction", KEY_DIRECTION, "up|down|both", 0, "Default up", 0},
	{"indications", KEY_INDICATIONS, NULL, 0, "Send and Data indications instead of channels", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp bound_argp = {bound_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
static const struct argp load_argp = {load_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};

static const struct argp_child children[] = {
	{&bound_argp, 0, "The bounds:", 1},
	{&load_argp, 0, "The load:", 2},
	{&options_server, 0, "The server:", 3},
	{&options_transport, 0, "How clients reach it:", 4},
	{&options_window, 0, "Time of each step, in seconds:", 5},
	{&options_loader, 0, "The loader:", 6},
	{&options_output, 0, "The result:", 7},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Searches the most calls of a capture, or without one the most packets per second, that a TURN server carries within "
	"bounds of loss and "
	"latency: doubling, then halving the gap down to 5 %."
	"\v"
	"Example:\n"
	"  uturn-bench find-max call.pcap --p99-ms 10 -t 127.0.0.1 -u user -p password\n"
	"\n"
	"When this tool's own cores are full before the server's are, the search ends there and the answer is \"at least\".\n"
	"It loads the server beyond its limit. Point it at servers of your own only.";

static const struct argp argp = {NULL, options_parse_root, "[CAPTURE...]", documentation, children, NULL, NULL};

static void defaults(struct options *o)
{
	o->loss_max = 0.001;
	o->p99_ms = 20;
	o->first = 10;
	o->limit = LOAD_ALLOCATIONS_MAX;
	o->seconds = 5;
	o->system_calls_s = 0;
}

static bool measure(struct session *s, const struct call *call)
{
	struct target target;
	if (!target_resolve(s->options, &target, &s->failure))
		return false;
	const struct find_max_plan plan = {
		.load = call_plan(s->options, &target, s->seed, call),
		.loss_max = s->options->loss_max,
		.latency_p99_max_ns = (uint64_t)(s->options->p99_ms * 1e6),
		.first = s->options->first,
		.limit = s->options->limit,
	};
	json_t *result;
	return find_max_run(&plan, &target.load, progress_show, &s->progress, &result, &s->failure) && session_add(s, result);
}

static int execute(const struct run *run)
{
	return measure_execute(run, measure);
}

const struct command command_find_max = {
	.name = "find-max",
	.shape = {.argp = &argp, .needs_target = true, .arguments_max = CAPTURES_MAX},
	.defaults = defaults,
	.execute = execute,
};
