/*
 * attribute_walk - from attribute to attribute through a message (RFC 8489 Section 14): the one place that knows where the next one
 * starts, which ones are ignored, and where FINGERPRINT may stand. Private to wire; inline for the sake of Send indications.
 */
#ifndef UTURN_WIRE_ATTRIBUTE_WALK_H
#define UTURN_WIRE_ATTRIBUTE_WALK_H

#include "wire/crc32.h"
#include "wire/cursor.h"
#include "wire/stun_format.h"
#include "wire/stun_view.h"

enum attribute_step { ATTRIBUTE, ATTRIBUTES_END, ATTRIBUTES_MALFORMED };

struct attribute_walk {
	struct reader reader;
	unsigned count;
	bool integrity_seen, integrity_sha256_seen, fingerprint_seen;
};

struct attribute {
	uint16_t type;
	struct bytes value;
};

/* Whether the header is that of a message of just this size (RFC 8489 Sections 5 and 6.3); classic: from before the cookie. */
static inline bool stun_header_is(struct bytes datagram, bool classic)
{
	struct reader r = reader_of(datagram);
	uint16_t type = reader_u16(&r);
	size_t length = reader_u16(&r);
	uint32_t cookie = reader_u32(&r);
	return datagram.size >= STUN_HEADER_SIZE && type < 0x4000 && (cookie != STUN_MAGIC_COOKIE) == classic && length % 4 == 0 &&
	       length == datagram.size - STUN_HEADER_SIZE;
}

static inline bool stun_header_fits(struct bytes datagram)
{
	return stun_header_is(datagram, false);
}

static inline struct attribute_walk attribute_walk_start(struct bytes message)
{
	return (struct attribute_walk){
		.reader = reader_of(bytes_of(message.data + STUN_HEADER_SIZE, message.size - STUN_HEADER_SIZE))};
}

/* RFC 8489 Sections 14.5 to 14.7: the sizes of the three attributes that end a message. */
static inline bool closing_size_ok(uint16_t type, size_t size)
{
	if (type == STUN_ATTR_MESSAGE_INTEGRITY)
		return size == STUN_INTEGRITY_SHA1_SIZE;
	if (type == STUN_ATTR_MESSAGE_INTEGRITY_SHA256)
		return size >= 16 && size <= 32 && size % 4 == 0;
	return size == STUN_FINGERPRINT_SIZE;
}

/* After MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT count, after the former only FINGERPRINT. */
static inline bool ignored_after_integrity(const struct attribute_walk *walk, uint16_t type)
{
	if (type == STUN_ATTR_FINGERPRINT)
		return false;
	return walk->integrity_sha256_seen || (walk->integrity_seen && type != STUN_ATTR_MESSAGE_INTEGRITY_SHA256);
}

static inline enum attribute_step attribute_walk_next(struct attribute_walk *walk, struct attribute *ret_attribute)
{
	struct reader *r = &walk->reader;
	while (reader_left(r) > 0) {
		if (walk->fingerprint_seen || ++walk->count > STUN_VIEW_ATTRIBUTES)
			return ATTRIBUTES_MALFORMED;
		uint16_t type = reader_u16(r), size = reader_u16(r);
		struct bytes value = reader_bytes(r, size);
		reader_bytes(r, -(size_t)size % 4);
		if (r->failed)
			return ATTRIBUTES_MALFORMED;
		if (ignored_after_integrity(walk, type))
			continue;
		*ret_attribute = (struct attribute){.type = type, .value = value};
		if (type != STUN_ATTR_MESSAGE_INTEGRITY && type != STUN_ATTR_MESSAGE_INTEGRITY_SHA256 &&
			type != STUN_ATTR_FINGERPRINT)
			return ATTRIBUTE;
		walk->integrity_seen |= type == STUN_ATTR_MESSAGE_INTEGRITY;
		walk->integrity_sha256_seen |= type == STUN_ATTR_MESSAGE_INTEGRITY_SHA256;
		walk->fingerprint_seen |= type == STUN_ATTR_FINGERPRINT;
		return closing_size_ok(type, size) ? ATTRIBUTE : ATTRIBUTES_MALFORMED;
	}
	return ATTRIBUTES_END;
}

/* RFC 8489 Section 14.7: over the message up to the attribute, which is the last one. */
static inline bool fingerprint_right(struct bytes message, struct bytes value)
{
	struct reader r = reader_of(value);
	size_t covered = message.size - STUN_ATTRIBUTE_HEADER_SIZE - STUN_FINGERPRINT_SIZE;
	return reader_u32(&r) == (crc32(bytes_of(message.data, covered)) ^ STUN_FINGERPRINT_XOR);
}

/* RFC 8489 Section 14.2; `transaction_id` follows the cookie in the message and in the mask. */
bool stun_xor_addr_read(struct bytes value, const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE], struct addr *ret_addr);

#endif
