/*
 * from_peer - a datagram at a relay socket: the core says whose it is and writes the header, the trains take it there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies of the payload.
 */
#include "shard_state.h"

static void forward_to_client(struct shard *shard, const struct received *received, bool first)
{
	const struct turn_forward *forward = &shard->out.forward;
	struct departure departure = {
		.tos = received->tos,
		.header_size = forward->header_size,
		.header = forward->header,
		.padding = forward->padding,
		.payload = forward->payload,
		/* Only the first segment of an aggregate has free room in front of it. */
		.headroom_end = first ? (uint8_t *)(uintptr_t)forward->payload.data : NULL,
	};
	struct traffic_counters *cluster = &shard->counters->clusters[forward->cluster];
	counter_add(&cluster->rx_packets, 1);
	counter_add(&cluster->rx_bytes, forward->payload.size);
	send_to_client(shard, forward->flow, &departure);
}

void shard_from_peer(struct shard *shard, const struct received *received)
{
	struct relay_ref relay = {.index = (uint32_t)received->tag, .generation = (uint32_t)(received->tag >> 32)};
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		enum verdict verdict = turn_from_peer(shard->turn, relay, &received->from, datagram, &shard->now, &shard->out);
		if (verdict == FORWARD_TO_CLIENT)
			forward_to_client(shard, received, offset == 0);
		offset += datagram.size;
	} while (offset < received->data.size);
}
