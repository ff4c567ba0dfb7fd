/*
 * shared - what the shards of a process share: quotas, live relay ports, the limiter of unauthenticated answers. Used when
 * allocations come and go, never on the packet path (but for loads of the port table).
 */
#ifndef UTURN_SRC_SHARD_SHARED_H
#define UTURN_SRC_SHARD_SHARED_H

#include <pthread.h>

#include "shard/shard.h"

struct shard_shared {
	pthread_mutex_t quota_lock;
	struct quota *quota;
	struct port_table *ports;
	struct unauth_limiter *limiter;
	struct siphash_key user_key;
};

/* Both lock. */
enum quota_result shared_quota_acquire(struct shard_shared *shared, uint64_t user);
void shared_quota_release(struct shard_shared *shared, uint64_t user);

#endif
