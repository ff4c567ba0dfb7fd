#include "turncat/options.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	KEY_USER = 0x100,
	KEY_SNI,
	KEY_CA,
	KEY_CLIENTS_MAX,
	KEY_IDLE_TIMEOUT,
	KEY_CDS_ADDRESS,
	KEY_CDS_NAMESPACE,
	KEY_CDS_PORT,
	KEY_IGNORED,
	KEY_VERSION,
};

/* clang-format off */
static const struct argp_option argp_options[] = {
	{"user",                 KEY_USER,          "NAME=PASSWORD", 0, "Credentials, instead of those in the server's URI; NAME:PASSWORD will do, too", 1},
	{"secret",               's',               "SECRET",   0, "Mint time-limited credentials from this shared secret", 1},
	{"duration",             'd',               "TIME",     0, "… which are valid for so long, as in 1h30m (1h)", 1},
	{"realm",                'r',               "REALM",    0, "Accepted for compatibility: the server tells its realm", 1},
	{"insecure",             'i',               NULL,       0, "TLS, DTLS: accept any certificate", 2},
	{"sni",                  KEY_SNI,           "NAME",     0, "TLS, DTLS: the server's name, in place of the URI's host", 2},
	{"ca",                   KEY_CA,            "FILE",     0, "TLS, DTLS: PEM file with the authorities to trust, in place of the system's", 2},
	{"clients-max",          KEY_CLIENTS_MAX,   "N",        0, "Local clients at the same time, one allocation each (256)", 3},
	{"idle-timeout",         KEY_IDLE_TIMEOUT,  "TIME",     0, "End the allocation of a UDP client that is silent for so long (5m)", 3},
	{"cds-server-address",   KEY_CDS_ADDRESS,   "HOST:PORT",0, "The config discovery service, for k8s://", 4},
	{"cds-server-namespace", KEY_CDS_NAMESPACE, "NAME",     0, "… its namespace, where no address is given (stunner-system)", 4},
	{"cds-server-port",      KEY_CDS_PORT,      "PORT",     0, "… its port, where the address has none (13478)", 4},
	{"namespace",            'n',               "NAME",     0, "The current namespace, for k8s:///gateway:listener", 4},
	{"log",                  'l',               "SPEC",     0, "Log levels by scope, as in all:WARN,turncat:DEBUG (all:WARN)", 5},
	{"verbose",              'v',               NULL,       0, "The same as --log all:DEBUG", 5},
	{"help",                 'h',               NULL,       0, "Show this and leave", 6},
	{"version",              KEY_VERSION,       NULL,       0, "Show the version and leave", 6},
	/* kubectl's: scripts pass them on. */
	{"as",                       KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"as-group",                 KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"as-uid",                   KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"cache-dir",                KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"certificate-authority",    KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"client-certificate",       KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"client-key",               KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"cluster",                  KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"context",                  KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"disable-compression",      KEY_IGNORED, NULL, OPTION_HIDDEN, NULL, 7},
	{"insecure-skip-tls-verify", KEY_IGNORED, NULL, OPTION_HIDDEN, NULL, 7},
	{"kubeconfig",               KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"request-timeout",          KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"server",                   KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"tls-server-name",          KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{"token",                    KEY_IGNORED, "X",  OPTION_HIDDEN, NULL, 7},
	{NULL, 0, NULL, 0, NULL, 0},
};
/* clang-format on */

static const char documentation[] =
	"turncat - a tunnel through a TURN server\n"
	"\n"
	"What arrives at CLIENT leaves from an allocation on SERVER to PEER, and what the peer answers goes back. "
	"Each local client (UDP address, TCP or UNIX connection) has an allocation of its own.\n"
	"\n"
	"CLIENT: udp://ADDRESS:PORT, tcp://ADDRESS:PORT, unix://PATH, or - (also file://stdin) for standard input, whose lines are "
	"sent as packets, with the answers on standard output\n"
	"SERVER: turn://USER:PASSWORD@HOST:PORT?transport=udp, or tcp, tls, dtls; turns: for TLS; k8s://NAMESPACE/GATEWAY:LISTENER "
	"asks STUNner's config discovery service\n"
	"PEER: udp://HOST:PORT"
	"\v"
	"Ports that are not given: 3478 for turn:, 443 with transport=tls or dtls, 5349 for turns:. \"udp:ADDRESS:PORT\" and so on "
	"mean the same as \"udp://ADDRESS:PORT\". kubectl's options are accepted and ignored.\n"
	"\n"
	"Examples:\n"
	"  turncat udp://127.0.0.1:9000 turn://user:pass@192.0.2.1:3478 udp://10.0.0.5:9001\n"
	"  turncat --user user=pass udp:127.0.0.1:9000 turn:192.0.2.1:3478 udp:10.0.0.5:9001\n"
	"  echo hello | turncat - 'turn://user:pass@turn.example.org?transport=tls' udp://10.0.0.5:9001\n"
	"  turncat udp://127.0.0.1:9000 k8s://stunner/udp-gateway:udp-listener udp://10.0.0.5:9001\n"
	"\n"
	"Exit status: 0 after SIGINT, SIGTERM or the end of standard input; 1 when something cannot be had; 2 for wrong usage.";

struct parse {
	struct turncat_options options;
	FILE *out, *err;
	const char *user;
	unsigned arguments;
	bool told; /* a usage error has had its line */
};

static void usage_error(struct parse *p, const char *subject, const char *wrong)
{
	if (!p->told)
		fprintf(p->err, "turncat: %s%s%s (see turncat --help)\n", subject, *subject != '\0' ? ": " : "", wrong);
	p->told = true;
	p->options.leave = true;
	p->options.status = TURNCAT_USAGE;
}

static void leave(struct parse *p)
{
	p->told = true;
	p->options.leave = true;
}

static bool number(const char *text, uint32_t max, uint32_t *ret_number)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long value = digits > 0 && digits <= 9 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;
	if (value == 0 || value > max)
		return false;
	*ret_number = (uint32_t)value;
	return true;
}

static void set_argument(struct parse *p, const char *text)
{
	struct turncat_options *o = &p->options;
	struct failure failure;
	bool good = true;
	switch (p->arguments++) {
	case 0:
		good = spec_parse_local(text, &o->local, &failure);
		break;
	case 1:
		good = spec_parse_server(text, &o->server, &failure);
		break;
	case 2:
		good = spec_parse_peer(text, &o->peer, &failure);
		break;
	default:
		usage_error(p, "", "too many arguments: CLIENT, SERVER and PEER are wanted");
	}
	if (!good)
		usage_error(p, "", failure.text);
}

static void set_name(struct parse *p, const char *option, const char *text, const char **ret_name)
{
	if (!spec_is_name(text))
		usage_error(p, option, "not a name: use letters, digits, '-' and '.'");
	*ret_name = text;
}

static const struct argp argp;

static void show_help(struct parse *p)
{
	if (!p->told)
		argp_help(&argp, p->out, ARGP_HELP_STD_HELP & ~(unsigned)(ARGP_HELP_EXIT_OK | ARGP_HELP_EXIT_ERR),
			(char *)(uintptr_t) "turncat");
	leave(p);
}

/* What argp itself found wrong. It moves past what it does not know, but stays on one letter of several. */
static void unknown_option(struct parse *p, const struct argp_state *state)
{
	const char *subject = state->next > 1 ? state->argv[state->next - 1] : "";
	if (subject[0] != '-' && state->next < state->argc)
		subject = state->argv[state->next];
	/* Its value may be a secret. */
	char name[64];
	snprintf(name, sizeof name, "%.*s", (int)strcspn(subject, "="), subject);
	usage_error(p, name, "unknown option, or its value is missing");
}

static error_t parse_cds_option(struct parse *p, int key, const char *value)
{
	struct turncat_options *o = &p->options;
	uint32_t port;
	switch (key) {
	case KEY_CDS_ADDRESS:
		o->cds_address = value;
		return 0;
	case KEY_CDS_NAMESPACE:
		set_name(p, "--cds-server-namespace", value, &o->cds_namespace);
		return 0;
	case KEY_CDS_PORT:
		if (!number(value, 65535, &port))
			usage_error(p, "--cds-server-port", "not a port: use 1 to 65535");
		o->cds_port = value;
		return 0;
	case 'n':
		set_name(p, "--namespace", value, &o->namespace);
		return 0;
	case KEY_IGNORED:
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_general_option(struct parse *p, int key, const char *value)
{
	struct turncat_options *o = &p->options;
	switch (key) {
	case 'l':
		if (!log_spec_valid(value, NULL))
			usage_error(p, value, "not a list of scope:LEVEL: use one like all:INFO,turncat:DEBUG");
		o->loglevel = value;
		return 0;
	case 'v':
		o->loglevel = "all:DEBUG";
		return 0;
	case KEY_CLIENTS_MAX:
		if (!number(value, TURNCAT_CLIENTS_LIMIT, &o->clients_max))
			usage_error(p, "--clients-max", "not a number of clients: use 1 to 100000");
		return 0;
	case KEY_IDLE_TIMEOUT:
		if (!spec_parse_duration(value, &o->idle_s))
			usage_error(p, "--idle-timeout", "not a time: use one like 90s, 5m or 1h30m");
		return 0;
	case 'h':
		show_help(p);
		return 0;
	case KEY_VERSION:
		if (!p->told)
			fprintf(p->out, "turncat %s\n", UTURN_VERSION);
		leave(p);
		return 0;
	default:
		return parse_cds_option(p, key, value);
	}
}

static error_t parse_option(int key, char *value, struct argp_state *state)
{
	struct parse *p = state->input;
	switch (key) {
	case KEY_USER:
		p->user = value;
		return 0;
	case 's':
		p->options.secret = value;
		if (*value == '\0')
			usage_error(p, "--secret", "no secret");
		return 0;
	case 'd':
		if (!spec_parse_duration(value, &p->options.duration_s))
			usage_error(p, "--duration", "not a time: use one like 90s, 5m or 1h30m");
		return 0;
	case 'r':
		return 0;
	case 'i':
		p->options.insecure = true;
		return 0;
	case KEY_SNI:
		p->options.sni = value;
		return 0;
	case KEY_CA:
		p->options.authorities = value;
		return 0;
	case ARGP_KEY_ARG:
		set_argument(p, value);
		return 0;
	case ARGP_KEY_ERROR:
		unknown_option(p, state);
		return 0;
	default:
		return parse_general_option(p, key, value);
	}
}

static const struct argp argp = {argp_options, parse_option, "CLIENT SERVER PEER", documentation, NULL, NULL, NULL};

/* NAME=PASSWORD or NAME:PASSWORD, whichever sign comes first; with a secret a name is enough. */
static void apply_user(struct parse *p)
{
	struct spec_server *server = &p->options.server;
	if (p->user == NULL)
		return;
	size_t name_size = strcspn(p->user, "=:");
	const char *password = p->user[name_size] != '\0' ? p->user + name_size + 1 : "";
	if (name_size == 0 || name_size >= sizeof server->username || strlen(password) >= sizeof server->password) {
		usage_error(p, "--user", "use NAME=PASSWORD, with up to 508 and 763 bytes");
		return;
	}
	memcpy(server->username, p->user, name_size);
	server->username[name_size] = '\0';
	strcpy(server->password, password);
}

static void check_together(struct parse *p)
{
	struct turncat_options *o = &p->options;
	if (p->arguments < 3)
		usage_error(p, "", "three arguments are wanted: CLIENT, SERVER and PEER");
	apply_user(p);
	bool named = o->server.username[0] != '\0', complete = named && o->server.password[0] != '\0';
	if (o->secret != NULL && o->server.password[0] != '\0')
		usage_error(p, "--secret", "a secret and a password at once: use one of them");
	else if (!o->server.k8s && o->secret == NULL && !complete)
		usage_error(p, "", "no credentials: use turn://user:password@host:port, --user NAME=PASSWORD, or --secret SECRET");
	else if (o->server.k8s && o->secret == NULL && named && !complete)
		usage_error(p, "--user", "use NAME=PASSWORD");
}

struct turncat_options turncat_options_parse(int argc, char **argv, const char *(*env)(const char *name), FILE *out, FILE *err)
{
	struct parse p = {.out = out, .err = err};
	p.options = (struct turncat_options){.duration_s = TURNCAT_DURATION_S,
		.loglevel = "all:WARN",
		.clients_max = TURNCAT_CLIENTS_MAX,
		.idle_s = TURNCAT_IDLE_S,
		.cds_address = env("CDS_SERVER_ADDR"),
		.cds_namespace = env("CDS_SERVER_NAMESPACE"),
		.cds_port = env("CDS_SERVER_PORT")};
	error_t error = argp_parse(&argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &p);
	if (error != 0)
		usage_error(&p, "arguments", strerror(error));
	if (!p.options.leave)
		check_together(&p);
	return p.options;
}
