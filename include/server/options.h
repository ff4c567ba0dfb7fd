/*
 * options - the command line, and the environment variables that stand in for it.
 */
#ifndef UTURN_SERVER_OPTIONS_H
#define UTURN_SERVER_OPTIONS_H

#include <stdio.h>

#include "server/config.h"
#include "server/config_origin.h"
#include "server/options_publish.h"

enum options_action {
	OPTIONS_RUN,
	OPTIONS_CHECK,   /* validate the configuration, print a line, leave */
	OPTIONS_DRY_RUN, /* as far as possible without opening a socket, print the plan, leave */
	OPTIONS_PUBLISH, /* write the public address down in the cluster, leave */
	OPTIONS_LEAVE,   /* --help, --version, a usage error: all is said, leave with `status` */
};

struct options {
	enum options_action action;
	int status; /* OPTIONS_LEAVE: 0, or 2 for wrong usage */

	/* Where the configuration comes from: at most one of these; none: the embedded default. */
	const char *file; /* NULL: none. As all strings here: inside argv or the environment */
	const char *uri;  /* NULL: none */
	bool discovers;   /* from `cds` */
	struct cds_source cds;
	/* -w with a file or a service: starts without a configuration, and takes up every one that comes (server_run). */
	bool awaits;

	/* These win over the configuration. */
	const char *loglevel; /* NULL: not given. -v is "all:DEBUG" */
	bool log_format_given, lockdown_given, engine_given, shards_given, drain_timeout_given;
	enum log_format log_format;
	enum lockdown_mode lockdown;
	enum engine_kind engine;
	uint32_t shards;
	uint32_t shards_max; /* --udp-thread-num: no more than that; 0: no such bound */
	uint32_t drain_timeout_s;
	bool ready_forced; /* --force-ready-status */

	struct options_publish publish;
};

/* Help and version go to `out`, one line about wrong usage to `err`. Reorders argv. Under the name `stunnerd` its default origin
 * applies. */
struct options options_parse(int argc, char **argv, const struct config_world *world, FILE *out, FILE *err);

/* The configuration that the options name, if it is a file, a URI or the embedded default, with what the options override. As the
 * loaders of server/config. */
struct config *options_load(const struct options *options, const struct config_world *world, struct config_problems *problems);
void options_apply(const struct options *options, struct config *config);

#endif
