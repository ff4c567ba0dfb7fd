/*
 * authenticate - who sent this request (RFC 8489 Section 9.2.4). Decided here only.
 */
#ifndef UTURN_TURN_AUTHENTICATE_H
#define UTURN_TURN_AUTHENTICATE_H

#include "turn_state.h"

/*
 * STUN_OK: the request's transaction has integrity and key, so that every answer is signed; username, user and realm are set.
 * Anything else: what to refuse it with; the cause is counted. The same work is done for an unknown user as for a wrong password.
 */
enum stun_error authenticate(struct request *request);

/* Would this allocation's credentials still be good under the configuration? Its age does not matter. */
bool authenticate_still_holds(const struct turn_config *config, const struct allocation *a);

/* The realm changes: allocations made under the old one are challenged with it as before. */
void authenticate_remember_realm(struct turn *t, const char *old, const char *new);
/* What a client is told to compute its key with: the realm of the allocation that it has, if any, the configured one otherwise. */
const char *authenticate_realm(const struct turn *t, const struct allocation *a);

#endif
