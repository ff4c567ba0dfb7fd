#include "cli/options.h"

#include <stddef.h>
#include <string.h>

#include "cli/values.h"
#include "trials/handshakes.h"

static const struct argp_option server_options[] = {
	{"target", 't', "ADDRESS", 0,
		"The TURN server: HOST, HOST:PORT, [v6]:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT; port 3478 (TLS, "
		"DTLS: "
		"5349) unless given",
		0},
	{"user", 'u', "NAME", 0, "User name (long-term credentials)", 0},
	{"password", 'p', "PASSWORD", 0, "Its password; better in the environment: UTURN_BENCH_PASSWORD", 0},
	{"secret", KEY_SECRET, "SECRET", 0,
		"Instead of a password: make time-limited credentials with this shared secret; in the environment: "
		"UTURN_BENCH_SECRET",
		0},
	{"server-pid", KEY_SERVER_PID, "PID", 0,
		"The server's process on this machine: its processor time, memory and system calls are measured, too", 0},
	{"local", KEY_LOCAL, "IP", 0, "Address of the clients' sockets; default: the one that leads to the server", 0},
	{"peer-address", KEY_PEER_ADDRESS, "IP", 0, "Address of the peers' sockets; default: as the clients'", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option transport_options[] = {
	{"transport", KEY_TRANSPORT, "udp|tcp|tls|dtls", 0,
		"What clients speak to the server (peers have UDP); default: as the target's URI says, else udp. Any certificate "
		"is "
		"accepted",
		0},
	{"tls-version", KEY_TLS_VERSION, "1.2|1.3", 0, "Only this one; default: the newest that both have. DTLS is 1.2", 0},
	{"cipher", KEY_CIPHER, "NAME", 0, "Only this one, as OpenSSL names it; default: AES-128-GCM in either version", 0},
	{"separate-writes", KEY_SEPARATE_WRITES, NULL, 0,
		"TCP, TLS: each frame leaves in a send of its own; default: all of a burst in one. A frame is one record either "
		"way",
		0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option loader_options[] = {
	{"threads", KEY_THREADS, "N", 0, "Threads that send and receive; default: one per core of --cores", 0},
	{"cores", KEY_CORES, "LIST", 0,
		"The loader's cores, as in 0,2-3; default: all but the server's where --server-pid is pinned, else no pinning", 0},
	{"gso", KEY_GSO, NULL, 0,
		"Runs of equal packets leave a UDP socket in one send (UDP_SEGMENT); over loopback and veth they arrive as GRO "
		"aggregates",
		0},
	{"seed", KEY_SEED, "N", 0, "Of the payloads; default: a random one, named in the document", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option window_options[] = {
	{"seconds", KEY_SECONDS, "S", 0, "The measured window; default 10 (attack, find-max: 5)", 0},
	{"warmup", KEY_WARMUP, "S", 0, "Load before it, which does not count; default 1", 0},
	{"drain", KEY_DRAIN, "S", 0, "How long to wait for late packets after it, at most; default 1", 0},
	{"system-calls", KEY_SYSTEM_CALLS, "S", 0,
		"Count the server's system calls for so long after it; 0: not; default 1 with --server-pid (attack, find-max: 0)",
		0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option output_options[] = {
	{"json", KEY_JSON, NULL, 0, "Print the JSON document (bench/FORMAT.md) instead of text", 0},
	{"output", KEY_OUTPUT, "FILE", 0, "Write the result to this file (the JSON document; report: the page)", 0},
	{"quiet", KEY_QUIET, NULL, 0, "No progress line, no text", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{"version", KEY_VERSION, NULL, 0, "Show the version and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option replay_options[] = {
	{"calls", KEY_CALLS, "N", 0, "Copies of the captured call at the same time; default 1", 0},
	{"packets-min", KEY_PACKETS_MIN, "N", 0, "Leave flows of fewer packets out; default 10", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option flood_options[] = {
	{"flows", KEY_FLOWS, "N", 0, "Allocations, each with one peer; default 20", 0},
	{"size", KEY_SIZE, "BYTES", 0, "Payload of each packet; default 1200", 0},
	{"burst", KEY_BURST, "N", 0, "Packets of one flow at a time, 1 to 64; default 8", 0},
	{"direction", KEY_DIRECTION, "up|down|both", 0, "up: client to peer; down: peer to client; default up", 0},
	{"indications", KEY_INDICATIONS, NULL, 0, "Send and Data indications instead of channels", 0},
	{"rate", KEY_RATE, "PACKETS/S", 0, "Paced: packets per second of all flows together, as in 20000 or 20k", 0},
	{"window", KEY_WINDOW, "N", 0,
		"As fast as the server relays, with so many packets of each flow and direction under way; default 64", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

enum shape { SHAPE_WHOLE, SHAPE_SEED, SHAPE_REAL, SHAPE_TEXT, SHAPE_CORES, SHAPE_IP, SHAPE_YES };

struct rule {
	int key;
	enum shape shape;
	size_t offset;
	double min, max;
	const char *wrong;
};

#define AT(field) offsetof(struct options, field)

/* clang-format off */
static const struct rule rules[] = {
	{KEY_TARGET, SHAPE_TEXT, AT(target), 0, 0, NULL},
	{KEY_USER, SHAPE_TEXT, AT(user), 0, 0, NULL},
	{KEY_PASSWORD, SHAPE_TEXT, AT(password), 0, 0, NULL},
	{KEY_SECRET, SHAPE_TEXT, AT(secret), 0, 0, NULL},
	{KEY_SERVER_PID, SHAPE_WHOLE, AT(server_pid), 1, 4194304, "not a process id"},
	{KEY_LOCAL, SHAPE_IP, AT(local), 0, 0, "not an IP address"},
	{KEY_PEER_ADDRESS, SHAPE_IP, AT(peer_address), 0, 0, "not an IP address"},
	{KEY_CIPHER, SHAPE_TEXT, AT(transport.cipher), 0, 0, NULL},
	{KEY_SEPARATE_WRITES, SHAPE_YES, AT(transport.separate_writes), 0, 0, NULL},
	{KEY_THREADS, SHAPE_WHOLE, AT(threads), 1, LOAD_WORKERS_MAX, "not a number of threads: use 1 to 64"},
	{KEY_CORES, SHAPE_CORES, AT(cores), 0, 0, "not a list of cores: use one like 0,2-3"},
	{KEY_GSO, SHAPE_YES, AT(gso), 0, 0, NULL},
	{KEY_SEED, SHAPE_SEED, AT(seed), 1, 9007199254740991, "not a seed: use 1 to 9007199254740991"},
	{KEY_SECONDS, SHAPE_REAL, AT(seconds), 0.05, 86400, "not a time: use 0.05 to 86400 seconds"},
	{KEY_WARMUP, SHAPE_REAL, AT(warmup_s), 0, 3600, "not a time: use 0 to 3600 seconds"},
	{KEY_DRAIN, SHAPE_REAL, AT(drain_s), 0, 60, "not a time: use 0 to 60 seconds"},
	{KEY_SYSTEM_CALLS, SHAPE_REAL, AT(system_calls_s), 0, 60, "not a time: use 0 to 60 seconds"},
	{KEY_JSON, SHAPE_YES, AT(json), 0, 0, NULL},
	{KEY_QUIET, SHAPE_YES, AT(quiet), 0, 0, NULL},
	{KEY_OUTPUT, SHAPE_TEXT, AT(output), 0, 0, NULL},
	{KEY_CALLS, SHAPE_WHOLE, AT(calls), 1, LOAD_ALLOCATIONS_MAX, "not a number of calls: use 1 to 100000"},
	{KEY_PACKETS_MIN, SHAPE_WHOLE, AT(packets_min), 0, 1000000, "not a number of packets: use 0 to 1000000"},
	{KEY_FLOWS, SHAPE_WHOLE, AT(flows), 1, LOAD_ALLOCATIONS_MAX, "not a number of flows: use 1 to 100000"},
	{KEY_SIZE, SHAPE_WHOLE, AT(size), 16, 65000, "not a size of payloads: use 16 to 65000 bytes"},
	{KEY_BURST, SHAPE_WHOLE, AT(burst), 1, 64, "not a number of packets at a time: use 1 to 64"},
	{KEY_INDICATIONS, SHAPE_YES, AT(indications), 0, 0, NULL},
	{KEY_RATE, SHAPE_REAL, AT(rate_per_s), 1, 1e8, "not a rate: use packets per second, as in 20000 or 20k"},
	{KEY_WINDOW, SHAPE_WHOLE, AT(window), 1, 65536, "not a number of packets under way: use 1 to 65536"},
	{KEY_HOLD, SHAPE_WHOLE, AT(held), 1, LOAD_ALLOCATIONS_MAX, "not a number of allocations: use 1 to 100000"},
	{KEY_PARALLEL, SHAPE_WHOLE, AT(parallel), 1, 4096, "not a number of clients at work: use 1 to 4096"},
	{KEY_NO_CHANNELS, SHAPE_YES, AT(no_channels), 0, 0, NULL},
	{KEY_COUNT, SHAPE_WHOLE, AT(count), 1, HANDSHAKES_MAX, "not a number of handshakes: use 1 to 1000000"},
	{KEY_FOR, SHAPE_REAL, AT(for_s), 0.05, 3600, "not a time: use 0.05 to 3600 seconds"},
	{KEY_UDP_TARGET, SHAPE_TEXT, AT(udp_target), 0, 0, NULL},
	{KEY_ATTACK_RATE, SHAPE_REAL, AT(attack_rate_per_s), 1, 1e8, "not a rate: use packets per second, as in 20000 or 20k"},
	{KEY_LOSS, SHAPE_REAL, AT(loss_max), 0, 1, "not a share of packets: use 0 to 1, as in 0.001"},
	{KEY_P99, SHAPE_REAL, AT(p99_ms), 0.001, 60000, "not a latency: use milliseconds, 0.001 to 60000"},
	{KEY_FIRST, SHAPE_WHOLE, AT(first), 1, LOAD_ALLOCATIONS_MAX, "not a load to begin with: use 1 to 100000"},
	{KEY_LIMIT, SHAPE_WHOLE, AT(limit), 1, LOAD_ALLOCATIONS_MAX, "not a load to stop at: use 1 to 100000"},
	{KEY_SET, SHAPE_TEXT, AT(set), 0, 0, NULL},
	{KEY_WORKLOAD, SHAPE_TEXT, AT(workloads), 0, 0, NULL},
	{KEY_SERVERS, SHAPE_TEXT, AT(servers), 0, 0, NULL},
	{KEY_ROUNDS, SHAPE_WHOLE, AT(rounds), 1, 1000, "not a number of rounds: use 1 to 1000"},
	{KEY_NETNS, SHAPE_YES, AT(netns), 0, 0, NULL},
	{KEY_SERVER_CORES, SHAPE_CORES, AT(server_cores), 0, 0, "not a list of cores: use one like 1 or 2-3"},
	{KEY_LOADER_CORES, SHAPE_CORES, AT(loader_cores), 0, 0, "not a list of cores: use one like 0 or 0-1"},
	{KEY_UTURN, SHAPE_TEXT, AT(uturn), 0, 0, NULL},
	{KEY_PEERS, SHAPE_TEXT, AT(peers), 0, 0, NULL},
	{KEY_CAPTURES, SHAPE_TEXT, AT(captures), 0, 0, NULL},
	{KEY_LIST, SHAPE_YES, AT(list), 0, 0, NULL},
};
/* clang-format on */

struct parse {
	const struct option_shape *shape;
	const char *name;
	struct options *options;
	int status; /* -1: go on */
};

int usage_error(const char *name, const char *subject, const char *wrong)
{
	fprintf(stderr, "uturn-bench: %s: %s (see %s --help)\n", subject, wrong, name);
	return EXIT_USAGE;
}

/* Only the first one is told. */
static void refuse(struct parse *p, const char *subject, const char *wrong)
{
	if (p->status < 0)
		p->status = usage_error(p->name, subject, wrong);
}

static bool store(const struct rule *rule, const char *text, void *field)
{
	uint64_t whole;
	double real;
	struct addr ip;
	switch (rule->shape) {
	case SHAPE_WHOLE:
	case SHAPE_SEED:
		if (!value_whole(text, &whole) || (double)whole < rule->min || (double)whole > rule->max)
			return false;
		if (rule->shape == SHAPE_SEED)
			*(uint64_t *)field = whole;
		else
			*(uint32_t *)field = (uint32_t)whole;
		return true;
	case SHAPE_REAL:
		if (!value_real(text, &real) || real < rule->min || real > rule->max)
			return false;
		*(double *)field = real;
		return true;
	case SHAPE_CORES:
		return value_cores(text, field);
	case SHAPE_IP:
		if (!addr_parse_ip(text, &ip))
			return false;
		*(struct addr *)field = ip;
		return true;
	case SHAPE_TEXT:
		*(const char **)field = text;
		return text[0] != '\0';
	case SHAPE_YES:
		*(bool *)field = true;
		return true;
	}
	return false;
}

static void set_direction(struct parse *p, const char *text)
{
	bool both = strcmp(text, "both") == 0;
	p->options->up = both || strcmp(text, "up") == 0;
	p->options->down = both || strcmp(text, "down") == 0;
	if (!p->options->up && !p->options->down)
		refuse(p, text, "not a direction: use up, down or both");
}

static void set_transport(struct parse *p, const char *text)
{
	p->options->transport_given = true;
	if (!transport_find(text, &p->options->transport.kind))
		refuse(p, text, "not a transport: use udp, tcp, tls or dtls");
}

static void set_tls_version(struct parse *p, const char *text)
{
	if (strcmp(text, "1.2") == 0)
		p->options->transport.version = TLS_VERSION_1_2;
	else if (strcmp(text, "1.3") == 0)
		p->options->transport.version = TLS_VERSION_1_3;
	else
		refuse(p, text, "not a version of TLS: use 1.2 or 1.3");
}

static bool add_kind(struct options *options, const char *name)
{
	for (int kind = 0; kind < ATTACK_KINDS; kind++)
		if (strcmp(name, attack_kind_name((enum attack_kind)kind)) == 0)
			return options->kinds[kind] = true;
	return false;
}

static void set_kinds(struct parse *p, const char *text)
{
	char name[32];
	memset(p->options->kinds, 0, sizeof p->options->kinds);
	for (const char *left = text; *left != '\0';)
		if (!value_next(&left, name, sizeof name) || !add_kind(p->options, name)) {
			refuse(p, text, "not a list of attacks: use unauthenticated,unpermitted,client or some of them");
			return;
		}
}

static void add_server(struct parse *p, const char *text)
{
	const char *equals = strchr(text, '=');
	if (!equals || equals == text || equals[1] == '\0')
		refuse(p, text, "not a server: use NAME='COMMAND …'");
	else if (p->options->server_count == OPTION_SERVERS_MAX)
		refuse(p, text, "one server too many: use 16 at most");
	else
		p->options->server[p->options->server_count++] = text;
}

static void help(struct parse *p, const struct argp_state *state)
{
	if (p->status >= 0)
		return;
	/* argp's name is not const, but nothing is changed through it. */
	argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR),
		(char *)(uintptr_t)p->name);
	p->status = EXIT_GOOD;
}

static void version(struct parse *p)
{
	if (p->status >= 0)
		return;
	printf("uturn-bench %s\n", UTURN_VERSION);
	p->status = EXIT_GOOD;
}

error_t options_parse_group(int key, char *value, struct argp_state *state)
{
	struct parse *p = state->input;
	switch (key) {
	case KEY_HELP:
		help(p, state);
		return 0;
	case KEY_VERSION:
		version(p);
		return 0;
	case KEY_DIRECTION:
		set_direction(p, value);
		return 0;
	case KEY_TRANSPORT:
		set_transport(p, value);
		return 0;
	case KEY_TLS_VERSION:
		set_tls_version(p, value);
		return 0;
	case KEY_KIND:
		set_kinds(p, value);
		return 0;
	case KEY_SERVER:
		add_server(p, value);
		return 0;
	default:
		break;
	}
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
		if (rules[i].key == key) {
			if (!store(&rules[i], value, (char *)p->options + rules[i].offset))
				refuse(p, value[0] ? value : "an empty value", rules[i].wrong ? rules[i].wrong : "it says nothing");
			return 0;
		}
	return ARGP_ERR_UNKNOWN;
}

/* What argp itself found wrong. It moves past what it does not know, but stays on one letter of several. */
static void unknown_option(struct parse *p, const struct argp_state *state)
{
	const char *subject = state->next > 1 ? state->argv[state->next - 1] : "";
	if (subject[0] != '-' && state->next < state->argc)
		subject = state->argv[state->next];
	refuse(p, subject, "unknown option, or its value is missing or not wanted");
}

error_t options_parse_root(int key, char *value, struct argp_state *state)
{
	struct parse *p = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		for (size_t i = 0; state->root_argp->children && state->root_argp->children[i].argp; i++)
			state->child_inputs[i] = p;
		return 0;
	case ARGP_KEY_ARGS:
		p->options->arguments = state->argv + state->next;
		p->options->argument_count = (unsigned)(state->argc - state->next);
		return 0;
	case ARGP_KEY_ERROR:
		unknown_option(p, state);
		return 0;
	default:
		return options_parse_group(key, value, state);
	}
}

const struct argp options_server = {server_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_transport = {transport_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_loader = {loader_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_window = {window_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_output = {output_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_replay = {replay_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
const struct argp options_flood = {flood_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};

void options_init(struct options *o)
{
	*o = (struct options){.warmup_s = 1, .seconds = 10, .drain_s = 1, .system_calls_s = -1};
	o->calls = 1;
	o->packets_min = 10;
	o->flows = 20;
	o->size = 1200;
	o->burst = 8;
	o->up = true;
}

int options_parse(const struct option_shape *shape, const char *name, int argc, char **argv, struct options *options)
{
	struct parse p = {.shape = shape, .name = name, .options = options, .status = -1};
	unsigned flags = ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP | (shape->in_order ? ARGP_IN_ORDER : 0);
	error_t error = argp_parse(shape->argp, argc, argv, flags, NULL, &p);
	if (error)
		refuse(&p, "arguments", strerror(error));
	if (options->argument_count < shape->arguments_min)
		refuse(&p, shape->arguments_missing, "name one");
	else if (options->argument_count > shape->arguments_max)
		refuse(&p, options->arguments[shape->arguments_max], "one argument too many");
	if (shape->needs_target && !options->target)
		refuse(&p, "--target", "it is missing: give the server's HOST:PORT");
	if (options->rate_per_s > 0 && options->window > 0)
		refuse(&p, "--rate and --window", "use one of them: paced, or as fast as the server relays");
	return p.status;
}
