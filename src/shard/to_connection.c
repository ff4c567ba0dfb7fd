/*
 * to_connection - packets to a client that comes over a connection. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, one copy of the payload: to where it is sealed, or where it waits for the
 * others of this turn. Sealed datagrams of one size leave as one train.
 */
#include "shard_state.h"

/* RFC 7350 Section 3: one message, one record, one datagram. */
static void to_association(struct shard *shard, struct connection *c, struct departure *departure)
{
	struct record_layer *records = &c->records;
	size_t size = (size_t)departure->header_size + departure->payload.size + departure->padding;
	for (unsigned n = 0; n <= departure->repeats; n++) {
		uint8_t *memory = shard_arena(shard, records->head_size + size + records->tail_size);
		uint8_t *plain = memory + records->head_size;
		write_packet(plain, departure, departure->payload.data + (size_t)n * departure->stride);
		size_t sealed = size <= records->plain_max ? record_seal(records, plain, size) : 0;
		if (sealed == 0) {
			if (size <= records->plain_max)
				connection_refuse_record(shard, c, RECORD_KEY_LIMIT);
			counter_add(&shard->counters->streams.queue_dropped, 1);
			return;
		}
		struct departure record = {.tos = departure->tos, .payload = bytes_of(memory, sealed)};
		send_from_listener(shard, &c->flow, &c->via, &c->flow.local, &record);
	}
}

static void to_stream(struct shard *shard, struct connection *c, const struct departure *departure)
{
	for (unsigned n = 0; n <= departure->repeats && c->state == CONNECTION_OPEN; n++) {
		const uint8_t *payload = departure->payload.data + (size_t)n * departure->stride;
		output_append(shard, c, departure, payload);
	}
}

void shard_to_connection(struct shard *shard, const struct flow *flow, struct departure *departure)
{
	struct connection *c = connection_at(shard, flow->connection - 1);
	if (c->state != CONNECTION_OPEN)
		return;
	if (c->socket != SOCKET_NONE)
		to_stream(shard, c, departure);
	else if (flow->transport == TRANSPORT_DTLS)
		to_association(shard, c, departure);
	else
		send_from_listener(shard, flow, &c->via, &c->flow.local, departure);
}

void connection_send_datagram(struct shard *shard, const struct connection *c, struct bytes datagram)
{
	uint8_t *copy = shard_arena(shard, datagram.size);
	memcpy(copy, datagram.data, datagram.size);
	struct departure departure = {.payload = bytes_of(copy, datagram.size)};
	send_from_listener(shard, &c->flow, &c->via, &c->flow.local, &departure);
}
