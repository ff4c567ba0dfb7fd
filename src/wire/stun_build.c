#include "wire/stun_build.h"

#include <assert.h>

#include "wire/crc32.h"

enum { LENGTH_OFFSET = 2, LENGTH_MAX = 65532, MESSAGE_SIZE_MAX = STUN_HEADER_SIZE + LENGTH_MAX };
_Static_assert(DATA_INDICATION_HEADER_MAX - STUN_HEADER_SIZE + DATA_INDICATION_DATA_MAX <= LENGTH_MAX, "the length has 16 bits");
_Static_assert(DATA_INDICATION_DATA_MAX % 4 == 0, "padding included");

static const uint8_t cookie_bytes[4] = {0x21, 0x12, 0xa4, 0x42};

/* RFC 8489 Section 5: M11..M7 C1 M6..M4 C0 M3..M0 */
static uint16_t message_type(unsigned method, unsigned class)
{
	return (uint16_t)((method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2 | (class & 1) << 4 |
			  (class & 2) << 7);
}

struct stun_builder stun_build_answer(uint8_t *buffer, size_t size, enum stun_method method, enum stun_class class,
	const uint8_t request_id[static STUN_CLASSIC_ID_SIZE])
{
	struct stun_builder b = {.writer = writer_of(buffer, size)};
	writer_u16(&b.writer, message_type(method, class));
	writer_u16(&b.writer, 0); /* the length: patched at the end */
	writer_bytes(&b.writer, bytes_of(request_id, STUN_CLASSIC_ID_SIZE));
	return b;
}

struct stun_builder stun_build(uint8_t *buffer, size_t size, enum stun_method method, enum stun_class class,
	const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE])
{
	uint8_t id[STUN_CLASSIC_ID_SIZE];
	memcpy(id, cookie_bytes, sizeof cookie_bytes);
	memcpy(id + sizeof cookie_bytes, transaction_id, STUN_TRANSACTION_ID_SIZE);
	return stun_build_answer(buffer, size, method, class, id);
}

static void patch_length(struct stun_builder *b, size_t message_size)
{
	if (message_size > MESSAGE_SIZE_MAX)
		b->writer.failed = true;
	else
		writer_patch_u16(&b->writer, LENGTH_OFFSET, (uint16_t)(message_size - STUN_HEADER_SIZE));
}

static void attribute_header(struct stun_builder *b, uint16_t type, size_t size)
{
	if (size > UINT16_MAX)
		b->writer.failed = true;
	writer_u16(&b->writer, type);
	writer_u16(&b->writer, (uint16_t)size);
}

static void pad(struct stun_builder *b)
{
	writer_zeros(&b->writer, -writer_size(&b->writer) % 4);
}

void stun_build_bytes(struct stun_builder *b, uint16_t type, struct bytes value)
{
	attribute_header(b, type, value.size);
	writer_bytes(&b->writer, value);
	pad(b);
}

void stun_build_u32(struct stun_builder *b, uint16_t type, uint32_t value)
{
	attribute_header(b, type, sizeof value);
	writer_u32(&b->writer, value);
}

/* RFC 8489 Section 14.2. Returns the size of the value: 8 or 20. */
static inline unsigned xor_addr_value(
	uint8_t value[static 20], const struct addr *addr, const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE])
{
	unsigned ip_size = addr_ip_size(addr);
	assert(ip_size != 0);
	value[0] = 0;
	value[1] = ip_size == 4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6;
	value[2] = (uint8_t)(addr->port >> 8) ^ cookie_bytes[0];
	value[3] = (uint8_t)addr->port ^ cookie_bytes[1];
	for (unsigned i = 0; i < 4; i++)
		value[4 + i] = addr->ip[i] ^ cookie_bytes[i];
	for (unsigned i = 4; i < ip_size; i++)
		value[4 + i] = addr->ip[i] ^ transaction_id[i - 4];
	return 4 + ip_size;
}

void stun_build_xor_addr(struct stun_builder *b, uint16_t type, const struct addr *addr)
{
	if (b->writer.failed)
		return;
	uint8_t value[20];
	unsigned size = xor_addr_value(value, addr, b->writer.start + 8);
	stun_build_bytes(b, type, bytes_of(value, size));
}

void stun_build_addr(struct stun_builder *b, uint16_t type, const struct addr *addr)
{
	unsigned ip_size = addr_ip_size(addr);
	assert(ip_size != 0);
	attribute_header(b, type, 4 + ip_size);
	writer_u8(&b->writer, 0);
	writer_u8(&b->writer, ip_size == 4 ? STUN_FAMILY_IPV4 : STUN_FAMILY_IPV6);
	writer_u16(&b->writer, addr->port);
	writer_bytes(&b->writer, bytes_of(addr->ip, ip_size));
}

void stun_build_error_code(struct stun_builder *b, enum stun_error error, struct bytes reason)
{
	assert(error >= 300 && error <= 699); /* RFC 8489 Section 14.8 */
	attribute_header(b, STUN_ATTR_ERROR_CODE, 4 + reason.size);
	writer_u16(&b->writer, 0);
	writer_u8(&b->writer, (uint8_t)(error / 100));
	writer_u8(&b->writer, (uint8_t)(error % 100));
	writer_bytes(&b->writer, reason);
	pad(b);
}

void stun_build_unknown_attributes(struct stun_builder *b, const uint16_t *types, size_t count)
{
	attribute_header(b, STUN_ATTR_UNKNOWN_ATTRIBUTES, count * 2);
	for (size_t i = 0; i < count; i++)
		writer_u16(&b->writer, types[i]);
	pad(b);
}

uint8_t *stun_build_integrity_begin(struct stun_builder *b, uint16_t type, size_t mac_size, struct bytes *ret_covered)
{
	assert(mac_size % 4 == 0);
	size_t covered = writer_size(&b->writer);
	attribute_header(b, type, mac_size);
	uint8_t *mac = writer_reserve(&b->writer, mac_size);
	if (mac == NULL)
		return NULL;
	memset(mac, 0, mac_size);
	patch_length(b, writer_size(&b->writer));
	if (b->writer.failed)
		return NULL;
	*ret_covered = bytes_of(b->writer.start, covered);
	return mac;
}

void stun_build_fingerprint(struct stun_builder *b)
{
	size_t covered = writer_size(&b->writer);
	/* RFC 8489 Section 14.7: the CRC covers a length that counts this attribute. */
	patch_length(b, covered + STUN_ATTRIBUTE_HEADER_SIZE + STUN_FINGERPRINT_SIZE);
	stun_build_u32(
		b, STUN_ATTR_FINGERPRINT, b->writer.failed ? 0 : crc32(bytes_of(b->writer.start, covered)) ^ STUN_FINGERPRINT_XOR);
}

struct bytes stun_build_end(struct stun_builder *b)
{
	size_t size = writer_size(&b->writer);
	patch_length(b, size);
	if (b->writer.failed)
		return bytes_of(NULL, 0);
	assert(size % 4 == 0);
	return bytes_of(b->writer.start, size);
}

static inline void store_u16(uint8_t *p, unsigned value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

unsigned stun_data_indication_header(uint8_t header[static DATA_INDICATION_HEADER_MAX], const struct addr *peer, uint16_t data_size,
	const uint8_t transaction_id[static STUN_TRANSACTION_ID_SIZE])
{
	if (data_size > DATA_INDICATION_DATA_MAX)
		return 0;
	uint8_t *value = header + STUN_HEADER_SIZE + STUN_ATTRIBUTE_HEADER_SIZE;
	unsigned value_size = xor_addr_value(value, peer, transaction_id);
	unsigned header_size = STUN_HEADER_SIZE + STUN_ATTRIBUTE_HEADER_SIZE + value_size + STUN_ATTRIBUTE_HEADER_SIZE;
	unsigned padded_data = (data_size + 3u) & ~3u;

	store_u16(header, message_type(STUN_DATA, STUN_INDICATION));
	store_u16(header + LENGTH_OFFSET, header_size - STUN_HEADER_SIZE + padded_data);
	memcpy(header + 4, cookie_bytes, sizeof cookie_bytes);
	memcpy(header + 8, transaction_id, STUN_TRANSACTION_ID_SIZE);
	store_u16(value - STUN_ATTRIBUTE_HEADER_SIZE, STUN_ATTR_XOR_PEER_ADDRESS);
	store_u16(value - 2, value_size);
	store_u16(value + value_size, STUN_ATTR_DATA);
	store_u16(value + value_size + 2, data_size);
	return header_size;
}
