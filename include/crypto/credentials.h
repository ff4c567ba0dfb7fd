/*
 * credentials - long-term keys (RFC 8489 Section 9.2.2) and time-limited credentials
 * (draft-uberti-behave-turn-rest, STUNner's "ephemeral": `expiry`, `expiry:user`, `user:expiry`).
 */
#ifndef UTURN_CRYPTO_CREDENTIALS_H
#define UTURN_CRYPTO_CREDENTIALS_H

#include "base/bytes.h"
#include "crypto/mac.h"

enum { LONG_TERM_KEY_SIZE = MD5_SIZE };

/* MD5(username ":" realm ":" password). */
void credentials_key(struct bytes username, struct bytes realm, struct bytes password, uint8_t ret_key[static LONG_TERM_KEY_SIZE]);

/* The password of a time-limited user name: base64 of HMAC-SHA1(secret, username), with its NUL: 29 bytes. */
enum { EPHEMERAL_PASSWORD_SIZE = 29 };
void credentials_ephemeral_password(struct bytes username, struct bytes secret, char ret_password[static EPHEMERAL_PASSWORD_SIZE]);

/*
 * When a time-limited user name expires: the first ':'-separated component that is a decimal number (STUNner's rule; a number
 * beyond 64 bits is none). *ret_user, inside `username`, is what quotas count by: all that follows the expiry if it comes first,
 * all that precedes it otherwise, the whole name when that is empty. False when there is no such component or it is 0.
 */
bool credentials_ephemeral_expiry(struct bytes username, uint64_t *ret_expires_wall_s, struct bytes *ret_user);

#endif
