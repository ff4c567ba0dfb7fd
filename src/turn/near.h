/*
 * near - the first few things of an allocation, found by a small tag without hashing and in memory that is at hand anyway. Calls
 * have one or two peers; what does not fit here goes to the shard's map, whose cost an attacker cannot drive up.
 *
 * Two things may share a tag: the caller compares keys.
 */
#ifndef UTURN_TURN_NEAR_H
#define UTURN_TURN_NEAR_H

#include "base/addr.h"
#include "base/pool.h"

enum { NEAR_PLACES = 4 };

struct near {
	uint32_t tags[NEAR_PLACES];
	uint32_t slots[NEAR_PLACES]; /* POOL_NONE: free */
};

static inline void near_init(struct near *near)
{
	for (unsigned i = 0; i < NEAR_PLACES; i++)
		near->slots[i] = POOL_NONE;
}

/* False when all places are taken. */
static inline bool near_put(struct near *near, uint32_t tag, uint32_t slot)
{
	for (unsigned i = 0; i < NEAR_PLACES; i++) {
		if (near->slots[i] != POOL_NONE)
			continue;
		near->tags[i] = tag;
		near->slots[i] = slot;
		return true;
	}
	return false;
}

static inline void near_drop(struct near *near, uint32_t slot)
{
	for (unsigned i = 0; i < NEAR_PLACES; i++)
		if (near->slots[i] == slot)
			near->slots[i] = POOL_NONE;
}

static inline uint32_t near_tag_ip(const struct addr *addr)
{
	uint32_t words[4];
	memcpy(words, addr->ip, sizeof words);
	return words[0] ^ words[1] * 3 ^ words[2] * 5 ^ words[3] * 7;
}

static inline uint32_t near_tag_endpoint(const struct addr *addr)
{
	return near_tag_ip(addr) + addr->port * UINT32_C(0x9E3779B1);
}

#endif
