/*
 * HOT: TLS 1.2 (RFC 5246), with AES-GCM (RFC 5288) and ChaCha20-Poly1305 (RFC 7905), and what DTLS 1.2 has in common with it.
 */
#include "record_private.h"

enum { ADDITIONAL_SIZE = 8 + 3 + 2 };

static inline void additional_data(
	uint64_t number, const uint8_t head[static 3], size_t size, uint8_t ret_additional[static ADDITIONAL_SIZE])
{
	store_u64(ret_additional, number);
	memcpy(ret_additional + 8, head, 3);
	store_u16(ret_additional + 11, size);
}

/* RFC 5288 Section 3: four secret bytes and eight that stand in the record. */
static inline void nonce_explicit(const uint8_t *iv, const uint8_t *explicit, uint8_t ret_nonce[static AEAD_NONCE_SIZE])
{
	memcpy(ret_nonce, iv, AEAD_NONCE_SIZE - EXPLICIT_NONCE_SIZE);
	memcpy(ret_nonce + AEAD_NONCE_SIZE - EXPLICIT_NONCE_SIZE, explicit, EXPLICIT_NONCE_SIZE);
}

bool record_open_aead(struct record_layer *r, uint64_t number, const uint8_t head[static 3], uint8_t *body, size_t size,
	struct bytes *ret_content)
{
	uint8_t nonce[AEAD_NONCE_SIZE], additional[ADDITIONAL_SIZE];
	size_t explicit_size = explicit_nonce_size(r), content_size = size - explicit_size - AEAD_TAG_SIZE;
	uint8_t *content = body + explicit_size;
	if (explicit_size)
		nonce_explicit(r->keys.read.iv, body, nonce);
	else
		nonce_xor(r->keys.read.iv, number, nonce);
	additional_data(number, head, content_size, additional);
	struct bytes additional_bytes = bytes_of(additional, sizeof additional);
	if (!aead_open(r->read, nonce, additional_bytes, content, content_size, content + content_size))
		return false;
	*ret_content = bytes_of(content, content_size);
	return true;
}

void record_seal_aead(struct record_layer *r, uint64_t number, const uint8_t head[static 3], uint8_t *plain, size_t size)
{
	uint8_t nonce[AEAD_NONCE_SIZE], additional[ADDITIONAL_SIZE];
	additional_data(number, head, size, additional);
	if (explicit_nonce_size(r)) {
		uint8_t *explicit = plain - EXPLICIT_NONCE_SIZE;
		store_u64(explicit, number); /* never twice under a key, as RFC 5288 Section 3 demands */
		nonce_explicit(r->keys.write.iv, explicit, nonce);
	} else {
		nonce_xor(r->keys.write.iv, number, nonce);
	}
	aead_seal(r->write, nonce, bytes_of(additional, sizeof additional), plain, size, plain + size);
}

enum record_verdict record_open_tls12(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason)
{
	size_t overhead = explicit_nonce_size(r) + AEAD_TAG_SIZE;
	enum record_verdict framed =
		record_frame(TYPE_ALERT, overhead, RECORD_PLAIN_MAX + overhead, data, size, ret_size, ret_reason);
	if (framed != RECORD_DATA)
		return framed;
	struct bytes content;
	if (r->keys.read.sequence == UINT64_MAX)
		return record_refuse(RECORD_KEY_LIMIT, ret_reason);
	if (!record_open_aead(r, r->keys.read.sequence, data, data + TLS_HEADER_SIZE, *ret_size - TLS_HEADER_SIZE, &content))
		return record_refuse(RECORD_BAD_MAC, ret_reason);
	r->keys.read.sequence++;
	return record_take(r, data[0], content, ret_plain, ret_reason);
}
