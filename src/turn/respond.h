/*
 * respond - the only writer of answers: class, ERROR-CODE and what belongs to it, SOFTWARE, MESSAGE-INTEGRITY, FINGERPRINT,
 * counters.
 *
 * An answer to a request that was not authenticated has no SOFTWARE and no reason phrase, so that it is of little use to an
 * attacker who forges source addresses; one to a request that was is signed with the key that the request was signed with.
 */
#ifndef UTURN_TURN_RESPOND_H
#define UTURN_TURN_RESPOND_H

#include "turn_state.h"

/* Starts and finishes a success answer; in between the caller adds what its method says. One effect. */
struct stun_builder respond_begin(struct turn_out *out, const struct transaction *transaction);
void respond_end(struct turn_out *out, const struct flow *flow, const struct transaction *transaction, struct stun_builder *b);

/* Refuses the request, with REALM and NONCE, UNKNOWN-ATTRIBUTES or ALTERNATE-SERVER where the error asks for them. One effect,
 * unless the source has had too many unauthenticated answers: then it is dropped. */
enum verdict respond_refusal(struct request *request, enum stun_error error);

/* The answers to Allocate, which may be due long after the request: success, and 508. */
void respond_allocated(struct turn *t, const struct allocation *a, struct turn_out *out);
void respond_allocate_failed(struct turn *t, const struct allocation *a, struct turn_out *out);

/* Attributes that must be understood and are not. Writes each type once, at most STUN_VIEW_ATTRIBUTES of them. */
size_t unknown_attributes(const struct stun_view *view, uint16_t ret_types[static STUN_VIEW_ATTRIBUTES]);

#endif
