/*
 * config_turn - what the TURN core needs of a configuration: keys, relay addresses, and one peer policy per listener.
 */
#ifndef UTURN_SERVER_CONFIG_TURN_H
#define UTURN_SERVER_CONFIG_TURN_H

#include "server/cluster_registry.h"
#include "server/config.h"

/*
 * With one reference; NULL: no memory. A listener of `config` is listener number `slot` of the result. Each policy refuses the server's own
 * listeners and HTTP ports on each of the machine's addresses (asked of `world` now) and on the advertised ones.
 */
struct turn_config *config_turn_create(
	const struct config *config, struct cluster_registry *registry, const struct config_world *world);

#endif
