#include "crypto/integrity.h"

#include <assert.h>

#include "crypto/mac.h"

enum { LENGTH_OFFSET = 2, LENGTH_END = 4 };
_Static_assert((int)SHA1_SIZE == (int)STUN_INTEGRITY_SHA1_SIZE, "RFC 8489 Section 14.5");

enum integrity integrity_kind(const struct stun_view *view)
{
	return view->integrity_offset ? INTEGRITY_SHA1 : INTEGRITY_NONE;
}

static bool verify_sha1(const struct stun_view *view, struct bytes key)
{
	const struct stun_attribute *attribute = stun_view_find(view, STUN_ATTR_MESSAGE_INTEGRITY);
	if (!attribute || attribute->size != SHA1_SIZE)
		return false;
	size_t start = (size_t)attribute->offset - STUN_ATTRIBUTE_HEADER_SIZE, end = (size_t)attribute->offset + SHA1_SIZE;
	assert(start == view->integrity_offset);
	assert(start >= STUN_HEADER_SIZE);
	assert(end <= view->raw.size);

	/* RFC 8489 Section 14.5: the length field hashed is that of a message which ends with this attribute. */
	size_t length = end - STUN_HEADER_SIZE;
	const uint8_t length_field[] = {(uint8_t)(length >> 8), (uint8_t)length};
	const struct bytes parts[] = {
		bytes_of(view->raw.data, LENGTH_OFFSET),
		bytes_of(length_field, sizeof length_field),
		bytes_of(view->raw.data + LENGTH_END, start - LENGTH_END),
	};
	uint8_t mac[SHA1_SIZE];
	hmac_sha1_parts(key, parts, sizeof parts / sizeof *parts, mac);
	return bytes_equal_constant_time(mac, view->raw.data + attribute->offset, SHA1_SIZE);
}

bool integrity_verify(const struct stun_view *view, enum integrity kind, struct bytes key)
{
	switch (kind) {
	case INTEGRITY_SHA1:
		return verify_sha1(view, key);
	case INTEGRITY_NONE:
		return false;
	}
	return false;
}

void integrity_append(struct stun_builder *b, enum integrity kind, struct bytes key)
{
	if (kind == INTEGRITY_NONE)
		return;
	struct bytes covered;
	uint8_t *mac = stun_build_integrity_begin(b, STUN_ATTR_MESSAGE_INTEGRITY, SHA1_SIZE, &covered);
	if (mac)
		hmac_sha1(key, covered, mac);
}
