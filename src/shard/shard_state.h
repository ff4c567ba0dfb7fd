/*
 * shard_state - what a shard holds, and the functions its files offer each other. The files in the order of a packet's life:
 * loop, from_client or from_peer, effects, relay_sockets; beside them messages (what other threads ask for), listeners
 * (which come and go) and shard (birth and end). Clients that come over connections: connection.h.
 */
#ifndef UTURN_SRC_SHARD_SHARD_STATE_H
#define UTURN_SRC_SHARD_SHARD_STATE_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/log.h"
#include "connection.h"
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
	bool lent; /* another listener has taken it over: what arrives is that one's, and so is its end */
};
#define SOCKET_NONE UINT32_MAX

/* What arrives at a listener's socket. */
enum listener_way {
	LISTENER_PLAIN,   /* UDP */
	LISTENER_DTLS,    /* UDP, with records in it */
	LISTENER_PROXIED, /* UDP, with the PROXY protocol's header in front */
	LISTENER_STREAM,  /* connections: TCP, TLS */
	LISTENER_SHARED,  /* datagrams, of the listener's own clients and of those that retire */
};

/* Replies and sealed datagrams are written here and borrowed by the trains until they leave. */
enum { REPLY_ARENA_SIZE = 256 * 1024 };

struct shard {
	/* Used for every packet. */
	struct engine *engine;
	struct turn *turn;
	struct shard_counters *counters;
	struct relay_socket *relays;
	struct moment now;
	struct listener_socket listeners[LIMIT_LISTENERS][RELAY_FAMILIES];
	bool listener_bound[LIMIT_LISTENERS][RELAY_FAMILIES];
	uint8_t listener_ways[LIMIT_LISTENERS]; /* enum listener_way */
	bool connects;                          /* some listener has connections */
	struct turn_out out;
	uint8_t *replies;
	size_t replies_used;

	/* Used for clients that come over connections. */
	struct streams streams;

	/* Used when allocations come and go. */
	struct random_source random;
	struct shard *const *shards;
	struct shard_params params;
	struct mailbox mailbox;
	uint64_t sharers[LIMIT_LISTENERS];           /* see stream_config; without those that are gone */
	int relay_receive_buffer, relay_send_buffer; /* bytes; 0: the system's default */
	unsigned claims_under_way;                   /* at most MAILBOX_ANSWERS */
	bool stopping;
	struct log_limit open_failure_log, auth_failure_log;

	/* Birth and end. */
	pthread_t thread;
	sem_t opened;   /* posted by the thread: the engine is open, or failed; then: the loop has ended */
	sem_t released; /* posted to the thread: run; then: close the engine */
	int open_result;
	char *open_reason; /* the starter's buffer */
	_Atomic uint64_t heartbeat_ns, orders_taken;
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

static inline unsigned tag_listener(uint64_t tag)
{
	return (uint32_t)tag >> 1 & 0x7FFF;
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

/* A datagram or aggregate at a listener's socket: counted, and whose it is as its packets have it. */
static inline struct flow flow_arrived(struct shard *shard, const struct received *received, enum transport transport)
{
	unsigned listener = tag_listener(received->tag), family = received->tag & 1;
	struct traffic_counters *traffic = &shard->counters->listeners[listener];
	counter_add(&traffic->rx_packets, received_segments(received));
	counter_add(&traffic->rx_bytes, received->data.size);
	return (struct flow){
		.client = received->from,
		.local = addr_with_port(received->to, shard->listeners[listener][family].port),
		.listener = (uint16_t)listener,
		.transport = (uint16_t)transport,
	};
}

/* A departure's header, payload and padding, back to back; `payload` is the one of its packets that is meant. */
static inline void write_packet(uint8_t *to, const struct departure *departure, const uint8_t *payload)
{
	/* An answer has no header. */
	if (departure->header_size > 0)
		memcpy(to, departure->header, departure->header_size);
	memcpy(to + departure->header_size, payload, departure->payload.size);
	memset(to + departure->header_size + departure->payload.size, 0, departure->padding);
}

/* Room for `size` bytes that a departure may point to; what was there before leaves if need be. */
static inline uint8_t *shard_arena(struct shard *shard, size_t size)
{
	if (shard->replies_used + size > REPLY_ARENA_SIZE) {
		engine_flush(shard->engine);
		shard->replies_used = 0;
	}
	uint8_t *memory = shard->replies + shard->replies_used;
	shard->replies_used += size;
	return memory;
}

/* From the socket of its listener: the rest of the departure is filled in. */
static inline void send_from_listener(
	struct shard *shard, const struct flow *flow, const struct addr *to, const struct addr *from, struct departure *departure)
{
	unsigned family = family_index(to);
	departure->socket = shard->listeners[flow->listener][family].socket;
	departure->to = *to;
	if (!shard->listener_bound[flow->listener][family])
		departure->from = *from;
	engine_send(shard->engine, departure);
}

/* The rest of the departure is filled in: where to, where from, and the listener's accounts. */
static inline void send_to_client(struct shard *shard, const struct flow *flow, struct departure *departure)
{
	struct traffic_counters *traffic = &shard->counters->listeners[flow->listener];
	unsigned packets = 1u + departure->repeats;
	counter_add(&traffic->tx_packets, packets);
	counter_add(&traffic->tx_bytes, packets * ((size_t)departure->header_size + departure->payload.size + departure->padding));
	if (flow->connection == 0)
		send_from_listener(shard, flow, &flow->client, &flow->local, departure);
	else
		shard_to_connection(shard, flow, departure);
}

/* loop.c */
void shard_loop(struct shard *shard);
/* What came to a socket of the listener in the tag. */
void shard_from_listener(struct shard *shard, const struct received *received, enum listener_way way);

/* listeners.c */
void listeners_init(struct shard *shard);
void listeners_take_order(struct shard *shard, const struct shard_order *order); /* its sockets are ours from now on */
void listener_close(struct shard *shard, unsigned listener);
/* As the configuration has it, whoever else comes to its sockets. */
enum listener_way listener_way(const struct shard *shard, unsigned listener);

/* from_shared.c */
void shard_from_shared(struct shard *shard, const struct received *received);

/* from_client.c, from_peer.c: one received datagram or aggregate. */
void shard_from_client(struct shard *shard, const struct received *received);
void shard_from_peer(struct shard *shard, const struct received *received);
/* One message of a client; what it asks for is done. FORWARD_TO_PEER: the way to the peer is left to shard_forward_to_peer. */
enum verdict shard_take(struct shard *shard, const struct flow *flow, struct bytes message);
/* What the core just forwarded, and `repeats` payloads that lie `stride` bytes behind one another and go the same way. */
void shard_forward_to_peer(struct shard *shard, uint8_t tos, unsigned repeats, uint16_t stride);

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
