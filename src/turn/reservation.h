/*
 * reservation - relay sockets kept for whoever brings the token (RFC 8656 Sections 7.2, 18.7 and 18.10).
 *
 * Owns:     at most LIMIT_RESERVATIONS places of one shard, counted from the moment an EVEN-PORT request asks for one.
 * Lifetime: RESERVATION_LIFETIME_S, or until claimed; a reservation outlives the allocation that made it.
 */
#ifndef UTURN_TURN_RESERVATION_H
#define UTURN_TURN_RESERVATION_H

#include "turn_state.h"

bool reservation_room(const struct turn *t);

/* Keeps a place for an allocation that is opening; there must be room. Given back by reservation_cancel unless reservation_start
 * follows. */
uint32_t reservation_keep(struct turn *t);
void reservation_cancel(struct turn *t, uint32_t slot);

/* The socket is open: from now on the token is good. */
void reservation_start(
	struct turn *t, uint32_t slot, struct relay *relay, uint64_t now_ns, uint8_t ret_token[static RESERVATION_TOKEN_SIZE]);

/* Nobody came for it: the socket is closed (one effect). */
void reservation_end(struct turn *t, struct reservation *reservation, struct turn_out *out);

#endif
