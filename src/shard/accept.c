/*
 * accept - a new TCP connection: may it stay, and who is it? A proxy in front says so in its first bytes.
 */
#include <unistd.h>

#include "base/prefix_set.h"
#include "connection.h"
#include "io/tcp_socket.h"
#include "shard_state.h"
#include "wire/proxy_header.h"

bool shard_trusts_proxy(const struct stream_listener *listener, const struct addr *from)
{
	if (listener->proxy_trusted == NULL)
		return false;
	struct prefix_walk walk = prefix_walk_start(listener->proxy_trusted, from);
	return prefix_walk_next(&walk) != NULL;
}

static bool may_come(struct shard *shard, const struct stream_listener *listener, const struct flow *flow)
{
	/* It has gone already. */
	if (flow->client.family == ADDR_NONE)
		return false;
	if (!listener->proxy || shard_trusts_proxy(listener, &flow->client))
		return true;
	counter_add(&shard->counters->streams.refused[REFUSED_UNTRUSTED], 1);
	return false;
}

void shard_accept(struct shard *shard, const struct received *received)
{
	unsigned index = tag_listener(received->tag);
	const struct stream_listener *listener = &shard->streams.config->listeners[index];
	struct flow flow = {
		.client = tcp_socket_peer(received->value),
		.local = tcp_socket_local(received->value),
		.listener = (uint16_t)index,
		.transport = (uint16_t)listener->transport,
	};
	struct connection *c = may_come(shard, listener, &flow) ? connection_create(shard, &flow) : NULL;
	if (c == NULL) {
		close(received->value);
		return;
	}
	if (engine_add(shard->engine, received->value, SOCKET_STREAM, connection_tag(shard, c), &c->socket) < 0) {
		c->socket = SOCKET_NONE;
		counter_add(&shard->counters->streams.refused[REFUSED_MEMORY], 1);
		connection_end(shard, c, END_REFUSED);
		return;
	}
	if (!listener->proxy)
		connection_begin(shard, c, bytes_of(NULL, 0));
}

void connection_begin(struct shard *shard, struct connection *c, struct bytes data)
{
	if (!connection_count_source(shard, c))
		return;
	bool plain = c->flow.transport == TRANSPORT_TCP;
	c->state = plain ? CONNECTION_OPEN : CONNECTION_HANDSHAKE;
	connection_watch(shard, c);
	if (data.size == 0)
		return;
	if (plain)
		connection_frames(shard, c, data);
	else
		handshake_input(shard, c, data);
}

void connection_proxy_header(struct shard *shard, struct connection *c, struct bytes data)
{
	struct proxy_header header;
	if (!piece_extend(shard, c, &c->record, &data, PROXY_HEADER_SIZE_MAX))
		return;
	struct bytes begun = piece_bytes(shard, &c->record);
	switch (proxy_header_read_stream(begun, &header)) {
	case PROXY_INCOMPLETE:
		if (begun.size == PROXY_HEADER_SIZE_MAX)
			connection_end(shard, c, END_PROXY);
		return;
	case PROXY_INVALID:
		connection_end(shard, c, END_PROXY);
		return;
	case PROXY_COMPLETE:
		break;
	}
	/* Our own address stays: what the proxy was dialled at is not ours to relay from. */
	if (header.client.family != ADDR_NONE)
		c->flow.client = header.client;
	struct piece begun_with = c->record;
	c->record = (struct piece){.buffer = STREAM_BUFFER_NONE};
	connection_begin(shard, c, bytes_of(begun.data + header.size, begun.size - header.size));
	connection_input(shard, c, data);
	piece_finish(shard, &begun_with);
}
