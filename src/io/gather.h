/*
 * gather - whether the next turn should let packets gather for a moment instead of taking the first one that comes.
 *
 * Under load an engine that never waits is always a little early: it takes two or three packets, sends short trains, and is back
 * before the next ones have come, busy all the time. Tens of microseconds of patience make the batches, and with them the trains,
 * several times as long (docs/decisions/0010). Below GATHER_RATE nobody waits, and neither does who finds batches large already, or
 * aggregates so long that two of them do not fit into one train.
 *
 * A value type; no clock of its own.
 */
#ifndef UTURN_IO_GATHER_H
#define UTURN_IO_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "io/train.h"

enum {
	GATHER_NS = 50 * 1000,
	GATHER_RATE = 40 * 1000, /* datagrams and aggregates a second: two in GATHER_NS */
	GATHER_ENOUGH = 64,      /* as many at once are a good batch */
};

/* Zero-initialise it. */
struct gather {
	uint64_t window_ns; /* when counting started */
	uint32_t received;  /* since then */
	bool enough;        /* in the last turn: more patience would bring nothing */
	bool busy;          /* as of the last window */
};

/* A turn brought so many datagrams and aggregates, of so many bytes in all. */
void gather_count(struct gather *gather, uint32_t received, uint64_t bytes, uint64_t now_ns);

/* How long the next turn should let packets gather; 0: not at all. */
static inline uint64_t gather_wait_ns(const struct gather *gather)
{
	return gather->busy && !gather->enough ? GATHER_NS : 0;
}

#endif
