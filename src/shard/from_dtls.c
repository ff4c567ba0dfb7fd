/*
 * from_dtls - a datagram at a DTLS listener. HOT.
 *
 * Per packet: one look-up of the association, 0 allocations, 0 locks, 0 system calls, 0 copies; records are opened where they lie.
 * A stranger's datagram costs a parse and a MAC, and leaves nothing behind (RFC 6347 Section 4.2.1).
 */
#include "shard_state.h"

/* RFC 6347 Sections 4.1 and 4.2.2: content types, and where in a datagram the epoch, a first message's type and fragment offset,
 * and a ClientHello's random lie. */
enum {
	DTLS_HANDSHAKE = 22,
	DTLS_EPOCH = 3,
	DTLS_MESSAGE = 13,
	DTLS_CLIENT_HELLO = 1,
	DTLS_FRAGMENT = DTLS_MESSAGE + 6,
	DTLS_RANDOM = DTLS_MESSAGE + 12 + 2,
};

/* RFC 7350 Section 3: a record holds one message. */
static void take_message(struct shard *shard, struct connection *c, struct bytes message, uint8_t tos)
{
	c->active_ns = shard->now.mono_ns;
	if (c->session != NULL)
		handshake_release(shard, c); /* the client has our last flight */
	if (shard_take(shard, &c->flow, message) == FORWARD_TO_PEER)
		shard_forward_to_peer(shard, tos, 0, 0);
}

static __attribute__((cold, noinline)) void take_other(
	struct shard *shard, struct connection *c, enum record_verdict verdict, enum record_reason reason, struct bytes record)
{
	switch (verdict) {
	case RECORD_HANDSHAKE:
		handshake_repeated(shard, c, record);
		break;
	case RECORD_CLOSED:
		connection_end(shard, c, END_BY_CLIENT);
		break;
	case RECORD_REFUSED:
		if (reason == RECORD_PEER_ALERT || reason == RECORD_KEY_LIMIT)
			connection_refuse_record(shard, c, reason);
		else
			counter_add(&shard->counters->streams.records_refused[reason], 1);
		break;
	case RECORD_CONTROL:
		if (record_has_control(&c->records)) {
			uint8_t control[RECORD_CONTROL_SIZE_MAX];
			connection_send_datagram(shard, c, bytes_of(control, record_control(&c->records, control)));
		}
		break;
	default:
		break;
	}
}

void connection_datagram(struct shard *shard, struct connection *c, struct bytes datagram, uint8_t tos)
{
	size_t size;
	for (size_t at = 0; at < datagram.size && c->state == CONNECTION_OPEN; at += size) {
		enum record_reason reason;
		struct bytes plain, rest = bytes_of(datagram.data + at, datagram.size - at);
		uint8_t *data = (uint8_t *)(uintptr_t)rest.data;
		enum record_verdict verdict = record_open(&c->records, data, rest.size, &plain, &size, &reason);
		if (verdict == RECORD_DATA) {
			take_message(shard, c, plain, tos);
			continue;
		}
		take_other(shard, c, verdict, reason, bytes_of(rest.data, size));
	}
}

/* --- handshakes -------------------------------------------------------------------------------------------------------------- */

/* A whole one, or its first fragment. */
static bool is_client_hello(struct bytes datagram)
{
	static const uint8_t zero[3] = {0};
	return datagram.size > DTLS_RANDOM + sizeof((struct connection *)NULL)->hello && datagram.data[0] == DTLS_HANDSHAKE &&
	       datagram.data[DTLS_EPOCH] == 0 && datagram.data[DTLS_EPOCH + 1] == 0 &&
	       datagram.data[DTLS_MESSAGE] == DTLS_CLIENT_HELLO && memcmp(datagram.data + DTLS_FRAGMENT, zero, sizeof zero) == 0;
}

/* A client that starts once more, and not one that repeats what was lost. */
static bool begins_anew(const struct connection *c, struct bytes datagram)
{
	return is_client_hello(datagram) && memcmp(c->hello, datagram.data + DTLS_RANDOM, sizeof c->hello) != 0;
}

/* A ClientHello that proves its address: an association begins. A handshake that the address has left unfinished ends. */
static void begin(struct shard *shard, const struct flow *flow, struct connection *old, struct bytes hello)
{
	struct connection *unfinished = old;
	if (old != NULL && old->state == CONNECTION_OPEN)
		unfinished = old->successor == CONNECTION_NONE ? NULL : connection_at(shard, old->successor);
	if (unfinished != NULL)
		connection_end(shard, unfinished, END_BY_CLIENT);
	struct connection *c = connection_create(shard, flow);
	if (c == NULL)
		return;
	memcpy(c->hello, hello.data + DTLS_RANDOM, sizeof c->hello);
	if (old != NULL && old->state == CONNECTION_OPEN) {
		old->successor = connection_number(c);
	} else if (!connection_share_socket(shard, c)) {
		connection_end(shard, c, END_REFUSED);
		return;
	}
	connection_begin(shard, c, hello);
}

/* From nobody that we know, or a new start of somebody: until that is complete the old one stays (RFC 6347 Section 4.2.8). */
static __attribute__((cold, noinline)) void take_stranger(
	struct shard *shard, const struct flow *flow, struct connection *old, struct bytes datagram)
{
	struct stream_counters *counters = &shard->counters->streams;
	uint8_t answer[DTLS_HELLO_VERIFY_SIZE_MAX];
	size_t size;
	if (shard->streams.config->listeners[flow->listener].retiring) {
		counter_add(&counters->unknown_datagrams, 1);
		return;
	}
	switch (dtls_cookie_check(shard->streams.cookie_key, &flow->client, datagram, shard->now.wall_s, answer, &size)) {
	case DTLS_HELLO_NONE:
		counter_add(&counters->unknown_datagrams, 1);
		break;
	case DTLS_HELLO_VERIFY: {
		uint8_t *copy = shard_arena(shard, size);
		memcpy(copy, answer, size);
		counter_add(&counters->cookies_sent, 1);
		send_from_listener(shard, flow, &flow->client, &flow->local, &(struct departure){.payload = bytes_of(copy, size)});
		break;
	}
	case DTLS_HELLO_VALID:
		begin(shard, flow, old, datagram);
		break;
	}
}

static void take_datagram(struct shard *shard, const struct flow *flow, struct connection *c, struct bytes datagram, uint8_t tos)
{
	if (c == NULL) {
		take_stranger(shard, flow, NULL, datagram);
		return;
	}
	if (c->state == CONNECTION_OPEN && !datagram_is_handshake(datagram)) {
		connection_datagram(shard, c, datagram, tos);
		return;
	}
	struct connection *handshaking = c;
	if (c->state == CONNECTION_OPEN && c->successor != CONNECTION_NONE)
		handshaking = connection_at(shard, c->successor);
	if (begins_anew(handshaking, datagram))
		take_stranger(shard, flow, c, datagram);
	else if (handshaking->state == CONNECTION_OPEN)
		connection_datagram(shard, c, datagram, tos);
	else if (handshaking->session != NULL || datagram_is_handshake(datagram))
		connection_input(shard, handshaking, datagram);
}

void shard_from_dtls(struct shard *shard, const struct received *received)
{
	struct flow flow = flow_arrived(shard, received, TRANSPORT_DTLS);
	struct connection *c = NULL;
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		if (c == NULL || c->state == CONNECTION_CLOSING)
			c = connection_by_address(shard, flow.listener, &received->from);
		take_datagram(shard, &flow, c, datagram, received->tos);
		offset += datagram.size;
	} while (offset < received->data.size);
}
