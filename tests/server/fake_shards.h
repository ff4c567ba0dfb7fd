/*
 * fake_shards - shards without threads or sockets, behind the functions of shard/shard.h that metrics and status use; and a view of
 * them.
 */
#ifndef UTURN_TESTS_SERVER_FAKE_SHARDS_H
#define UTURN_TESTS_SERVER_FAKE_SHARDS_H

#include "server/server_view.h"

struct shard {
	struct shard_counters counters;
	struct turn_counters turn;
	struct engine_counters engine;
	uint64_t heartbeat_ns;
	struct allocation_info *allocations; /* what shard_find_allocations finds */
	size_t allocation_count;
	bool deaf;      /* does not answer */
	unsigned asked; /* times */
};

struct shard_shared {
	uint32_t allocations;
};

/* Two shards, one listener "udp", clusters "pods" and "a\"b" (numbers 0 and 1); ready, on epoll. One per test process. */
enum { FAKE_SHARDS = 2 };
extern struct shard fake_shards[FAKE_SHARDS];
extern struct shard_shared fake_shared;
extern struct config fake_config;
extern struct stream_config fake_streams;
extern struct listener_accounts fake_accounts; /* of the listeners above */
struct server_view *fake_view(void);

/* Adds "tcp", and "tls" and "dtls" with a certificate for turn.example.com that is good for a year. */
void fake_add_listeners(void);
void fake_remove_listeners(void); /* harmless when they are not there */

#endif
