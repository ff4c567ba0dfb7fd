/*
 * allocation - the life of an allocation (RFC 8656 Section 3.2), as named events. How its sockets come to be is `opening`.
 *
 * Owns:     the allocation slots of one shard and everything that hangs on them; one unit of its user's quota each.
 */
#ifndef UTURN_TURN_ALLOCATION_H
#define UTURN_TURN_ALLOCATION_H

#include "turn_state.h"

struct allocation *allocation_find_slow(struct turn *t, const struct flow *flow);

/* Of this flow, opening or live, perhaps past its time. Hot. */
static inline struct allocation *allocation_find(struct turn *t, const struct flow *flow)
{
	if (t->last != NULL && flow_equal(&t->last->flow, flow))
		return t->last;
	return allocation_find_slow(t, flow);
}

/* May packets pass? */
static inline bool allocation_relays(const struct allocation *a, uint64_t now_ns)
{
	return a->state == ALLOCATION_LIVE && now_ns < a->expires_ns;
}

/* OPENING. The caller has acquired the user's quota, which is the allocation's from now on; there must be a free slot. */
struct allocation *allocation_create(struct turn *t, const struct request *request);

/* The sockets are open: LIVE. */
void allocation_established(struct turn *t, struct allocation *a, const struct moment *now);

void allocation_prolong(struct turn *t, struct allocation *a, uint32_t lifetime_s, uint64_t now_ns);

/* Whatever the reason: all it holds is let go. Up to two effects. */
void allocation_end(struct turn *t, struct allocation *a, struct turn_out *out);

enum { ALLOCATION_END_EFFECTS = 2 };

#endif
