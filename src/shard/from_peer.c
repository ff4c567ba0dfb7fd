/*
 * from_peer - a datagram at a relay socket: the core says whose it is and writes the header, the trains take it there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies of the payload. An aggregate to a channel is looked up once.
 */
#include "shard_state.h"
#include "wire/channel_data.h"

_Static_assert((int)DATA_INDICATION_HEADER_MAX <= (int)RECEIVED_HEADROOM, "the header goes in front of what was received");

/* How many of the segments behind this one, which was forwarded, go its way under the same header. A Data indication's is not the
 * same: each has a transaction ID of its own (RFC 8489 Section 5). */
static unsigned segments_alike(const struct shard *shard, const struct received *received, size_t offset, struct bytes datagram)
{
	/* Most are single packets: no division for those. */
	if (offset + datagram.size >= received->data.size || shard->out.forward.header_size != CHANNEL_DATA_HEADER_SIZE)
		return 0;
	return (unsigned)((received->data.size - offset) / datagram.size) - 1;
}

static void forward_to_client(struct shard *shard, const struct received *received, bool first, unsigned repeats)
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
		.repeats = (uint16_t)repeats,
		.stride = received->segment_size,
	};
	struct traffic_counters *cluster = &shard->counters->clusters[forward->cluster];
	counter_add(&cluster->rx_packets, 1 + repeats);
	counter_add(&cluster->rx_bytes, (1 + repeats) * forward->payload.size);
	send_to_client(shard, forward->flow, &departure);
}

void shard_from_peer(struct shard *shard, const struct received *received)
{
	struct relay_ref relay = {.index = (uint32_t)received->tag, .generation = (uint32_t)(received->tag >> 32)};
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		enum verdict verdict = turn_from_peer(shard->turn, relay, &received->from, datagram, &shard->now, &shard->out);
		if (verdict == FORWARD_TO_CLIENT) {
			unsigned repeats = segments_alike(shard, received, offset, datagram);
			if (repeats > 0)
				turn_repeat(shard->turn, &shard->out.forward, verdict, repeats);
			forward_to_client(shard, received, offset == 0, repeats);
			offset += repeats * datagram.size;
		}
		offset += datagram.size;
	} while (offset < received->data.size);
}
