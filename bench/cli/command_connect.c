#include "cli/commands.h"
#include "cli/target.h"
#include "report/document.h"

static const struct argp_option options[] = {
	{"hold", KEY_HOLD, "N", 0, "Connections that are made and held; default 5000", 0},
	{"parallel", KEY_PARALLEL, "N", 0, "That are being made at the same time; default 64", 0},
	{"cores", KEY_CORES, "LIST", 0,
		"The loader's cores, as in 0,2-3; default: all but the server's where --server-pid is pinned", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_child children[] = {
	{&options_server, 0, "The server (credentials are not used, but must be given):", 2},
	{&options_transport, 0, "How clients reach it:", 3},
	{&options_output, 0, "The result:", 4},
	{NULL, 0, NULL, 0},
};

static const char documentation[] = "Measures how fast a TURN server takes connections of TCP, TLS or DTLS, and with --server-pid "
				    "what memory an idle one takes: "
				    "its handshake is done and a Binding request answered, and it has no allocation."
				    "\v"
				    "Example:\n"
				    "  uturn-bench connect --hold 5000 -t turns:127.0.0.1:5349 -u user -p password \\\n"
				    "    --server-pid PID\n"
				    "\n"
				    "Each connection takes a socket of this process, and one of the server's: mind `ulimit -n` of "
				    "both, and the server's limits "
				    "per source.";

static const struct argp argp = {options, options_parse_root, NULL, documentation, children, NULL, NULL};

static void defaults(struct options *o)
{
	o->held = 5000;
	o->parallel = 64;
}

static bool measure(struct session *s)
{
	struct target target;
	if (!target_resolve(s->options, &target, &s->failure))
		return false;
	const struct connect_plan plan = {.held = s->options->held, .parallel = s->options->parallel, .cores = target.loader_cores};
	struct connect_result result;
	return connect_run(&plan, &target.load, &result, &s->failure) &&
	       session_add(s, document_connect(&plan, &target.load, NULL, NULL, &result));
}

static int execute(const struct run *run)
{
	struct session s;
	return session_end(&s, session_begin(&s, run) && measure(&s));
}

const struct command command_connect = {
	.name = "connect",
	.shape = {.argp = &argp, .needs_target = true},
	.defaults = defaults,
	.execute = execute,
};
