/*
 * server_kinds - the servers that this tool knows: where their programs are, how they are configured, how they say their version.
 *
 * One thread (one shard, one relay thread) each, and otherwise their own defaults.
 */
#ifndef UTURN_BENCH_COMPARE_SERVER_KINDS_H
#define UTURN_BENCH_COMPARE_SERVER_KINDS_H

#include "compare/server.h"

enum program_place {
	PROGRAM_UTURN,  /* server_place.uturn_binary */
	PROGRAM_SYSTEM, /* `program` is its path */
	PROGRAM_PEER,   /* `program` is a file in server_place.peers_dir */
};

struct server_kind {
	const char *name;
	enum program_place place;
	const char *program;
	/* As a user would give them: with {address}, {port} …, and {relay_port}, a free port of the relay range. */
	const char *arguments;
	/* What follows them, by the transport that is wanted beside UDP; NULL: it does not serve that one. */
	const char *transports[TRANSPORT_KINDS];
	const char *missing; /* how to get it, for the line that says it is not there */
	const char *engine;  /* PROGRAM_UTURN */
};

/* NULL: no such kind. */
const struct server_kind *server_kind_find(const char *name);

/* "uturn-io_uring, uturn-epoll, …" */
void server_kind_names(char *text, size_t size);

/* Writes the path of the kind's program. False, with one line, when it is not there or cannot be executed. */
bool server_kind_program(
	const struct server_kind *kind, const struct server_place *place, char *path, size_t size, struct failure *failure);

/* Writes the configuration file uturn.json into the folder, where the kind needs one. */
bool server_kind_configure(const struct server_kind *kind, const struct server *server, struct failure *failure);

/* What the program says with --version, its last word; an empty text when it says nothing. */
void server_kind_version(const char *program, char *text, size_t size);

#endif
