/*
 * mac - the digests that STUN needs, over mbedTLS (2.28 and 3.6; src/crypto/mbedtls_compat.h absorbs the difference).
 */
#ifndef UTURN_CRYPTO_MAC_H
#define UTURN_CRYPTO_MAC_H

#include "base/bytes.h"

enum { MD5_SIZE = 16, SHA1_SIZE = 20, SHA256_SIZE = 32 };

void md5(struct bytes data, uint8_t ret_digest[static MD5_SIZE]);
void hmac_sha1(struct bytes key, struct bytes data, uint8_t ret_mac[static SHA1_SIZE]);
void hmac_sha256(struct bytes key, struct bytes data, uint8_t ret_mac[static SHA256_SIZE]);

#endif
