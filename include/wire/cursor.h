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

struct reader reader_of(struct bytes bytes);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
/* `size` bytes where they lie; {NULL, 0} on overrun. */
struct bytes reader_bytes(struct reader *r, size_t size);
static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->position);
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
/* Overwrites two bytes written before, `offset` from the start. */
void writer_patch_u16(struct writer *w, size_t offset, uint16_t value);
static inline size_t writer_size(const struct writer *w)
{
	return (size_t)(w->position - w->start);
}

#endif
