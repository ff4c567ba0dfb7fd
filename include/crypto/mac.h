/*
 * mac - the digests that STUN needs, over mbedTLS (2.28 and 3.6; src/crypto/mbedtls_compat.h absorbs the difference).
 *
 * No heap: every context lives on the stack and is wiped. Aborts if mbedTLS refuses, which it does only when it is built without
 * the digest. `parts` are hashed one after the other, as if they were one run of bytes.
 * Threads: any.
 */
#ifndef UTURN_CRYPTO_MAC_H
#define UTURN_CRYPTO_MAC_H

#include "base/bytes.h"

enum { MD5_SIZE = 16, SHA1_SIZE = 20, SHA256_SIZE = 32 };

void md5_parts(const struct bytes *parts, size_t count, uint8_t ret_digest[static MD5_SIZE]);
void hmac_sha1_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[static SHA1_SIZE]);
void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[static SHA256_SIZE]);

static inline void md5(struct bytes data, uint8_t ret_digest[static MD5_SIZE])
{
	md5_parts(&data, 1, ret_digest);
}

static inline void hmac_sha1(struct bytes key, struct bytes data, uint8_t ret_mac[static SHA1_SIZE])
{
	hmac_sha1_parts(key, &data, 1, ret_mac);
}

static inline void hmac_sha256(struct bytes key, struct bytes data, uint8_t ret_mac[static SHA256_SIZE])
{
	hmac_sha256_parts(key, &data, 1, ret_mac);
}

#endif
