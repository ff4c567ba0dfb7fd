/*
 * from_client - a datagram at a listener: the core says where it goes, the trains take it there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies. An aggregate is cut into its segments here; the train builder joins
 * them again on the way out. Segments that bear the same channel are looked up once and leave as one departure.
 */
#include "shard_state.h"
#include "wire/channel_data.h"
#include "wire/classify.h"

/* How many of the segments behind this one, which was forwarded, go its way: as long, and with the same channel and length in front
 * (RFC 8656 Section 12.4: that is all of the header). */
static unsigned segments_alike(const struct received *received, size_t offset, struct bytes datagram)
{
	unsigned count = 0;
	if (wire_classify(datagram) != WIRE_CHANNEL_DATA)
		return 0;
	for (size_t next = offset + datagram.size; next + datagram.size <= received->data.size; next += datagram.size) {
		if (memcmp(received->data.data + next, datagram.data, CHANNEL_DATA_HEADER_SIZE) != 0)
			break;
		count++;
	}
	return count;
}

void shard_forward_to_peer(struct shard *shard, uint8_t tos, unsigned repeats, uint16_t stride)
{
	const struct turn_forward *forward = &shard->out.forward;
	const struct relay_socket *relay = &shard->relays[forward->relay.index];
	if (relay->state != RELAY_RECEIVING)
		return;
	struct departure departure = {
		.socket = relay->socket,
		.to = forward->peer,
		.tos = tos,
		.dont_fragment = forward->dont_fragment,
		.payload = forward->payload,
		.repeats = (uint16_t)repeats,
		.stride = stride,
	};
	struct traffic_counters *cluster = &shard->counters->clusters[forward->cluster];
	counter_add(&cluster->tx_packets, 1 + repeats);
	counter_add(&cluster->tx_bytes, (1 + repeats) * forward->payload.size);
	engine_send(shard->engine, &departure);
}

static __attribute__((cold, noinline)) void answer(struct shard *shard, const struct flow *flow)
{
	shard_log_auth_failure(shard, flow);
	shard_perform(shard);
}

enum verdict shard_take(struct shard *shard, const struct flow *flow, struct bytes message)
{
	enum verdict verdict = turn_from_client(shard->turn, flow, message, &shard->now, &shard->out);
	if (verdict != FORWARD_TO_PEER && shard->out.effect_count > 0)
		answer(shard, flow);
	return verdict;
}

void shard_from_client(struct shard *shard, const struct received *received)
{
	struct flow flow = flow_arrived(shard, received, TRANSPORT_UDP);
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		if (shard_take(shard, &flow, datagram) == FORWARD_TO_PEER) {
			unsigned repeats = segments_alike(received, offset, datagram);
			if (repeats > 0)
				turn_repeat(shard->turn, &shard->out.forward, FORWARD_TO_PEER, repeats);
			shard_forward_to_peer(shard, received->tos, repeats, received->segment_size);
			offset += repeats * datagram.size;
		}
		offset += datagram.size;
	} while (offset < received->data.size);
}
