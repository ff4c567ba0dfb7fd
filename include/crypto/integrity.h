/*
 * integrity - MESSAGE-INTEGRITY over a view or a builder (RFC 8489 Section 14.5). A second algorithm (Section 14.6) has its place
 * in `enum integrity`.
 */
#ifndef UTURN_CRYPTO_INTEGRITY_H
#define UTURN_CRYPTO_INTEGRITY_H

#include "wire/stun_build.h"
#include "wire/stun_view.h"

enum integrity { INTEGRITY_NONE, INTEGRITY_SHA1 };

/* The strongest integrity that the message carries and we support. */
enum integrity integrity_kind(const struct stun_view *view);

/* Constant time in the MAC. False when the attribute is missing, has the wrong size, or does not fit the key. */
bool integrity_verify(const struct stun_view *view, enum integrity kind, struct bytes key);

/* Appends the attribute; the builder fails when there is no room. Nothing but FINGERPRINT may follow. */
void integrity_append(struct stun_builder *b, enum integrity kind, struct bytes key);

#endif
