#include "server/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "options_compat.h"
#include "server/config_env.h"

enum {
	KEY_LOG_FORMAT = 0x100,
	KEY_CHECK,
	KEY_ENGINE,
	KEY_SHARDS,
	KEY_DRAIN_TIMEOUT,
	KEY_FORCE_READY,
	KEY_LOCKDOWN,
	KEY_CA,
	KEY_CDS_ADDRESS,
	KEY_CDS_NAMESPACE,
	KEY_CDS_PORT,
	KEY_WATCH,
	KEY_DRY_RUN,
	KEY_VERBOSE,
	KEY_VERSION,
};

enum { DRAIN_TIMEOUT_MAX_S = 604800, UDP_THREADS_MAX = 65535, HOST_NAME_SIZE = 256 };
/* Where stunnerd looks for a config discovery service when it is told nothing. */
#define STUNNERD_ORIGIN ":13478"

/* clang-format off */
static const struct argp_option argp_options[] = {
	{"config", 'c', "ORIGIN", 0, "Configuration: a file of YAML or JSON (path or file://path), or a config discovery service "
		"(IP:port, http://, https://, ws://, wss:// or k8s)", 1},
	{NULL, 'w', NULL, 0, "Start without a configuration too, and take up every one that comes", 1},
	{"watch", KEY_WATCH, "BOOL", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 1},
	{"check", KEY_CHECK, NULL, 0, "Check the configuration and leave: status 0 or 1", 1},
	{NULL, 'd', NULL, 0, "Show what would run, open nothing, and leave", 1},
	{"dry-run", KEY_DRY_RUN, "BOOL", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 1},
	{"engine", KEY_ENGINE, "ENGINE", 0, "auto, io_uring or epoll; wins over the configuration", 2},
	{"shards", KEY_SHARDS, "N", 0, "Threads that relay; 0: as many as there are processors", 2},
	{"udp-thread-num", 'u', "N", 0, "No more than N threads that relay, and no more than there are processors; 0: no such bound", 2},
	{"drain-timeout", KEY_DRAIN_TIMEOUT, "SECONDS", 0, "How long SIGTERM waits for allocations to end; 0: for all", 2},
	{"force-ready-status", KEY_FORCE_READY, "BOOL", OPTION_ARG_OPTIONAL, "Stay ready while draining, whatever the configuration says", 2},
	{"lockdown", KEY_LOCKDOWN, "MODE", 0, "on, strict, off, log or kill; wins over the configuration", 2},
	{"log", 'l', "SPEC", 0, "Log levels by scope, as in all:WARN,turn:DEBUG", 3},
	{"log-format", KEY_LOG_FORMAT, "text|json", 0, "How log lines are written", 3},
	{NULL, 'v', NULL, 0, "The same as --log all:DEBUG", 3},
	{"verbose", KEY_VERBOSE, "BOOL", OPTION_HIDDEN | OPTION_ARG_OPTIONAL, NULL, 3},
	{"id", 'i', "NAMESPACE/NAME", 0, "Whose configuration a config discovery service is asked for", 4},
	{"certificate-authority", KEY_CA, "FILE", 0, "Who is trusted to sign the certificate of a config discovery service (PEM)", 4},
	{"cds-server-address", KEY_CDS_ADDRESS, "HOST", 0, "Where the service is that \"-c k8s\" stands for", 4},
	{"cds-server-namespace", KEY_CDS_NAMESPACE, "NAME", 0, "Likewise, its namespace; stunner-system otherwise", 4},
	{"cds-server-port", KEY_CDS_PORT, "PORT", 0, "Likewise, its port; 13478 otherwise", 4},
	{"help", 'h', NULL, 0, "Show this and leave", 5},
	{"version", KEY_VERSION, NULL, 0, "Show the version and leave", 5},
	{NULL, 0, NULL, 0, NULL, 0},
};
/* clang-format on */

static const char documentation[] =
	"uturn - a STUN and TURN relay"
	"\v"
	"Without ORIGIN and URI, STUNNER_CONFIG_ORIGIN names the origin. Where that is not set either, uturn starts on an embedded "
	"default with fresh credentials and prints how to use it; the STUNNER_* environment variables override parts of it. Under "
	"the name stunnerd, the origin is :13478 then.\n"
	"\n"
	"-w, -d and -v are also --watch, --dry-run and --verbose. The options that stunnerd takes from kubectl "
	"are accepted, without effect.\n"
	"\n"
	"Examples:\n"
	"  uturn                                  try it out\n"
	"  uturn -c uturn.yaml                    run a configuration\n"
	"  uturn -c uturn.yaml --check            is it valid?\n"
	"  uturn -w -c http://10.0.0.1:13478 -i namespace/gateway\n"
	"  uturn 'turn://user:pass@0.0.0.0:3478?transport=udp'\n"
	"  uturn 'turns://user:pass@0.0.0.0:5349?transport=tcp'\n"
	"\n"
	"Signals: SIGHUP loads the configuration again, SIGTERM drains, a second SIGTERM leaves at once.";

struct parse {
	struct options options;
	FILE *out, *err;
	bool told; /* a usage error has had its line */
	bool watch, verbose;
	const char *origin, *id; /* NULL: not given */
	const char *ca_file, *cds_address, *cds_namespace, *cds_port;
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

static void set_lockdown(struct parse *p, const char *text)
{
	for (enum lockdown_mode mode = LOCKDOWN_ON; mode <= LOCKDOWN_KILL; mode++)
		if (strcasecmp(text, config_lockdown_name(mode)) == 0) {
			p->options.lockdown = mode;
			p->options.lockdown_given = true;
			return;
		}
	usage_error(p, text, "no such mode: use on, strict, off, log or kill");
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
		usage_error(p, text, "not a turn: URI: use turn://user:password@address:port?transport=udp, or -c for a file");
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

/* As Go's flags have it: --watch, --watch=true. */
static bool is_on(struct parse *p, const char *text)
{
	static const char *const ons[] = {"true", "t", "1"}, *const offs[] = {"false", "f", "0"};
	for (size_t i = 0; text != NULL && i < sizeof ons / sizeof ons[0]; i++) {
		if (strcasecmp(text, ons[i]) == 0)
			return true;
		if (strcasecmp(text, offs[i]) == 0)
			return false;
	}
	if (text != NULL)
		usage_error(p, text, "neither true nor false");
	return true;
}

static void set_id(struct parse *p, const char *text)
{
	if (!config_origin_id_valid(text))
		usage_error(p, text, "not an identity: use namespace/name, those of the Gateway");
	p->id = text;
}

static void set_action(struct parse *p, enum options_action action)
{
	if (p->options.action != OPTIONS_LEAVE)
		p->options.action = action;
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

static void show_help(struct parse *p)
{
	if (!p->told)
		argp_help(&argp, p->out, ARGP_HELP_STD_HELP & ~(unsigned)(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR),
			(char *)(uintptr_t) "uturn");
	leave(p);
}

static void show_version(struct parse *p)
{
	if (!p->told)
		fprintf(p->out, "uturn %s\n", UTURN_VERSION);
	leave(p);
}

/* How the relay runs. False: another option. */
static bool parse_running(struct parse *p, int key, const char *value)
{
	struct options *o = &p->options;
	switch (key) {
	case 'l':
		set_loglevel(p, value);
		return true;
	case KEY_LOG_FORMAT:
		set_log_format(p, value);
		return true;
	case KEY_ENGINE:
		set_engine(p, value);
		return true;
	case KEY_SHARDS:
		set_number(p, value, CONFIG_SHARDS_MAX, "not a number of shards: use 0 to 64", &o->shards, &o->shards_given);
		return true;
	case 'u':
		if (!number(value, UDP_THREADS_MAX, &o->shards_max))
			usage_error(p, value, "not a number of threads: use 0 to 65535");
		return true;
	case KEY_DRAIN_TIMEOUT:
		set_number(p, value, DRAIN_TIMEOUT_MAX_S, "not a time-out: use 0 to 604800 seconds", &o->drain_timeout_s,
			&o->drain_timeout_given);
		return true;
	case KEY_LOCKDOWN:
		set_lockdown(p, value);
		return true;
	case KEY_FORCE_READY:
		o->ready_forced = is_on(p, value);
		return true;
	case 'v':
	case KEY_VERBOSE:
		p->verbose = is_on(p, value);
		return true;
	default:
		return false;
	}
}

/* Where the configuration comes from, and what is done with it. False: another option. */
static bool parse_origin(struct parse *p, int key, const char *value)
{
	switch (key) {
	case 'c':
		p->origin = value;
		return true;
	case 'w':
	case KEY_WATCH:
		p->watch = is_on(p, value);
		return true;
	case 'd':
	case KEY_DRY_RUN:
		if (is_on(p, value))
			set_action(p, OPTIONS_DRY_RUN);
		return true;
	case KEY_CHECK:
		set_action(p, OPTIONS_CHECK);
		return true;
	case 'i':
		set_id(p, value);
		return true;
	case KEY_CA:
		p->ca_file = value;
		return true;
	case KEY_CDS_ADDRESS:
		p->cds_address = value;
		return true;
	case KEY_CDS_NAMESPACE:
		p->cds_namespace = value;
		return true;
	case KEY_CDS_PORT:
		p->cds_port = value;
		return true;
	default:
		return false;
	}
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct parse *p = state->input;
	switch (key) {
	case 'h':
		show_help(p);
		return 0;
	case KEY_VERSION:
		show_version(p);
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[1] = &p->options.publish;
		return 0;
	case ARGP_KEY_ARG:
		set_uri(p, value);
		return 0;
	case ARGP_KEY_ERROR:
		unknown_option(p, state);
		return 0;
	default:
		return parse_running(p, key, value) || parse_origin(p, key, value) ? 0 : ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{&options_compat, 0, NULL, 0}, {&options_publish_argp, 0, "In a Kubernetes cluster:", 5}, {NULL, 0, NULL, 0}};

static const struct argp argp = {
	argp_options, parse_option, "[turn://USER:PASSWORD@ADDRESS:PORT?transport=udp]", documentation, children, NULL, NULL};

/* Whose configuration is meant: the operator names its Gateway in the environment. */
static void identify(struct parse *p, const struct config_world *world)
{
	struct cds_source *cds = &p->options.cds;
	const char *name = config_env_get(world, "STUNNER_NAME"), *space = config_env_get(world, "STUNNER_NAMESPACE");
	const char *node = config_env_get(world, "STUNNER_NODENAME");
	char host[HOST_NAME_SIZE] = "";
	cds->ca_file = p->ca_file;
	if (p->ca_file != NULL && access(p->ca_file, R_OK) != 0)
		usage_error(p, p->ca_file, "cannot be read: name a file of PEM with the certificates to trust");
	if (node != NULL)
		snprintf(cds->node, sizeof cds->node, "%s", node);
	gethostname(host, sizeof host - 1);
	if (p->id != NULL)
		snprintf(cds->id, sizeof cds->id, "%s", p->id);
	else if (name != NULL && space != NULL)
		snprintf(cds->id, sizeof cds->id, "%s/%s", space, name);
	else
		snprintf(cds->id, sizeof cds->id, "default/stunnerd-%s", host);
	if (!config_origin_id_valid(cds->id))
		usage_error(p, cds->id, "not an identity: use -i namespace/name, or STUNNER_NAMESPACE and STUNNER_NAME");
}

static const char *text_or(const struct config_world *world, const char *given, const char *variable)
{
	const char *value = given != NULL ? given : config_env_get(world, variable);
	return value != NULL ? value : "";
}

static void find_service_in_cluster(struct parse *p, const struct config_world *world)
{
	const char *host = text_or(world, p->cds_address, "CDS_SERVER_ADDR");
	const char *space = text_or(world, p->cds_namespace, "CDS_SERVER_NAMESPACE");
	const char *port = text_or(world, p->cds_port, "CDS_SERVER_PORT");
	const char *wrong = config_origin_in_cluster(host, space, port, &p->options.cds);
	if (wrong != NULL)
		usage_error(p, "-c k8s: --cds-server-address, --cds-server-namespace or --cds-server-port", wrong);
	p->options.discovers = true;
}

static bool is_stunnerd(const char *name)
{
	const char *slash = strrchr(name, '/');
	return strcmp(slash != NULL ? slash + 1 : name, "stunnerd") == 0;
}

static void find_origin(struct parse *p, const char *name, const struct config_world *world)
{
	struct options *o = &p->options;
	struct config_origin origin = {0};
	const char *text = p->origin;
	if (text != NULL && o->uri != NULL)
		usage_error(p, text, "a configuration and a URI at once: use one of them");
	if (text == NULL && o->uri == NULL)
		text = config_env_get(world, "STUNNER_CONFIG_ORIGIN");
	if (text == NULL && o->uri == NULL && is_stunnerd(name))
		text = STUNNERD_ORIGIN;
	if (text == NULL)
		return;
	if (strcmp(text, "k8s") == 0) {
		find_service_in_cluster(p, world);
	} else {
		const char *wrong = config_origin_parse(text, &origin);
		if (wrong != NULL)
			usage_error(p, *text ? text : "--config", wrong);
		o->file = origin.file;
		o->discovers = origin.file == NULL;
		o->cds = origin.cds;
	}
	if (o->discovers)
		identify(p, world);
	o->awaits = p->watch;
}

struct options options_parse(int argc, char **argv, const struct config_world *world, FILE *out, FILE *err)
{
	struct parse p = {.options = {.action = OPTIONS_RUN}, .out = out, .err = err};
	error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
	if (error)
		usage_error(&p, "arguments", strerror(error));
	if (p.options.publish.wrong)
		usage_error(&p, p.options.publish.subject, p.options.publish.wrong);
	if (p.options.publish.asked)
		set_action(&p, OPTIONS_PUBLISH);
	else if (p.options.action != OPTIONS_LEAVE)
		find_origin(&p, argc > 0 ? argv[0] : "", world);
	if (p.verbose && p.options.loglevel == NULL)
		p.options.loglevel = "all:DEBUG";
	return p.options;
}

void options_apply(const struct options *options, struct config *config)
{
	struct config_admin *admin = &config->admin;
	if (options->loglevel)
		config_set_text(admin->loglevel, sizeof admin->loglevel, options->loglevel);
	if (options->log_format_given)
		admin->log_format = options->log_format;
	if (options->lockdown_given)
		admin->lockdown = options->lockdown;
	if (options->engine_given)
		admin->engine = options->engine;
	if (options->shards_given)
		admin->shards = options->shards;
	if (options->drain_timeout_given)
		admin->drain_timeout_s = options->drain_timeout_s;
	if (options->ready_forced)
		admin->ready_while_draining = true;
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
