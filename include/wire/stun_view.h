/*
 * stun_view - a received STUN message, checked once and indexed in place. Copies nothing, allocates nothing.
 *
 * Rules enforced here (RFC 8489):
 *   Section 6.3: two zero bits, magic cookie, length a multiple of 4 and equal to what was received.
 *   Section 14.5: attributes after MESSAGE-INTEGRITY are ignored, except MESSAGE-INTEGRITY-SHA256 and FINGERPRINT;
 *                 after MESSAGE-INTEGRITY-SHA256, except FINGERPRINT.
 *   Section 14.7: FINGERPRINT, where present, must be last and right.
 *   Section 14: the first of several attributes of one type counts (XOR-PEER-ADDRESS may repeat in CreatePermission:
 *   stun_view_next).
 * Bounds: STUN_VIEW_ATTRIBUTES attributes, ignored ones included, and 65535 bytes; a message with more is malformed.
 * Lifetime: a view borrows the datagram.
 */
#ifndef UTURN_WIRE_STUN_VIEW_H
#define UTURN_WIRE_STUN_VIEW_H

#include "base/addr.h"
#include "base/bytes.h"
#include "wire/stun_format.h"

enum { STUN_VIEW_ATTRIBUTES = 64 };

enum stun_parse {
	STUN_PARSED,
	STUN_NOT_STUN,  /* shorter than a header, first bits, cookie or length wrong (RFC 8489 Section 6.3): drop in silence */
	STUN_MALFORMED, /* the header is right, the rest is not: a request with it deserves a 400 */
	STUN_BAD_FINGERPRINT, /* RFC 8489 Section 6.3: drop in silence */
};

struct stun_attribute {
	uint16_t type;
	uint16_t size;   /* of the value, without padding */
	uint16_t offset; /* of the value, from the start of the message */
};

struct stun_view {
	struct bytes raw;
	uint16_t method;
	uint8_t class; /* enum stun_class */
	bool has_fingerprint;
	bool classic; /* of RFC 3489: without the cookie */
	uint16_t attribute_count;
	uint16_t integrity_offset;        /* where the MESSAGE-INTEGRITY attribute's header starts; 0: none */
	uint16_t integrity_sha256_offset; /* the same for MESSAGE-INTEGRITY-SHA256 */
	struct stun_attribute attributes[STUN_VIEW_ATTRIBUTES];
};

/*
 * The entrance. On STUN_PARSED the whole view is valid; on STUN_MALFORMED raw, method, class (and with them the transaction
 * ID) are valid and there are no attributes; otherwise nothing is.
 */
enum stun_parse stun_view_parse(struct bytes datagram, struct stun_view *ret_view);

/*
 * The entrance for what stun_view_parse does not take for STUN and may be a message of RFC 3489, which had no cookie (RFC 8489
 * Section 11). There is less to tell it from anything else, so it is STUN_PARSED when all of it fits, and STUN_NOT_STUN otherwise.
 */
enum stun_parse stun_view_parse_classic(struct bytes datagram, struct stun_view *ret_view);

static inline const uint8_t *stun_view_transaction_id(const struct stun_view *view)
{
	return view->raw.data + 8;
}

/* What an answer echoes: STUN_CLASSIC_ID_SIZE bytes. */
static inline const uint8_t *stun_view_request_id(const struct stun_view *view)
{
	return view->raw.data + STUN_HEADER_SIZE - STUN_CLASSIC_ID_SIZE;
}

/* The first attribute of that type; NULL if there is none. */
const struct stun_attribute *stun_view_find(const struct stun_view *view, uint16_t type);
/* The next one of the same type after `previous`; NULL at the end. */
const struct stun_attribute *stun_view_next(const struct stun_view *view, const struct stun_attribute *previous);

static inline struct bytes stun_attribute_value(const struct stun_view *view, const struct stun_attribute *attribute)
{
	return bytes_of(view->raw.data + attribute->offset, attribute->size);
}

/* Typed values. False when the size or the contents do not fit the type; the output is then untouched. */
bool stun_attribute_u32(const struct stun_view *view, const struct stun_attribute *attribute, uint32_t *ret_value);
bool stun_attribute_xor_addr(const struct stun_view *view, const struct stun_attribute *attribute, struct addr *ret_addr);
/* CHANNEL-NUMBER: RFC 8656 Section 18.1; the two reserved bytes are ignored. */
bool stun_attribute_channel(const struct stun_view *view, const struct stun_attribute *attribute, uint16_t *ret_channel);

#endif
