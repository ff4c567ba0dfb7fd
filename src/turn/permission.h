/*
 * permission - which peers an allocation may talk to (RFC 8656 Section 9).
 *
 * Owns:     the permission slots of one shard; at most LIMIT_PERMISSIONS_PER_ALLOCATION each.
 * Lifetime: a permission dies with its allocation, or PERMISSION_LIFETIME_S after its last refresh. Expired ones may still be found
 *           until their timer has fired: readers compare expires_ns.
 */
#ifndef UTURN_TURN_PERMISSION_H
#define UTURN_TURN_PERMISSION_H

#include "turn_state.h"

/* By IP address. */
struct permission *permission_find_far(const struct turn *t, const struct allocation *a, const struct addr *peer);

/* Hot. */
static inline struct permission *permission_find(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	uint32_t tag = near_tag_ip(peer);
	for (unsigned i = 0; i < NEAR_PLACES; i++) {
		if (a->permissions_near.tags[i] != tag || a->permissions_near.slots[i] == POOL_NONE)
			continue;
		struct permission *permission = permission_at(t, a->permissions_near.slots[i]);
		if (addr_ip_equal(&permission->peer, peer))
			return permission;
	}
	return a->permissions_far == 0 ? NULL : permission_find_far(t, a, peer);
}

/* Do `count` more fit? */
bool permission_room(const struct turn *t, const struct allocation *a, size_t count);

/* Installs or refreshes; there must be room. */
void permission_grant(struct turn *t, struct allocation *a, const struct addr *peer, const struct peer_grant *grant,
	struct peer_policy *policy, uint64_t now_ns);

/* What the permission admits is decided under another policy from now on; its time goes on. */
void permission_move(struct permission *permission, const struct peer_grant *grant, struct peer_policy *policy);

/* It ends when time next passes. */
void permission_cut(struct turn *t, struct permission *permission, uint64_t now_ns);

void permission_end(struct turn *t, struct permission *permission);

#endif
