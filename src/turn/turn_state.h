/*
 * turn_state - what one core holds. Private to src/turn and its tests.
 *
 *	flow ──► allocation ──► relay          one socket; two while EVEN-PORT reserves a pair
 *	             │
 *	             ├──► permissions          by peer IP address
 *	             └──► channels             by number, and by peer endpoint
 *	token ─► reservation ─► relay
 *
 * Everything lives in pools and refers to its neighbours by slot number; POOL_NONE is nobody.
 */
#ifndef UTURN_TURN_STATE_H
#define UTURN_TURN_STATE_H

#include <assert.h>

#include "base/map.h"
#include "base/pool.h"
#include "base/wheel.h"
#include "near.h"
#include "transaction.h"
#include "turn/turn.h"

enum timer_kind { TIMER_ALLOCATION, TIMER_PERMISSION, TIMER_CHANNEL, TIMER_RESERVATION };

/* The largest UDP payload that the relay sends. */
enum { DATAGRAM_SIZE_MAX = 65507 };

/* Realms that are remembered after a change. A client of an older one has to make its allocation anew. */
enum { EARLIER_REALMS = 4 };

/*
 *	(none) ──Allocate──► OPENING ──socket open──► LIVE ──Refresh 0, expiry──► (none)
 *	                        └──── socket refused, or too late ──────────────► (none)
 */
enum allocation_state { ALLOCATION_FREE, ALLOCATION_OPENING, ALLOCATION_LIVE };

/* How far the search for a relay port has come: random tries first, then one walk through the range from a random place. */
struct port_search {
	unsigned address; /* the port table's number for where the socket binds */
	uint32_t tries;
	uint32_t walked;
	uint32_t walk_start;
	uint32_t walk_failures;
};

struct allocation {
	/* What every packet reads. */
	struct flow flow;
	uint8_t state;  /* enum allocation_state */
	uint8_t family; /* of the relayed address: enum addr_family; ADDR_NONE until a claimed socket has come */
	struct relay_ref relay;
	uint64_t expires_ns;
	struct near permissions_near;
	struct near channels_near_number, channels_near_peer;
	uint32_t permissions_far; /* how many are in the shard's map */
	uint32_t channels_far_number, channels_far_peer;
	uint64_t from_client_packets, from_client_bytes;
	uint64_t to_client_packets, to_client_bytes;
	uint64_t refused_packets;

	/* What requests read. */
	uint32_t slot, next, previous;
	uint32_t permission_head, permission_count;
	uint32_t channel_head, channel_count;
	struct timer timer;
	uint64_t created_ns;
	uint64_t user;           /* hash that quotas count by */
	uint64_t realm;          /* hash of the realm that the client named: its key embeds it */
	uint32_t lifetime_s;     /* as first answered */
	uint8_t unserved_family; /* RFC 8656 Section 18.12: the family on the wire that the client got no address for; 0: none */
	bool even_port;
	bool has_token;
	uint8_t token[RESERVATION_TOKEN_SIZE]; /* the one answered */
	struct transaction made_by;

	/* While the sockets open. */
	uint32_t pair;        /* the relay of the port above, to be reserved */
	uint32_t reservation; /* its place, kept free */
	struct port_search search;

	uint16_t username_size;
	char username[STUN_USERNAME_SIZE_MAX + 1];
};

struct permission {
	struct addr peer; /* port 0 */
	struct peer_grant grant;
	uint32_t slot, next, previous;
	uint32_t allocation;
	bool far;
	uint64_t expires_ns;
	struct peer_policy *policy; /* that it was granted under; a reference */
	struct timer timer;
};

struct channel {
	struct addr peer;
	uint16_t number;
	bool far_number, far_peer;
	uint32_t slot, next, previous;
	uint32_t allocation;
	uint64_t expires_ns;
	struct timer timer;
};

enum relay_state {
	RELAY_FREE,
	RELAY_WAITING, /* the upper port of a pair, before the lower one is open: nobody was asked for it yet */
	RELAY_OPENING,
	RELAY_CLAIMING,  /* waits for another shard's socket */
	RELAY_ABANDONED, /* the same, but nobody wants the socket any more */
	RELAY_OPEN,
};

struct relay {
	uint8_t state;  /* enum relay_state */
	bool owns_port; /* its entry in the port table is ours to release */
	uint32_t slot;
	uint32_t allocation;    /* or */
	uint32_t reservation;   /* whose it is */
	struct addr bound;      /* as asked for, then as reported */
	struct addr advertised; /* what clients know it by */
};

struct reservation {
	uint8_t token[RESERVATION_TOKEN_SIZE];
	uint32_t slot, next, previous;
	uint32_t relay; /* POOL_NONE: the place is kept for an allocation that is opening, and the rest is not set */
	struct timer timer;
};

struct turn {
	struct allocation *last; /* the allocation of the last packet: consecutive packets are often of one flow */
	struct map flows;
	struct map permissions_far, channels_far_number, channels_far_peer;
	struct pool allocations, permissions, channels, relays, reservations;
	struct siphash_key key; /* of the maps */
	struct port_table *ports;
	uint64_t indication_key, indication_count; /* transaction IDs of Data indications */
	struct turn_counters counters;

	struct wheel wheel;
	struct turn_config *config;
	struct turn_hooks hooks;
	struct unauth_limiter *limiter;
	struct siphash_key user_key;
	char earlier_realms[EARLIER_REALMS][REALM_SIZE_MAX + 1]; /* the newest first; "": none */
	uint8_t shard;
	bool draining;
	uint32_t allocation_head, reservation_head;
	uint32_t allocations_live, reservations_made, relays_abandoned;
};

static inline struct allocation *allocation_at(const struct turn *t, uint32_t slot)
{
	return pool_at(&t->allocations, slot);
}

static inline struct permission *permission_at(const struct turn *t, uint32_t slot)
{
	return pool_at(&t->permissions, slot);
}

static inline struct channel *channel_at(const struct turn *t, uint32_t slot)
{
	return pool_at(&t->channels, slot);
}

static inline struct relay *relay_at(const struct turn *t, uint32_t slot)
{
	return pool_at(&t->relays, slot);
}

static inline struct reservation *reservation_at(const struct turn *t, uint32_t slot)
{
	return pool_at(&t->reservations, slot);
}

/* The next effect to fill in. Every caller knows beforehand that there is room. */
static inline struct turn_effect *turn_effect_add(struct turn_out *out, enum effect_kind kind)
{
	assert(out->effect_count < TURN_EFFECTS_MAX);
	struct turn_effect *effect = &out->effects[out->effect_count++];
	*effect = (struct turn_effect){.kind = kind};
	return effect;
}

#endif
