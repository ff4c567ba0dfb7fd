#include "cli/commands.h"
#include "cli/target.h"
#include "report/document.h"

static const struct argp_option options[] = {
	{"hold", KEY_HOLD, "N", 0, "Allocations that are made and held; default 4000", 0},
	{"parallel", KEY_PARALLEL, "N", 0, "Clients at work at the same time; default 64", 0},
	{"no-channels", KEY_NO_CHANNELS, NULL, 0, "The allocations alone, without a permission and a channel each", 0},
	{"seed", KEY_SEED, "N", 0, "Default: a random one, named in the document", 0},
	{"cores", KEY_CORES, "LIST", 0,
		"The loader's cores, as in 0,2-3; default: all but the server's where --server-pid is pinned", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_child children[] = {
	{&options_server, 0, "The server:", 2},
	{&options_transport, 0, "How clients reach it:", 3},
	{&options_output, 0, "The result:", 4},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Measures how fast a TURN server makes allocations (complete transactions: the request that is answered with 401, and the "
	"one with credentials), "
	"and with --server-pid what memory and processor time each takes."
	"\v"
	"Example:\n"
	"  uturn-bench allocate --hold 4000 -t 127.0.0.1:3478 -u user -p password \\\n"
	"    --server-pid PID\n"
	"\n"
	"Each allocation takes a socket of this process, and one of the server's: mind `ulimit -n` of both, and the server's "
	"quotas.";

static const struct argp argp = {options, options_parse_root, NULL, documentation, children, NULL, NULL};

static void defaults(struct options *o)
{
	o->held = 4000;
	o->parallel = 64;
}

static bool measure(struct session *s)
{
	struct target target;
	if (!target_resolve(s->options, &target, &s->failure))
		return false;
	const struct allocate_plan plan = {
		.held = s->options->held,
		.parallel = s->options->parallel,
		.channels = !s->options->no_channels,
		.cores = target.loader_cores,
		.seed = s->seed,
	};
	struct allocate_result result;
	return allocate_run(&plan, &target.load, &result, &s->failure) &&
	       session_add(s, document_allocate(&plan, &target.load, NULL, NULL, &result));
}

static int execute(const struct run *run)
{
	struct session s;
	return session_end(&s, session_begin(&s, run) && measure(&s));
}

const struct command command_allocate = {
	.name = "allocate",
	.shape = {.argp = &argp, .needs_target = true},
	.defaults = defaults,
	.execute = execute,
};
