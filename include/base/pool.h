/*
 * pool - a fixed number of equally sized slots, taken and given back by number.
 *
 * Every slot has a generation that grows when it is given back, so that a reference kept too long is recognised.
 * The most recently returned slot is taken first: the working set stays small, untouched slots cost no memory.
 *
 * Owns:     one anonymous mapping made at start. Slots come zeroed from pool_take.
 * Threads:  one.
 */
#ifndef UTURN_BASE_POOL_H
#define UTURN_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_NONE UINT32_MAX

struct pool {
	uint8_t *slots;
	uint32_t *generations;
	uint32_t *free_slots; /* a stack of the slots that were given back */
	size_t slot_size;
	uint32_t capacity;
	uint32_t used;
	uint32_t free_count;
	uint32_t fresh; /* slots from here on were never taken */
};

/* 0, or -ENOMEM. slot_size is rounded up to a multiple of 16. */
int pool_init(struct pool *pool, size_t slot_size, uint32_t capacity) __attribute__((warn_unused_result));
void pool_done(struct pool *pool);

/* A zeroed slot, or POOL_NONE when all are taken. */
uint32_t pool_take(struct pool *pool);

/* `slot` must be taken. Its generation grows. */
void pool_give(struct pool *pool, uint32_t slot);

static inline void *pool_at(const struct pool *pool, uint32_t slot)
{
	return pool->slots + (size_t)slot * pool->slot_size;
}

static inline uint32_t pool_generation(const struct pool *pool, uint32_t slot)
{
	return pool->generations[slot];
}

#endif
