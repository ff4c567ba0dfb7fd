/*
 * key_index - numbers keys of one fixed size from 0 in the order of their first appearance.
 *
 * Owns:    the keys and a hash table; both grow as needed, up to KEY_INDEX_MAX keys.
 */
#ifndef UTURN_BENCH_CAPTURE_KEY_INDEX_H
#define UTURN_BENCH_CAPTURE_KEY_INDEX_H

#include <stddef.h>

#include "base/map.h"

#define KEY_INDEX_FULL UINT32_MAX
enum { KEY_INDEX_MAX = 1 << 28 };

struct key_index {
	size_t key_size;
	uint32_t count;
	uint8_t *keys; /* `count` of them, one after the other */
	struct map map;
};

/* Allocates nothing; key_index_done is then allowed already. */
void key_index_init(struct key_index *k, size_t key_size);
void key_index_done(struct key_index *k);

/* The number of the key, which is new when it is the old `count`. KEY_INDEX_FULL: no memory, or too many. */
uint32_t key_index_number(struct key_index *k, const void *key);

/* The same for a key that is there; KEY_INDEX_FULL when it is not. */
uint32_t key_index_find(const struct key_index *k, const void *key);

static inline const void *key_index_key(const struct key_index *k, uint32_t number)
{
	return k->keys + (size_t)number * k->key_size;
}

#endif
