/*
 * handshake - TLS and DTLS handshakes, in a bounded share of the shard's time.
 *
 * A handshake costs as much as a hundred relayed packets. They stand in a row; a turn does a few steps, and while packets flow, at
 * most every other moment goes to handshakes. When as many as may be are under way, others wait until one of them is done: their
 * clients are slower, instead of being refused. While others wait, nobody keeps a place in silence, and who comes from an address
 * with few connections goes before the crowd: whoever floods stands behind the others (docs/decisions/0023).
 */
#include "connection.h"
#include "shard_state.h"

/* A turn begins no further step after this long. */
#define TURN_BUDGET_NS (200 * UINT64_C(1000))
/* A handshake whose client is silent for so long gives its place to somebody who waits. */
#define SILENCE_NS NS_PER_S

enum {
	TLS_HEADER_SIZE = 5,
	TLS_HANDSHAKE = 22, /* the content type, RFC 8446 Section 5.1 */
	/* UDP payload of a handshake's datagrams: they pass wherever IPv6 does (RFC 8200 Section 5), with a tunnel around them. */
	DTLS_MTU = 1200,
	LENGTH_SIZE = 2,    /* in front of each datagram that waits */
	CROWD_TURN = 4,     /* of so many places that become free, one is the crowd's */
	CROWD_SHARE = 8,    /* an address with more connections than this part of all places is a crowd */
	SILENT_AT_ONCE = 8, /* in a turn: to free a session takes time */
};

/* --- the rows ---------------------------------------------------------------------------------------------------------------- */

static void enqueue(struct shard *shard, struct connection_queue *queue, struct connection *c)
{
	if (c->handshake_queue != NULL)
		return;
	c->handshake_queue = queue;
	c->handshake_previous = queue->last;
	connection_queue_push(shard, queue, c, &c->handshake_next);
}

static void dequeue(struct shard *shard, struct connection *c)
{
	struct connection_queue *queue = c->handshake_queue;
	if (queue == NULL)
		return;
	if (c->handshake_previous == CONNECTION_NONE)
		queue->first = c->handshake_next;
	else
		connection_at(shard, c->handshake_previous)->handshake_next = c->handshake_next;
	if (c->handshake_next == CONNECTION_NONE)
		queue->last = c->handshake_previous;
	else
		connection_at(shard, c->handshake_next)->handshake_previous = c->handshake_previous;
	if (queue == &shard->streams.lingering)
		shard->streams.lingering_count--;
	c->handshake_queue = NULL;
}

static void set_under_way(struct shard *shard, struct connection *c, bool under_way)
{
	struct streams *streams = &shard->streams;
	if (c->counts_as_handshake == under_way)
		return;
	c->counts_as_handshake = under_way;
	streams->handshaking += under_way ? 1 : UINT32_MAX;
	counter_set(&shard->counters->streams.handshaking, streams->handshaking);
}

static bool somebody_waits(const struct streams *streams)
{
	return streams->waiting.first != CONNECTION_NONE || streams->waiting_crowd.first != CONNECTION_NONE;
}

static void wait_for_place(struct shard *shard, struct connection *c)
{
	struct streams *streams = &shard->streams;
	bool crowd = sources_count(&streams->sources, c->source) > streams->config->limits.handshakes / CROWD_SHARE + 1;
	enqueue(shard, crowd ? &streams->waiting_crowd : &streams->waiting, c);
}

/* Whoever has left a place, or was called to one and never took it, calls the next. */
static void call_next(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	if (!somebody_waits(streams) || streams->handshaking >= streams->config->limits.handshakes)
		return;
	bool crowd = streams->waiting.first == CONNECTION_NONE ||
		     (streams->waiting_crowd.first != CONNECTION_NONE && streams->places_given % CROWD_TURN == CROWD_TURN - 1);
	streams->places_given++;
	struct connection *next = connection_at(shard, crowd ? streams->waiting_crowd.first : streams->waiting.first);
	dequeue(shard, next);
	enqueue(shard, &streams->handshakes, next);
}

void handshake_release(struct shard *shard, struct connection *c)
{
	dequeue(shard, c);
	set_under_way(shard, c, false);
	call_next(shard);
	tls_session_free(c->session);
	c->session = NULL;
}

/* There is something to do for it. */
static void proceed(struct shard *shard, struct connection *c)
{
	if (c->handshake_queue == &shard->streams.idle)
		dequeue(shard, c);
	enqueue(shard, &shard->streams.handshakes, c);
}

/* The client has the word. */
static void await_client(struct shard *shard, struct connection *c)
{
	if (c->session == NULL || c->handshake_queue != NULL)
		return;
	c->active_ns = shard->now.mono_ns;
	enqueue(shard, &shard->streams.idle, c);
}

static uint64_t silence_ends_ns(const struct shard *shard)
{
	const struct streams *streams = &shard->streams;
	if (!somebody_waits(streams) || streams->idle.first == CONNECTION_NONE)
		return WHEEL_NEVER;
	return connection_at(shard, streams->idle.first)->active_ns + SILENCE_NS;
}

void handshake_time_out(struct shard *shard, struct connection *c)
{
	if (c->state != CONNECTION_CLOSING && c->counts_as_handshake)
		counter_add(&shard->counters->streams.handshakes_failed[TLS_FAIL_TIMEOUT], 1);
	connection_end(shard, c, END_TIMEOUT);
}

static void end_silent(struct shard *shard)
{
	for (unsigned n = 0; n < SILENT_AT_ONCE && shard->now.mono_ns >= silence_ends_ns(shard); n++) {
		struct connection *c = connection_at(shard, shard->streams.idle.first);
		handshake_time_out(shard, c);
		handshake_release(shard, c);
	}
}

/* --- input ------------------------------------------------------------------------------------------------------------------- */

static void fail(struct shard *shard, struct connection *c, enum tls_failure failure)
{
	counter_add(&shard->counters->streams.handshakes_failed[failure], 1);
	connection_end(shard, c, END_HANDSHAKE);
}

/* A stranger who only trickles, or speaks something else, costs no session: it is made for a whole record. */
static bool worth_a_session(struct shard *shard, struct connection *c)
{
	struct bytes begun = piece_bytes(shard, &c->record);
	if (begun.data[0] != TLS_HANDSHAKE) {
		fail(shard, c, TLS_FAIL_NOT_TLS);
		return false;
	}
	if (begun.size < TLS_HEADER_SIZE)
		return false;
	size_t size = TLS_HEADER_SIZE + (size_t)(begun.data[3] << 8 | begun.data[4]);
	if (size > RECORD_SIZE_MAX) {
		fail(shard, c, TLS_FAIL_MALFORMED);
		return false;
	}
	return begun.size >= size;
}

static void input_datagram(struct shard *shard, struct connection *c, struct bytes datagram)
{
	uint8_t length[LENGTH_SIZE] = {(uint8_t)(datagram.size >> 8), (uint8_t)datagram.size};
	struct bytes prefix = bytes_of(length, sizeof length);
	size_t begun = c->record.buffer == STREAM_BUFFER_NONE ? 0 : c->record.size;
	/* Clients send again what is lost. */
	if (datagram.size == 0 || begun + sizeof length + datagram.size > STREAM_BUFFER_SIZE)
		return;
	if (piece_extend(shard, c, &c->record, &prefix, begun + sizeof length) &&
		piece_extend(shard, c, &c->record, &datagram, begun + sizeof length + datagram.size))
		proceed(shard, c);
}

void handshake_input(struct shard *shard, struct connection *c, struct bytes data)
{
	if (c->socket == SOCKET_NONE) {
		input_datagram(shard, c, data);
		return;
	}
	size_t begun = c->record.buffer == STREAM_BUFFER_NONE ? 0 : c->record.size;
	if (!piece_extend(shard, c, &c->record, &data, begun + data.size))
		return;
	if (c->session != NULL || worth_a_session(shard, c))
		proceed(shard, c);
}

void handshake_end(struct shard *shard, struct connection *c, enum stream_end end)
{
	if (c->session != NULL && c->handshake_queue == &shard->streams.handshakes) {
		c->ended = true;
		return;
	}
	if (c->session != NULL)
		counter_add(&shard->counters->streams.handshakes_failed[TLS_FAIL_CLOSED], 1);
	connection_end(shard, c, end);
}

/* --- steps ------------------------------------------------------------------------------------------------------------------- */

struct destination {
	struct shard *shard;
	struct connection *connection;
};

static void send_stream(void *context, struct bytes bytes)
{
	struct destination *to = context;
	output_append_sealed(to->shard, to->connection, bytes);
}

static void send_datagram(void *context, struct bytes bytes)
{
	struct destination *to = context;
	connection_send_datagram(to->shard, to->connection, bytes);
}

static struct tls_sink sink_of(struct destination *to)
{
	bool shared = to->connection->socket == SOCKET_NONE;
	return (struct tls_sink){.send = shared ? send_datagram : send_stream, .context = to};
}

static void linger(struct shard *shard, struct connection *c)
{
	enqueue(shard, &shard->streams.lingering, c);
	shard->streams.lingering_count++;
}

/* Sessions are bounded together. One that only waits for a lost flight, which may be for ever, goes first. */
static void make_place(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	if (streams->lingering_count > 0 && streams->handshaking + streams->lingering_count >= streams->config->limits.handshakes)
		handshake_release(shard, connection_at(shard, streams->lingering.first));
}

/* False: it waits, or has ended. */
static bool begin(struct shard *shard, struct connection *c)
{
	struct streams *streams = &shard->streams;
	struct tls_context *context = streams->config->listeners[c->flow.listener].tls;
	if (c->session != NULL)
		return true;
	if (streams->handshaking >= streams->config->limits.handshakes) {
		wait_for_place(shard, c);
		return false;
	}
	make_place(shard);
	c->session = context == NULL ? NULL : tls_session_create(context, DTLS_MTU);
	if (c->session == NULL) {
		fail(shard, c, TLS_FAIL_INTERNAL);
		return false;
	}
	set_under_way(shard, c, true);
	return true;
}

static void watch_flight(struct shard *shard, struct connection *c)
{
	if (c->socket != SOCKET_NONE)
		return;
	uint64_t timeout_ns = tls_session_timeout_ns(c->session);
	c->resend_ns = timeout_ns == UINT64_MAX ? WHEEL_NEVER : shard->now.mono_ns + timeout_ns;
	connection_watch(shard, c);
}

/* Who and what: the record layer goes on with the keys. */
static bool open_connection(struct shard *shard, struct connection *c)
{
	struct stream_counters *counters = &shard->counters->streams;
	struct tls_keys keys;
	bool good = tls_session_keys(c->session, &keys) && record_init(&c->records, &keys);
	if (good)
		counter_add(&counters->handshakes[keys.version], 1);
	bytes_wipe(&keys, sizeof keys);
	if (!good) {
		fail(shard, c, TLS_FAIL_INTERNAL);
		return false;
	}
	counter_add(&counters->resumed, tls_session_resumed(c->session));
	dequeue(shard, c);
	set_under_way(shard, c, false);
	call_next(shard);
	c->state = CONNECTION_OPEN;
	c->active_ns = shard->now.mono_ns;
	c->resend_ns = WHEEL_NEVER;
	connection_watch(shard, c);
	return true;
}

/* What is left of the input belongs to the record layer. */
static void open_stream(struct shard *shard, struct connection *c, struct bytes rest)
{
	struct piece piece = c->record;
	c->record = (struct piece){.buffer = STREAM_BUFFER_NONE};
	if (open_connection(shard, c)) {
		tls_session_free(c->session);
		c->session = NULL;
		connection_records(shard, c, rest);
	}
	piece_finish(shard, &piece);
}

/* `size` bytes at `at` were used. */
static void drop_part(struct shard *shard, struct piece *piece, size_t at, size_t size)
{
	uint8_t *memory = stream_buffer_at(&shard->streams.buffers, piece->buffer);
	memmove(memory + at, memory + at + size, piece->size - at - size);
	piece->size -= (uint32_t)size;
	if (piece->size == 0)
		piece_finish(shard, piece);
}

static void step_stream(struct shard *shard, struct connection *c, const struct tls_sink *sink)
{
	enum tls_failure failure = TLS_FAIL_NONE;
	struct bytes begun = piece_bytes(shard, &c->record), input = begun;
	switch (tls_session_step(c->session, &input, sink, &failure)) {
	case TLS_SESSION_CONTINUES:
		if (c->record.buffer != STREAM_BUFFER_NONE)
			drop_part(shard, &c->record, 0, begun.size - input.size);
		break;
	case TLS_SESSION_DONE:
		open_stream(shard, c, input);
		break;
	case TLS_SESSION_FAILED:
		fail(shard, c, failure);
		break;
	}
}

/* The datagram that waits at `at`. */
static struct bytes waiting_datagram(struct bytes begun, size_t at)
{
	return bytes_of(begun.data + at + LENGTH_SIZE, (size_t)(begun.data[at] << 8 | begun.data[at + 1]));
}

/* Where the first datagram of the handshake waits; the end: there is none. What is for the open association stays for it. */
static size_t find_handshake(struct bytes begun)
{
	size_t at = 0;
	while (at < begun.size && !datagram_is_handshake(waiting_datagram(begun, at)))
		at += LENGTH_SIZE + waiting_datagram(begun, at).size;
	return at;
}

/* A client that resumes sends data right behind its last flight: in datagrams that wait, and as the rest of the one at `at`. */
static void open_association(struct shard *shard, struct connection *c, size_t at, struct bytes rest)
{
	struct piece piece = c->record;
	struct bytes begun = piece_bytes(shard, &piece);
	c->record = (struct piece){.buffer = STREAM_BUFFER_NONE};
	if (open_connection(shard, c)) {
		linger(shard, c);
		connection_succeed(shard, c);
		for (size_t next = 0; next < begun.size; next += LENGTH_SIZE + waiting_datagram(begun, next).size)
			connection_datagram(shard, c, next == at ? rest : waiting_datagram(begun, next), 0);
	}
	piece_finish(shard, &piece);
}

/* One of the datagrams that wait. */
static void step_datagram(struct shard *shard, struct connection *c, const struct tls_sink *sink)
{
	enum tls_failure failure = TLS_FAIL_NONE;
	struct bytes begun = piece_bytes(shard, &c->record);
	size_t at = find_handshake(begun);
	if (at == begun.size)
		return;
	struct bytes rest = waiting_datagram(begun, at);
	size_t used = LENGTH_SIZE + rest.size;
	switch (tls_session_step(c->session, &rest, sink, &failure)) {
	case TLS_SESSION_CONTINUES:
		drop_part(shard, &c->record, at, used);
		watch_flight(shard, c);
		begun = piece_bytes(shard, &c->record);
		if (find_handshake(begun) < begun.size)
			enqueue(shard, &shard->streams.handshakes, c);
		break;
	case TLS_SESSION_DONE:
		open_association(shard, c, at, rest);
		break;
	case TLS_SESSION_FAILED:
		fail(shard, c, failure);
		break;
	}
}

static void step(struct shard *shard, struct connection *c)
{
	struct destination to = {shard, c};
	struct tls_sink sink = sink_of(&to);
	dequeue(shard, c);
	if (c->state != CONNECTION_HANDSHAKE || !begin(shard, c))
		return;
	if (c->socket == SOCKET_NONE)
		step_datagram(shard, c, &sink);
	else
		step_stream(shard, c, &sink);
	if (c->ended && c->state == CONNECTION_HANDSHAKE)
		handshake_end(shard, c, END_BY_CLIENT);
	else if (c->ended)
		connection_end(shard, c, END_BY_CLIENT);
	else if (c->state == CONNECTION_HANDSHAKE)
		await_client(shard, c);
}

void handshakes_run(struct shard *shard)
{
	struct streams *streams = &shard->streams;
	end_silent(shard);
	if (streams->handshakes.first == CONNECTION_NONE || shard->now.mono_ns < streams->handshake_ns)
		return;
	const struct turn_counters *counters = turn_counters(shard->turn);
	uint64_t relayed =
		counter_read(&counters->verdicts[FORWARD_TO_PEER]) + counter_read(&counters->verdicts[FORWARD_TO_CLIENT]);
	uint64_t started_ns = clock_mono_ns(), now_ns = started_ns;
	while (streams->handshakes.first != CONNECTION_NONE && now_ns - started_ns < TURN_BUDGET_NS) {
		step(shard, connection_at(shard, streams->handshakes.first));
		now_ns = clock_mono_ns();
	}
	/* As long again belongs to the packets, where there are any. */
	streams->handshake_ns = relayed == streams->relayed ? 0 : now_ns + (now_ns - started_ns);
	streams->relayed = relayed;
}

uint64_t handshakes_deadline_ns(const struct shard *shard)
{
	const struct streams *streams = &shard->streams;
	uint64_t silence_ns = silence_ends_ns(shard);
	if (streams->handshakes.first == CONNECTION_NONE || silence_ns < streams->handshake_ns)
		return silence_ns;
	return streams->handshake_ns;
}

void handshake_resend(struct shard *shard, struct connection *c)
{
	struct destination to = {shard, c};
	struct tls_sink sink = sink_of(&to);
	enum tls_failure failure = TLS_FAIL_NONE;
	if (c->session == NULL || shard->now.mono_ns < c->resend_ns) {
		connection_watch(shard, c);
		return;
	}
	if (tls_session_timeout(c->session, &sink, &failure) == TLS_SESSION_FAILED)
		fail(shard, c, failure);
	else
		watch_flight(shard, c);
}

void handshake_repeated(struct shard *shard, struct connection *c, struct bytes record)
{
	struct destination to = {shard, c};
	struct tls_sink sink = sink_of(&to);
	if (c->session != NULL)
		tls_session_resend(c->session, record, &sink);
}
