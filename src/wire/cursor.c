#include "wire/cursor.h"

#include <assert.h>

struct writer writer_of(uint8_t *buffer, size_t size)
{
	return (struct writer){.start = buffer, .position = buffer, .end = buffer + size};
}

uint8_t *writer_reserve(struct writer *w, size_t size)
{
	if (w->failed || size > (size_t)(w->end - w->position)) {
		w->failed = true;
		return NULL;
	}
	uint8_t *start = w->position;
	w->position += size;
	return start;
}

void writer_u8(struct writer *w, uint8_t value)
{
	uint8_t *p = writer_reserve(w, 1);
	if (p != NULL)
		p[0] = value;
}

static void store_u16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

void writer_u16(struct writer *w, uint16_t value)
{
	uint8_t *p = writer_reserve(w, 2);
	if (p != NULL)
		store_u16(p, value);
}

void writer_u32(struct writer *w, uint32_t value)
{
	uint8_t *p = writer_reserve(w, 4);
	if (p == NULL)
		return;
	store_u16(p, (uint16_t)(value >> 16));
	store_u16(p + 2, (uint16_t)value);
}

void writer_bytes(struct writer *w, struct bytes bytes)
{
	uint8_t *p = writer_reserve(w, bytes.size);
	if (p != NULL && bytes.size > 0)
		memcpy(p, bytes.data, bytes.size);
}

void writer_zeros(struct writer *w, size_t count)
{
	uint8_t *p = writer_reserve(w, count);
	if (p != NULL)
		memset(p, 0, count);
}

void writer_patch_u16(struct writer *w, size_t offset, uint16_t value)
{
	if (w->failed)
		return;
	assert(offset + 2 <= writer_size(w));
	store_u16(w->start + offset, value);
}
