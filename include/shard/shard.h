/*
 * shard - one thread, one engine, one TURN core: the only place where I/O meets the protocol. It moves packets from the engine to
 * the core and performs what the core decides; it decides nothing itself.
 *
 * Owns:    its thread, engine, core, the listeners' sockets given to it (src/shard/listeners.c), and the relay sockets of its
 *          allocations.
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
/* 0: none per user; total and capacity as in quota.h. Live, any time. */
void shard_shared_set_quota(struct shard_shared *shared, uint32_t user_max, uint32_t total_max, uint32_t capacity);
uint32_t shard_shared_allocations(struct shard_shared *shared);

struct shard_params {
	uint8_t index;
	uint8_t count;
	struct engine_params engine;
	uint32_t allocations_max; /* of this shard */
	struct shard_shared *shared;
	struct turn_config *config;    /* a reference is taken */
	struct stream_config *streams; /* likewise; NULL: plain UDP only */
	uint32_t connections_max;      /* of this shard: TCP, TLS and DTLS together. Address space until they come */
	uint32_t stream_buffers;       /* for what connections have begun to send, or wait to be sent; see stream_buffers.h */
	uint32_t descriptors;          /* that the process may have, and so no more sockets than that; 0: enough */
};

#define LISTENER_NONE UINT8_MAX

/* The sockets of one listener for one shard, by family (RELAY_IPV4, RELAY_IPV6). Of TCP and TLS they listen. */
struct shard_listener {
	uint8_t listener;             /* its number in the configurations */
	uint8_t from[RELAY_FAMILIES]; /* takes over the socket of this retiring listener; LISTENER_NONE: `fds` has it */
	int fds[RELAY_FAMILIES];      /* -1: none */
	bool bound[RELAY_FAMILIES];   /* to one address, so answers need not name theirs */
};

/* What takes effect at once in one shard. Made for each shard anew. */
struct shard_order {
	struct turn_config *config;                  /* a reference, as the next one */
	struct stream_config *streams;               /* listeners that are retiring in it let go of their acceptors */
	bool revoke;                                 /* see turn_configure */
	int relay_receive_buffer, relay_send_buffer; /* bytes, of relay sockets from now on */
	unsigned listener_count;
	struct shard_listener listeners[LIMIT_LISTENERS]; /* new ones; the others stay as they are */
};
struct shard_order *shard_order_create(void);     /* zeroed; NULL: no memory */
void shard_order_free(struct shard_order *order); /* closes the sockets that are in it. NULL is fine */

struct shard;

/*
 * Makes the shard's thread, which opens the engine and reports; returns once it has. 0 and *ret_shard, or a negative errno;
 * *ret_reason says why the engine is what it is, or what failed. Packets flow from shard_run on.
 */
int shard_start(const struct shard_params *params, struct shard **ret_shard, char ret_reason[static ENGINE_REASON_SIZE]);

/* All shards were started: receive. `shards` (count of them) is how they find each other; it must outlive them. */
void shard_run(struct shard *shard, struct shard *const *shards);

/* False when the mailbox is full. An order that was given is the shard's. */
bool shard_give_order(struct shard *shard, struct shard_order *order);
/* A listener that has retired, in all shards: nobody uses it any more. Its sockets close, but for those that were taken over. */
bool shard_close_listener(struct shard *shard, uint8_t listener);
bool shard_drain(struct shard *shard);
/* How many orders and closings have taken effect. Who reads the counters after this sees all that was counted before them. */
uint64_t shard_orders_taken(const struct shard *shard);

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
