#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/siphash.h"
#include "client/gather.h"
#include "crypto/random.h"
#include "turncat/local.h"
#include "turncat/sockets.h"

enum { READS_AT_ONCE = 4, IDLE_CHECK_S = 1, LIMIT_LOG_S = 10, NAME_SIZE = 80 };

struct udp_client {
	struct local_udp *local;
	struct addr from;
	struct addr to;        /* the address that it sends to; ADDR_NONE: the socket has only one */
	struct tunnel *tunnel; /* NULL: the slot is free */
	uint64_t used_ns, hash;
	uint32_t next_free;
};

struct local_udp {
	const struct local_world *world;
	int fd;
	bool wildcard;
	struct event *readable, *idle_check;
	struct udp_client *clients;
	uint32_t slots, free_slot, count; /* free_slot: the first of the list, MAP_NONE at its end */
	struct map map;
	struct siphash_key key;
	struct udp_client *in_hand; /* whose tunnel has a burst begun */
	uint64_t now_ns;
	struct log_limit limit_log;
	struct gather out; /* answers to one client */
};

/* Answers leave from the address that the client sent to. */
static void send_answers(struct udp_client *client)
{
	struct local_udp *l = client->local;
	struct gather_way way = {.to = client->from, .from = client->to};
	int error = 0;
	if (l->out.records > 0)
		l->world->tunnels->dropped += gather_send_trains(&l->out, l->fd, &way, &error);
	if (error != 0)
		log_debug(LOG_TURNCAT, "packets to a local client are lost: %s", strerror(error));
	gather_reset(&l->out);
}

static void on_packet(void *owner, struct bytes payload)
{
	struct udp_client *client = owner;
	if (!gather_has_room(&client->local->out, payload.size))
		send_answers(client);
	gather_add_datagram(&client->local->out, payload);
}

static void on_batch_end(void *owner)
{
	struct udp_client *client = owner;
	if (client->local->out.records == 0)
		return;
	client->used_ns = clock_mono_ns();
	send_answers(client);
}

static void on_ready(void *owner)
{
	(void)owner;
}

static void on_failed(void *owner, bool refused)
{
	(void)owner, (void)refused;
}

static const struct tunnel_events events = {.packet = on_packet, .batch_end = on_batch_end, .ready = on_ready, .failed = on_failed};

static struct udp_client *find(const struct local_udp *l, const struct addr *from, uint64_t hash)
{
	uint32_t it;
	for (uint32_t slot = map_first(&l->map, hash, &it); slot != MAP_NONE; slot = map_next(&l->map, hash, &it))
		if (addr_equal(&l->clients[slot].from, from))
			return &l->clients[slot];
	return NULL;
}

static void give_back(struct udp_client *client)
{
	struct local_udp *l = client->local;
	uint32_t slot = (uint32_t)(client - l->clients);
	tunnel_free(client->tunnel);
	map_remove(&l->map, client->hash, slot);
	*client = (struct udp_client){.local = l, .next_free = l->free_slot};
	l->free_slot = slot;
	l->count--;
}

static void tell_limit(struct local_udp *l)
{
	uint32_t suppressed;
	if (log_limit_pass(&l->limit_log, l->now_ns, LIMIT_LOG_S * NS_PER_S, &suppressed))
		log_warn(
			LOG_TURNCAT, "packets of a new client are dropped: there are %u clients already (--clients-max)", l->count);
}

/* NULL: no room, no memory. */
static struct udp_client *make_client(struct local_udp *l, const struct inbox_datagram *datagram, uint64_t hash)
{
	char name[NAME_SIZE], addr[ADDR_TEXT_SIZE];
	if (l->free_slot == MAP_NONE) {
		tell_limit(l);
		return NULL;
	}
	uint32_t slot = l->free_slot;
	struct udp_client *client = &l->clients[slot];
	snprintf(name, sizeof name, "udp client %s", addr_format(&datagram->from, addr));
	struct tunnel *tunnel = tunnel_create(l->world->tunnels, name, &events, client);
	if (tunnel == NULL || !map_insert(&l->map, hash, slot)) {
		tunnel_free(tunnel);
		return NULL;
	}
	l->free_slot = client->next_free;
	l->count++;
	*client = (struct udp_client){
		.local = l, .from = datagram->from, .tunnel = tunnel, .hash = hash, .to = {.family = ADDR_NONE}};
	return client;
}

static void let_go(struct local_udp *l)
{
	if (l->in_hand != NULL)
		tunnel_flush(l->in_hand->tunnel);
	l->in_hand = NULL;
}

static void take(void *context, const struct inbox_datagram *datagram)
{
	struct local_udp *l = context;
	struct udp_client *client = l->in_hand;
	if (client == NULL || !addr_equal(&client->from, &datagram->from)) {
		uint64_t hash = siphash(&l->key, &datagram->from, sizeof datagram->from);
		let_go(l);
		client = find(l, &datagram->from, hash);
		if (client == NULL)
			client = make_client(l, datagram, hash);
		if (client == NULL) {
			l->world->tunnels->dropped++;
			return;
		}
		l->in_hand = client;
		client->used_ns = l->now_ns;
		if (l->wildcard)
			client->to = datagram->to;
	}
	tunnel_send(client->tunnel, datagram->data);
}

static void on_readable(evutil_socket_t fd, short what, void *context)
{
	(void)what;
	struct local_udp *l = context;
	int count = INBOX_MESSAGES;
	l->now_ns = clock_mono_ns();
	for (int i = 0; i < READS_AT_ONCE && count == INBOX_MESSAGES; i++)
		count = inbox_receive(l->world->tunnels->inbox, fd, true, take, l);
	let_go(l);
}

static void on_idle_check(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	struct local_udp *l = context;
	uint64_t now_ns = clock_mono_ns(), idle_ns = l->world->options->idle_s * NS_PER_S;
	for (uint32_t slot = 0; slot < l->slots && l->count > 0; slot++) {
		struct udp_client *client = &l->clients[slot];
		if (client->tunnel == NULL || now_ns - client->used_ns < idle_ns)
			continue;
		char addr[ADDR_TEXT_SIZE];
		log_info(LOG_TURNCAT, "udp client %s: silent for %u s, the tunnel ends", addr_format(&client->from, addr),
			l->world->options->idle_s);
		give_back(client);
	}
}

static bool make_tables(struct local_udp *l)
{
	struct random_source source = {0};
	random_bytes(&source, &l->key, sizeof l->key);
	l->slots = l->world->options->clients_max;
	l->clients = calloc(l->slots, sizeof *l->clients);
	if (l->clients == NULL || map_init(&l->map, l->slots) != 0)
		return false;
	for (uint32_t slot = 0; slot < l->slots; slot++)
		l->clients[slot] = (struct udp_client){.local = l, .next_free = slot + 1 < l->slots ? slot + 1 : MAP_NONE};
	return true;
}

static bool watch(struct local_udp *l)
{
	static const struct timeval interval = {.tv_sec = IDLE_CHECK_S};
	struct event_base *base = l->world->tunnels->base;
	l->readable = event_new(base, l->fd, EV_READ | EV_PERSIST, on_readable, l);
	l->idle_check = event_new(base, -1, EV_PERSIST, on_idle_check, l);
	return l->readable != NULL && l->idle_check != NULL && event_add(l->readable, NULL) == 0 &&
	       event_add(l->idle_check, &interval) == 0;
}

struct local_udp *local_udp_create(const struct local_world *world, struct failure *failure)
{
	struct local_udp *l = calloc(1, sizeof *l);
	if (l == NULL) {
		fail(failure, "out of memory");
		return NULL;
	}
	l->world = world;
	l->wildcard = addr_is_any(&world->options->local.addr);
	l->fd = sockets_listen(&world->options->local, failure);
	if (l->fd >= 0 && make_tables(l) && watch(l))
		return l;
	if (l->fd >= 0)
		fail(failure, "out of memory");
	local_udp_free(l);
	return NULL;
}

void local_udp_free(struct local_udp *l)
{
	if (l == NULL)
		return;
	for (uint32_t slot = 0; l->clients != NULL && slot < l->slots; slot++)
		tunnel_free(l->clients[slot].tunnel);
	if (l->readable != NULL)
		event_free(l->readable);
	if (l->idle_check != NULL)
		event_free(l->idle_check);
	map_done(&l->map);
	free(l->clients);
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}
