/*
 * streams - how the packets of a script follow each other: sizes and bursts per stream, the script's length.
 */
#ifndef UTURN_BENCH_CAPTURE_STREAMS_H
#define UTURN_BENCH_CAPTURE_STREAMS_H

#include "capture/capture.h"

/* Fills size_p50 … follows_1ms_same_size of every stream. False: no memory. */
bool streams_measure(const struct script *s, struct capture_path *paths);

/*
 * From the first packet to the last and the mean gap between two, so that a loop keeps the rate. A second for a script that has
 * no gap: one packet, or all at the same time. The packets are at least one.
 */
uint64_t streams_loop_ns(const struct script *s);

/* The longest time without a packet. */
uint64_t streams_gap_max_ns(const struct script *s);

#endif
