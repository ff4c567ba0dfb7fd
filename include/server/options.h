/*
 * options - the command line.
 */
#ifndef UTURN_SERVER_OPTIONS_H
#define UTURN_SERVER_OPTIONS_H

#include <stdio.h>

#include "server/config.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,   /* validate the configuration, print a line, leave */
	OPTIONS_DRY_RUN, /* as far as possible without opening a socket, print the plan, leave */
	OPTIONS_LEAVE,   /* --help, --version, a usage error: all is said, leave with `status` */
};

struct options {
	enum options_action action;
	int status; /* OPTIONS_LEAVE: 0, or 2 for wrong usage */

	const char *file; /* NULL: none. As all strings here: inside argv */
	const char *uri;  /* NULL: none. At most one of the two */
	bool awaits;      /* the configuration comes while the relay runs: see server_run */

	/* These win over the configuration. */
	const char *loglevel; /* NULL: not given. -v is "all:DEBUG" */
	bool log_format_given, engine_given, shards_given, drain_timeout_given;
	enum log_format log_format;
	enum engine_kind engine;
	uint32_t shards;
	uint32_t drain_timeout_s;
};

/* Help and version go to `out`, one line about wrong usage to `err`. Reorders argv. */
struct options options_parse(int argc, char **argv, FILE *out, FILE *err);

/* The configuration that the options name: file, URI or embedded default, with what the options override. As the loaders of
 * server/config. */
struct config *options_load(const struct options *options, const struct config_world *world, struct config_problems *problems);
void options_apply(const struct options *options, struct config *config);

#endif
