#include "wire/stun_view.h"

#include <assert.h>

#include "attribute_walk.h"

/* RFC 8489 Section 5: M11..M7 C1 M6..M4 C0 M3..M0 */
static uint16_t method_of(uint16_t type)
{
	return (uint16_t)((type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2);
}

static uint8_t class_of(uint16_t type)
{
	return (uint8_t)((type & 0x0010) >> 4 | (type & 0x0100) >> 7);
}

static enum stun_parse index_attributes(struct stun_view *view)
{
	struct attribute_walk walk = attribute_walk_start(view->raw);
	struct attribute attribute = {0};
	enum attribute_step step;
	while ((step = attribute_walk_next(&walk, &attribute)) == ATTRIBUTE) {
		uint16_t offset = (uint16_t)(attribute.value.data - view->raw.data);
		uint16_t header_offset = (uint16_t)(offset - STUN_ATTRIBUTE_HEADER_SIZE);
		if (attribute.type == STUN_ATTR_MESSAGE_INTEGRITY)
			view->integrity_offset = header_offset;
		else if (attribute.type == STUN_ATTR_MESSAGE_INTEGRITY_SHA256)
			view->integrity_sha256_offset = header_offset;
		view->attributes[view->attribute_count++] = (struct stun_attribute){
			.type = attribute.type,
			.size = (uint16_t)attribute.value.size,
			.offset = offset,
		};
	}
	if (step == ATTRIBUTES_MALFORMED)
		return STUN_MALFORMED;
	view->has_fingerprint = walk.fingerprint_seen;
	if (walk.fingerprint_seen && !fingerprint_right(view->raw, attribute.value))
		return STUN_BAD_FINGERPRINT;
	return STUN_PARSED;
}

static enum stun_parse parse(struct bytes datagram, bool classic, struct stun_view *ret_view)
{
	if (!stun_header_is(datagram, classic))
		return STUN_NOT_STUN;
	struct reader header = reader_of(datagram);
	uint16_t type = reader_u16(&header);

	ret_view->raw = datagram;
	ret_view->method = method_of(type);
	ret_view->class = class_of(type);
	ret_view->has_fingerprint = false;
	ret_view->classic = classic;
	ret_view->attribute_count = 0;
	ret_view->integrity_offset = 0;
	ret_view->integrity_sha256_offset = 0;
	/* A stream can carry 20 + 65532 bytes, which offsets of 16 bits would not reach; nothing of use is that large. */
	enum stun_parse result = datagram.size <= UINT16_MAX ? index_attributes(ret_view) : STUN_MALFORMED;
	if (result == STUN_MALFORMED) {
		ret_view->attribute_count = 0;
		ret_view->integrity_offset = 0;
		ret_view->integrity_sha256_offset = 0;
	}
	return result;
}

enum stun_parse stun_view_parse(struct bytes datagram, struct stun_view *ret_view)
{
	return parse(datagram, false, ret_view);
}

enum stun_parse stun_view_parse_classic(struct bytes datagram, struct stun_view *ret_view)
{
	return parse(datagram, true, ret_view) == STUN_PARSED ? STUN_PARSED : STUN_NOT_STUN;
}

static const struct stun_attribute *find_from(const struct stun_view *view, const struct stun_attribute *from, uint16_t type)
{
	for (const struct stun_attribute *a = from; a < view->attributes + view->attribute_count; a++)
		if (a->type == type)
			return a;
	return NULL;
}

const struct stun_attribute *stun_view_find(const struct stun_view *view, uint16_t type)
{
	return find_from(view, view->attributes, type);
}

const struct stun_attribute *stun_view_next(const struct stun_view *view, const struct stun_attribute *previous)
{
	assert(previous >= view->attributes && previous < view->attributes + view->attribute_count);
	return find_from(view, previous + 1, previous->type);
}

bool stun_attribute_u32(const struct stun_view *view, const struct stun_attribute *attribute, uint32_t *ret_value)
{
	struct reader r = reader_of(stun_attribute_value(view, attribute));
	uint32_t value = reader_u32(&r);
	if (!reader_done(&r))
		return false;
	*ret_value = value;
	return true;
}

bool stun_xor_addr_read(struct bytes value, const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE], struct addr *ret_addr)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	struct reader r = reader_of(value);
	reader_u8(&r); /* ignored on receipt */
	uint8_t family = reader_u8(&r);
	struct addr addr = {.port = reader_u16(&r) ^ (STUN_MAGIC_COOKIE >> 16)};
	if (family == STUN_FAMILY_IPV4)
		addr.family = ADDR_IPV4;
	else if (family == STUN_FAMILY_IPV6)
		addr.family = ADDR_IPV6;
	unsigned size = addr_ip_size(&addr);
	struct bytes ip = reader_bytes(&r, size);
	if (!reader_done(&r) || size == 0)
		return false;
	for (unsigned i = 0; i < size; i++)
		addr.ip[i] = ip.data[i] ^ (i < sizeof cookie ? cookie[i] : transaction_id[i - sizeof cookie]);
	*ret_addr = addr;
	return true;
}

bool stun_attribute_xor_addr(const struct stun_view *view, const struct stun_attribute *attribute, struct addr *ret_addr)
{
	return stun_xor_addr_read(stun_attribute_value(view, attribute), stun_view_transaction_id(view), ret_addr);
}

bool stun_attribute_channel(const struct stun_view *view, const struct stun_attribute *attribute, uint16_t *ret_channel)
{
	struct reader r = reader_of(stun_attribute_value(view, attribute));
	uint16_t channel = reader_u16(&r);
	reader_u16(&r); /* RFFU: ignored on receipt */
	if (!reader_done(&r))
		return false;
	*ret_channel = channel;
	return true;
}
