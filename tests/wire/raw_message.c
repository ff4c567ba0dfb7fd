#include "raw_message.h"

#include <stdlib.h>

void raw_patch(struct raw_message *m, size_t offset, unsigned value)
{
	m->bytes[offset] = (uint8_t)(value >> 8);
	m->bytes[offset + 1] = (uint8_t)value;
}

void raw_begin(struct raw_message *m, uint16_t type)
{
	static const uint8_t rest[16] = {0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	raw_patch(m, 0, type);
	raw_patch(m, 2, 0);
	memcpy(m->bytes + 4, rest, sizeof rest);
	m->size = 20;
}

void raw_attribute(struct raw_message *m, uint16_t type, const void *value, size_t size)
{
	size_t padded = (size + 3) / 4 * 4;
	if (m->size + 4 + padded > sizeof m->bytes)
		abort();
	raw_patch(m, m->size, type);
	raw_patch(m, m->size + 2, (unsigned)size);
	memset(m->bytes + m->size + 4, 0, padded);
	if (size > 0)
		memcpy(m->bytes + m->size + 4, value, size);
	m->size += 4 + padded;
	raw_patch(m, 2, (unsigned)(m->size - 20));
}

uint32_t raw_crc32(const uint8_t *data, size_t size)
{
	uint32_t crc = 0xffffffff;
	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xedb88320 : 0);
	}
	return ~crc;
}

void raw_fingerprint(struct raw_message *m)
{
	size_t covered = m->size;
	raw_attribute(m, 0x8028, "\0\0\0\0", 4);
	uint32_t value = raw_crc32(m->bytes, covered) ^ 0x5354554e;
	raw_patch(m, covered + 4, value >> 16);
	raw_patch(m, covered + 6, value & 0xffff);
}
