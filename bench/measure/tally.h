/*
 * tally - what is counted of the packets of one direction: one per worker and direction while a load runs, added up afterwards.
 *
 * Counts packets that were *sent inside the measured window* only, whenever they arrived: delivered + lost == sent.
 *
 * Threads: one recorder; the progress line reads beside it (relaxed atomics).
 */
#ifndef UTURN_BENCH_MEASURE_TALLY_H
#define UTURN_BENCH_MEASURE_TALLY_H

#include "measure/histogram.h"

struct tally {
	_Atomic uint64_t sent, sent_bytes;           /* given to the kernel; application payload, without TURN framing */
	_Atomic uint64_t delivered, delivered_bytes; /* each sequence number once, intact */
	_Atomic uint64_t duplicated, reordered, corrupted, stale;
	_Atomic uint64_t unsent;  /* the loader's own socket was full: not counted as sent */
	struct histogram latency; /* one way: from just before the send call to the kernel's stamp of the arrival */
	struct histogram
		jitter; /* |difference of the latencies of two packets of a stream that arrived in turn| (RFC 3550, 6.4.1) */
	struct histogram lateness; /* paced loads: how long after its time a packet was sent; the loader's own fault */
};

/* By the recorder only; plain machine code, no locked instruction. */
static inline void tally_count(_Atomic uint64_t *counter, uint64_t amount)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount, memory_order_relaxed);
}

static inline uint64_t tally_read(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void tally_reset(struct tally *t);
void tally_add(struct tally *into, const struct tally *from);

/* sent - delivered; 0 where more arrived than the window sent (cannot happen, but never wraps). */
uint64_t tally_lost(const struct tally *t);

#endif
