/*
 * HOT: DTLS 1.2 (RFC 6347). Whatever is wrong with a record, it is dropped and the association lives on (Section 4.1.2.7): anyone
 * can send a datagram in a client's name.
 */
#include "record_private.h"

enum { EPOCH = 1, WINDOW_SIZE = 64 };
#define SEQUENCE_MASK ((UINT64_C(1) << 48) - 1)

/* RFC 9147 Section 4.5.3: a key that has refused this many forgeries is good for no more. */
#define REFUSED_MAX (UINT64_C(1) << 36)

struct header {
	uint64_t sequence;
	uint16_t epoch;
	size_t body_size;
};

static inline struct header header_read(const uint8_t *data)
{
	uint64_t number;
	memcpy(&number, data + 3, sizeof number);
	number = be64toh(number);
	return (struct header){.sequence = number & SEQUENCE_MASK,
		.epoch = (uint16_t)(number >> 48),
		.body_size = load_u16(data + DTLS_HEADER_SIZE - 2)};
}

/* RFC 6347 Section 4.1.2.6. */
static inline enum record_reason window_check(const struct record_layer *r, uint64_t sequence)
{
	uint64_t next = r->keys.read.sequence;
	if (sequence >= next)
		return RECORD_FINE;
	if (next - sequence > WINDOW_SIZE)
		return RECORD_TOO_OLD;
	return r->window >> (next - sequence - 1) & 1 ? RECORD_REPLAYED : RECORD_FINE;
}

/* Bit n stands for the number n + 1 below read.sequence. */
static inline void window_mark(struct record_layer *r, uint64_t sequence)
{
	uint64_t next = r->keys.read.sequence;
	if (sequence < next) {
		r->window |= UINT64_C(1) << (next - sequence - 1);
		return;
	}
	uint64_t step = sequence + 1 - next;
	r->window = step >= WINDOW_SIZE ? 1 : r->window << step | 1;
	r->keys.read.sequence = sequence + 1;
}

/* Everything that can be told without the key. RECORD_DATA: to be opened. */
static inline enum record_verdict examine(
	const struct record_layer *r, const uint8_t *data, const struct header *header, enum record_reason *ret_reason)
{
	size_t overhead = explicit_nonce_size(r) + AEAD_TAG_SIZE;
	bool handshake = data[0] == TYPE_HANDSHAKE || data[0] == TYPE_CHANGE_CIPHER_SPEC;
	if (!handshake && data[0] != TYPE_DATA && data[0] != TYPE_ALERT)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	/* A first ClientHello says DTLS 1.0 in its header. */
	if (data[1] != VERSION_DTLS_1_2 >> 8 || (!handshake && data[2] != (VERSION_DTLS_1_2 & 0xff)))
		return record_refuse(RECORD_MALFORMED, ret_reason);
	if (header->body_size > RECORD_PLAIN_MAX + overhead)
		return record_refuse(RECORD_OVERSIZED, ret_reason);
	if (handshake)
		return RECORD_HANDSHAKE;
	if (header->epoch != EPOCH)
		return record_refuse(RECORD_OTHER_EPOCH, ret_reason);
	if (header->body_size < overhead)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	enum record_reason seen = window_check(r, header->sequence);
	return seen == RECORD_FINE ? RECORD_DATA : record_refuse(seen, ret_reason);
}

enum record_verdict record_open_dtls(struct record_layer *r, uint8_t *data, size_t size, struct bytes *ret_plain, size_t *ret_size,
	enum record_reason *ret_reason)
{
	*ret_size = size;
	if (size < DTLS_HEADER_SIZE)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	struct header header = header_read(data);
	if (header.body_size > size - DTLS_HEADER_SIZE)
		return record_refuse(RECORD_MALFORMED, ret_reason);
	*ret_size = DTLS_HEADER_SIZE + header.body_size;
	enum record_verdict examined = examine(r, data, &header, ret_reason);
	if (examined != RECORD_DATA)
		return examined;
	struct bytes content;
	uint64_t number = (uint64_t)EPOCH << 48 | header.sequence;
	if (r->refused >= REFUSED_MAX)
		return record_refuse(RECORD_KEY_LIMIT, ret_reason);
	if (!record_open_aead(r, number, data, data + DTLS_HEADER_SIZE, header.body_size, &content)) {
		r->refused++;
		return record_refuse(RECORD_BAD_MAC, ret_reason);
	}
	window_mark(r, header.sequence);
	return record_take(r, data[0], content, ret_plain, ret_reason);
}
