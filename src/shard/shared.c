#include "shared.h"

#include <stdlib.h>

#include "crypto/random.h"

struct shard_shared *shard_shared_create(uint32_t allocations_max)
{
	struct shard_shared *shared = calloc(1, sizeof *shared);
	if (shared == NULL)
		return NULL;
	struct random_source random = {0};
	struct siphash_key limiter_key;
	random_bytes(&random, &shared->user_key, sizeof shared->user_key);
	random_bytes(&random, &limiter_key, sizeof limiter_key);
	pthread_mutex_init(&shared->quota_lock, NULL);
	shared->quota = quota_create(allocations_max);
	shared->ports = port_table_create();
	shared->limiter = unauth_limiter_create(&limiter_key);
	if (shared->quota == NULL || shared->ports == NULL || shared->limiter == NULL) {
		shard_shared_free(shared);
		return NULL;
	}
	return shared;
}

void shard_shared_free(struct shard_shared *shared)
{
	if (shared == NULL)
		return;
	quota_free(shared->quota);
	port_table_free(shared->ports);
	unauth_limiter_free(shared->limiter);
	pthread_mutex_destroy(&shared->quota_lock);
	free(shared);
}

void shard_shared_set_quota(struct shard_shared *shared, uint32_t user_max, uint32_t total_max, uint32_t capacity)
{
	pthread_mutex_lock(&shared->quota_lock);
	quota_set_capacity(shared->quota, capacity);
	quota_set_user_max(shared->quota, user_max);
	quota_set_total_max(shared->quota, total_max);
	pthread_mutex_unlock(&shared->quota_lock);
}

uint32_t shard_shared_allocations(struct shard_shared *shared)
{
	pthread_mutex_lock(&shared->quota_lock);
	uint32_t total = quota_total(shared->quota);
	pthread_mutex_unlock(&shared->quota_lock);
	return total;
}

enum quota_result shared_quota_acquire(struct shard_shared *shared, uint64_t user)
{
	pthread_mutex_lock(&shared->quota_lock);
	enum quota_result result = quota_acquire(shared->quota, user);
	pthread_mutex_unlock(&shared->quota_lock);
	return result;
}

void shared_quota_release(struct shard_shared *shared, uint64_t user)
{
	pthread_mutex_lock(&shared->quota_lock);
	quota_release(shared->quota, user);
	pthread_mutex_unlock(&shared->quota_lock);
}
