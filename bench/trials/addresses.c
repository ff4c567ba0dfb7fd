#include "trials/addresses.h"

#include "clients/endpoint.h"

bool addresses_choose(const struct load_target *target, struct addresses *ret_addresses, struct failure *failure)
{
	struct addresses chosen = {.local = addr_with_port(target->local, 0), .peer = addr_with_port(target->peer, 0)};
	if (chosen.local.family == ADDR_NONE && !endpoint_local_address(&target->server, &chosen.local, failure))
		return false;
	if (chosen.peer.family == ADDR_NONE)
		chosen.peer = chosen.local;
	*ret_addresses = chosen;
	return true;
}
