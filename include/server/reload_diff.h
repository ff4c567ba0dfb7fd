/*
 * reload_diff - what of a new configuration can take effect in a running relay: all but what the threads and tables of the process
 * were made for.
 */
#ifndef UTURN_SERVER_RELOAD_DIFF_H
#define UTURN_SERVER_RELOAD_DIFF_H

#include "server/config.h"
#include "server/reload_listeners.h"

/* What runs. */
struct reload_running {
	const struct config *config;
	uint32_t allocations_capacity, connections_capacity; /* what the tables of the shards were sized for */
	uint64_t closing;                                    /* see reload_listeners */
};

struct reload_diff {
	bool changed; /* the merged configuration differs from the running one */
	/* Lines naming what could not change and was kept: "admin.shards: 1 -> 2 takes a restart; kept 1", as warnings. An error
	 * when the configuration cannot be taken up. */
	struct config_problems kept;
	struct listener_plan listeners;
};

/*
 * The configuration to run from now on: `incoming` with what takes a restart kept from the running one, and with the listeners that
 * retire. Consumes `incoming`; NULL (and `incoming` freed): see ret_diff->kept.
 */
struct config *reload_diff(const struct reload_running *running, struct config *incoming, struct reload_diff *ret_diff);

#endif
