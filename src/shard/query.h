/*
 * query - a question about allocations that one thread asks and a shard answers. Both hold it: the one that lets go last frees it,
 * so an asker that gave up waiting leaves nothing dangling.
 */
#ifndef UTURN_SRC_SHARD_QUERY_H
#define UTURN_SRC_SHARD_QUERY_H

#include <semaphore.h>
#include <stdatomic.h>

#include "turn/turn.h"

struct allocation_query {
	atomic_int holders;
	sem_t answered;
	bool by_username;
	char username[STUN_USERNAME_SIZE_MAX + 1];
	struct addr client;
	size_t found;
	size_t max;
	struct allocation_info infos[];
};

void query_release(struct allocation_query *query);

#endif
