#include "cli/own_workload.h"

#include <string.h>

#include "cli/call.h"

static const struct argp_option flood_own[] = {
	{"gso", KEY_GSO, NULL, 0, "Runs of equal packets leave in one send (UDP_SEGMENT)", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option allocate_own[] = {
	{"hold", KEY_HOLD, "N", 0, "Allocations that are made and held; default 4000", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option connect_own[] = {
	{"hold", KEY_HOLD, "N", 0, "Connections that are made and held; default 4000", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_option replay_own[] = {
	{"calls", KEY_CALLS, "N", 0, "Copies of the captured call; default: as many as load coturn's core to 70 %", 0},
	{"gso", KEY_GSO, NULL, 0, "Runs of equal packets leave in one send (UDP_SEGMENT)", 0},
	{"help", KEY_HELP, NULL, 0, "Show this and leave", 1},
	{NULL, 0, NULL, 0, NULL, 0},
};

static const struct argp_child flood_children[] = {
	{&options_flood, 0, NULL, 0}, {&options_transport, 0, NULL, 0}, {NULL, 0, NULL, 0}};
static const struct argp_child other_children[] = {{&options_transport, 0, NULL, 0}, {NULL, 0, NULL, 0}};

static const struct argp flood_argp = {
	flood_own, options_parse_root, NULL, "A flood as compare's workload.", flood_children, NULL, NULL};
static const struct argp replay_argp = {
	replay_own, options_parse_root, "CAPTURE", "A captured call as compare's workload.", other_children, NULL, NULL};
static const struct argp allocate_argp = {
	allocate_own, options_parse_root, NULL, "Allocations as compare's workload.", other_children, NULL, NULL};
static const struct argp connect_argp = {
	connect_own, options_parse_root, NULL, "Idle connections as compare's workload.", other_children, NULL, NULL};

static const struct kind {
	const char *name, *parser_name;
	enum workload_kind kind;
	struct option_shape shape;
} kinds[] = {
	{"flood", "uturn-bench compare -- flood", WORKLOAD_FLOOD, {.argp = &flood_argp}},
	{"replay", "uturn-bench compare -- replay", WORKLOAD_REPLAY,
		{.argp = &replay_argp, .arguments_min = 1, .arguments_max = 1, .arguments_missing = "no capture"}},
	{"allocate", "uturn-bench compare -- allocate", WORKLOAD_ALLOCATE, {.argp = &allocate_argp}},
	{"connect", "uturn-bench compare -- connect", WORKLOAD_CONNECT, {.argp = &connect_argp}},
};

/* The name stands before the title. */
static void title_make(char **words, unsigned count, char *title, size_t size)
{
	size_t used = 0;
	snprintf(title, size, "as it is without options");
	for (unsigned i = 1; i < count && used < size; i++) {
		int wrote = snprintf(title + used, size - used, "%s%s", i > 1 ? " " : "", words[i]);
		used += wrote > 0 ? (size_t)wrote : 0;
	}
}

/* compare looks for captures in one folder. */
static bool capture_split(const char *path, struct own_workload *own)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;
	if (length >= sizeof own->folder)
		return false;
	if (length == 0)
		strcpy(own->folder, slash ? "/" : ".");
	else
		memcpy(own->folder, path, length);
	own->workload.capture = slash ? slash + 1 : path;
	return true;
}

int own_workload_parse(char **words, unsigned count, struct own_workload *own)
{
	const struct kind *kind = kinds;
	const struct kind *end = kinds + sizeof kinds / sizeof kinds[0];
	while (kind < end && strcmp(words[0], kind->name) != 0)
		kind++;
	if (kind == end)
		return usage_error("uturn-bench compare", words[0],
			"not a workload of your own: use flood, replay CAPTURE, allocate or connect");
	struct options options;
	options_init(&options);
	options.calls = 0;
	options.held = 4000;
	*own = (struct own_workload){0};
	title_make(words, count, own->title, sizeof own->title);
	int status = options_parse(&kind->shape, kind->parser_name, (int)count, words, &options);
	if (status >= 0)
		return status;
	own->workload = (struct workload){
		.name = kind->name,
		.title = own->title,
		.kind = kind->kind,
		.transport = options.transport,
		.flood = call_flood(&options),
		.gso = options.gso,
		.calls = options.calls,
		.load_share = 0.7,
		.held = options.held,
	};
	if (kind->kind == WORKLOAD_REPLAY && !capture_split(options.arguments[0], own))
		return usage_error(kind->parser_name, options.arguments[0], "the path is too long");
	return -1;
}
