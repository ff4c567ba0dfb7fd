/*
 * config_env - environment variables in a configuration: $NAME and ${NAME}. A name is letters, digits and '_', not a digit
 * first; any other '$' stands for itself. A variable that is not set is empty, but for STUNNER_PORT: then STUNNER_PUBLIC_PORT
 * if that is a number, or 3478. STUNNER_PUBLIC_ADDR and STUNNER_PUBLIC_IP are one variable, STUNNER_SHARED_SECRET and
 * STUNNER_SECRET likewise: the one that is set.
 */
#ifndef UTURN_SERVER_CONFIG_ENV_H
#define UTURN_SERVER_CONFIG_ENV_H

#include "server/config_world.h"

/* The process's environment: for config_world_system, the only getenv of the relay. */
const char *config_env_system(void *context, const char *name);

/* NULL when unset (or empty). */
const char *config_env_get(const struct config_world *world, const char *name);

/* One that turns something on or off: "", "0", "false", "no" and "off" do the latter. */
bool config_env_switch(const struct config_world *world, const char *name, bool if_unset);

/* A copy with the variables replaced; NULL: no memory. */
char *config_env_expand(const struct config_world *world, const char *text);

/*
 * The same for the part of a JSON text that is not in strings ("port": $STUNNER_PORT); strings are left for config_env_expand,
 * after parsing, so that no value can break out of its quotes. An empty variable becomes null there: as if the field were not
 * given.
 */
char *config_env_expand_json(const struct config_world *world, const char *text, size_t size, size_t *ret_size);

#endif
