/*
 * tracker - tells lost, duplicated and reordered packets of one stream apart by their sequence numbers.
 *
 * Owns:   a window over the last TRACKER_WINDOW sequence numbers. A packet is reordered when a later one arrived before it (RFC
 *         4737, section 3); what falls behind the window can no longer be told from a duplicate and is stale: counted by itself,
 *         not delivered. A number is ahead when it is less than 2^31 above the next one, and behind otherwise.
 * Threads: none.
 */
#ifndef UTURN_BENCH_MEASURE_TRACKER_H
#define UTURN_BENCH_MEASURE_TRACKER_H

#include <stdint.h>

enum { TRACKER_WINDOW = 4096 };

enum arrival { ARRIVAL_IN_ORDER, ARRIVAL_REORDERED, ARRIVAL_DUPLICATE, ARRIVAL_STALE };

/* Zeroed is empty: the first sequence number of a stream is 0. Sequence numbers wrap at 2^32. */
struct tracker {
	uint32_t next; /* one above the highest seen */
	uint64_t seen[TRACKER_WINDOW / 64];
};

enum arrival tracker_record(struct tracker *t, uint32_t sequence);

#endif
