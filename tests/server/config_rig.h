/*
 * config_rig - a machine for configurations to be loaded on, made up by the test.
 */
#ifndef UTURN_TESTS_CONFIG_RIG_H
#define UTURN_TESTS_CONFIG_RIG_H

#include "server/config.h"

struct rig_variable {
	const char *name, *value;
};

/* Its own addresses: 127.0.0.1, ::1, 192.0.2.7 and 2001:db8::7; the last two are where packets to the outside leave from. */
struct config_rig {
	struct config_world world;
	const struct rig_variable *environment; /* ends with a NULL name; NULL: empty */
	bool no_ipv6;
	uint32_t random; /* the state of its "randomness" */
};

/* `rig` must stay where it is. */
void config_rig_init(struct config_rig *rig, const struct rig_variable *environment);

/* Loads a text as the file "t.json". `problems` may be NULL: then there must be none. */
struct config *config_rig_load(struct config_rig *rig, const char *text, struct config_problems *problems);

/* A native document: `admin`, `listener` and `top` are JSON members with a leading comma, or "". */
const char *config_rig_native(const char *admin, const char *listener, const char *top);

struct addr config_rig_ip(const char *text);

#endif
