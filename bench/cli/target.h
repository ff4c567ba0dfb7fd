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

/* What a target's text says. */
struct target_place {
	char host[TARGET_HOST_SIZE];
	uint16_t port; /* 0: not said */
	bool has_transport;
	enum transport_kind transport;
};

/*
 * "turn:HOST[:PORT][?transport=udp|tcp]" or "turns:…" (RFC 7065: TLS, or with transport=udp DTLS), or what stands behind the colon;
 * HOST may be an IPv6 address in brackets. False with one line for other schemes and transports.
 */
bool target_split(const char *text, struct target_place *ret_place, struct failure *failure);

/* Fills *target in place: it must not be moved afterwards. Asks the resolver where HOST is a name. */
bool target_resolve(const struct options *options, struct target *target, struct failure *failure);

/* The address that --udp-target names. */
bool target_udp(const struct options *options, struct addr *ret_server, struct failure *failure);

/* The cores that the threads of a process may use, together. False when there is no such process. */
bool target_process_cores(pid_t pid, cpu_set_t *ret_cores);

/* Whether this process may use all of `cores`; `what` ("--cores") begins the line that says which it may not. */
bool target_cores_allowed(const char *what, const cpu_set_t *cores, struct failure *failure);

#endif
