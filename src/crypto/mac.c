#include "crypto/mac.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "mbedtls_compat.h"

/* All three digests work on blocks of this size, and so HMAC pads keys to it (RFC 2104 Section 2). */
enum { BLOCK_SIZE = 64, DIGEST_SIZE_MAX = SHA256_SIZE };

union digest_state {
	mbedtls_md5_context md5;
	mbedtls_sha1_context sha1;
	mbedtls_sha256_context sha256;
};

struct digest {
	size_t size;
	int (*start)(union digest_state *state);
	int (*update)(union digest_state *state, const uint8_t *data, size_t size);
	int (*finish)(union digest_state *state, uint8_t *ret_digest); /* wipes the state */
};

static int md5_start(union digest_state *state)
{
	mbedtls_md5_init(&state->md5);
	return mbedtls_md5_starts(&state->md5);
}

static int md5_update(union digest_state *state, const uint8_t *data, size_t size)
{
	return mbedtls_md5_update(&state->md5, data, size);
}

static int md5_finish(union digest_state *state, uint8_t *ret_digest)
{
	int failed = mbedtls_md5_finish(&state->md5, ret_digest);
	mbedtls_md5_free(&state->md5);
	return failed;
}

static int sha1_start(union digest_state *state)
{
	mbedtls_sha1_init(&state->sha1);
	return mbedtls_sha1_starts(&state->sha1);
}

static int sha1_update(union digest_state *state, const uint8_t *data, size_t size)
{
	return mbedtls_sha1_update(&state->sha1, data, size);
}

static int sha1_finish(union digest_state *state, uint8_t *ret_digest)
{
	int failed = mbedtls_sha1_finish(&state->sha1, ret_digest);
	mbedtls_sha1_free(&state->sha1);
	return failed;
}

static int sha256_start(union digest_state *state)
{
	mbedtls_sha256_init(&state->sha256);
	return mbedtls_sha256_starts(&state->sha256, 0);
}

static int sha256_update(union digest_state *state, const uint8_t *data, size_t size)
{
	return mbedtls_sha256_update(&state->sha256, data, size);
}

static int sha256_finish(union digest_state *state, uint8_t *ret_digest)
{
	int failed = mbedtls_sha256_finish(&state->sha256, ret_digest);
	mbedtls_sha256_free(&state->sha256);
	return failed;
}

static const struct digest digest_md5 = {MD5_SIZE, md5_start, md5_update, md5_finish};
static const struct digest digest_sha1 = {SHA1_SIZE, sha1_start, sha1_update, sha1_finish};
static const struct digest digest_sha256 = {SHA256_SIZE, sha256_start, sha256_update, sha256_finish};

static void require(int failed)
{
	if (!failed)
		return;
	log_error(
		LOG_SERVER, "mbedTLS refuses to hash (error -0x%04x): is it built with MD5, SHA-1 and SHA-256?", (unsigned)-failed);
	abort();
}

/* The digest of `block` (of BLOCK_SIZE bytes; NULL: nothing) followed by the parts. */
static void digest_run(
	const struct digest *digest, const uint8_t *block, const struct bytes *parts, size_t count, uint8_t *ret_digest)
{
	union digest_state state;
	require(digest->start(&state));
	if (block)
		require(digest->update(&state, block, BLOCK_SIZE));
	for (size_t i = 0; i < count; i++) {
		if (parts[i].size)
			require(digest->update(&state, parts[i].data, parts[i].size));
	}
	require(digest->finish(&state, ret_digest));
}

/* RFC 2104 Section 2: H(K xor opad, H(K xor ipad, text)). */
static void hmac(const struct digest *digest, struct bytes key, const struct bytes *parts, size_t count, uint8_t *ret_mac)
{
	uint8_t inner_key[BLOCK_SIZE] = {0}, outer_key[BLOCK_SIZE], inner[DIGEST_SIZE_MAX];
	assert(digest->size <= sizeof inner);
	if (key.size > BLOCK_SIZE)
		digest_run(digest, NULL, &key, 1, inner_key);
	else if (key.size)
		memcpy(inner_key, key.data, key.size);
	for (size_t i = 0; i < BLOCK_SIZE; i++) {
		outer_key[i] = inner_key[i] ^ 0x5c;
		inner_key[i] ^= 0x36;
	}
	digest_run(digest, inner_key, parts, count, inner);
	struct bytes inner_bytes = bytes_of(inner, digest->size);
	digest_run(digest, outer_key, &inner_bytes, 1, ret_mac);
	bytes_wipe(inner_key, sizeof inner_key);
	bytes_wipe(outer_key, sizeof outer_key);
	bytes_wipe(inner, sizeof inner);
}

void md5_parts(const struct bytes *parts, size_t count, uint8_t ret_digest[static MD5_SIZE])
{
	digest_run(&digest_md5, NULL, parts, count, ret_digest);
}

void hmac_sha1_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[static SHA1_SIZE])
{
	hmac(&digest_sha1, key, parts, count, ret_mac);
}

void hmac_sha256_parts(struct bytes key, const struct bytes *parts, size_t count, uint8_t ret_mac[static SHA256_SIZE])
{
	hmac(&digest_sha256, key, parts, count, ret_mac);
}
