#include "capture/message.h"

#include "wire/cursor.h"
#include "wire/stun_view.h"

enum {
	CHANNEL_DATA_PADDING_MAX = 3,
	RTP_HEADER_SIZE = 12,
	RTCP_HEADER_SIZE = 4,
	DTLS_HEADER_SIZE = 13,
	DTLS_UNIFIED_SIZE_MIN = 2 + 1 + 8, /* first byte and sequence number, content type, tag */
	COOKIE_END = 8,                    /* of a STUN header */
};

/* RFC 8489 Section 5: M11..M7 C1 M6..M4 C0 M3..M0 */
static uint16_t method_of(unsigned type)
{
	return (uint16_t)((type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2);
}

static enum stun_class class_of(unsigned type)
{
	return (enum stun_class)((type & 0x0010) >> 4 | (type & 0x0100) >> 7);
}

static uint16_t u16_at(struct bytes b, size_t offset)
{
	return (uint16_t)(b.data[offset] << 8 | b.data[offset + 1]);
}

/* True when nothing that was captured speaks against a STUN message of `size` bytes. */
static bool stun_fits(struct bytes captured, size_t size)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	if (captured.size == 0 || captured.data[0] > 3 || size < STUN_HEADER_SIZE || size % 4 != 0)
		return false;
	if (captured.size >= 4 && (size_t)u16_at(captured, 2) + STUN_HEADER_SIZE != size)
		return false;
	for (size_t i = 0; i < sizeof cookie && 4 + i < captured.size; i++)
		if (captured.data[4 + i] != cookie[i])
			return false;
	return true;
}

/* The version is 0xfe.. in a plaintext header; the unified header of DTLS 1.3 has none and may be short (RFC 9147 Section 4). */
static bool dtls_fits(struct bytes captured, size_t size)
{
	if (captured.data[0] >= 32)
		return size >= DTLS_UNIFIED_SIZE_MIN;
	return size >= DTLS_HEADER_SIZE && (captured.size < 2 || captured.data[1] == 0xfe);
}

enum capture_payload payload_read(struct bytes captured, size_t size)
{
	if (captured.size == 0)
		return PAYLOAD_OTHER;
	uint8_t first = captured.data[0];
	if (stun_fits(captured, size))
		return PAYLOAD_STUN;
	if (first >= 20 && first <= 63 && dtls_fits(captured, size))
		return PAYLOAD_DTLS;
	if (first < 128 || first > 191 || size < RTCP_HEADER_SIZE)
		return PAYLOAD_OTHER;
	/* RFC 5761 Section 4: RTCP packet types are 192 to 223. */
	if (captured.size >= 2 && captured.data[1] >= 192 && captured.data[1] <= 223)
		return PAYLOAD_RTCP;
	return size >= RTP_HEADER_SIZE ? PAYLOAD_RTP : PAYLOAD_OTHER;
}

/* `offset` may lie behind what was captured. */
static struct bytes captured_from(struct bytes captured, size_t offset, size_t size)
{
	if (offset >= captured.size)
		return bytes_of(NULL, 0);
	size_t left = captured.size - offset;
	return bytes_of(captured.data + offset, left < size ? left : size);
}

/* Returns false for a channel number, or a length, that rules ChannelData out. */
static bool read_channel_data(struct bytes captured, size_t size, struct message *m)
{
	uint8_t first = captured.data[0];
	if (first < CHANNEL_NUMBER_MIN >> 8 || first > CHANNEL_NUMBER_MAX >> 8 || size < CHANNEL_DATA_HEADER_SIZE)
		return false;
	m->sure = captured.size >= CHANNEL_DATA_HEADER_SIZE;
	/* Numbers beyond RFC 8656's share their first byte with QUIC: those need a length that fits. */
	if (!m->sure && first > 0x4f)
		return false;
	size_t data = size - CHANNEL_DATA_HEADER_SIZE, length = m->sure ? u16_at(captured, 2) : data;
	if (length > data || data - length > CHANNEL_DATA_PADDING_MAX)
		return false;
	m->kind = MESSAGE_CHANNEL_DATA;
	m->channel = captured.size >= 2 ? u16_at(captured, 0) : 0;
	m->size = (uint16_t)length;
	m->estimated = !m->sure;
	m->payload = payload_read(captured_from(captured, CHANNEL_DATA_HEADER_SIZE, length), length);
	return true;
}

/* An attribute that was captured whole is read as in any message; a view of a cut message cannot be had from stun_view_parse. */
static void take_address(struct bytes captured, struct stun_attribute attribute, struct message *m)
{
	if ((size_t)attribute.offset + attribute.size > captured.size)
		return;
	const struct stun_view view = {.raw = captured};
	if (attribute.type == STUN_ATTR_XOR_PEER_ADDRESS && m->peer.family == ADDR_NONE)
		stun_attribute_xor_addr(&view, &attribute, &m->peer);
	else if (attribute.type == STUN_ATTR_XOR_RELAYED_ADDRESS)
		stun_attribute_xor_addr(&view, &attribute, &m->relayed);
	else if (attribute.type == STUN_ATTR_CHANNEL_NUMBER)
		stun_attribute_channel(&view, &attribute, &m->channel);
}

struct walk {
	struct stun_attribute data; /* offset 0: not seen */
	bool peer_seen;             /* its header, that is */
	size_t end;                 /* `size` or beyond when no header is missing, else where the first one is that was cut off */
};

static struct walk walk_attributes(struct bytes captured, size_t size, struct message *m)
{
	struct walk walk = {.end = STUN_HEADER_SIZE};
	while (walk.end < size && walk.end + STUN_ATTRIBUTE_HEADER_SIZE <= captured.size) {
		struct stun_attribute attribute = {
			.type = u16_at(captured, walk.end),
			.size = u16_at(captured, walk.end + 2),
			.offset = (uint16_t)(walk.end + STUN_ATTRIBUTE_HEADER_SIZE),
		};
		if (attribute.type == STUN_ATTR_DATA && walk.data.offset == 0)
			walk.data = attribute;
		else
			take_address(captured, attribute, m);
		walk.peer_seen |= attribute.type == STUN_ATTR_XOR_PEER_ADDRESS;
		walk.end += STUN_ATTRIBUTE_HEADER_SIZE + ((size_t)attribute.size + 3) / 4 * 4;
	}
	return walk;
}

/* False for an indication that has no room for what it must have (RFC 8656 Sections 11.2 and 11.5: it is discarded). */
static bool read_indication(struct bytes captured, size_t size, enum addr_family family, struct message *m)
{
	struct walk walk = walk_attributes(captured, size, m);
	size_t address = walk.peer_seen ? 0 : family == ADDR_IPV6 ? 24 : 12;
	if (walk.data.offset != 0) {
		if (walk.data.offset + (size_t)walk.data.size > size || (walk.end >= size && !walk.peer_seen))
			return false;
		m->size = walk.data.size;
		m->payload = payload_read(captured_from(captured, walk.data.offset, walk.data.size), walk.data.size);
	} else {
		if (walk.end + address + STUN_ATTRIBUTE_HEADER_SIZE > size)
			return false;
		m->size = (uint16_t)(size - walk.end - address - STUN_ATTRIBUTE_HEADER_SIZE);
		m->estimated = true;
		m->payload = PAYLOAD_OTHER;
	}
	m->kind = MESSAGE_INDICATION;
	return true;
}

static void read_stun(struct bytes captured, size_t size, enum addr_family family, struct message *m)
{
	m->sure = captured.size >= COOKIE_END;
	m->kind = MESSAGE_STUN;
	m->payload = PAYLOAD_STUN;
	if (captured.size < 2) {
		m->class = STUN_REQUEST;
		return;
	}
	unsigned type = u16_at(captured, 0);
	m->method = method_of(type);
	m->class = class_of(type);
	if (captured.size >= STUN_HEADER_SIZE)
		m->transaction_id = captured.data + COOKIE_END;
	if (m->class == STUN_INDICATION && (m->method == STUN_SEND || m->method == STUN_DATA)) {
		if (!read_indication(captured, size, family, m))
			m->kind = MESSAGE_OTHER;
	} else {
		walk_attributes(captured, size, m);
	}
}

void message_read(struct bytes captured, size_t size, enum addr_family family, struct message *ret_message)
{
	struct message m = {.kind = MESSAGE_OTHER, .size = (uint16_t)size, .payload = PAYLOAD_OTHER};
	if (captured.size == 0 && size > 0) {
		m.kind = MESSAGE_UNSEEN;
	} else if (stun_fits(captured, size)) {
		read_stun(captured, size, family, &m);
	} else if (captured.size == 0 || !read_channel_data(captured, size, &m)) {
		m.payload = payload_read(captured, size);
	}
	*ret_message = m;
}

/* True when the next datagram of an aggregate may start at `offset`: what was captured of it looks like the first. */
static bool continues(struct bytes captured, size_t size, size_t offset)
{
	struct bytes next = captured_from(captured, offset, size - offset);
	if (captured.data[0] <= 3) {
		for (size_t i = 0; i < next.size && i < COOKIE_END; i++)
			if (i != 2 && i != 3 && next.data[i] != captured.data[i])
				return false;
		return size - offset >= STUN_HEADER_SIZE;
	}
	for (size_t i = 0; i < next.size && i < 2; i++)
		if (next.data[i] != captured.data[i])
			return false;
	return size - offset >= CHANNEL_DATA_HEADER_SIZE &&
	       (next.size < CHANNEL_DATA_HEADER_SIZE || (size_t)u16_at(next, 2) + CHANNEL_DATA_HEADER_SIZE <= size - offset);
}

size_t message_segment_size(struct bytes captured, size_t size)
{
	if (captured.size < CHANNEL_DATA_HEADER_SIZE)
		return size;
	uint8_t first = captured.data[0];
	size_t length = u16_at(captured, 2), segment = size;
	if (first <= 3 && captured.size >= COOKIE_END)
		segment = STUN_HEADER_SIZE + length;
	else if (first >= CHANNEL_NUMBER_MIN >> 8 && first <= CHANNEL_NUMBER_MAX >> 8 && length > 0)
		segment = CHANNEL_DATA_HEADER_SIZE + length;
	if (segment >= size || size - segment <= CHANNEL_DATA_PADDING_MAX)
		return size;
	bool stun_first = first > 3 || stun_fits(captured_from(captured, 0, segment), segment);
	return stun_first && continues(captured, size, segment) ? segment : size;
}
