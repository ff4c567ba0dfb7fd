/*
 * sources - how many connections each client address has: so that one of them cannot take all.
 *
 * An IPv4 address counts by itself, an IPv6 address with its /64: a subscriber has at least that many.
 *
 * Owns:     a table of as many addresses as there can be connections.
 * Threads:  one.
 */
#ifndef UTURN_SRC_SHARD_SOURCES_H
#define UTURN_SRC_SHARD_SOURCES_H

#include "base/addr.h"
#include "base/map.h"
#include "base/pool.h"
#include "base/siphash.h"

struct sources {
	struct pool entries;
	struct map index;
	struct siphash_key key;
};
#define SOURCE_NONE UINT32_MAX

/* 0, or -ENOMEM. */
int sources_init(struct sources *sources, uint32_t capacity, const struct siphash_key *key) __attribute__((warn_unused_result));
void sources_done(struct sources *sources);

/* One more for this address. Returns its entry, for sources_release; SOURCE_NONE when it has `most` (0: no bound) already. */
uint32_t sources_acquire(struct sources *sources, const struct addr *client, uint32_t most);
uint32_t sources_count(const struct sources *sources, uint32_t source); /* how many it has; 0 for SOURCE_NONE */
void sources_release(struct sources *sources, uint32_t source);         /* SOURCE_NONE is fine */

#endif
