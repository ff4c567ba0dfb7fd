#include "measure/tracker.h"

#include <string.h>

_Static_assert((TRACKER_WINDOW & (TRACKER_WINDOW - 1)) == 0, "the window divides 2^32: places stay the same across the wrap");

static uint64_t *word_of(struct tracker *t, uint32_t sequence)
{
	return &t->seen[sequence % TRACKER_WINDOW / 64];
}

static uint64_t bit_of(uint32_t sequence)
{
	return UINT64_C(1) << (sequence % 64);
}

/* The places of the numbers that were skipped still tell of a whole window earlier. */
static void forget(struct tracker *t, uint32_t first, uint32_t count)
{
	if (count >= TRACKER_WINDOW) {
		memset(t->seen, 0, sizeof t->seen);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		*word_of(t, first + i) &= ~bit_of(first + i);
}

enum arrival tracker_record(struct tracker *t, uint32_t sequence)
{
	uint32_t ahead = sequence - t->next;
	if (ahead < UINT32_C(1) << 31) {
		forget(t, t->next, ahead);
		*word_of(t, sequence) |= bit_of(sequence);
		t->next = sequence + 1;
		return ARRIVAL_IN_ORDER;
	}
	uint32_t behind = t->next - sequence;
	if (behind > TRACKER_WINDOW)
		return ARRIVAL_STALE;
	uint64_t *word = word_of(t, sequence), bit = bit_of(sequence);
	if (*word & bit)
		return ARRIVAL_DUPLICATE;
	*word |= bit;
	return ARRIVAL_REORDERED;
}
