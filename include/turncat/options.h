/*
 * options - turncat's command line, of both generations of STUNner's program.
 */
#ifndef UTURN_TURNCAT_OPTIONS_H
#define UTURN_TURNCAT_OPTIONS_H

#include <stdio.h>

#include "turncat/spec.h"

/* Exit statuses. TURNCAT_FAILED: what was asked for cannot be done, or standard input's tunnel was refused. */
enum { TURNCAT_GOOD = 0, TURNCAT_FAILED = 1, TURNCAT_USAGE = 2 };

enum { TURNCAT_CLIENTS_MAX = 256, TURNCAT_CLIENTS_LIMIT = 100000, TURNCAT_IDLE_S = 300, TURNCAT_DURATION_S = 3600 };

struct turncat_options {
	bool leave; /* --help, --version, a usage error: all is said, leave with `status` */
	int status;
	struct spec_local local;
	struct spec_server server; /* with the credentials of --user, where there are some */
	struct spec_host peer;
	const char *secret; /* NULL: none. As all strings here: inside argv, the environment, or static */
	uint32_t duration_s;
	bool insecure;
	const char *sni, *authorities; /* NULL: the host's name; the system's */
	const char *loglevel;
	uint32_t clients_max, idle_s;
	/* Where the config discovery service is; NULL: not said. `namespace`: the current one, for k8s:///gateway:listener. */
	const char *cds_address, *cds_namespace, *cds_port, *namespace;
};

/* Help and version go to `out`, one line about wrong usage to `err`. Reorders argv. `env` as getenv(3). */
struct turncat_options turncat_options_parse(int argc, char **argv, const char *(*env)(const char *name), FILE *out, FILE *err);

#endif
