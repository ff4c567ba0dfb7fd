#include "cli/commands.h"
#include "cli/measure.h"
#include "report/document.h"

static const struct argp_option handshake_options[] = {
	{"count", KEY_COUNT, "N", 0, "Handshakes of each kind, at most; default 2000", 0},
	{"for", KEY_FOR, "S", 0, "Seconds of each kind, at most; default 3", 0},
	{"parallel", KEY_PARALLEL, "N", 0, "That are being made at the same time; default 16", 0},
	{"rate", KEY_ATTACK_RATE, "HANDSHAKES/S", 0, "So many are begun in a second, at most; default: as many as one thread makes",
		0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option victim_options[] = {
	{"udp-target", KEY_UDP_TARGET, "ADDRESS", 0,
		"The same server's UDP listener: a call over it is measured alone, and beside full handshakes; default: no call",
		0},
	{"flows", KEY_FLOWS, "N", 0, "Its allocations, each with one peer; default 4", 0},
	{"size", KEY_SIZE, "BYTES", 0, "Payload of each packet; default 1000", 0},
	{"victim-rate", KEY_RATE, "PACKETS/S", 0, "Packets per second of all flows together, both directions; default 2000", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp handshake_argp = {handshake_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
static const struct argp victim_argp = {victim_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};

static const struct argp_child children[] = {
	{&handshake_argp, 0, "The handshakes:", 1},
	{&victim_argp, 0, "The call beside them:", 2},
	{&options_server, 0, "The server:", 3},
	{&options_transport, 0, "How clients reach it (tls unless given):", 4},
	{&options_window, 0, "Time of the call, in seconds:", 5},
	{&options_loader, 0, "The loader:", 6},
	{&options_output, 0, "The result:", 7},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Measures what TLS or DTLS handshakes cost a server, full ones and resumed ones, and what a call over UDP suffers beside "
	"them."
	"\v"
	"Example:\n"
	"  uturn-bench handshakes -t turns:127.0.0.1:5349 --udp-target 127.0.0.1:3478 \\\n"
	"    -u user -p password --server-pid PID --rate 500\n"
	"\n"
	"This tool's own end of a handshake costs more than the server's: with --server-pid the server's run time per handshake "
	"tells how many a core of it could make. Point it at servers of your own only.";

static const struct argp argp = {NULL, options_parse_root, NULL, documentation, children, NULL, NULL};

static void defaults(struct options *o)
{
	o->transport.kind = TRANSPORT_TLS;
	o->count = 2000;
	o->for_s = 3;
	o->parallel = HANDSHAKES_PARALLEL_DEFAULT;
	o->flows = 4;
	o->size = 1000;
	o->burst = 1;
	o->up = o->down = true;
	o->rate_per_s = 2000;
	o->seconds = 5;
	o->system_calls_s = 0;
}

static bool measure(struct session *s, const struct call *call)
{
	struct target target;
	const struct options *o = s->options;
	if (!target_resolve(o, &target, &s->failure))
		return false;
	struct handshakes_plan plan = {
		.count = o->count,
		.parallel = o->parallel,
		.rate_per_s = o->attack_rate_per_s,
		.seconds = o->for_s,
		.has_victim = o->udp_target != NULL,
		.victim = call_plan(o, &target, s->seed, call),
	};
	if (plan.has_victim && !target_udp(o, &plan.victim_server, &s->failure))
		return false;
	struct handshakes_result result = {0};
	bool good = handshakes_run(&plan, &target.load, progress_show, &s->progress, &result, &s->failure);
	if (good) {
		good = session_add(s, document_handshakes(&plan, &target.load, NULL, NULL, &result));
		handshakes_result_done(&result);
	}
	return good;
}

static int execute(const struct run *run)
{
	return measure_execute(run, measure);
}

const struct command command_handshakes = {
	.name = "handshakes",
	.shape = {.argp = &argp, .needs_target = true},
	.defaults = defaults,
	.execute = execute,
};
