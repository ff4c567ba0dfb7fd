/*
 * channel - a number that stands for a peer endpoint (RFC 8656 Section 12).
 *
 * Owns:     the channel slots of one shard; at most LIMIT_CHANNELS_PER_ALLOCATION each.
 * Lifetime: a channel dies with its allocation, or CHANNEL_LIFETIME_S after its last binding. Expired ones may still be found until
 *           their timer has fired: readers compare expires_ns.
 */
#ifndef UTURN_TURN_CHANNEL_H
#define UTURN_TURN_CHANNEL_H

#include "turn_state.h"

struct channel *channel_find_number_far(const struct turn *t, const struct allocation *a, uint16_t number);
struct channel *channel_find_peer_far(const struct turn *t, const struct allocation *a, const struct addr *peer);

/* Hot. */
static inline struct channel *channel_find_number(const struct turn *t, const struct allocation *a, uint16_t number)
{
	for (unsigned i = 0; i < NEAR_PLACES; i++)
		if (a->channels_near_number.tags[i] == number && a->channels_near_number.slots[i] != POOL_NONE)
			return channel_at(t, a->channels_near_number.slots[i]);
	return a->channels_far_number == 0 ? NULL : channel_find_number_far(t, a, number);
}

/* Hot. */
static inline struct channel *channel_find_peer(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	uint32_t tag = near_tag_endpoint(peer);
	for (unsigned i = 0; i < NEAR_PLACES; i++) {
		if (a->channels_near_peer.tags[i] != tag || a->channels_near_peer.slots[i] == POOL_NONE)
			continue;
		struct channel *channel = channel_at(t, a->channels_near_peer.slots[i]);
		if (addr_equal(&channel->peer, peer))
			return channel;
	}
	return a->channels_far_peer == 0 ? NULL : channel_find_peer_far(t, a, peer);
}

bool channel_room(const struct turn *t, const struct allocation *a);

/* Binds a number and a peer that are both free; there must be room. */
void channel_create(struct turn *t, struct allocation *a, uint16_t number, const struct addr *peer, uint64_t now_ns);
void channel_refresh(struct turn *t, struct channel *channel, uint64_t now_ns);
void channel_end(struct turn *t, struct channel *channel);

#endif
