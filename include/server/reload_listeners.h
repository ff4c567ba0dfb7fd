/*
 * reload_listeners - which sockets the listeners of a new configuration go on with: those that stay, those that are taken over from
 * others, those that are to be opened; and which listeners retire (decision 0018).
 */
#ifndef UTURN_SERVER_RELOAD_LISTENERS_H
#define UTURN_SERVER_RELOAD_LISTENERS_H

#include "server/config.h"
#include "shard/shard.h"

/* A listener that needs sockets. */
struct listener_opening {
	uint8_t index; /* in the merged configuration */
	/* The slot whose socket it takes over, by family; LISTENER_NONE: it opens one, where it binds this family and need not
	 * wait. */
	uint8_t from[RELAY_FAMILIES];
};

struct listener_plan {
	bool changed;
	unsigned opening_count;
	struct listener_opening openings[LIMIT_LISTENERS];
};

/*
 * Gives each listener of `incoming` its slot: that of a listener of `running`, live or retiring, with the same sockets (of the same
 * name, if there is one), a new one otherwise. Puts what retires behind them. `closing` has a bit for each slot that shards have
 * not let go of yet. False: an error was added to *problems; `incoming` is fit for config_free only.
 */
bool reload_listeners(const struct config *running, struct config *incoming, uint64_t closing, struct listener_plan *ret_plan,
	struct config_problems *problems);

#endif
