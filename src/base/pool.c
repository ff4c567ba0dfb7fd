#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

/* Slots first (the mapping starts on a page), then the two arrays of numbers. False when the sum does not fit into size_t. */
static bool mapping_size(size_t slot_size, uint32_t capacity, size_t *ret_size)
{
	size_t per_slot;
	return !__builtin_add_overflow(slot_size, 2 * sizeof(uint32_t), &per_slot) &&
	       !__builtin_mul_overflow(per_slot, (size_t)capacity, ret_size);
}

int pool_init(struct pool *pool, size_t slot_size, uint32_t capacity)
{
	assert(slot_size > 0 && slot_size < SIZE_MAX - 15);
	assert(capacity > 0 && capacity < POOL_NONE);
	slot_size = (slot_size + 15) & ~(size_t)15;
	size_t size;
	if (!mapping_size(slot_size, capacity, &size))
		return -ENOMEM;
	void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mapping == MAP_FAILED)
		return -ENOMEM;
	uint32_t *numbers = (uint32_t *)((uint8_t *)mapping + slot_size * capacity);
	*pool = (struct pool){
		.slots = mapping,
		.generations = numbers,
		.free_slots = numbers + capacity,
		.slot_size = slot_size,
		.capacity = capacity,
	};
	return 0;
}

void pool_done(struct pool *pool)
{
	size_t size;
	if (pool->slots != NULL && mapping_size(pool->slot_size, pool->capacity, &size))
		munmap(pool->slots, size);
	*pool = (struct pool){0};
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t slot;
	if (pool->free_count > 0) {
		slot = pool->free_slots[--pool->free_count];
		memset(pool_at(pool, slot), 0, pool->slot_size);
	} else if (pool->fresh < pool->capacity) {
		slot = pool->fresh++; /* the kernel zeroed it */
	} else {
		return POOL_NONE;
	}
	pool->used++;
	return slot;
}

void pool_give(struct pool *pool, uint32_t slot)
{
	assert(slot < pool->fresh);
	assert(pool->used > 0);
	assert(pool->free_count < pool->fresh);
	pool->generations[slot]++;
	pool->free_slots[pool->free_count++] = slot;
	pool->used--;
}
