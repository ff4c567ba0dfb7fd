/*
 * shard_state - what a shard holds, and the functions its files offer each other. The files in the order of a packet's life:
 * loop, from_client or from_peer, effects, relay_sockets; beside them messages (what other threads ask for) and shard (birth and
 * end).
 */
#ifndef UTURN_SRC_SHARD_SHARD_STATE_H
#define UTURN_SRC_SHARD_SHARD_STATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/log.h"
#include "crypto/random.h"
#include "shard/mailbox.h"
#include "shard/shard.h"
#include "shared.h"

/* The relay socket behind an index of the core. */
enum relay_state {
	RELAY_ABSENT,
	RELAY_RESERVED,  /* bound and held for a reservation: `fd` is ours */
	RELAY_RECEIVING, /* part of an allocation: `socket` is the engine's */
};

struct relay_socket {
	uint32_t generation;
	enum relay_state state;
	union {
		uint32_t socket;
		int fd;
	};
};

struct listener_socket {
	uint32_t socket; /* the engine's number; SOCKET_NONE: the listener has none of this family */
	uint16_t port;
};
#define SOCKET_NONE UINT32_MAX

/* Replies are written here and borrowed by the trains until they leave. */
enum { REPLY_ARENA_SIZE = 64 * 1024 };

struct shard {
	/* Used for every packet. */
	struct engine *engine;
	struct turn *turn;
	struct shard_counters *counters;
	struct relay_socket *relays;
	struct moment now;
	struct listener_socket listeners[LIMIT_LISTENERS][RELAY_FAMILIES];
	bool listener_bound[LIMIT_LISTENERS][RELAY_FAMILIES];
	struct turn_out out;

	/* Used when allocations come and go. */
	uint8_t *replies;
	size_t replies_used;
	struct random_source random;
	struct shard *const *shards;
	struct shard_params params;
	struct mailbox mailbox;
	unsigned claims_under_way; /* at most MAILBOX_ANSWERS */
	bool stopping;
	struct log_limit open_failure_log, auth_failure_log;

	/* Birth and end. */
	pthread_t thread;
	sem_t opened,
		released; /* posted by the thread: engine opened (or failed), loop ended; to the thread: run, close the engine */
	int open_result;
	char *open_reason; /* the starter's buffer */
	_Atomic uint64_t heartbeat_ns;
};

/* A socket's tag: which listener it belongs to, or which relay. */
#define TAG_LISTENER UINT32_C(0xFFFF0000)

static inline uint64_t tag_of_listener(unsigned listener, unsigned family)
{
	return (uint64_t)TAG_LISTENER | listener << 1 | family;
}

static inline uint64_t tag_of_relay(struct relay_ref relay)
{
	return (uint64_t)relay.generation << 32 | relay.index;
}

static inline bool tag_is_listener(uint64_t tag)
{
	return ((uint32_t)tag & TAG_LISTENER) == TAG_LISTENER;
}

static inline unsigned family_index(const struct addr *addr)
{
	return addr->family == ADDR_IPV6 ? RELAY_IPV6 : RELAY_IPV4;
}

static inline unsigned received_segments(const struct received *received)
{
	/* Most are single packets: no division for those. */
	if (received->segment_size >= received->data.size)
		return 1;
	return (unsigned)((received->data.size + received->segment_size - 1) / received->segment_size);
}

/* The packet that starts at `offset` of an aggregate; the last one may be shorter than the others. */
static inline struct bytes received_segment(const struct received *received, size_t offset)
{
	size_t left = received->data.size - offset;
	return bytes_of(received->data.data + offset, left < received->segment_size ? left : received->segment_size);
}

/* The rest of the departure is filled in: where to, where from, and the listener's accounts. */
static inline void send_to_client(struct shard *shard, const struct flow *flow, struct departure *departure)
{
	unsigned family = family_index(&flow->client);
	departure->socket = shard->listeners[flow->listener][family].socket;
	departure->to = flow->client;
	if (!shard->listener_bound[flow->listener][family])
		departure->from = flow->local;
	struct traffic_counters *traffic = &shard->counters->listeners[flow->listener];
	unsigned packets = 1u + departure->repeats;
	counter_add(&traffic->tx_packets, packets);
	counter_add(&traffic->tx_bytes, packets * ((size_t)departure->header_size + departure->payload.size + departure->padding));
	engine_send(shard->engine, departure);
}

/* loop.c */
void shard_loop(struct shard *shard);

/* from_client.c, from_peer.c: one received datagram or aggregate. */
void shard_from_client(struct shard *shard, const struct received *received);
void shard_from_peer(struct shard *shard, const struct received *received);

/* effects.c: does what shard->out asks for, and what the core asks for in turn. */
void shard_perform(struct shard *shard);
/* A line now and then about clients that are not believed: a stranger can cause as many as he likes. */
void shard_log_auth_failure(struct shard *shard, const struct flow *flow);

/* relay_sockets.c */
void relay_open(struct shard *shard, const struct turn_effect *effect);
void relay_close(struct shard *shard, struct relay_ref relay);
/* Gives the socket of a reservation to another shard: the descriptor is the caller's. -1: there is none. */
int relay_give(struct shard *shard, struct relay_ref relay);
/* Takes a bound socket over and starts to receive on it. The descriptor is ours from now on, also on failure. */
bool relay_adopt(struct shard *shard, struct relay_ref relay, int fd);

/* messages.c */
void shard_read_mailbox(struct shard *shard);
void shard_claim(struct shard *shard, const struct turn_effect *effect);
/* From any thread: puts a message and wakes the shard. */
bool shard_tell(struct shard *shard, const struct message *message);

#endif
