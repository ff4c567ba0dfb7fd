/*
 * aead - authenticated encryption of one record at a time: AES-GCM and ChaCha20-Poly1305 of libcrypto behind four functions.
 *
 * Everything above it (sequence numbers, nonces, what is authenticated besides) is the record layer's: tls/record.h.
 *
 * Owns:     one key in one direction. On the heap: made at the end of a handshake and at a key update, never per record.
 * Threads:  one per object.
 */
#ifndef UTURN_TLS_AEAD_H
#define UTURN_TLS_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum aead_kind { AEAD_AES_128_GCM, AEAD_AES_256_GCM, AEAD_CHACHA20_POLY1305, AEAD_KINDS };
enum aead_direction { AEAD_OPEN, AEAD_SEAL };

enum { AEAD_TAG_SIZE = 16, AEAD_NONCE_SIZE = 12, AEAD_KEY_SIZE_MAX = 32 };

struct aead;

size_t aead_key_size(enum aead_kind kind); /* bytes: 16 or 32 */

/* `key` has aead_key_size(kind) bytes and is not kept. NULL: no memory. */
struct aead *aead_create(enum aead_kind kind, enum aead_direction direction, const uint8_t *key);
void aead_free(struct aead *aead); /* wipes the key; NULL is fine */

/* Encrypts `size` bytes of `data` in place and writes AEAD_TAG_SIZE bytes to `tag` (which may follow the data). */
void aead_seal(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE], struct bytes additional, uint8_t *data, size_t size,
	uint8_t tag[static AEAD_TAG_SIZE]);

/* Decrypts in place. False when the tag is wrong; the data is then unusable. */
bool aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE], struct bytes additional, uint8_t *data, size_t size,
	const uint8_t tag[static AEAD_TAG_SIZE]) __attribute__((warn_unused_result));

#endif
