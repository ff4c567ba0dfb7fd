/*
 * reload_diff - what of a new configuration can take effect in a running relay: a table says per option whether it is live or
 * takes a restart.
 */
#ifndef UTURN_SERVER_RELOAD_DIFF_H
#define UTURN_SERVER_RELOAD_DIFF_H

#include "server/config.h"

struct reload_diff {
	bool changed; /* the merged configuration differs from the running one */
	/* Lines naming what could not change and was kept: "listeners[0].port: 3478 -> 3479 takes a restart; kept 3478". */
	struct config_problems kept; /* as warnings */
};

/*
 * The configuration to run from now on: `incoming` with what takes a restart kept from `running`. Its listeners are those of
 * `running`, in their order (listeners are matched by name). Consumes `incoming`; NULL (and `incoming` freed): no memory.
 * `allocations_capacity` is what the tables of the shards were sized for: admin.limits.allocations cannot grow past it.
 */
struct config *reload_diff(
	const struct config *running, struct config *incoming, uint32_t allocations_capacity, struct reload_diff *ret_diff);

#endif
