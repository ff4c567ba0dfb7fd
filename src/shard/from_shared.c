/*
 * from_shared - a datagram at a socket that one listener has taken over from another while that one has clients left: whoever has
 * something with the old one is served by it, everybody else by the new one.
 */
#include "shard_state.h"

static bool is_client_of(struct shard *shard, unsigned listener, unsigned family, const struct received *received)
{
	if (listener_way(shard, listener) != LISTENER_PLAIN)
		return connection_by_address(shard, listener, &received->from) != NULL;
	struct flow flow = {
		.client = received->from,
		.local = addr_with_port(received->to, shard->listeners[listener][family].port),
		.listener = (uint16_t)listener,
		.transport = TRANSPORT_UDP,
	};
	return turn_client_holds(shard->turn, &flow);
}

void shard_from_shared(struct shard *shard, const struct received *received)
{
	unsigned listener = tag_listener(received->tag), family = received->tag & 1;
	for (uint64_t left = shard->sharers[listener]; left != 0; left &= left - 1) {
		unsigned retiring = (unsigned)__builtin_ctzll(left);
		if (!is_client_of(shard, retiring, family, received))
			continue;
		listener = retiring;
		break;
	}
	struct received theirs = *received;
	theirs.tag = tag_of_listener(listener, family);
	shard_from_listener(shard, &theirs, listener_way(shard, listener));
}
