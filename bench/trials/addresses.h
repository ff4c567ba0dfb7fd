/*
 * addresses - which local addresses a load uses, as its target says or the kernel's routes choose.
 */
#ifndef UTURN_BENCH_TRIALS_ADDRESSES_H
#define UTURN_BENCH_TRIALS_ADDRESSES_H

#include "load/load.h"

struct addresses {
	struct addr local, peer; /* port 0 */
};

/* target->local or the route's choice, target->peer or the same as local. */
bool addresses_choose(const struct load_target *target, struct addresses *ret_addresses, struct failure *failure);

#endif
