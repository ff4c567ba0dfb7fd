/*
 * turn_client - one TURN client, without I/O: says what to send, is told what arrived (RFC 8656; long-term credentials, SHA-1).
 *
 * Allocates, then binds a channel or creates a permission for each of its peers, then keeps all of them alive (refreshes at two
 * thirds of their lifetimes; a channel at two thirds of its permission's). Requests are sent one at a time and retransmitted (RFC
 * 8489, section 6.2.1: from 500 ms, doubling, 7 tries, 39.5 s in all; callers may give up sooner). A stale nonce (438) is taken up
 * and the request repeated; every other error ends the client with one line. A server that asks for no credentials is given none.
 *
 * Threads: none; transaction ids come from a pool per thread. Owns its array of peers. Bounds: TURN_CLIENT_MESSAGE_MAX bytes a
 * message.
 */
#ifndef UTURN_CLIENT_TURN_CLIENT_H
#define UTURN_CLIENT_TURN_CLIENT_H

#include "base/addr.h"
#include "base/failure.h"
#include "crypto/credentials.h"
#include "wire/stun_view.h"

enum { TURN_CLIENT_MESSAGE_MAX = 1024, TURN_CLIENT_CHANNEL_MIN = 0x4000 };

enum turn_client_state { TURN_CLIENT_WORKING, TURN_CLIENT_READY, TURN_CLIENT_FAILED };

struct turn_client_peer {
	struct addr addr;
	uint16_t channel; /* 0: a permission only */
	bool made;
	uint64_t refresh_ns; /* when it is due, CLOCK_MONOTONIC; 0 before it was made */
};

struct turn_client {
	const char *username, *password; /* not owned */
	struct addr server; /* for the lines of failures only; ADDR_NONE (as turn_client_init leaves it): not named there */
	uint8_t family; /* enum addr_family, of the relayed address: the first peer's, IPv4 without; may be set after the init */
	struct turn_client_peer *peers;
	unsigned peer_count;
	enum turn_client_state state;
	struct failure failure; /* in TURN_CLIENT_FAILED: "the server at 192.0.2.1:3478 refuses …" */
	bool port_taken;        /* in TURN_CLIENT_FAILED: 437 to Allocate; from another port it may succeed */
	bool reliable;          /* requests are sent once (RFC 8489, section 6.2.2: over a stream); may be set after the init */
	unsigned refusal;       /* in TURN_CLIENT_FAILED: the error of the answer that ended it; 0: it was no answer */
	struct addr alternate;  /* … 300: the server to go to instead (ALTERNATE-SERVER); ADDR_NONE: none told */
	struct addr relayed;    /* valid once `allocated` */
	bool allocated;
	/* the implementation's own fields follow (realm, nonce, key, the pending request and its timers) */
	char realm[128], nonce[256];
	uint8_t key[LONG_TERM_KEY_SIZE];
	bool authenticated;
	unsigned stale; /* 438 answers since the last success */
	uint32_t lifetime_s;
	uint64_t refresh_ns;
	struct turn_client_request {
		bool pending;
		uint16_t method;
		unsigned peer; /* index, for ChannelBind and CreatePermission */
		uint8_t id[STUN_TRANSACTION_ID_SIZE];
		unsigned tries;
		uint64_t first_ns, resend_ns, interval_ns;
	} request;
};

/* `peers` is taken over (malloc'd, may be NULL with 0) and freed by turn_client_done. The strings must outlive the client. */
void turn_client_init(
	struct turn_client *c, const char *username, const char *password, struct turn_client_peer *peers, unsigned peer_count);
void turn_client_done(struct turn_client *c);

/* Gives a client that was made without peers its peers, as turn_client_init would have; a ready one then works again. */
void turn_client_set_peers(struct turn_client *c, struct turn_client_peer *peers, unsigned peer_count);

/* Begins anew, from another port: as after turn_client_init, with the same peers, server and family. */
void turn_client_restart(struct turn_client *c);

/*
 * The message to send now, written to `buffer` (at least TURN_CLIENT_MESSAGE_MAX bytes); 0 when there is nothing to send before
 * *ret_wake_ns (UINT64_MAX: never). now_ns is CLOCK_MONOTONIC. To be called after turn_client_init, after every message, and when
 * the time has come, until it returns 0. *ret_wake_ns is written in any case.
 */
size_t turn_client_poll(struct turn_client *c, uint64_t now_ns, uint8_t *buffer, uint64_t *ret_wake_ns);

/* Asks the server soon whether it still knows the allocation (a Refresh before its time). */
static inline void turn_client_check(struct turn_client *c)
{
	c->refresh_ns = 0;
}

/* For how long the pending request has had no answer; 0 without one. */
static inline uint64_t turn_client_silence_ns(const struct turn_client *c, uint64_t now_ns)
{
	return c->request.pending ? now_ns - c->request.first_ns : 0;
}

/* A STUN message that arrived on the client's socket (neither ChannelData nor an indication). Anything unexpected is ignored. */
void turn_client_receive(struct turn_client *c, struct bytes message, uint64_t now_ns);

/* Of a datagram that arrived on the client's socket: true when it is for turn_client_receive: STUN, and an answer. */
static inline bool turn_client_takes(struct bytes datagram)
{
	/* RFC 8489, section 5: the first two bits are zero, and 0x0100 is set in answers only. */
	return datagram.size >= STUN_HEADER_SIZE && (datagram.data[0] & 0xc1) == 0x01;
}

/* Ends a working client: its pending request found no answer in all of the time since it was sent first. */
void turn_client_give_up(struct turn_client *c, uint64_t now_ns);

/*
 * The request that ends the allocation (Refresh with lifetime 0), ready to send; its answer need not be awaited. 0 where there
 * cannot be an allocation. The client is over then: turn_client_poll sends nothing more.
 */
size_t turn_client_farewell(struct turn_client *c, uint8_t *buffer);

/* The channel of the peer with this index, where channels are wanted. */
static inline uint16_t turn_client_channel(unsigned peer)
{
	return (uint16_t)(TURN_CLIENT_CHANNEL_MIN + peer);
}

#endif
