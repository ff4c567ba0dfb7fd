/*
 * target - the server that the options name: address, credentials, process, cores; and the cores that are left to the loader.
 */
#ifndef UTURN_BENCH_CLI_TARGET_H
#define UTURN_BENCH_CLI_TARGET_H

#include "cli/options.h"
#include "crypto/credentials.h"
#include "load/load.h"

enum { TARGET_HOST_SIZE = 256, TARGET_USERNAME_SIZE = 256 };

struct target {
	struct load_target load; /* its texts lie in this structure, in the options or in the environment */
	cpu_set_t loader_cores;  /* empty: no pinning */
	char username[TARGET_USERNAME_SIZE];
	char password[EPHEMERAL_PASSWORD_SIZE];
};

/*
 * "turn:HOST[:PORT][?transport=udp]" (RFC 7065), or what stands behind its colon; HOST may be an IPv6 address in brackets. False
 * with one line for other schemes and transports.
 */
bool target_split(const char *text, char ret_host[static TARGET_HOST_SIZE], uint16_t *ret_port, struct failure *failure);

/* Fills *target in place: it must not be moved afterwards. Asks the resolver where HOST is a name. */
bool target_resolve(const struct options *options, struct target *target, struct failure *failure);

/* The cores that the threads of a process may use, together. False when there is no such process. */
bool target_process_cores(pid_t pid, cpu_set_t *ret_cores);

/* Whether this process may use all of `cores`; `what` ("--cores") begins the line that says which it may not. */
bool target_cores_allowed(const char *what, const cpu_set_t *cores, struct failure *failure);

#endif
