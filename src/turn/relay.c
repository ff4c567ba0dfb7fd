/*
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies of the payload; no hash look-up for a flow that sends twice in a row
 * and has few peers, 3 at most.
 */
#include "relay.h"

#include "allocation.h"
#include "channel.h"
#include "permission.h"
#include "relay_slot.h"
#include "wire/channel_data.h"
#include "wire/send_indication.h"

/* STUN header, XOR-PEER-ADDRESS, header of DATA. */
enum {
	INDICATION_HEADER_IPV4 = STUN_HEADER_SIZE + 12 + STUN_ATTRIBUTE_HEADER_SIZE,
	INDICATION_HEADER_IPV6 = STUN_HEADER_SIZE + 24 + STUN_ATTRIBUTE_HEADER_SIZE,
};
_Static_assert((int)INDICATION_HEADER_IPV6 == (int)DATA_INDICATION_HEADER_MAX, "what stun_data_indication_header writes");

static inline enum verdict refuse(struct allocation *a, enum verdict verdict)
{
	a->refused_packets++;
	return verdict;
}

/* Do the routes that the permission was granted under lead to this port? */
static inline bool route_admits(const struct turn *t, struct permission *permission, const struct addr *peer)
{
	if (peer->port >= permission->grant.port_min && peer->port <= permission->grant.port_max)
		return true;
	struct peer_grant grant;
	if (peer_policy_check(permission->policy, t->ports, peer, false, &grant) != PEER_ADMITTED)
		return false;
	permission->grant = grant;
	return true;
}

/* The rest of the way, once the peer and the data are known. A peer that is a relayed address of this server is reached where its
 * socket is bound, and asks for the other allocation's permission there. */
static inline enum verdict forward_to_peer(struct turn *t, struct allocation *a, const struct addr *peer, struct bytes data,
	uint64_t now_ns, struct turn_forward *forward)
{
	struct permission *permission = permission_find(t, a, peer);
	if (permission == NULL || now_ns >= permission->expires_ns)
		return refuse(a, DROP_NO_PERMISSION);
	forward->peer = *peer;
	if (!port_table_live(t->ports, peer, &forward->peer) && !route_admits(t, permission, peer))
		return refuse(a, DROP_PEER_REFUSED);
	forward->allocation = a;
	forward->relay = a->relay;
	forward->payload = data;
	forward->cluster = permission->grant.cluster;
	forward->header_size = 0;
	forward->padding = 0;
	a->from_client_packets++;
	a->from_client_bytes += data.size;
	return FORWARD_TO_PEER;
}

enum verdict relay_channel_data(
	struct turn *t, const struct flow *flow, struct bytes datagram, uint64_t now_ns, struct turn_forward *forward)
{
	uint16_t number;
	struct bytes data;
	if (!channel_data_read(datagram, &number, &data))
		return DROP_MALFORMED;
	struct allocation *a = allocation_find(t, flow);
	if (a == NULL || !allocation_relays(a, now_ns))
		return DROP_NO_ALLOCATION;
	const struct channel *channel = channel_find_number(t, a, number);
	if (channel == NULL || now_ns >= channel->expires_ns)
		return refuse(a, DROP_NO_CHANNEL);
	forward->dont_fragment = false;
	return forward_to_peer(t, a, &channel->peer, data, now_ns, forward);
}

/* RFC 8656 Section 13: it must be ignored where UDP leads to UDP and one of both ends has IPv6. */
static inline bool heeds_dont_fragment(const struct flow *flow, const struct addr *peer)
{
	return flow_is_stream(flow) || (flow->client.family == ADDR_IPV4 && peer->family == ADDR_IPV4);
}

enum verdict relay_send_indication(
	struct turn *t, const struct flow *flow, struct bytes datagram, uint64_t now_ns, struct turn_forward *forward)
{
	/* A stranger's is not even parsed: it may ask for a CRC over all of it. */
	struct allocation *a = allocation_find(t, flow);
	if (a == NULL || !allocation_relays(a, now_ns))
		return DROP_NO_ALLOCATION;
	struct send_indication_view send;
	enum send_indication result = send_indication_read(datagram, &send);
	if (result != SEND_INDICATION_OK)
		return result == SEND_INDICATION_MALFORMED ? DROP_MALFORMED : DROP_UNKNOWN_ATTRIBUTE;
	if (send.peer.family != a->family)
		return refuse(a, DROP_PEER_FAMILY);
	if (send.data.size > DATAGRAM_SIZE_MAX)
		return DROP_TOO_LARGE;
	forward->dont_fragment = send.dont_fragment && heeds_dont_fragment(flow, &send.peer);
	return forward_to_peer(t, a, &send.peer, send.data, now_ns, forward);
}

/* Transaction IDs of indications are matched with nothing (RFC 8656 Section 11.3): different, and telling nothing, is enough. */
static inline void indication_id(struct turn *t, uint8_t ret_id[static STUN_TRANSACTION_ID_SIZE])
{
	uint64_t id = (t->indication_key + ++t->indication_count) * UINT64_C(0x9E3779B97F4A7C15);
	memcpy(ret_id, &id, sizeof id);
	memcpy(ret_id + sizeof id, &t->indication_key, STUN_TRANSACTION_ID_SIZE - sizeof id);
}

static inline enum verdict forward_to_client(struct turn *t, struct allocation *a, const struct addr *peer, struct bytes datagram,
	uint64_t now_ns, struct turn_forward *forward)
{
	const struct channel *channel = channel_find_peer(t, a, peer);
	bool bound = channel != NULL && now_ns < channel->expires_ns;
	unsigned indication = peer->family == ADDR_IPV6 ? INDICATION_HEADER_IPV6 : INDICATION_HEADER_IPV4;
	unsigned header = bound ? CHANNEL_DATA_HEADER_SIZE : indication;
	/* RFC 8656 Section 12.5; a DATA attribute is padded always. */
	unsigned padding = bound && !flow_is_padded(&a->flow) ? 0 : -(unsigned)datagram.size & 3;
	/* A stream carries whatever a peer can send. */
	if (header + datagram.size + padding > DATAGRAM_SIZE_MAX && !flow_is_stream(&a->flow))
		return DROP_TOO_LARGE;
	if (bound) {
		channel_data_write(forward->header, channel->number, (uint16_t)datagram.size);
	} else {
		uint8_t id[STUN_TRANSACTION_ID_SIZE];
		indication_id(t, id);
		stun_data_indication_header(forward->header, peer, (uint16_t)datagram.size, id);
	}
	forward->allocation = a;
	forward->header_size = (uint8_t)header;
	forward->padding = (uint8_t)padding;
	forward->flow = &a->flow;
	forward->payload = datagram;
	forward->dont_fragment = false;
	a->to_client_packets++;
	a->to_client_bytes += datagram.size;
	return FORWARD_TO_CLIENT;
}

enum verdict relay_from_peer(struct turn *t, struct relay_ref ref, const struct addr *peer, struct bytes datagram, uint64_t now_ns,
	struct turn_forward *forward)
{
	const struct relay *relay = relay_slot_resolve(t, ref);
	if (relay == NULL || relay->allocation == POOL_NONE)
		return DROP_NO_ALLOCATION;
	struct allocation *a = allocation_at(t, relay->allocation);
	if (!allocation_relays(a, now_ns))
		return DROP_NO_ALLOCATION;
	struct addr from = port_table_advertised(t->ports, peer);
	struct permission *permission = permission_find(t, a, &from);
	if (permission == NULL || now_ns >= permission->expires_ns)
		return refuse(a, DROP_NO_PERMISSION);
	struct addr reach;
	if (!port_table_live(t->ports, &from, &reach) && !route_admits(t, permission, &from))
		return refuse(a, DROP_PEER_REFUSED);
	forward->cluster = permission->grant.cluster;
	return forward_to_client(t, a, &from, datagram, now_ns, forward);
}

void relay_repeat(const struct turn_forward *forward, enum verdict verdict, unsigned count)
{
	struct allocation *a = forward->allocation;
	if (verdict == FORWARD_TO_PEER) {
		a->from_client_packets += count;
		a->from_client_bytes += count * forward->payload.size;
	} else {
		a->to_client_packets += count;
		a->to_client_bytes += count * forward->payload.size;
	}
}
