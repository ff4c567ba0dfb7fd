/*
 * opening - how an allocation gets its relay socket: which address, which port, what to do when the port is taken (RFC 8656
 * Section 7.2).
 *
 * The socket of an EVEN-PORT pair's upper port is asked for once the lower one is open; if either port is taken both are given up
 * and another pair is tried.
 */
#ifndef UTURN_TURN_OPENING_H
#define UTURN_TURN_OPENING_H

#include "turn_state.h"

/* The address that a relay socket of this family would bind (`any` for a wildcard) and what clients would be told instead. False:
 * this family is not offered to this flow. */
bool opening_address(const struct turn_listener *listener, enum addr_family family, const struct flow *flow, struct addr *ret_bind,
	struct addr *ret_advertised);

/* Asks for the socket, from fields of the allocation: family, even_port, reservation. False, and nothing was asked for: no port, or
 * no slot. */
bool opening_start(struct turn *t, struct allocation *a, struct turn_out *out);

/* Asks the shard that the token names for the socket. False: no slot. */
bool opening_claim(struct turn *t, struct allocation *a, const uint8_t token[static RESERVATION_TOKEN_SIZE], struct turn_out *out);

#endif
