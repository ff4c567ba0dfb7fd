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

struct map_entry;

struct map {
	struct map_entry *entries;
	uint32_t mask;     /* places - 1; places is a power of two */
	uint32_t used;
	uint32_t capacity;
};

/* 0, or -ENOMEM. */
int map_init(struct map *map, uint32_t capacity) __attribute__((warn_unused_result));
void map_done(struct map *map);

/* The candidates for `hash`, in no particular order; MAP_NONE when there is none (left). *it is the walk's own state. */
uint32_t map_first(const struct map *map, uint64_t hash, uint32_t *it);
uint32_t map_next(const struct map *map, uint64_t hash, uint32_t *it);

/* `value` must not be MAP_NONE. False when the map is full. */
bool map_insert(struct map *map, uint64_t hash, uint32_t value) __attribute__((warn_unused_result));

/* Removes the one entry with this hash and this value; false if there is none. Invalidates walks. */
bool map_remove(struct map *map, uint64_t hash, uint32_t value);

#endif
