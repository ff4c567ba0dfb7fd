/*
 * HOT: TLS 1.3 (RFC 8446 Section 5.2), and its key updates (Sections 4.6.3 and 7.2), which are not hot.
 */
#include "record_private.h"

enum { MESSAGE_KEY_UPDATE = 24, KEY_UPDATE_SIZE = 5, UPDATE_NOT_REQUESTED = 0, UPDATE_REQUESTED = 1 };
enum { TYPE_SIZE = 1 };

/* The real type is the last byte that is not zero (RFC 8446 Section 5.4). The loop ends at the record's start: at most 16 KiB. */
static inline bool strip_padding(struct bytes *inner, uint8_t *ret_type)
{
	size_t size = inner->size;
	while (size > 0 && inner->data[size - 1] == 0)
		size--;
	if (size == 0)
		return false;
	*ret_type = inner->data[size - 1];
	inner->size = size - TYPE_SIZE;
	return true;
}

enum record_verdict record_open_tls13(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason)
{
	/* RFC 8446 Section 5.4: padding and type included, the inside has at most 2^14 + 1 bytes. ChangeCipherSpec is tolerated
	 * during the handshake only (Section 5), and nothing in the open is. */
	enum { BODY_MIN = TYPE_SIZE + AEAD_TAG_SIZE, BODY_MAX = RECORD_PLAIN_MAX + BODY_MIN };
	enum record_verdict framed = record_frame(TYPE_DATA, BODY_MIN, BODY_MAX, data, size, ret_size, ret_reason);
	if (framed != RECORD_DATA)
		return framed;
	uint8_t nonce[AEAD_NONCE_SIZE], type;
	struct bytes inner = bytes_of(data + TLS_HEADER_SIZE, *ret_size - TLS_HEADER_SIZE - AEAD_TAG_SIZE);
	if (r->keys.read.sequence == UINT64_MAX)
		return record_refuse(RECORD_KEY_LIMIT, ret_reason);
	nonce_xor(r->keys.read.iv, r->keys.read.sequence, nonce);
	if (!aead_open(r->read, nonce, bytes_of(data, TLS_HEADER_SIZE), data + TLS_HEADER_SIZE, inner.size,
		    data + TLS_HEADER_SIZE + inner.size))
		return record_refuse(RECORD_BAD_MAC, ret_reason);
	r->keys.read.sequence++;
	if (!strip_padding(&inner, &type))
		return record_refuse(RECORD_MALFORMED, ret_reason);
	return record_take(r, type, inner, ret_plain, ret_reason);
}

void record_seal_tls13(struct record_layer *r, uint8_t type, uint8_t *plain, size_t size)
{
	uint8_t *header = plain - TLS_HEADER_SIZE, nonce[AEAD_NONCE_SIZE];
	plain[size] = type;
	header[0] = TYPE_DATA;
	store_u16(header + 1, VERSION_TLS_1_2);
	store_u16(header + 3, size + TYPE_SIZE + AEAD_TAG_SIZE);
	nonce_xor(r->keys.write.iv, r->keys.write.sequence, nonce);
	aead_seal(r->write, nonce, bytes_of(header, TLS_HEADER_SIZE), plain, size + TYPE_SIZE, plain + size + TYPE_SIZE);
}

/* Puts the next generation into `keys` and *aead, which stay as they are when there is no memory. */
static bool next_key(const struct tls_keys *all, enum aead_direction direction, struct tls_direction_keys *keys, struct aead **aead)
{
	struct tls_direction_keys next = *keys;
	struct aead *made = NULL;
	if (tls_keys_next_generation(all->aead, all->hash, &next))
		made = aead_create(all->aead, direction, next.key);
	bytes_wipe(next.key, sizeof next.key);
	if (made) {
		aead_free(*aead);
		*aead = made;
		*keys = next;
	}
	bytes_wipe(&next, sizeof next);
	return made != NULL;
}

enum record_verdict record_take_key_update(struct record_layer *r, struct bytes message, enum record_reason *ret_reason)
{
	/* Alone in its record: nothing under the old key may follow it (RFC 8446 Section 5.1). In pieces it is refused as well:
	 * nobody who means well cuts five bytes. */
	static const uint8_t head[] = {MESSAGE_KEY_UPDATE, 0, 0, 1};
	if (message.data[0] != MESSAGE_KEY_UPDATE)
		return record_refuse(RECORD_UNEXPECTED, ret_reason);
	if (message.size != KEY_UPDATE_SIZE || memcmp(message.data, head, sizeof head) != 0 || message.data[4] > UPDATE_REQUESTED)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	if (!record_idle(r, IDLE_KEY_UPDATE))
		return record_refuse(RECORD_UNEXPECTED, ret_reason);
	if (!next_key(&r->keys, AEAD_OPEN, &r->keys.read, &r->read))
		return record_refuse(RECORD_NO_MEMORY, ret_reason);
	if (message.data[4] == UPDATE_REQUESTED)
		r->control |= CONTROL_KEY_UPDATE;
	return RECORD_CONTROL;
}

size_t record_send_key_update(struct record_layer *r, uint8_t *out)
{
	static const uint8_t message[KEY_UPDATE_SIZE] = {MESSAGE_KEY_UPDATE, 0, 0, 1, UPDATE_NOT_REQUESTED};
	/* The next key first: what has been told cannot be taken back. */
	struct tls_direction_keys next_keys = r->keys.write;
	struct aead *next = NULL, *present = r->write;
	if (!next_key(&r->keys, AEAD_SEAL, &next_keys, &next))
		return 0;
	memcpy(out + r->head_size, message, sizeof message);
	size_t size = record_seal_as(r, TYPE_HANDSHAKE, out + r->head_size, sizeof message);
	if (size == 0) {
		aead_free(next);
	} else {
		aead_free(present);
		r->write = next;
		r->keys.write = next_keys;
		r->sealed = 0;
	}
	bytes_wipe(&next_keys, sizeof next_keys);
	return size;
}
