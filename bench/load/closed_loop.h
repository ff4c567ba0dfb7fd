/*
 * closed_loop - a flood without a rate: every stream has at most a window of packets under way and sends a burst whenever it fits.
 * HOT.
 *
 * What has not come back after CLOSED_LOOP_PATIENCE_NS since a stream sent last is given up, so that a server that loses packets
 * goes on being loaded. Packets that a later one overtook are not waited for.
 */
#ifndef UTURN_BENCH_LOAD_CLOSED_LOOP_H
#define UTURN_BENCH_LOAD_CLOSED_LOOP_H

#include "load/worker.h"

#define CLOSED_LOOP_PATIENCE_NS UINT64_C(20000000)

/* All streams that the plan sends on wait for their first burst. */
void closed_loop_init(struct worker *w);

/* Packets have come back: the stream takes its turn when a burst fits. */
void closed_loop_top_up(struct worker *w, struct path *path, enum direction direction);

/* Sends a burst for each of a few streams that have room, and gives up what took too long. Returns when to be called again. */
uint64_t closed_loop_work(struct worker *w, uint64_t now_ns);

#endif
