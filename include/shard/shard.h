/*
 * shard - one thread, one engine, one TURN core: the only place where I/O meets the protocol. It moves packets from the engine to
 * the core and performs what the core decides; it decides nothing itself.
 *
 * Owns:    its thread, engine, core, the listeners' sockets given to it, and the relay sockets of its allocations.
 * Threads: functions here are called from the server's thread, unless they say otherwise.
 */
#ifndef UTURN_SHARD_SHARD_H
#define UTURN_SHARD_SHARD_H

#include <semaphore.h>

#include "io/engine.h"
#include "shard/shard_counters.h"
#include "shard/stream_config.h"
#include "turn/turn.h"

enum { SHARDS_MAX = 64 };

/* What the shards of a process share; none of it on the packet path. */
struct shard_shared;

struct shard_shared *shard_shared_create(uint32_t allocations_max); /* NULL: no memory */
void shard_shared_free(struct shard_shared *shared);
/* 0: none per user; total as in quota_set_total_max. Live, any time. */
void shard_shared_set_quota(struct shard_shared *shared, uint32_t user_max, uint32_t total_max);
uint32_t shard_shared_allocations(struct shard_shared *shared);

struct shard_params {
	uint8_t index;
	uint8_t count;
	struct engine_params engine;
	uint32_t allocations_max;                    /* of this shard */
	int relay_receive_buffer, relay_send_buffer; /* bytes */
	struct shard_shared *shared;
	struct turn_config *config;    /* a reference is taken */
	struct stream_config *streams; /* a reference is taken */
	uint32_t connections_max;      /* of this shard: TCP, TLS and DTLS together; 0: there are no such listeners */
	uint32_t stream_buffers;       /* for what connections have begun to send, or wait to be sent; see stream_buffers.h */
	/* Sockets of the listeners, by listener and family (RELAY_IPV4, RELAY_IPV6); -1: none. Of TCP and TLS they listen. They are
	 * the shard's from now on, also on failure. */
	int listeners[LIMIT_LISTENERS][RELAY_FAMILIES];
	bool listener_bound[LIMIT_LISTENERS][RELAY_FAMILIES]; /* bound to one address, so answers need not name theirs */
};

struct shard;

/*
 * Makes the shard's thread, which opens the engine and reports; returns once it has. 0 and *ret_shard, or a negative errno;
 * *ret_reason says why the engine is what it is, or what failed. Packets flow from shard_run on.
 */
int shard_start(const struct shard_params *params, struct shard **ret_shard, char ret_reason[static ENGINE_REASON_SIZE]);

/* All shards were started: receive. `shards` (count of them) is how they find each other; it must outlive them. */
void shard_run(struct shard *shard, struct shard *const *shards);

/* False when the mailbox is full. configure takes references to the configurations. */
bool shard_configure(struct shard *shard, struct turn_config *config, struct stream_config *streams, bool revoke);
bool shard_drain(struct shard *shard);

/* Ends the thread's loop and waits for that. Other shards may still send it messages, so stop all of them before freeing one.
 * NULL is fine. */
void shard_stop(struct shard *shard);
/* Closes everything that a stopped shard held. Returns NULL. */
struct shard *shard_free(struct shard *shard);

/* Counters and gauges: readable at any time, from any thread. */
const struct shard_counters *shard_counters(const struct shard *shard);
const struct turn_counters *shard_turn_counters(const struct shard *shard);
const struct engine_counters *shard_engine_counters(const struct shard *shard);
enum engine_kind shard_engine_kind(const struct shard *shard);

/* Moves with every turn of the loop and at least once a second: liveness. */
uint64_t shard_heartbeat_ns(const struct shard *shard);

/* Asks a shard for its allocations that match, through its mailbox; waits at most two seconds. NULL username, ADDR_NONE client:
 * any. Returns how many match (at most `max` are written), or -ETIMEDOUT. */
ssize_t shard_find_allocations(
	struct shard *shard, const char *username, const struct addr *client, struct allocation_info *ret_infos, size_t max);

#endif
