/*
 * server - TURN servers that this tool starts itself: uturn with each engine, coturn (Debian's, and a newer one from bench/peers),
 * pion/turn, or any command line.
 *
 * A server has a temporary folder of its own with its log, is pinned to its cores, and runs in the caller's or a given network
 * namespace; it is ended by its pid, with what it started, and the folder removed. Relay ports are 49152-65535; the loader's
 * sockets keep clear of them.
 *
 * Each has a UDP listener, and beside it one of the transport that a workload's clients use: TCP at the same port, TLS or DTLS at
 * another, with a certificate made for this run (P-256).
 *
 * In a command line given by the user {address}, {port}, {user}, {password}, {realm} and {folder} are replaced, and {tls_port},
 * {cert} and {key}.
 */
#ifndef UTURN_BENCH_COMPARE_SERVER_H
#define UTURN_BENCH_COMPARE_SERVER_H

#include "load/load.h"

#define SERVER_USERNAME "bench"
#define SERVER_PASSWORD "bench-password"
#define SERVER_REALM "bench"

struct server_kind; /* a row of the table in server_kinds.c */

struct server_spec {
	char name[64];                  /* "uturn-io_uring", "coturn", "mine" */
	const struct server_kind *kind; /* NULL: `command` */
	char *command;                  /* owned; NULL for the known kinds */
};

struct server_place {           /* where servers run and are reached */
	struct addr address;    /* the IP address they listen and relay on */
	const char *netns_path; /* "/run/netns/…" to start them in; NULL: the caller's */
	cpu_set_t cores;
	const char *uturn_binary;
	const char *peers_dir; /* where bench/peers/prepare put what it made; NULL: its usual place ($XDG_CACHE_HOME/uturn/peers) */
};

struct server {
	const struct server_spec *spec;
	pid_t pid;
	enum transport_kind transport; /* that it serves beside UDP */
	struct addr address;           /* with the port, of UDP and TCP */
	struct addr tls_address;       /* of TLS and DTLS */
	char folder[64];
	char version[128]; /* as the program itself says */
};

/* "uturn-io_uring", "uturn-epoll", "coturn", "coturn-new", "coturn-multiplex", "pion", or "name=command …". */
bool server_spec_parse(const char *text, struct server_spec *ret_spec, struct failure *failure);
void server_spec_done(struct server_spec *spec);

/* Whether it knows that transport. */
bool server_serves(const struct server_spec *spec, enum transport_kind transport);

/* Where clients of that transport go; UDP, or the one that it was started with. */
struct addr server_address(const struct server *server, enum transport_kind transport);

/* The files of its certificate and its key; `size` is that of both texts. */
void server_identity_paths(const struct server *server, char *certificate, char *key, size_t size);

/* Whether it can be started here; where not, one line says what is missing and which command brings it. */
bool server_available(const struct server_spec *spec, const struct server_place *place, struct failure *failure);

/*
 * Starts it and waits until it answers a Binding request over UDP and over `transport` (10 s at most). False: the end of its log is
 * in the line.
 */
bool server_start(const struct server_spec *spec, const struct server_place *place, enum transport_kind transport,
	struct server *ret_server, struct failure *failure);

/* SIGKILL, reaped, folder removed. NULL-safe for a server that never started (pid 0). */
void server_stop(struct server *server);

/* True while it runs. */
bool server_alive(const struct server *server);

#endif
