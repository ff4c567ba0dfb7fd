/*
 * map - from a 64-bit keyed hash to slot numbers: open addressing, linear probing, fixed capacity.
 *
 * The map knows hashes and slot numbers only. Two keys may share a hash, so the caller walks the candidates and compares:
 *
 *	for (uint32_t s = map_first(m, hash, &it); s != MAP_NONE; s = map_next(m, hash, &it))
 *		if (key_equal(slot(s), key))
 *			return s;
 *
 * Owns:     its table: one anonymous mapping made at start; pages cost memory only once they are used.
 * Bounds:   at most `capacity` entries; the table has at least twice as many places. Nothing is allocated later.
 * Threads:  one.
 */
#ifndef UTURN_BASE_MAP_H
#define UTURN_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define MAP_NONE UINT32_MAX

/*
 * The low half of the hash is all that is kept: it gives the place and tells nearly all strangers, and eight entries fit into a
 * cache line. Keys that differ only in the upper half are candidates of each other.
 */
struct map_entry {
	uint32_t hash;
	uint32_t value_plus_1; /* 0: the place is empty, so a fresh mapping is an empty table */
};

struct map {
	struct map_entry *entries;
	uint32_t mask; /* places - 1; places is a power of two */
	uint32_t used;
	uint32_t capacity;
};

enum { MAP_CAPACITY_MAX = 1 << 30 };

/* 0, or -ENOMEM. `capacity` is at most MAP_CAPACITY_MAX. */
int map_init(struct map *map, uint32_t capacity) __attribute__((warn_unused_result));
void map_done(struct map *map);

/* Private: the first entry with this hash from `place` on. Ends, because at least half of the places are empty. */
static inline uint32_t map_walk(const struct map *map, uint64_t hash, uint32_t place, uint32_t *it)
{
	for (;; place++) {
		const struct map_entry *entry = &map->entries[place & map->mask];
		if (entry->value_plus_1 == 0)
			return MAP_NONE;
		if (entry->hash == (uint32_t)hash) {
			*it = place;
			return entry->value_plus_1 - 1;
		}
	}
}

/* The candidates for `hash`, in no particular order; MAP_NONE when there is none (left). *it is the walk's own state. */
static inline uint32_t map_first(const struct map *map, uint64_t hash, uint32_t *it)
{
	return map_walk(map, hash, (uint32_t)hash, it);
}

static inline uint32_t map_next(const struct map *map, uint64_t hash, uint32_t *it)
{
	return map_walk(map, hash, *it + 1, it);
}

/* `value` must not be MAP_NONE. False when the map is full. */
bool map_insert(struct map *map, uint64_t hash, uint32_t value) __attribute__((warn_unused_result));

/* Removes the one entry with this hash and this value; false if there is none. Invalidates walks. */
bool map_remove(struct map *map, uint64_t hash, uint32_t value);

#endif
