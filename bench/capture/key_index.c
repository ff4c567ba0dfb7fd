#include "capture/key_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

enum { CAPACITY_FIRST = 64 };

static uint64_t hash_of(const struct key_index *k, const void *key)
{
	static const struct siphash_key fixed = {.k0 = 1, .k1 = 2};
	return siphash(&fixed, key, k->key_size);
}

void key_index_init(struct key_index *k, size_t key_size)
{
	*k = (struct key_index){.key_size = key_size};
}

void key_index_done(struct key_index *k)
{
	free(k->keys);
	map_done(&k->map);
	*k = (struct key_index){0};
}

static bool grow(struct key_index *k)
{
	uint32_t capacity = k->map.capacity == 0 ? CAPACITY_FIRST : k->map.capacity * 2;
	struct map map;
	if (capacity > KEY_INDEX_MAX || map_init(&map, capacity) != 0)
		return false;
	uint8_t *keys = reallocarray(k->keys, capacity, k->key_size);
	bool fits = keys != NULL;
	if (fits)
		k->keys = keys;
	for (uint32_t i = 0; i < k->count && fits; i++)
		fits = map_insert(&map, hash_of(k, key_index_key(k, i)), i);
	if (!fits) {
		map_done(&map);
		return false;
	}
	map_done(&k->map);
	k->map = map;
	return true;
}

static uint32_t find(const struct key_index *k, uint64_t hash, const void *key)
{
	uint32_t it;
	if (k->count == 0)
		return KEY_INDEX_FULL;
	for (uint32_t i = map_first(&k->map, hash, &it); i != MAP_NONE; i = map_next(&k->map, hash, &it))
		if (memcmp(key_index_key(k, i), key, k->key_size) == 0)
			return i;
	return KEY_INDEX_FULL;
}

uint32_t key_index_find(const struct key_index *k, const void *key)
{
	return find(k, hash_of(k, key), key);
}

uint32_t key_index_number(struct key_index *k, const void *key)
{
	uint64_t hash = hash_of(k, key);
	uint32_t found = find(k, hash, key);
	if (found != KEY_INDEX_FULL)
		return found;
	if ((k->count == k->map.capacity && !grow(k)) || !map_insert(&k->map, hash, k->count))
		return KEY_INDEX_FULL;
	memcpy(k->keys + (size_t)k->count * k->key_size, key, k->key_size);
	return k->count++;
}
