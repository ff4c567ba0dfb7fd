/*
 * nonce - stateless nonces (RFC 8489 Section 9.2): 15 bytes as 20 base64url characters, so that a 401 stays small.
 *
 *	+---------------+-----------------------------------------------------------------+
 *	| wall clock, 4 | HMAC-SHA256(epoch key, time, client address and port), first 11 |
 *	+---------------+-----------------------------------------------------------------+
 *
 * The epoch key is HMAC-SHA256(secret, time / rotation): it rotates by itself, and a nonce made under the previous one is accepted
 * for as long as it lives. Relays that share the secret accept each other's nonces. Nothing is remembered per client.
 */
#ifndef UTURN_CRYPTO_NONCE_H
#define UTURN_CRYPTO_NONCE_H

#include "base/addr.h"
#include "base/bytes.h"

enum { NONCE_SIZE = 20, NONCE_SECRET_SIZE = 32, NONCE_LIFETIME_S = 3600 };

enum nonce_check { NONCE_VALID, NONCE_STALE };

void nonce_make(const uint8_t secret[static NONCE_SECRET_SIZE], const struct addr *client, uint64_t wall_s,
	char ret_nonce[static NONCE_SIZE]);

/* NONCE_STALE for everything that we would not have made for this client within the last NONCE_LIFETIME_S (or a minute ahead). */
enum nonce_check nonce_check(
	const uint8_t secret[static NONCE_SECRET_SIZE], const struct addr *client, uint64_t wall_s, struct bytes nonce);

#endif
