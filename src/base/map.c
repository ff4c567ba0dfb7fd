#include "base/map.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

static size_t table_size(uint32_t mask)
{
	return ((size_t)mask + 1) * sizeof(struct map_entry);
}

int map_init(struct map *map, uint32_t capacity)
{
	assert(capacity <= MAP_CAPACITY_MAX);
	uint64_t places = 2;
	while (places < (uint64_t)capacity * 2)
		places *= 2;
	uint32_t mask = (uint32_t)(places - 1);
	void *table = mmap(NULL, table_size(mask), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (table == MAP_FAILED)
		return -ENOMEM;
	*map = (struct map){.entries = table, .mask = mask, .capacity = capacity};
	return 0;
}

void map_done(struct map *map)
{
	if (map->entries != NULL)
		munmap(map->entries, table_size(map->mask));
	*map = (struct map){0};
}

bool map_insert(struct map *map, uint64_t hash, uint32_t value)
{
	assert(value != MAP_NONE);
	if (map->used == map->capacity)
		return false;
	uint32_t place = (uint32_t)hash & map->mask;
	while (map->entries[place].value_plus_1 != 0)
		place = (place + 1) & map->mask;
	map->entries[place] = (struct map_entry){.hash = (uint32_t)hash, .value_plus_1 = value + 1};
	map->used++;
	return true;
}

/* Moves later entries of the run back into the hole, so that no walk ends at it too early; there are no tombstones to pile up. */
static void close_hole(struct map *map, uint32_t hole)
{
	for (uint32_t place = (hole + 1) & map->mask;; place = (place + 1) & map->mask) {
		const struct map_entry *entry = &map->entries[place];
		if (entry->value_plus_1 == 0)
			break;
		uint32_t distance_from_home = (place - entry->hash) & map->mask;
		uint32_t distance_from_hole = (place - hole) & map->mask;
		if (distance_from_home >= distance_from_hole) {
			map->entries[hole] = *entry;
			hole = place;
		}
	}
	map->entries[hole] = (struct map_entry){0};
}

bool map_remove(struct map *map, uint64_t hash, uint32_t value)
{
	uint32_t it;
	for (uint32_t found = map_first(map, hash, &it); found != MAP_NONE; found = map_next(map, hash, &it)) {
		if (found != value)
			continue;
		close_hole(map, it & map->mask);
		map->used--;
		return true;
	}
	return false;
}
