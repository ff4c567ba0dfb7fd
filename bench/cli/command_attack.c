#include <string.h>

#include "cli/commands.h"
#include "cli/measure.h"
#include "report/document.h"

static const struct argp_option attack_options[] = {
	{"kind", KEY_KIND, "LIST", 0,
		"unauthenticated (Allocate requests without credentials), unpermitted (packets of strangers to the call's relayed "
		"addresses), client (a client with an allocation of its own); default: all three, one after the other",
		0},
	{"rate", KEY_ATTACK_RATE, "PACKETS/S", 0, "Of the attackers, as in 50k; default: as fast as one thread sends", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option victim_options[] = {
	{"calls", KEY_CALLS, "N", 0, "With a capture: copies of it; default 1", 0},
	{"packets-min", KEY_PACKETS_MIN, "N", 0, "With a capture: leave flows of fewer packets out; default 10", 0},
	{"flows", KEY_FLOWS, "N", 0, "Without: allocations, each with one peer; default 4", 0},
	{"size", KEY_SIZE, "BYTES", 0, "Payload of each packet; default 1000", 0},
	{"burst", KEY_BURST, "N", 0, "Packets of one flow at a time; default 1", 0},
	{"direction", KEY_DIRECTION, "up|down|both", 0, "Default both", 0},
	{"indications", KEY_INDICATIONS, NULL, 0, "Send and Data indications instead of channels", 0},
	{"victim-rate", KEY_RATE, "PACKETS/S", 0, "Packets per second of all flows together; default 2000", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp attack_argp = {attack_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
static const struct argp victim_argp = {victim_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};

static const struct argp_child children[] = {
	{&attack_argp, 0, "The attackers:", 1},
	{&victim_argp, 0, "The call that suffers:", 2},
	{&options_server, 0, "The server:", 3},
	{&options_transport, 0, "How clients reach it:", 4},
	{&options_window, 0, "Time, in seconds (each attack has a window before it, and one during it):", 5},
	{&options_loader, 0, "The loader:", 6},
	{&options_output, 0, "The result:", 7},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Measures a call's loss and latency alone, and then while others flood the server. The call is a captured one, or a paced "
	"flood."
	"\v"
	"Example:\n"
	"  uturn-bench attack call.pcap --kind unauthenticated,unpermitted \\\n"
	"    -t 127.0.0.1:3478 -u user -p password\n"
	"\n"
	"The attackers are threads of this process and share its cores with the call: --rate keeps them from being what makes the "
	"call suffer. "
	"Point it at servers of your own only.";

static const struct argp argp = {NULL, options_parse_root, "[CAPTURE...]", documentation, children, NULL, NULL};

static void defaults(struct options *o)
{
	o->flows = 4;
	o->size = 1000;
	o->burst = 1;
	o->up = o->down = true;
	o->rate_per_s = 2000;
	o->seconds = 5;
	o->system_calls_s = 0;
	for (int i = 0; i < ATTACK_KINDS; i++)
		o->kinds[i] = true;
}

static bool measure(struct session *s, const struct call *call)
{
	struct target target;
	if (!target_resolve(s->options, &target, &s->failure))
		return false;
	struct attack_plan plan = {
		.victim = call_plan(s->options, &target, s->seed, call), .rate_per_s = s->options->attack_rate_per_s};
	memcpy(plan.kinds, s->options->kinds, sizeof plan.kinds);
	struct attack_result result = {0};
	bool good = attack_run(&plan, &target.load, progress_show, &s->progress, &result, &s->failure);
	if (good) {
		good = session_add(s, document_attack(&plan, &target.load, NULL, NULL, &result));
		attack_result_done(&result);
	}
	return good;
}

static int execute(const struct run *run)
{
	return measure_execute(run, measure);
}

const struct command command_attack = {
	.name = "attack",
	.shape = {.argp = &argp, .needs_target = true, .arguments_max = CAPTURES_MAX},
	.defaults = defaults,
	.execute = execute,
};
