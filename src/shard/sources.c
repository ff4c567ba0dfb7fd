#include "sources.h"

#include <assert.h>

struct source {
	struct addr prefix;
	uint32_t count;
};

int sources_init(struct sources *sources, uint32_t capacity, const struct siphash_key *key)
{
	sources->key = *key;
	int error = pool_init(&sources->entries, sizeof(struct source), capacity);
	return error == 0 ? map_init(&sources->index, capacity) : error;
}

void sources_done(struct sources *sources)
{
	map_done(&sources->index);
	pool_done(&sources->entries);
}

static uint32_t find(const struct sources *sources, const struct addr *prefix, uint64_t hash)
{
	uint32_t it;
	for (uint32_t s = map_first(&sources->index, hash, &it); s != MAP_NONE; s = map_next(&sources->index, hash, &it)) {
		const struct source *source = pool_at(&sources->entries, s);
		if (addr_equal(&source->prefix, prefix))
			return s;
	}
	return SOURCE_NONE;
}

uint32_t sources_acquire(struct sources *sources, const struct addr *client, uint32_t most)
{
	struct addr prefix = addr_prefix(client, client->family == ADDR_IPV4 ? 32 : 64);
	uint64_t hash = siphash(&sources->key, &prefix, sizeof prefix);
	uint32_t slot = find(sources, &prefix, hash);
	if (slot == SOURCE_NONE) {
		slot = pool_take(&sources->entries);
		if (slot == POOL_NONE)
			return SOURCE_NONE;
		((struct source *)pool_at(&sources->entries, slot))->prefix = prefix;
		bool inserted = map_insert(&sources->index, hash, slot);
		assert(inserted);
		(void)inserted;
	}
	struct source *source = pool_at(&sources->entries, slot);
	if (most != 0 && source->count >= most)
		return SOURCE_NONE;
	source->count++;
	return slot;
}

uint32_t sources_count(const struct sources *sources, uint32_t slot)
{
	return slot == SOURCE_NONE ? 0 : ((const struct source *)pool_at(&sources->entries, slot))->count;
}

void sources_release(struct sources *sources, uint32_t slot)
{
	if (slot == SOURCE_NONE)
		return;
	struct source *source = pool_at(&sources->entries, slot);
	assert(source->count > 0);
	if (--source->count > 0)
		return;
	map_remove(&sources->index, siphash(&sources->key, &source->prefix, sizeof source->prefix), slot);
	pool_give(&sources->entries, slot);
}
