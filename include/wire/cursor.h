/*
 * cursor - reading and writing bytes with a sticky error. The only pointer arithmetic over network bytes.
 *
 * After the first overrun every read gives 0 and every write does nothing; one check at the end tells. A sub-reader cannot see
 * its neighbours. Lengths are never computed by callers.
 */
#ifndef UTURN_WIRE_CURSOR_H
#define UTURN_WIRE_CURSOR_H

#include "base/bytes.h"

struct reader {
	const uint8_t *position, *end;
	bool failed;
};

struct writer {
	uint8_t *start, *position, *end;
	bool failed;
};

/* Inline, since the packet path reads through these. */

static inline struct reader reader_of(struct bytes bytes)
{
	/* C does not even allow adding zero to a null pointer. */
	const uint8_t *start = bytes.data != NULL ? bytes.data : (const uint8_t *)"";
	return (struct reader){.position = start, .end = start + bytes.size};
}

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->position);
}

/* `size` bytes where they lie; {NULL, 0} on overrun. */
static inline struct bytes reader_bytes(struct reader *r, size_t size)
{
	if (r->failed || size > reader_left(r)) {
		r->failed = true;
		return bytes_of(NULL, 0);
	}
	const uint8_t *start = r->position;
	r->position += size;
	return bytes_of(start, size);
}

static inline uint8_t reader_u8(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 1).data;
	if (p == NULL)
		return 0;
	return p[0];
}

static inline uint16_t reader_u16(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 2).data;
	if (p == NULL)
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t reader_u32(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 4).data;
	if (p == NULL)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Everything was read and nothing failed. */
static inline bool reader_done(const struct reader *r)
{
	return !r->failed && r->position == r->end;
}

struct writer writer_of(uint8_t *buffer, size_t size);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_bytes(struct writer *w, struct bytes bytes);
void writer_zeros(struct writer *w, size_t count);
/* Room for `size` bytes that the caller fills in; NULL on overrun. */
uint8_t *writer_reserve(struct writer *w, size_t size);
/* Overwrites two bytes written before, `offset` from the start. */
void writer_patch_u16(struct writer *w, size_t offset, uint16_t value);
static inline size_t writer_size(const struct writer *w)
{
	return (size_t)(w->position - w->start);
}

#endif
