#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/own_workload.h"
#include "cli/target.h"
#include "cli/values.h"
#include "compare/compare.h"
#include "compare/netns.h"

static const struct argp_option what_options[] = {
	{"set", KEY_SET, "quick|full", 0, "The standard set; default quick", 0},
	{"workload", KEY_WORKLOAD, "NAME,...", 0, "Only these of the standard workloads", 0},
	{"servers", KEY_SERVERS, "NAME,...", 0,
		"Of the servers that this tool knows; default: those of the set that can be started here", 0},
	{"server", KEY_SERVER, "NAME=COMMAND", 0,
		"A server of your own beside them, as in mine='./mine -p {port}'; may be given several times", 0},
	{"rounds", KEY_ROUNDS, "N", 0, "That count, after one that does not; default 5 (quick), 9 (full)", 0},
	{"seconds", KEY_SECONDS, "S", 0, "Of each window; default 0.8 (quick), 3 (full)", 0},
	{"seed", KEY_SEED, "N", 0, "Default: a random one, named in the document", 0},
	{"list", KEY_LIST, NULL, 0, "Name the workloads and the servers, and leave", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option where_options[] = {
	{"netns", KEY_NETNS, NULL, 0, "Over a veth pair between two network namespaces of their own, instead of loopback (root)",
		0},
	{"server-cores", KEY_SERVER_CORES, "LIST", 0, "The servers' cores; default: the last one", 0},
	{"loader-cores", KEY_LOADER_CORES, "LIST", 0, "The loader's; default: all others", 0},
	{"uturn", KEY_UTURN, "FILE", 0, "The relay; default: uturn beside this program", 0},
	{"peers", KEY_PEERS, "DIR", 0,
		"What bench/peers/prepare has made; default: ~/.cache/uturn/peers, or as XDG_CACHE_HOME says", 0},
	{"captures", KEY_CAPTURES, "DIR", 0, "The standard captures; default: bench/captures of this source tree", 0},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp what_argp = {what_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};
static const struct argp where_argp = {where_options, options_parse_group, NULL, NULL, NULL, NULL, NULL};

static const struct argp_child children[] = {
	{&what_argp, 0, "What:", 1},
	{&where_argp, 0, "Where:", 2},
	{&options_output, 0, "The result:", 3},
	{NULL, 0, NULL, 0},
};

static const char documentation[] =
	"Runs the same load against several servers, taking turns in every round, and compares what a packet costs each. Starts "
	"the servers "
	"itself, each on the same core or cores, the loader on others."
	"\v"
	"A workload of your own stands at the end:\n"
	"  uturn-bench compare --servers uturn-io_uring,coturn -- flood --size 400\n"
	"  uturn-bench compare -- replay call.pcap --calls 100\n"
	"  uturn-bench compare -- allocate --hold 1000\n"
	"  uturn-bench compare -- connect --hold 1000 --transport tls\n"
	"\n"
	"A server of your own: in its command {address}, {port}, {user}, {password}, {realm} and {folder} (temporary, its own) are "
	"replaced, and {tls_port}, {cert} and {key} for TLS and DTLS. It must relay from ports 49152-65535, and to the loader's "
	"own "
	"address.\n"
	"  uturn-bench compare --servers coturn \\\n"
	"    --server mine='./mine -l {address}:{port} -u {user}:{password} -r {realm}'\n"
	"\n"
	"The processor time is what is compared; rates depend on the loader's cores, too. A ratio is coturn's over the server's: "
	"above 1 the server "
	"needs less. Nothing else should run on the machine meanwhile.";

static const struct argp argp = {NULL, options_parse_root, "[-- WORKLOAD [OPTION...]]", documentation, children, NULL, NULL};

enum { WORKLOADS_MAX = 64, SERVERS_MAX = 32 };

struct comparison {
	struct compare_plan plan;
	struct workload workloads[WORKLOADS_MAX];
	struct server_spec servers[SERVERS_MAX];
	struct own_workload own;
	struct netns_pair pair;
	char uturn[4096], peers[4096], captures[4096];
};

static void defaults(struct options *o)
{
	o->set = "quick";
	o->seconds = 0;
}

/* `relative` to the folder of this program. */
static const char *path_beside_program(const char *given, const char *relative, char *path, size_t size)
{
	if (given)
		return given;
	char program[3072];
	ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
	program[length > 0 ? length : 0] = '\0';
	char *slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	snprintf(path, size, "%s/%s", program, relative);
	return path;
}

/* As bench/peers/prepare chooses it. */
static const char *peers_default(char *path, size_t size)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	if (cache && *cache)
		snprintf(path, size, "%s/uturn/peers", cache);
	else
		snprintf(path, size, "%s/.cache/uturn/peers", home ? home : "");
	return path;
}

static bool place_choose(struct comparison *c, const struct options *o, struct failure *failure)
{
	struct server_place *place = &c->plan.place;
	cpu_set_t allowed;
	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof allowed, &allowed);
	place->address = addr_ipv4(127, 0, 0, 1, 0);
	place->uturn_binary = path_beside_program(o->uturn, "uturn", c->uturn, sizeof c->uturn);
	place->peers_dir = o->peers ? o->peers : peers_default(c->peers, sizeof c->peers);
	place->cores = o->server_cores;
	if (CPU_COUNT(&place->cores) == 0) {
		int last = CPU_SETSIZE - 1;
		while (last > 0 && !CPU_ISSET(last, &allowed))
			last--;
		CPU_SET(last, &place->cores);
	}
	c->plan.loader_cores = o->loader_cores;
	if (CPU_COUNT(&c->plan.loader_cores) == 0) {
		cpu_set_t both;
		CPU_AND(&both, &allowed, &place->cores);
		CPU_XOR(&c->plan.loader_cores, &allowed, &both);
	}
	if (CPU_COUNT(&c->plan.loader_cores) == 0)
		return fail(failure, "no core is left for the loader: give --server-cores and --loader-cores");
	return target_cores_allowed("--server-cores", &place->cores, failure) &&
	       target_cores_allowed("--loader-cores", &c->plan.loader_cores, failure);
}

static bool workload_add(struct comparison *c, const struct workload *workload, struct failure *failure)
{
	if (c->plan.workload_count == WORKLOADS_MAX)
		return fail(failure, "--workload: more than %d workloads", WORKLOADS_MAX);
	c->workloads[c->plan.workload_count++] = *workload;
	return true;
}

static bool workloads_choose(struct comparison *c, const struct options *o, struct failure *failure)
{
	c->plan.workloads = c->workloads;
	if (o->argument_count > 0)
		return workload_add(c, &c->own.workload, failure);
	size_t count;
	const struct workload *set = workload_set(o->set, &count);
	if (!o->workloads) {
		bool good = true;
		for (size_t i = 0; good && i < count; i++)
			good = workload_add(c, &set[i], failure);
		return good;
	}
	char name[64];
	for (const char *left = o->workloads; *left != '\0';) {
		const struct workload *found = value_next(&left, name, sizeof name) ? workload_find(name) : NULL;
		if (!found)
			return fail(failure, "--workload %s: one of its names is not known; uturn-bench compare --list tells them",
				o->workloads);
		if (!workload_add(c, found, failure))
			return false;
	}
	return true;
}

static bool server_add(struct comparison *c, const char *text, struct failure *failure)
{
	if (c->plan.server_count == SERVERS_MAX)
		return fail(failure, "--servers: more than %d servers", SERVERS_MAX);
	struct server_spec *spec = &c->servers[c->plan.server_count];
	if (!server_spec_parse(text, spec, failure))
		return false;
	c->plan.server_count++;
	for (struct server_spec *other = c->servers; other < spec; other++)
		if (strcmp(other->name, spec->name) == 0)
			return fail(failure, "%s: two servers of this name", spec->name);
	return true;
}

/* Those that nobody named may be missing here, which the comparisons then tell; those that were named may not. */
static bool servers_choose(struct comparison *c, const struct options *o, const char *usual, struct failure *failure)
{
	char name[64];
	c->plan.servers = c->servers;
	for (const char *left = o->servers ? o->servers : usual; *left != '\0';) {
		if (!value_next(&left, name, sizeof name))
			return fail(failure, "--servers %s: not a list of names", o->servers);
		if (!server_add(c, name, failure))
			return false;
		if (o->servers && !server_available(&c->servers[c->plan.server_count - 1], &c->plan.place, failure))
			return false;
	}
	for (unsigned i = 0; i < o->server_count; i++)
		if (!server_add(c, o->server[i], failure) ||
			!server_available(&c->servers[c->plan.server_count - 1], &c->plan.place, failure))
			return false;
	return true;
}

static bool prepare(struct comparison *c, const struct options *o, uint64_t seed, struct failure *failure)
{
	struct workload_defaults usual;
	if (!workload_defaults(o->set, &usual))
		return fail(failure, "--set %s: there is no such set: use quick or full", o->set);
	const char *captures = c->own.folder[0] != '\0' ? c->own.folder : o->captures;
	c->plan.captures_dir = path_beside_program(captures, "../bench/captures", c->captures, sizeof c->captures);
	c->plan.rounds = o->rounds ? o->rounds : usual.rounds;
	c->plan.seconds = o->seconds > 0 ? o->seconds : usual.seconds;
	c->plan.seed = seed;
	c->plan.quiet = o->quiet;
	return place_choose(c, o, failure) && workloads_choose(c, o, failure) && servers_choose(c, o, usual.servers, failure);
}

static bool measure(struct session *s, struct comparison *c)
{
	if (!prepare(c, s->options, s->seed, &s->failure))
		return false;
	if (s->options->netns) {
		if (!netns_create(&c->pair, &s->failure))
			return false;
		c->plan.place.address = c->pair.server;
		c->plan.place.netns_path = c->pair.server_path;
	}
	json_t *comparisons = json_object_get(s->document, "comparisons");
	bool good = compare_run(&c->plan, comparisons, progress_show, &s->progress, &s->failure);
	s->partial = json_array_size(comparisons) > 0;
	if (s->options->netns)
		netns_remove(&c->pair);
	return good;
}

static void list_print(const struct comparison *c)
{
	size_t quick, full;
	workload_set("quick", &quick);
	const struct workload *set = workload_set("full", &full);
	puts("workloads:");
	for (size_t i = 0; i < full; i++)
		printf("  %-20s %s%s\n", set[i].name, set[i].title, i < quick ? "" : " (full set)");
	puts("servers:");
	struct workload_defaults usual;
	workload_defaults("full", &usual);
	char name[64];
	for (const char *left = usual.servers; value_next(&left, name, sizeof name);) {
		struct server_spec spec;
		struct failure why = {"can be started"};
		if (!server_spec_parse(name, &spec, &why))
			continue;
		server_available(&spec, &c->plan.place, &why);
		printf("  %-20s %s\n", name, why.text);
		server_spec_done(&spec);
	}
}

static int execute_with(const struct run *run, struct comparison *c)
{
	const struct options *o = &run->options;
	if (o->argument_count > 0) {
		if (o->workloads)
			return usage_error(run->name, "--workload", "and a workload of your own at the same time: use one of them");
		int status = own_workload_parse(o->arguments, o->argument_count, &c->own);
		if (status >= 0)
			return status;
	}
	struct session s;
	if (o->list) {
		if (!place_choose(c, o, &s.failure))
			return failure_print(&s.failure);
		list_print(c);
		return EXIT_GOOD;
	}
	int status = session_end(&s, session_begin(&s, run) && measure(&s, c));
	for (size_t i = 0; i < c->plan.server_count; i++)
		server_spec_done(&c->servers[i]);
	return status;
}

static int execute(const struct run *run)
{
	struct comparison *c = calloc(1, sizeof *c);
	if (!c)
		return EXIT_FAILED;
	int status = execute_with(run, c);
	free(c);
	return status;
}

const struct command command_compare = {
	.name = "compare",
	.shape = {.argp = &argp, .in_order = true, .arguments_max = 1 << 20},
	.defaults = defaults,
	.execute = execute,
};
