/*
 * from_client - a datagram at a listener: the core says where it goes, the trains take it there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies. An aggregate is cut into its segments here; the train builder joins
 * them again on the way out.
 */
#include "shard_state.h"

static void forward_to_peer(struct shard *shard, const struct received *received)
{
	const struct turn_forward *forward = &shard->out.forward;
	const struct relay_socket *relay = &shard->relays[forward->relay.index];
	if (relay->state != RELAY_RECEIVING)
		return;
	struct departure departure = {
		.socket = relay->socket,
		.to = forward->peer,
		.tos = received->tos,
		.dont_fragment = forward->dont_fragment,
		.payload = forward->payload,
	};
	struct traffic_counters *cluster = &shard->counters->clusters[forward->cluster];
	counter_add(&cluster->tx_packets, 1);
	counter_add(&cluster->tx_bytes, forward->payload.size);
	engine_send(shard->engine, &departure);
}

static __attribute__((cold, noinline)) void answer(struct shard *shard, const struct flow *flow)
{
	shard_log_auth_failure(shard, flow);
	shard_perform(shard);
}

void shard_from_client(struct shard *shard, const struct received *received)
{
	unsigned listener = (uint32_t)received->tag >> 1 & 0x7FFF;
	unsigned family = received->tag & 1;
	struct traffic_counters *traffic = &shard->counters->listeners[listener];
	counter_add(&traffic->rx_packets, received_segments(received));
	counter_add(&traffic->rx_bytes, received->data.size);

	struct flow flow = {
		.client = received->from,
		.local = addr_with_port(received->to, shard->listeners[listener][family].port),
		.listener = (uint16_t)listener,
		.transport = TRANSPORT_UDP,
	};
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		enum verdict verdict = turn_from_client(shard->turn, &flow, datagram, &shard->now, &shard->out);
		if (verdict == FORWARD_TO_PEER)
			forward_to_peer(shard, received);
		else if (shard->out.effect_count > 0)
			answer(shard, &flow);
		offset += datagram.size;
	} while (offset < received->data.size);
}
