/*
 * schedule - who is due next: a binary heap of players by the time of their next packet.
 *
 * Owns:    its array of fixed capacity. Threads: none.
 */
#ifndef UTURN_BENCH_LOAD_SCHEDULE_H
#define UTURN_BENCH_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule_entry {
	uint64_t due_ns;
	uint32_t player;
};

struct schedule {
	struct schedule_entry *entries; /* the one that is due first stands first */
	uint32_t count, capacity;
};

bool schedule_init(struct schedule *s, uint32_t capacity); /* false: out of memory */
void schedule_done(struct schedule *s);

/* There must be room. */
void schedule_add(struct schedule *s, uint32_t player, uint64_t due_ns);

/* The first entry is due again at due_ns. */
void schedule_postpone(struct schedule *s, uint64_t due_ns);

#endif
