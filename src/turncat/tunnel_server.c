#include <stdio.h>

#include "base/log.h"
#include "client/tls_link.h"
#include "tunnel_state.h"
#include "turncat/sockets.h"

static const uint64_t RETRY_FIRST_NS = 500 * NS_PER_MS, RETRY_MAX_NS = 10 * NS_PER_S;

/* Ends the allocation, as far as there is one and the server still hears. */
static void say_farewell(struct tunnel *t)
{
	uint8_t message[TURN_CLIENT_MESSAGE_MAX];
	if (!t->has_client || t->connection.state != CONNECTION_OPEN)
		return;
	size_t size = turn_client_farewell(&t->client, message);
	if (size > 0)
		connection_send(&t->connection, bytes_of(message, size));
	connection_farewell(&t->connection);
}

void tunnel_disconnect(struct tunnel *t)
{
	say_farewell(t);
	if (t->readable != NULL)
		event_free(t->readable);
	if (t->writable != NULL)
		event_free(t->writable);
	t->readable = t->writable = NULL;
	connection_close(&t->connection);
	if (t->has_client)
		turn_client_done(&t->client);
	t->has_client = false;
	t->bursting = false;
	t->unanswered_ns = 0;
	bytes_wipe(t->password, sizeof t->password);
}

/* Until the next try: 0.5, 1, 2 … 10 s. */
static uint64_t pause_ns(const struct tunnel *t)
{
	uint64_t pause = RETRY_FIRST_NS << (t->tries < 5 ? t->tries : 5);
	return tunnel_earlier(pause, RETRY_MAX_NS);
}

static void try_later(struct tunnel *t, uint64_t wait_ns)
{
	uint64_t now_ns = clock_mono_ns();
	tunnel_disconnect(t);
	t->alternate = (struct addr){.family = ADDR_NONE};
	t->hops = 0;
	t->tries++;
	t->state = TUNNEL_WAITING;
	t->deadline_ns = now_ns + wait_ns;
	tunnel_set_timer(t, t->deadline_ns, now_ns);
}

/* The server is gone, or was never there. */
void tunnel_lost(struct tunnel *t, const char *why)
{
	bool had_it = t->state == TUNNEL_READY;
	uint64_t wait_ns = pause_ns(t);
	log_warn(LOG_TURNCAT, "%s: %s%s; trying again in %.1f s", t->name, had_it ? "the tunnel is interrupted: " : "", why,
		(double)wait_ns / (double)NS_PER_S);
	try_later(t, wait_ns);
	t->events->failed(t->owner, false);
}

static void refused(struct tunnel *t)
{
	log_error(LOG_TURNCAT, "%s: %s", t->name, t->client.failure.text);
	try_later(t, RETRY_MAX_NS);
	t->events->failed(t->owner, true);
}

void tunnel_connection_lost(struct tunnel *t)
{
	char server[ADDR_TEXT_SIZE], why[WHY_SIZE];
	const struct connection *c = &t->connection;
	bool distrusted = c->tls != NULL && tls_link_distrusts(c->tls);
	snprintf(why, sizeof why, "the connection to the server at %s (%s) failed: %s%s", addr_format(&t->plan.server, server),
		transport_name(t->transport.kind), c->why,
		distrusted ? " (its certificate; --ca FILE names an authority, --sni the server's name, --insecure trusts anybody)"
			   : "");
	tunnel_lost(t, why);
}

/* RFC 8489, section 10. */
static bool follow_alternate(struct tunnel *t)
{
	char server[ADDR_TEXT_SIZE];
	struct addr alternate = t->client.alternate;
	if (t->client.refusal != STUN_TRY_ALTERNATE || alternate.family == ADDR_NONE || alternate.port == 0 || t->hops == HOPS_MAX)
		return false;
	log_info(LOG_TURNCAT, "%s: the server sends its clients to %s", t->name, addr_format(&alternate, server));
	unsigned hops = t->hops, tries = t->tries;
	try_later(t, 0);
	t->tries = tries;
	t->hops = hops + 1;
	t->alternate = alternate;
	return true;
}

void tunnel_client_failed(struct tunnel *t)
{
	unsigned refusal = t->client.refusal;
	if (follow_alternate(t))
		return;
	if (refusal != 0 && refusal != STUN_ALLOCATION_MISMATCH)
		refused(t);
	else
		tunnel_lost(t, t->client.failure.text);
}

static bool watch(struct tunnel *t)
{
	int fd = t->connection.fd;
	t->readable = event_new(t->world->base, fd, EV_READ | EV_PERSIST, tunnel_on_readable, t);
	t->writable = event_new(t->world->base, fd, EV_WRITE | EV_PERSIST, tunnel_on_writable, t);
	return t->readable != NULL && t->writable != NULL && event_add(t->readable, NULL) == 0;
}

static void connect_to_server(struct tunnel *t)
{
	const struct upstream *u = t->world->upstream;
	struct failure failure;
	char server[ADDR_TEXT_SIZE], why[WHY_SIZE];
	t->transport = u->transport;
	t->plan = (struct connection_plan){.transport = &t->transport,
		.tls = u->tls,
		.server = t->alternate.family != ADDR_NONE ? t->alternate : u->addrs[t->tries % u->addr_count],
		.trains = true};
	connection_init(&t->connection, &t->plan);
	int fd = sockets_connect(t->transport.kind, &t->plan.server, &failure);
	if (fd < 0 || !connection_start(&t->connection, fd, &failure)) {
		snprintf(why, sizeof why, "the server at %s: %s", addr_format(&t->plan.server, server), failure.text);
		tunnel_lost(t, why);
		return;
	}
	if (!watch(t)) {
		tunnel_lost(t, "out of memory");
		return;
	}
	t->state = TUNNEL_CONNECTING;
	t->deadline_ns = clock_mono_ns() + TUNNEL_CONNECT_S * NS_PER_S;
	tunnel_advance(t);
}

static void on_peer(void *owner, const struct addr *addrs, unsigned count, const char *why)
{
	struct tunnel *t = owner;
	char text[WHY_SIZE];
	if (why == NULL) {
		t->peer = addrs[t->tries % count];
		connect_to_server(t);
		return;
	}
	snprintf(text, sizeof text, "the peer %s: %s", t->world->peer->name, why);
	tunnel_lost(t, text);
}

static void on_upstream(void *owner, const char *why)
{
	struct tunnel *t = owner;
	if (why != NULL)
		tunnel_lost(t, why);
	else
		lookup_start(&t->lookup, t->world->resolver, t->world->peer, on_peer, t);
}

void tunnel_begin(struct tunnel *t)
{
	t->state = TUNNEL_FINDING;
	upstream_find(t->world->upstream, &t->wait, on_upstream, t);
}
