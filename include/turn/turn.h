/*
 * turn - the TURN core of one shard (RFC 8489, RFC 8656): packets and moments in; a verdict, and what to do about it, out.
 *
 * No I/O, no clock, no threads, no heap after turn_create. The caller performs the effects and reports how they went. Unit tests
 * and fuzzers do the same without a socket.
 *
 *	client datagram ──► turn_from_client ──► FORWARD_TO_PEER: out->forward        (relay socket, peer, header, payload)
 *	                                     └─► ANSWERED: out->effects   (reply, open or close a relay socket, claim a reservation)
 *	peer datagram ────► turn_from_peer ────► FORWARD_TO_CLIENT: out->forward
 *	relay socket opened, refused ─► turn_relay_opened, turn_relay_failed ─► out->effects
 *	time passes ─────────────────► turn_expire ─► out->effects
 *
 * Owns:    allocations, permissions, channels, reservations of one shard. Bounds: turn/limits.h.
 * Threads: one. Counters may be read by any.
 */
#ifndef UTURN_TURN_TURN_H
#define UTURN_TURN_TURN_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/counter.h"
#include "turn/config.h"
#include "turn/flow.h"
#include "turn/port_table.h"
#include "turn/quota.h"
#include "turn/unauth_limiter.h"
#include "turn/verdict.h"
#include "wire/stun_build.h"

struct turn;

/* A relay socket, as the core names it. The generation tells a late report about an earlier tenant of the index. */
struct relay_ref {
	uint32_t index; /* < turn_relay_capacity() */
	uint32_t generation;
};

/* What an offload in the kernel would need: a channel and where it leads. */
struct turn_binding {
	struct flow flow;
	struct addr relayed; /* as bound */
	struct addr peer;
	uint16_t channel;
};
enum binding_event { BINDING_ADDED, BINDING_REFRESHED, BINDING_REMOVED };

struct turn_hooks {
	void *context;
	/* Bytes nobody can guess: relay ports, reservation tokens, hash keys. */
	void (*random)(void *context, void *out, size_t size);
	enum quota_result (*quota_acquire)(void *context, uint64_t user);
	void (*quota_release)(void *context, uint64_t user);
	/* A channel binding came, was refreshed, or went. May be NULL. */
	void (*binding)(void *context, enum binding_event event, const struct turn_binding *binding);
};

struct turn_params {
	uint8_t shard;                  /* 0..255; goes into reservation tokens */
	uint32_t allocations_max;       /* of this shard */
	struct siphash_key user_key;    /* the same in all shards: quotas are counted by hash */
	struct port_table *ports;       /* shared; outlives the core */
	struct unauth_limiter *limiter; /* shared; outlives the core */
	struct turn_hooks hooks;
};

/* A packet to relay. All of it borrowed until the next call. */
struct turn_forward {
	struct allocation *allocation; /* the core's own */
	struct relay_ref relay;        /* FORWARD_TO_PEER: the socket to send from */
	struct addr peer;              /* FORWARD_TO_PEER: where to */
	const struct flow *flow;       /* FORWARD_TO_CLIENT: where to */
	struct bytes payload;          /* inside the datagram that was given */
	uint16_t cluster;              /* whose counters */
	uint8_t header_size;           /* bytes of `header` to put in front */
	uint8_t padding;               /* zero bytes to put behind */
	bool dont_fragment;            /* RFC 8656 Section 18.9, Send indications only */
	uint8_t header[DATA_INDICATION_HEADER_MAX];
};

enum effect_kind {
	EFFECT_REPLY,             /* send `reply` to flow.client from flow.local */
	EFFECT_OPEN_RELAY,        /* open a UDP socket on `address`, then turn_relay_opened or turn_relay_failed */
	EFFECT_CLOSE_RELAY,       /* close it, whatever state it is in */
	EFFECT_CLAIM_RESERVATION, /* ask shard token[0] (turn_reservation_take) for the socket, then as for EFFECT_OPEN_RELAY */
};

enum { RESERVATION_TOKEN_SIZE = 8, TURN_REPLY_SIZE_MAX = 1200, TURN_EFFECTS_MAX = 8 };

struct turn_effect {
	enum effect_kind kind;
	struct flow flow;       /* EFFECT_REPLY */
	struct bytes reply;     /* EFFECT_REPLY: inside the turn_out */
	struct relay_ref relay; /* the other three */
	struct addr address;    /* EFFECT_OPEN_RELAY: what to bind; the port is never 0 */
	bool receive;           /* EFFECT_OPEN_RELAY: it is part of an allocation (not only reserved): start receiving */
	uint8_t token[RESERVATION_TOKEN_SIZE]; /* EFFECT_CLAIM_RESERVATION */
};

/* Reused from call to call; each call overwrites what the last one left. Effects are to be performed in their order: a relay index
 * may be closed and, with another generation, opened again in one call. */
struct turn_out {
	struct turn_forward forward;
	enum auth_failure auth_failure; /* why this packet was not believed; AUTH_FAILURE_COUNT: it was, or need not be */
	unsigned effect_count;
	struct turn_effect effects[TURN_EFFECTS_MAX];
	uint8_t reply[TURN_REPLY_SIZE_MAX];
};

/* NULL: no memory. Takes a reference to the configuration. */
struct turn *turn_create(const struct turn_params *params, struct turn_config *config, struct moment now);
void turn_free(struct turn *t);

/* Relay indices go from 0 to this. */
uint32_t turn_relay_capacity(const struct turn *t);

/*
 * A datagram (or a framed message) from a client. `out` is valid as the verdict says, and its effects are to be performed whatever
 * the verdict. Hot for ChannelData and Send indications: 0 allocations, 0 locks, 0 copies of the payload; no hash look-up for a
 * flow that sends twice in a row and has few peers, 3 at most.
 */
enum verdict turn_from_client(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out);

/* The connection that this flow came over has ended, and its allocation with it. Effects as usual. */
void turn_client_gone(struct turn *t, const struct flow *flow, struct turn_out *out);

/* Whether this flow has an allocation, or is being given one. */
bool turn_client_holds(struct turn *t, const struct flow *flow);

/* A datagram that a relay socket received. Hot, as above. The header is that of ChannelData where the peer has a channel, of a Data
 * indication otherwise. */
enum verdict turn_from_peer(struct turn *t, struct relay_ref relay, const struct addr *peer, struct bytes datagram,
	const struct moment *now, struct turn_out *out);

/*
 * So many datagrams behind the one that the last call forwarded go the same way, without a look at each: they came in one aggregate
 * with it, from a client with the same ChannelData header and size, or from a peer with the same size where the header in front of
 * them is ChannelData's. Counts them. Hot.
 */
void turn_repeat(struct turn *t, const struct turn_forward *forward, enum verdict verdict, unsigned count);

/* The socket asked for is open (or claimed): `bound` is its address as bound, port included. Stale references are answered with
 * EFFECT_CLOSE_RELAY. */
void turn_relay_opened(
	struct turn *t, struct relay_ref relay, const struct addr *bound, const struct moment *now, struct turn_out *out);

enum relay_failure {
	RELAY_PORT_TAKEN,     /* another port may do */
	RELAY_NO_RESOURCES,   /* out of descriptors or memory: 508 */
	RELAY_NO_ADDRESS,     /* this address cannot be bound here: 508, and worth a log line */
	RELAY_NO_RESERVATION, /* the token is unknown, used or expired: 508 (RFC 8656 Section 7.2) */
};
void turn_relay_failed(
	struct turn *t, struct relay_ref relay, enum relay_failure failure, const struct moment *now, struct turn_out *out);

/* Another shard (or this one) claims a reservation made here. On true the socket of *ret_relay is the claimer's: it is forgotten
 * here. */
bool turn_reservation_take(
	struct turn *t, const uint8_t token[static RESERVATION_TOKEN_SIZE], struct relay_ref *ret_relay, struct addr *ret_bound);

/* Lets go what has expired, as far as `out` has room. True: call again. */
bool turn_expire(struct turn *t, const struct moment *now, struct turn_out *out);
/* When turn_expire should be called; WHEEL_NEVER when there is nothing to wait for. */
uint64_t turn_deadline_ns(const struct turn *t);

/*
 * A new configuration. Live allocations go on with the key they were made with, and with the realm that it embeds; permissions with
 * the policy they were granted under. With `revoke`, allocations whose credentials no longer hold (after a change of the realm:
 * all), allocations of a retiring listener without a policy, and permissions that the routes no longer allow end at the next
 * turn_expire, and what stays is held to the new routes.
 */
void turn_configure(struct turn *t, struct turn_config *config, bool revoke, const struct moment *now);

/* From now on Allocate is answered with 300 (where an alternate server is configured) or 508. */
void turn_drain(struct turn *t);

/* Live ones, and those whose sockets are being opened. */
uint32_t turn_allocation_count(const struct turn *t);

/* One allocation, for /status. */
struct allocation_info {
	struct flow flow;
	struct addr relayed; /* as advertised */
	char username[STUN_USERNAME_SIZE_MAX + 1];
	uint32_t lifetime_left_s, age_s;
	uint32_t permissions, channels;
	uint64_t from_client_packets, from_client_bytes; /* relayed to peers */
	uint64_t to_client_packets, to_client_bytes;     /* relayed from peers */
	uint64_t refused_packets;                        /* dropped: no permission, no channel, or refused by the routes */
};

/* NULL or ADDR_NONE: any. A client's port 0 means any port. A user name matches as a whole, or without its expiry if it is a
 * time-limited one. Returns how many match, of which at most `max` are written. */
size_t turn_find_allocations(const struct turn *t, const char *username, const struct addr *client, const struct moment *now,
	struct allocation_info *ret_infos, size_t max);

/* clang-format off */
struct turn_counters {
	counter verdicts[VERDICT_COUNT];
	counter auth_failures[AUTH_FAILURE_COUNT];
	counter accepted_secrets;       /* requests whose credentials were made with another secret than the first */
	counter requests[16];           /* by method number */
	counter requests_classic;       /* Binding of RFC 3489; not among the above */
	counter errors[16];             /* answers by error code, indexed as turn_error_codes */
	counter allocations;            /* gauge: live ones */
	counter allocations_total;
	counter listener_allocations[LIMIT_LISTENERS]; /* gauges: live ones, and those whose sockets are being opened */
	counter permissions, channels, reservations; /* gauges */
	counter allocations_refused_capacity;        /* 508 because a bound of this machine was reached */
	counter allocations_expired;                 /* ended by time and not by Refresh */
};
/* clang-format on */

/* The codes that counters.errors counts; 0 ends the list. */
extern const uint16_t turn_error_codes[];

const struct turn_counters *turn_counters(const struct turn *t);

/* Asserts every invariant of the tables. For tests and fuzzers: its cost grows with what is held. */
void turn_check(const struct turn *t);

#endif
