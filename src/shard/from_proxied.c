/*
 * from_proxied - a datagram at a UDP listener behind a proxy that passes on: who the client is stands in front of it (PROXY
 * protocol, version 2), in every datagram or in the first one only. Answers go back to the proxy's port that the question came
 * from.
 */
#include "shard_state.h"
#include "wire/proxy_header.h"

static struct connection *create(struct shard *shard, const struct flow *came, const struct addr *client)
{
	bool retiring = shard->streams.config->listeners[came->listener].retiring;
	struct connection *c = retiring ? NULL : connection_create(shard, came);
	if (c == NULL)
		return NULL;
	c->state = CONNECTION_OPEN;
	c->flow.client = *client;
	if (!connection_count_source(shard, c))
		return NULL;
	connection_watch(shard, c);
	if (connection_share_socket(shard, c))
		return c;
	connection_end(shard, c, END_REFUSED);
	return NULL;
}

/* The client's connection; another client behind the same port of the proxy replaces the one before. */
static struct connection *find_or_create(
	struct shard *shard, struct connection *c, const struct flow *came, const struct proxy_header *header)
{
	/* Our own address stays: what the proxy was dialled at is not ours to relay from. */
	const struct addr *client = header->client.family != ADDR_NONE ? &header->client : &came->client;
	if (c != NULL && addr_equal(&c->flow.client, client))
		return c;
	if (c != NULL)
		connection_end(shard, c, END_BY_CLIENT);
	return create(shard, came, client);
}

static void take_datagram(struct shard *shard, const struct flow *came, struct bytes datagram, uint8_t tos)
{
	struct connection *c = connection_by_address(shard, came->listener, &came->client);
	struct proxy_header header;
	if (proxy_header_read_datagram(datagram, &header) == PROXY_COMPLETE) {
		c = find_or_create(shard, c, came, &header);
		datagram = bytes_of(datagram.data + header.size, datagram.size - header.size);
	} else if (c == NULL) {
		counter_add(&shard->counters->streams.proxy_headers_bad, 1);
	}
	if (c == NULL || datagram.size == 0)
		return;
	c->active_ns = shard->now.mono_ns;
	if (shard_take(shard, &c->flow, datagram) == FORWARD_TO_PEER)
		shard_forward_to_peer(shard, tos, 0, 0);
}

void shard_from_proxied(struct shard *shard, const struct received *received)
{
	struct flow flow = flow_arrived(shard, received, TRANSPORT_UDP);
	if (!shard_trusts_proxy(&shard->streams.config->listeners[flow.listener], &received->from)) {
		counter_add(&shard->counters->streams.refused[REFUSED_UNTRUSTED], 1);
		return;
	}
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		take_datagram(shard, &flow, datagram, received->tos);
		offset += datagram.size;
	} while (offset < received->data.size);
}
