/*
 * from_peer - a datagram at a relay socket: the core says whose it is and writes the header, the trains take it there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies of the payload.
 */
#include "shard_state.h"

static void forward_to_client(struct shard *shard, const struct received *received, bool first)
{
	const struct turn_forward *forward = &shard->out.forward;
	const struct flow *flow = forward->flow;
	unsigned family = family_index(&flow->client);
	struct departure departure = {
		.socket = shard->listeners[flow->listener][family].socket,
		.to = flow->client,
		.tos = received->tos,
		.header_size = forward->header_size,
		.header = forward->header,
		.padding = forward->padding,
		.payload = forward->payload,
		/* Only the first segment of an aggregate has free room in front of it. */
		.headroom_end = first ? (uint8_t *)(uintptr_t)forward->payload.data : NULL,
	};
	if (!shard->listener_bound[flow->listener][family])
		departure.from = flow->local;
	size_t size = (size_t)forward->header_size + forward->payload.size + forward->padding;
	struct traffic_counters *traffic = &shard->counters->listeners[flow->listener];
	counter_add(&traffic->tx_packets, 1);
	counter_add(&traffic->tx_bytes, size);
	struct traffic_counters *cluster = &shard->counters->clusters[forward->cluster];
	counter_add(&cluster->rx_packets, 1);
	counter_add(&cluster->rx_bytes, forward->payload.size);
	engine_send(shard->engine, &departure);
}

void shard_from_peer(struct shard *shard, const struct received *received)
{
	struct relay_ref relay = {.index = (uint32_t)received->tag, .generation = (uint32_t)(received->tag >> 32)};
	size_t offset = 0;
	do {
		size_t left = received->data.size - offset;
		size_t size = left < received->segment_size ? left : received->segment_size;
		struct bytes datagram = bytes_of(received->data.data + offset, size);
		enum verdict verdict = turn_from_peer(shard->turn, relay, &received->from, datagram, &shard->now, &shard->out);
		if (verdict == FORWARD_TO_CLIENT)
			forward_to_client(shard, received, offset == 0);
		offset += size;
	} while (offset < received->data.size);
}
