#include "server/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_LOG_FORMAT = 0x100, KEY_CHECK, KEY_ENGINE, KEY_SHARDS, KEY_DRAIN_TIMEOUT, KEY_VERSION };

enum { DRAIN_TIMEOUT_MAX_S = 604800 };

/* clang-format off */
static const struct argp_option argp_options[] = {
	{"config",        'c',               "FILE",      0, "Configuration: path or file://path of a JSON file", 1},
	{"check",         KEY_CHECK,         NULL,        0, "Check the configuration and leave: status 0 or 1", 1},
	{"dry-run",       'd',               NULL,        0, "Show what would run, open nothing, and leave", 1},
	{"watch",         'w',               NULL,        0, "Accepted for compatibility: the file is always watched", 1},
	{"engine",        KEY_ENGINE,        "ENGINE",    0, "auto, io_uring or epoll; wins over the configuration", 2},
	{"shards",        KEY_SHARDS,        "N",         0, "Threads that relay; 0: as many as there are processors", 2},
	{"drain-timeout", KEY_DRAIN_TIMEOUT, "SECONDS",   0, "How long SIGTERM waits for allocations to end; 0: for all", 2},
	{"log",           'l',               "SPEC",      0, "Log levels by scope, as in all:WARN,turn:DEBUG", 3},
	{"log-format",    KEY_LOG_FORMAT,    "text|json", 0, "How log lines are written", 3},
	{"verbose",       'v',               NULL,        0, "The same as --log all:DEBUG", 3},
	{"help",          'h',               NULL,        0, "Show this and leave", 4},
	{"version",       KEY_VERSION,       NULL,        0, "Show the version and leave", 4},
	{NULL, 0, NULL, 0, NULL, 0},
};
/* clang-format on */

static const char documentation[] =
	"uturn - a STUN and TURN relay"
	"\v"
	"Without FILE and URI, uturn starts on an embedded default with fresh credentials and prints how to use it; the STUNNER_* "
	"environment variables override parts of it.\n"
	"\n"
	"Examples:\n"
	"  uturn                                  try it out\n"
	"  uturn -c uturn.json                    run a configuration\n"
	"  uturn -c uturn.json --check            is it valid?\n"
	"  uturn 'turn://user:pass@0.0.0.0:3478?transport=udp'\n"
	"  uturn 'turns://user:pass@0.0.0.0:5349?transport=tcp'\n"
	"\n"
	"Signals: SIGHUP reloads the file, SIGTERM drains, a second SIGTERM leaves at once.";

struct parse {
	struct options options;
	FILE *out, *err;
	struct argp_state *state;
	bool told; /* a usage error has had its line */
};

static void usage_error(struct parse *p, const char *subject, const char *wrong)
{
	if (!p->told)
		fprintf(p->err, "uturn: %s: %s (see uturn --help)\n", subject, wrong);
	p->told = true;
	p->options.action = OPTIONS_LEAVE;
	p->options.status = 2;
}

static bool number(const char *text, uint32_t max, uint32_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 9 || text[digits] != '\0')
		return false;
	unsigned long value = strtoul(text, NULL, 10);
	if (value > max)
		return false;
	*ret_number = (uint32_t)value;
	return true;
}

static void set_file(struct parse *p, const char *text)
{
	const char *scheme = strstr(text, "://");
	if (strncmp(text, "file://", 7) == 0)
		text += 7;
	else if (scheme || strcmp(text, "k8s") == 0)
		usage_error(p, text, "this version reads configurations from files only: use a path or file://path");
	if (*text == '\0')
		usage_error(p, "--config", "no path: use a path or file://path");
	p->options.file = text;
}

static void set_engine(struct parse *p, const char *text)
{
	static const struct {
		const char *name;
		enum engine_kind kind;
	} engines[] = {{"auto", ENGINE_AUTO}, {"io_uring", ENGINE_IO_URING}, {"epoll", ENGINE_EPOLL}};
	for (size_t i = 0; i < sizeof engines / sizeof engines[0]; i++)
		if (strcasecmp(text, engines[i].name) == 0) {
			p->options.engine = engines[i].kind;
			p->options.engine_given = true;
			return;
		}
	usage_error(p, text, "no such engine: use auto, io_uring or epoll");
}

static void set_log_format(struct parse *p, const char *text)
{
	bool json = strcasecmp(text, "json") == 0;
	if (!json && strcasecmp(text, "text") != 0)
		usage_error(p, text, "no such log format: use text or json");
	p->options.log_format = json ? LOG_JSON : LOG_TEXT;
	p->options.log_format_given = true;
}

static void set_loglevel(struct parse *p, const char *text)
{
	if (!log_spec_valid(text, NULL) || strlen(text) >= CONFIG_LOGLEVEL_SIZE)
		usage_error(p, text, "not a list of scope:LEVEL: use one like all:INFO,turn:DEBUG");
	p->options.loglevel = text;
}

static void set_number(struct parse *p, const char *text, uint32_t max, const char *wrong, uint32_t *number_at, bool *given)
{
	if (!number(text, max, number_at))
		usage_error(p, text, wrong);
	*given = true;
}

static void set_uri(struct parse *p, const char *text)
{
	if (p->options.uri)
		usage_error(p, text, "one argument too many: use one URI");
	else if (strncasecmp(text, "turn:", 5) != 0 && strncasecmp(text, "turns:", 6) != 0)
		usage_error(p, text, "not a turn: URI: use turn://user:password@address:port?transport=udp, or -c FILE for a file");
	p->options.uri = text;
}

static void leave(struct parse *p)
{
	if (p->options.action != OPTIONS_LEAVE) {
		p->options.action = OPTIONS_LEAVE;
		p->options.status = 0;
	}
	p->told = true;
}

static const struct argp argp;

/* What argp itself found wrong. It moves past what it does not know, but stays on one letter of several. */
static void unknown_option(struct parse *p, const struct argp_state *state)
{
	const char *subject = state->next > 1 ? state->argv[state->next - 1] : "";
	if (subject[0] != '-' && state->next < state->argc)
		subject = state->argv[state->next];
	usage_error(p, subject, "unknown option, or its value is missing");
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct parse *p = state->input;
	switch (key) {
	case 'c':
		set_file(p, value);
		return 0;
	case 'l':
		set_loglevel(p, value);
		return 0;
	case 'v':
		p->options.loglevel = "all:DEBUG";
		return 0;
	case 'w':
		return 0;
	case 'd':
		p->options.action = p->options.action == OPTIONS_LEAVE ? OPTIONS_LEAVE : OPTIONS_DRY_RUN;
		return 0;
	case KEY_CHECK:
		p->options.action = p->options.action == OPTIONS_LEAVE ? OPTIONS_LEAVE : OPTIONS_CHECK;
		return 0;
	case KEY_ENGINE:
		set_engine(p, value);
		return 0;
	case KEY_LOG_FORMAT:
		set_log_format(p, value);
		return 0;
	case KEY_SHARDS:
		set_number(p, value, CONFIG_SHARDS_MAX, "not a number of shards: use 0 to 64", &p->options.shards,
			&p->options.shards_given);
		return 0;
	case KEY_DRAIN_TIMEOUT:
		set_number(p, value, DRAIN_TIMEOUT_MAX_S, "not a time-out: use 0 to 604800 seconds", &p->options.drain_timeout_s,
			&p->options.drain_timeout_given);
		return 0;
	case 'h':
		if (!p->told)
			argp_help(&argp, p->out, ARGP_HELP_STD_HELP & ~(unsigned)(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR),
				(char *)(uintptr_t) "uturn");
		leave(p);
		return 0;
	case KEY_VERSION:
		if (!p->told)
			fprintf(p->out, "uturn %s\n", UTURN_VERSION);
		leave(p);
		return 0;
	case ARGP_KEY_ARG:
		set_uri(p, value);
		return 0;
	case ARGP_KEY_ERROR:
		unknown_option(p, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	argp_options, parse_option, "[turn://USER:PASSWORD@ADDRESS:PORT?transport=udp]", documentation, NULL, NULL, NULL};

struct options options_parse(int argc, char **argv, FILE *out, FILE *err)
{
	struct parse p = {.options = {.action = OPTIONS_RUN}, .out = out, .err = err};
	error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
	if (error)
		usage_error(&p, "arguments", strerror(error));
	if (p.options.file && p.options.uri)
		usage_error(&p, p.options.file, "a file and a URI at once: use one of them");
	return p.options;
}

void options_apply(const struct options *options, struct config *config)
{
	struct config_admin *admin = &config->admin;
	if (options->loglevel)
		config_set_text(admin->loglevel, sizeof admin->loglevel, options->loglevel);
	if (options->log_format_given)
		admin->log_format = options->log_format;
	if (options->engine_given)
		admin->engine = options->engine;
	if (options->shards_given)
		admin->shards = options->shards;
	if (options->drain_timeout_given)
		admin->drain_timeout_s = options->drain_timeout_s;
}

struct config *options_load(const struct options *options, const struct config_world *world, struct config_problems *problems)
{
	struct config *config = options->file  ? config_load_file(options->file, world, problems)
				: options->uri ? config_load_uri(options->uri, world, problems)
					       : config_load_default(world, problems);
	if (config)
		options_apply(options, config);
	return config;
}
