/*
 * method_rules - which methods there are, and what must be true before their handlers run.
 */
#ifndef UTURN_TURN_METHOD_RULES_H
#define UTURN_TURN_METHOD_RULES_H

#include "turn_state.h"

/* Anything that is STUN and not a Send indication. */
enum verdict turn_message(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out);

#endif
