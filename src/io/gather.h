/*
 * gather - whether the next turn should let packets gather for a moment instead of taking the first one that comes.
 *
 * A turn that finds more packets joins more of them into one train, and spreads its own cost over more. Waiting for them costs all
 * of them delay, so nobody waits while the core has room. Near its limit it is the other way round: an engine that never waits is
 * always a little early, busy all the time with short trains (docs/decisions/0012).
 *
 * Judged every GATHER_WINDOW_NS by the share of the core that the thread used. Who waits needs less of it, so the share that ends
 * the waiting is lower than the one that begins it. Trains that go to a few destinations only are not worth waiting for: then one
 * client's flood would set the delay of everybody.
 *
 * A value type; no clock of its own.
 */
#ifndef UTURN_IO_GATHER_H
#define UTURN_IO_GATHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "io/train.h"

enum {
	GATHER_NS = 100 * 1000,
	GATHER_RATE = 40 * 1000,   /* datagrams and aggregates a second; below, nothing is judged */
	GATHER_ENOUGH = 64,        /* as many at once are a good batch */
	GATHER_BEGIN_PERCENT = 70, /* of the core */
	GATHER_END_PERCENT = 60,
	GATHER_SENDS_MIN = 4, /* a turn */
};
#define GATHER_WINDOW_NS (2 * NS_PER_MS)
#define GATHER_RETRY_NS (10 * NS_PER_S) /* after waiting was not worth it */

/* Zero-initialise it. */
struct gather {
	uint64_t window_ns; /* when counting started */
	uint64_t cpu_ns;    /* the thread's processor time then; 0: unknown */
	uint64_t retry_ns;
	uint32_t received, sends, turns; /* since then */
	bool waiting;
	bool enough; /* in the last turn: more patience would bring nothing */
};

/* A turn brought so many datagrams and aggregates, of so many bytes in all. True when it is time for gather_judge. */
bool gather_count(struct gather *gather, uint32_t received, uint64_t bytes, uint64_t now_ns);

/* So many sends went to the kernel. */
static inline void gather_sent(struct gather *gather, uint32_t sends)
{
	gather->sends += sends;
}

/* The window is over; cpu_ns: the thread's processor time so far. */
void gather_judge(struct gather *gather, uint64_t cpu_ns, uint64_t now_ns);

/* How long the next turn should let packets gather; 0: not at all. */
static inline uint64_t gather_wait_ns(const struct gather *gather)
{
	return gather->waiting && !gather->enough ? GATHER_NS : 0;
}

#endif
