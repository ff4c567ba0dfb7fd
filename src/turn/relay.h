/*
 * relay - the packets of calls: ChannelData and Send indications to peers, datagrams from peers to clients. HOT.
 */
#ifndef UTURN_TURN_RELAY_H
#define UTURN_TURN_RELAY_H

#include "turn_state.h"

/* One ChannelData message, or one Send indication, of a client. */
enum verdict relay_channel_data(
	struct turn *t, const struct flow *flow, struct bytes datagram, uint64_t now_ns, struct turn_forward *forward);
enum verdict relay_send_indication(
	struct turn *t, const struct flow *flow, struct bytes datagram, uint64_t now_ns, struct turn_forward *forward);

/* One datagram of a peer. */
enum verdict relay_from_peer(struct turn *t, struct relay_ref relay, const struct addr *peer, struct bytes datagram,
	uint64_t now_ns, struct turn_forward *forward);

/* turn_repeat, but for the verdict's own counter. */
void relay_repeat(const struct turn_forward *forward, enum verdict verdict, unsigned count);

#endif
