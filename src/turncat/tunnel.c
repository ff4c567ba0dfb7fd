#include "turncat/tunnel.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "client/tls_link.h"
#include "tunnel_state.h"
#include "wire/channel_data.h"

static const uint64_t DTLS_TICK_NS = 50 * NS_PER_MS;

void tunnel_set_timer(struct tunnel *t, uint64_t deadline_ns, uint64_t now_ns)
{
	uint64_t wait_ns = clock_wait_ns(deadline_ns, now_ns);
	struct timeval wait = {.tv_sec = (time_t)(wait_ns / NS_PER_S), .tv_usec = (suseconds_t)(wait_ns % NS_PER_S / 1000) + 1};
	t->timer_ns = deadline_ns;
	if (deadline_ns == UINT64_MAX)
		event_del(t->timer);
	else
		event_add(t->timer, &wait);
}

/* Padding is for streams only (RFC 8656, section 12.5). */
static void put(struct tunnel *t, struct bytes payload)
{
	/* A record of DTLS is a datagram, and holds no more. */
	bool fits = t->transport.kind != TRANSPORT_DTLS || payload.size <= TLS_PLAIN_MAX - CHANNEL_DATA_HEADER_SIZE;
	static const uint8_t zeros[4];
	uint8_t header[CHANNEL_DATA_HEADER_SIZE];
	if (!fits || (!t->bursting && !connection_begin(&t->connection))) {
		t->world->dropped++;
		return;
	}
	t->bursting = true;
	channel_data_write(header, TURN_CLIENT_CHANNEL_MIN, (uint16_t)payload.size);
	size_t padding = transport_is_stream(t->transport.kind) ? (0 - payload.size) & 3 : 0;
	struct iovec parts[] = {{.iov_base = header, .iov_len = sizeof header},
		{.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size},
		{.iov_base = (void *)(uintptr_t)zeros, .iov_len = padding}};
	connection_put(&t->connection, parts, 3);
}

static void watch_writing(struct tunnel *t)
{
	if (t->writable == NULL)
		return;
	if (connection_waits(&t->connection))
		event_add(t->writable, NULL);
	else
		event_del(t->writable);
}

void tunnel_send(struct tunnel *t, struct bytes payload)
{
	if (payload.size > TUNNEL_PAYLOAD_MAX)
		t->world->dropped++;
	else if (t->state == TUNNEL_READY)
		put(t, payload);
	else if (!queue_push(&t->queue, payload))
		t->world->dropped++;
}

void tunnel_flush(struct tunnel *t)
{
	if (!t->bursting)
		return;
	t->bursting = false;
	t->world->dropped += connection_flush(&t->connection);
	t->sent_ns = clock_mono_ns();
	watch_writing(t);
	if (t->unanswered_ns == 0)
		t->unanswered_ns = t->sent_ns;
	if (t->connection.state == CONNECTION_ENDED)
		event_active(t->timer, EV_TIMEOUT, 0);
	else if (t->timer_ns > t->unanswered_ns + TUNNEL_CHECK_S * NS_PER_S)
		tunnel_set_timer(t, t->unanswered_ns + TUNNEL_CHECK_S * NS_PER_S, t->sent_ns);
}

bool tunnel_takes(const struct tunnel *t)
{
	return t->state == TUNNEL_READY && !connection_waits(&t->connection);
}

static void become_ready(struct tunnel *t)
{
	char server[ADDR_TEXT_SIZE], relayed[ADDR_TEXT_SIZE], peer[ADDR_TEXT_SIZE];
	struct bytes packet;
	bool again = t->tries > 0;
	t->state = TUNNEL_READY;
	t->tries = 0;
	t->sent_ns = clock_mono_ns();
	/* As loud as the line that told of the loss. */
	log_write(LOG_TURNCAT, again ? LOG_WARN : LOG_INFO, "%s: %s through %s (%s), relayed address %s, peer %s", t->name,
		again ? "again a tunnel" : "a tunnel", addr_format(&t->plan.server, server), transport_name(t->transport.kind),
		addr_format(&t->client.relayed, relayed), addr_format(&t->peer, peer));
	while (queue_peek(&t->queue, &packet)) {
		put(t, packet);
		queue_pop(&t->queue);
	}
	tunnel_flush(t);
	t->events->ready(t->owner);
}

static void allocate(struct tunnel *t)
{
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	if (peer == NULL || !upstream_credentials(t->world->upstream, t->username, t->password)) {
		free(peer);
		tunnel_lost(t, peer == NULL ? "out of memory" : "the user name is too long for time-limited credentials");
		return;
	}
	*peer = (struct turn_client_peer){.addr = t->peer, .channel = TURN_CLIENT_CHANNEL_MIN};
	turn_client_init(&t->client, t->username, t->password, peer, 1);
	t->client.server = t->plan.server;
	t->client.reliable = transport_is_stream(t->transport.kind);
	t->has_client = true;
	t->state = TUNNEL_ALLOCATING;
}

/* Sends what the client has to say. Returns when it wants to say more. */
static uint64_t poll_client(struct tunnel *t, uint64_t now_ns)
{
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	uint64_t wake_ns = UINT64_MAX;
	size_t size;
	if (turn_client_silence_ns(&t->client, now_ns) >= TUNNEL_PATIENCE_S * NS_PER_S)
		turn_client_give_up(&t->client, now_ns);
	while (!connection_waits(&t->connection) && (size = turn_client_poll(&t->client, now_ns, message, &wake_ns)) > 0)
		connection_send(&t->connection, bytes_of(message, size));
	if (t->client.request.pending)
		wake_ns = tunnel_earlier(wake_ns, t->client.request.first_ns + TUNNEL_PATIENCE_S * NS_PER_S);
	return wake_ns;
}

/* What comes next, after anything has happened on the way to the server. */
void tunnel_advance(struct tunnel *t)
{
	uint64_t now_ns = clock_mono_ns(), wake_ns = t->deadline_ns;
	if (t->dead || t->state == TUNNEL_FINDING || t->state == TUNNEL_WAITING)
		return;
	if (t->state == TUNNEL_CONNECTING && t->connection.state == CONNECTION_OPEN)
		allocate(t);
	if (t->state == TUNNEL_ALLOCATING || t->state == TUNNEL_READY)
		wake_ns = poll_client(t, now_ns);
	else if (t->state == TUNNEL_CONNECTING && t->transport.kind == TRANSPORT_DTLS)
		wake_ns = tunnel_earlier(wake_ns, now_ns + DTLS_TICK_NS);
	if (t->state == TUNNEL_WAITING || t->dead)
		return;
	if (t->connection.state == CONNECTION_ENDED) {
		tunnel_connection_lost(t);
		return;
	}
	if (t->has_client && t->client.state == TURN_CLIENT_FAILED) {
		tunnel_client_failed(t);
		return;
	}
	watch_writing(t);
	if (t->state == TUNNEL_READY) {
		wake_ns = tunnel_earlier(wake_ns, t->sent_ns + TUNNEL_KEEPALIVE_S * NS_PER_S);
		if (t->unanswered_ns != 0)
			wake_ns = tunnel_earlier(wake_ns, t->unanswered_ns + TUNNEL_CHECK_S * NS_PER_S);
	}
	tunnel_set_timer(t, wake_ns, now_ns);
	if (t->state == TUNNEL_ALLOCATING && t->client.state == TURN_CLIENT_READY)
		become_ready(t);
}

/* Asks whether the allocation is still there where packets go out and none comes in, and where nothing has gone out for long. */
static void check_allocation(struct tunnel *t, uint64_t now_ns)
{
	bool unanswered = t->unanswered_ns != 0 && now_ns - t->unanswered_ns >= TUNNEL_CHECK_S * NS_PER_S;
	if (!unanswered && now_ns - t->sent_ns < TUNNEL_KEEPALIVE_S * NS_PER_S)
		return;
	turn_client_check(&t->client);
	t->sent_ns = now_ns;
	if (unanswered)
		t->unanswered_ns = now_ns;
}

static void on_timer(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	struct tunnel *t = context;
	uint64_t now_ns = clock_mono_ns();
	t->timer_ns = UINT64_MAX;
	if (t->dead) {
		event_free(t->timer);
		free(t);
		return;
	}
	if (t->state == TUNNEL_WAITING) {
		tunnel_begin(t);
		return;
	}
	if (t->state == TUNNEL_CONNECTING) {
		connection_tick(&t->connection);
		if (now_ns >= t->deadline_ns && t->connection.state != CONNECTION_OPEN && t->connection.state != CONNECTION_ENDED)
			connection_fail(&t->connection, ETIMEDOUT);
	}
	if (t->state == TUNNEL_READY)
		check_allocation(t, now_ns);
	tunnel_advance(t);
}

static void take_frame(void *context, struct bytes frame)
{
	struct tunnel *t = context;
	uint16_t channel;
	struct bytes payload;
	t->unanswered_ns = 0;
	if (turn_client_takes(frame)) {
		if (t->has_client)
			turn_client_receive(&t->client, frame, clock_mono_ns());
		return;
	}
	/* Anything else is not from the peer: other channels, and indications, for which there is the channel. */
	if (t->state == TUNNEL_READY && channel_data_read(frame, &channel, &payload) && channel == TURN_CLIENT_CHANNEL_MIN)
		t->events->packet(t->owner, payload);
}

static void take_datagram(void *context, const struct inbox_datagram *datagram)
{
	struct tunnel *t = context;
	connection_take(&t->connection, datagram->data, take_frame, t);
}

void tunnel_on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	struct tunnel *t = context;
	if (transport_is_stream(t->transport.kind)) {
		connection_readable(&t->connection, take_frame, t);
	} else {
		int count = INBOX_MESSAGES;
		for (int i = 0; i < READS_AT_ONCE && count == INBOX_MESSAGES; i++)
			count = inbox_receive(t->world->inbox, fd, false, take_datagram, t);
		if (count < 0)
			connection_fail(&t->connection, -count);
	}
	t->events->batch_end(t->owner);
	tunnel_advance(t);
}

void tunnel_on_writable(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	struct tunnel *t = context;
	connection_writable(&t->connection);
	tunnel_advance(t);
	if (!t->dead && tunnel_takes(t))
		t->events->ready(t->owner);
}

struct tunnel *tunnel_create(struct tunnel_world *world, const char *name, const struct tunnel_events *events, void *owner)
{
	struct tunnel *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	*t = (struct tunnel){.world = world, .events = events, .owner = owner, .state = TUNNEL_WAITING, .timer_ns = UINT64_MAX};
	connection_init(&t->connection, &t->plan);
	snprintf(t->name, sizeof t->name, "%s", name);
	t->timer = evtimer_new(world->base, on_timer, t);
	if (t->timer == NULL) {
		free(t);
		return NULL;
	}
	/* Not before the caller has it. */
	tunnel_set_timer(t, 0, 0);
	return t;
}

void tunnel_free(struct tunnel *t)
{
	if (t == NULL || t->dead)
		return;
	upstream_cancel(t->world->upstream, &t->wait);
	lookup_cancel(&t->lookup);
	tunnel_disconnect(t);
	queue_clear(&t->queue);
	t->dead = true;
	tunnel_set_timer(t, UINT64_MAX, 0);
	event_active(t->timer, EV_TIMEOUT, 0);
}
