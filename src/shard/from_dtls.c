/*
 * from_dtls - a datagram at a DTLS listener. HOT.
 *
 * Per packet: one look-up of the association, 0 allocations, 0 locks, 0 system calls, 0 copies; records are opened where they lie.
 * A stranger's datagram costs a parse and a MAC, and leaves nothing behind (RFC 6347 Section 4.2.1).
 */
#include "shard_state.h"

/* RFC 6347 Sections 4.1 and 4.2.2: content types, and where the epoch and the type of a handshake's first message lie. */
enum { DTLS_CHANGE_CIPHER_SPEC = 20, DTLS_HANDSHAKE = 22, DTLS_EPOCH = 3, DTLS_MESSAGE = 13, DTLS_CLIENT_HELLO = 1 };

/* RFC 7350 Section 2: a record holds one message. */
static void take_message(struct shard *shard, struct connection *c, struct bytes message, uint8_t tos)
{
	c->active_ns = shard->now.mono_ns;
	if (c->session != NULL)
		handshake_release(shard, c); /* the client has our last flight */
	if (shard_take(shard, &c->flow, message) == FORWARD_TO_PEER)
		shard_forward_to_peer(shard, tos, 0, 0);
}

struct answer_to {
	struct shard *shard;
	struct connection *connection;
};

static void send_again(void *context, struct bytes datagram)
{
	struct answer_to *to = context;
	connection_send_datagram(to->shard, to->connection, datagram);
}

static __attribute__((cold, noinline)) void take_other(
	struct shard *shard, struct connection *c, enum record_verdict verdict, enum record_reason reason, struct bytes datagram)
{
	struct answer_to to = {shard, c};
	struct tls_sink sink = {.send = send_again, .context = &to};
	switch (verdict) {
	case RECORD_HANDSHAKE:
		if (c->session != NULL)
			tls_session_resend(c->session, datagram, &sink);
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
		take_other(shard, c, verdict, reason, rest);
		/* The session takes the rest of the flight with its first record. */
		if (verdict == RECORD_HANDSHAKE)
			return;
	}
}

/* --- handshakes -------------------------------------------------------------------------------------------------------------- */

/* ChangeCipherSpec, alert, handshake. */
static bool is_handshake(struct bytes datagram)
{
	return datagram.size > 0 && datagram.data[0] >= DTLS_CHANGE_CIPHER_SPEC && datagram.data[0] <= DTLS_HANDSHAKE;
}

static bool is_client_hello(struct bytes datagram)
{
	return datagram.size > DTLS_MESSAGE && datagram.data[0] == DTLS_HANDSHAKE && datagram.data[DTLS_EPOCH] == 0 &&
	       datagram.data[DTLS_EPOCH + 1] == 0 && datagram.data[DTLS_MESSAGE] == DTLS_CLIENT_HELLO;
}

/* A ClientHello that proves its address: an association begins. */
static struct connection *create(struct shard *shard, const struct flow *flow, struct connection *old)
{
	struct connection *c = connection_create(shard, flow);
	if (c == NULL)
		return NULL;
	if (old != NULL)
		old->successor = connection_number(c);
	else if (!connection_share_socket(shard, c))
		connection_end(shard, c, END_REFUSED);
	return c;
}

/* Not from an open association, or a new start of one (RFC 6347 Section 4.2.8: the old one stays until the new one is complete). */
static __attribute__((cold, noinline)) void take_stranger(
	struct shard *shard, const struct flow *flow, struct connection *old, struct bytes datagram)
{
	struct stream_counters *counters = &shard->counters->streams;
	uint8_t answer[DTLS_HELLO_VERIFY_SIZE_MAX];
	size_t size;
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
	case DTLS_HELLO_VALID: {
		struct connection *c = create(shard, flow, old);
		if (c != NULL && c->state != CONNECTION_CLOSING)
			connection_begin(shard, c, datagram);
		break;
	}
	}
}

static void take_datagram(struct shard *shard, const struct flow *flow, struct connection *c, struct bytes datagram, uint8_t tos)
{
	if (c == NULL) {
		take_stranger(shard, flow, NULL, datagram);
	} else if (c->state != CONNECTION_OPEN) {
		if (is_handshake(datagram))
			connection_input(shard, c, datagram);
	} else if (!is_handshake(datagram)) {
		connection_datagram(shard, c, datagram, tos);
	} else if (c->successor != CONNECTION_NONE) {
		connection_input(shard, connection_at(shard, c->successor), datagram);
	} else if (is_client_hello(datagram)) {
		take_stranger(shard, flow, c, datagram);
	} else {
		connection_datagram(shard, c, datagram, tos);
	}
}

void shard_from_dtls(struct shard *shard, const struct received *received)
{
	unsigned listener = tag_listener(received->tag), family = received->tag & 1;
	struct traffic_counters *traffic = &shard->counters->listeners[listener];
	counter_add(&traffic->rx_packets, received_segments(received));
	counter_add(&traffic->rx_bytes, received->data.size);
	struct flow flow = {
		.client = received->from,
		.local = addr_with_port(received->to, shard->listeners[listener][family].port),
		.listener = (uint16_t)listener,
		.transport = TRANSPORT_DTLS,
	};
	struct connection *c = NULL;
	size_t offset = 0;
	do {
		struct bytes datagram = received_segment(received, offset);
		if (c == NULL || c->state == CONNECTION_CLOSING)
			c = connection_by_address(shard, listener, &received->from);
		take_datagram(shard, &flow, c, datagram, received->tos);
		offset += datagram.size;
	} while (offset < received->data.size);
}
