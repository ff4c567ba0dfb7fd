/*
 * options - what a command line says: one structure for all commands, the groups of options that they share, and the parser.
 *
 * A command is a table of its own options beside the shared groups (struct argp in each command_*.c). What a value may be stands in
 * one table of rules (options.c), so that the same option means the same everywhere.
 */
#ifndef UTURN_BENCH_CLI_OPTIONS_H
#define UTURN_BENCH_CLI_OPTIONS_H

#include <argp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "client/transport.h"
#include "trials/attack.h"

enum { EXIT_GOOD = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INTERRUPTED = 130 };

enum { OPTION_SERVERS_MAX = 16 };

enum option_key {
	KEY_HELP = 'h',
	KEY_OUTPUT = 'o',
	KEY_QUIET = 'q',
	KEY_TARGET = 't',
	KEY_USER = 'u',
	KEY_PASSWORD = 'p',
	KEY_FIRST_LONG = 0x100,
	KEY_VERSION,
	KEY_JSON,
	KEY_SECRET,
	KEY_SERVER_PID,
	KEY_LOCAL,
	KEY_PEER_ADDRESS,
	KEY_TRANSPORT,
	KEY_TLS_VERSION,
	KEY_CIPHER,
	KEY_SEPARATE_WRITES,
	KEY_THREADS,
	KEY_CORES,
	KEY_WARMUP,
	KEY_SECONDS,
	KEY_DRAIN,
	KEY_SEED,
	KEY_SYSTEM_CALLS,
	KEY_GSO,
	KEY_CALLS,
	KEY_PACKETS_MIN,
	KEY_FLOWS,
	KEY_SIZE,
	KEY_BURST,
	KEY_DIRECTION,
	KEY_INDICATIONS,
	KEY_RATE,
	KEY_WINDOW,
	KEY_HOLD,
	KEY_PARALLEL,
	KEY_NO_CHANNELS,
	KEY_COUNT,
	KEY_FOR,
	KEY_UDP_TARGET,
	KEY_KIND,
	KEY_ATTACK_RATE,
	KEY_LOSS,
	KEY_P99,
	KEY_FIRST,
	KEY_LIMIT,
	KEY_SET,
	KEY_WORKLOAD,
	KEY_SERVERS,
	KEY_SERVER,
	KEY_ROUNDS,
	KEY_NETNS,
	KEY_SERVER_CORES,
	KEY_LOADER_CORES,
	KEY_UTURN,
	KEY_PEERS,
	KEY_CAPTURES,
	KEY_LIST,
};

struct options {
	const char *target, *user, *password, *secret; /* the server */
	uint32_t server_pid;
	struct addr local, peer_address; /* ADDR_NONE: chosen by the kernel's route */

	struct transport transport; /* how clients reach it */
	bool transport_given;       /* else the target's URI may say it */

	uint32_t threads; /* the loader; 0: one per core */
	cpu_set_t cores;  /* empty: not given */
	double warmup_s, seconds, drain_s;
	double system_calls_s; /* negative: not given */
	uint64_t seed;         /* 0: a random one */
	bool gso;

	bool json, quiet; /* the result */
	const char *output;

	uint32_t calls, packets_min; /* replay */
	uint32_t flows, size, burst; /* flood, and the victim of an attack */
	bool up, down, indications;
	double rate_per_s;
	uint32_t window;         /* 0: not given */
	uint32_t held, parallel; /* allocate */
	bool no_channels;
	uint32_t count; /* handshakes */
	double for_s;
	const char *udp_target;   /* NULL: no call beside them */
	bool kinds[ATTACK_KINDS]; /* attack */
	double attack_rate_per_s;
	double loss_max, p99_ms; /* find-max */
	uint32_t first, limit;

	const char *set, *workloads, *servers; /* compare */
	const char *server[OPTION_SERVERS_MAX];
	uint32_t server_count, rounds;
	bool netns, list;
	cpu_set_t server_cores, loader_cores; /* empty: not given */
	const char *uturn, *peers, *captures; /* NULL: beside this program */

	char **arguments; /* what is no option */
	unsigned argument_count;
};

/*
 * The shared groups: the server; how clients reach it; the loader; the measured window; how the result is shown, --help and
 * --version.
 */
extern const struct argp options_server, options_transport, options_loader, options_window, options_output;

/* What a load consists of: replay's own options, and flood's. */
extern const struct argp options_replay, options_flood;

/* A command, as the parser sees it. */
struct option_shape {
	const struct argp *argp; /* its `parser` is options_parse_root */
	bool in_order;           /* the first argument ends the options: what follows is another command line */
	bool needs_target;
	unsigned arguments_min, arguments_max;
	const char *arguments_missing; /* "no capture" */
};

/* The parsers of a command's own argp, and of its groups. */
error_t options_parse_root(int key, char *value, struct argp_state *state);
error_t options_parse_group(int key, char *value, struct argp_state *state);

/* The defaults that are the same for all commands. */
void options_init(struct options *options);

/*
 * Parses argv[1] and on for the command `name` ("uturn-bench flood"; argv[0] is not looked at). -1: go on. Otherwise it has said
 * everything (help and version on standard output, or one line on standard error), and the process ends with what it returned.
 * Texts point into argv.
 */
int options_parse(const struct option_shape *shape, const char *name, int argc, char **argv, struct options *options);

/* "uturn-bench: SUBJECT: WRONG (see NAME --help)" on stderr; returns EXIT_USAGE. */
int usage_error(const char *name, const char *subject, const char *wrong);

#endif
