/*
 * config_check - what no single field can tell: what is missing, and what contradicts.
 */
#ifndef UTURN_SERVER_CONFIG_CHECK_H
#define UTURN_SERVER_CONFIG_CHECK_H

#include "server/config.h"

/* A configuration of defaults, with a random nonce secret and without listeners. NULL: no memory. */
struct config *config_create(enum config_dialect dialect, const struct config_world *world);

/* The secret that admin.nonce_key stands for. */
void config_nonce_secret(const char *key, uint8_t ret_secret[static NONCE_SECRET_SIZE]);

/*
 * The end of every loader: completes the listeners and names every contradiction. The configuration, or NULL (and `config`
 * freed) when *problems has more than `errors_before` errors by then. `config` may be NULL: no memory.
 */
struct config *config_check(
	struct config *config, const struct config_world *world, struct config_problems *problems, size_t errors_before);

#endif
