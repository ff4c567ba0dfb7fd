/*
 * config_turn - what the TURN core needs of a configuration: keys, relay addresses, and one peer policy per listener.
 */
#ifndef UTURN_SERVER_CONFIG_TURN_H
#define UTURN_SERVER_CONFIG_TURN_H

#include "server/cluster_names.h"
#include "server/cluster_registry.h"
#include "server/config.h"

/*
 * With one reference; NULL: no memory. A listener of `config` is listener number `slot` of the result. Each policy refuses the
 * server's own listeners and HTTP ports on each of the machine's addresses (asked of `world` now) and on the advertised ones.
 * Domain names stand for the addresses that `names` has for them now; NULL: for none.
 */
struct turn_config *config_turn_create(const struct config *config, struct cluster_registry *registry,
	const struct cluster_names *names, const struct config_world *world);

/* May a domain name stand for this address? Not for one of this machine or link, a multicast or a metadata address: whoever answers
 * for a name must not open those. They take an address in the configuration. */
bool config_turn_name_may_have(const struct addr *ip);

#endif
