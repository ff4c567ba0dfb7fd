/*
 * config_world - what a configuration asks of the machine it is loaded on: environment, addresses, port range, randomness.
 * Injected, so that the tests load every document on a machine of their own making.
 */
#ifndef UTURN_SERVER_CONFIG_WORLD_H
#define UTURN_SERVER_CONFIG_WORLD_H

#include <stddef.h>

#include "base/addr.h"

enum { OWN_IPS_MAX = 128 };

struct config_world {
	void *context;
	/* NULL when unset. */
	const char *(*getenv)(void *context, const char *name);
	/* Is this IP address one that a socket of this machine can be bound to? `any` asks for the family as a whole. */
	bool (*can_bind)(void *context, const struct addr *ip);
	/* As udp_default_source. */
	struct addr (*default_source)(void *context, enum addr_family family);
	/* The machine's own IP addresses, loopback included; at most `max` are written. */
	size_t (*own_ips)(void *context, struct addr *ret_ips, size_t max);
	/* The system's range of ephemeral ports, inclusive. */
	void (*port_range)(void *context, uint16_t *ret_min, uint16_t *ret_max);
	void (*random)(void *context, void *out, size_t size);
};

/* The machine as it is. */
const struct config_world *config_world_system(void);

#endif
