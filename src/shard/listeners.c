/*
 * listeners - they come, are taken over, retire and go while packets flow (decision 0018). What a shard is told takes effect
 * between two turns of its loop, so no packet meets half of it.
 */
#include "base/log.h"
#include "io/udp_socket.h"
#include "shard_state.h"

void listeners_init(struct shard *shard)
{
	for (unsigned listener = 0; listener < LIMIT_LISTENERS; listener++)
		for (unsigned family = 0; family < RELAY_FAMILIES; family++)
			shard->listeners[listener][family].socket = SOCKET_NONE;
}

enum listener_way listener_way(const struct shard *shard, unsigned listener)
{
	const struct stream_listener *configured = &shard->streams.config->listeners[listener];
	switch (configured->transport) {
	case TRANSPORT_TCP:
	case TRANSPORT_TLS:
		return LISTENER_STREAM;
	case TRANSPORT_DTLS:
		return LISTENER_DTLS;
	case TRANSPORT_UDP:
		break;
	}
	return configured->proxy ? LISTENER_PROXIED : LISTENER_PLAIN;
}

static void set_ways(struct shard *shard)
{
	shard->connects = false;
	for (unsigned listener = 0; listener < LIMIT_LISTENERS; listener++) {
		enum listener_way way = listener_way(shard, listener);
		shard->connects |= way != LISTENER_PLAIN;
		shard->listener_ways[listener] = (uint8_t)(shard->sharers[listener] != 0 ? LISTENER_SHARED : way);
	}
}

static void open_socket(struct shard *shard, const struct shard_listener *new, unsigned family)
{
	struct listener_socket *socket = &shard->listeners[new->listener][family];
	int fd = new->fds[family];
	if (fd < 0)
		return;
	enum socket_kind kind = listener_way(shard, new->listener) == LISTENER_STREAM ? SOCKET_ACCEPTOR : SOCKET_LISTENER;
	struct addr local = udp_socket_local(fd);
	socket->port = local.port;
	int result = engine_add(shard->engine, fd, kind, tag_of_listener(new->listener, family), &socket->socket);
	if (result < 0) {
		socket->socket = SOCKET_NONE;
		char text[ADDR_TEXT_SIZE];
		log_error(LOG_IO,
			"shard %u cannot receive on %s: %s: raise the limits on descriptors (ulimit -n) and memory, and restart",
			shard->params.index, addr_format(&local, text), strerror(-result));
	}
}

/* Connections have sockets of their own; datagrams of the clients of before go on leaving from, and coming to, this one. */
static void take_over(struct shard *shard, unsigned listener, unsigned from, unsigned family)
{
	struct listener_socket *mine = &shard->listeners[listener][family], *theirs = &shard->listeners[from][family];
	*mine = *theirs;
	shard->listener_bound[listener][family] = shard->listener_bound[from][family];
	if (mine->socket == SOCKET_NONE)
		return;
	engine_retag(shard->engine, mine->socket, tag_of_listener(listener, family));
	if (listener_way(shard, from) == LISTENER_STREAM)
		theirs->socket = SOCKET_NONE;
	else
		theirs->lent = true;
}

static void open_listener(struct shard *shard, const struct shard_listener *new)
{
	for (unsigned family = 0; family < RELAY_FAMILIES; family++) {
		if (new->from[family] != LISTENER_NONE) {
			take_over(shard, new->listener, new->from[family], family);
			continue;
		}
		shard->listener_bound[new->listener][family] = new->bound[family];
		open_socket(shard, new, family);
	}
}

static void close_sockets(struct shard *shard, unsigned listener)
{
	for (unsigned family = 0; family < RELAY_FAMILIES; family++) {
		struct listener_socket *socket = &shard->listeners[listener][family];
		if (socket->socket != SOCKET_NONE && !socket->lent)
			engine_remove(shard->engine, socket->socket);
		*socket = (struct listener_socket){.socket = SOCKET_NONE};
	}
}

static void close_acceptors(struct shard *shard)
{
	for (unsigned listener = 0; listener < LIMIT_LISTENERS; listener++)
		if (shard->streams.config->listeners[listener].retiring && listener_way(shard, listener) == LISTENER_STREAM)
			close_sockets(shard, listener);
}

void listeners_take_order(struct shard *shard, const struct shard_order *order)
{
	turn_configure(shard->turn, order->config, order->revoke, &shard->now);
	streams_configure(shard, stream_config_ref(order->streams));
	shard->relay_receive_buffer = order->relay_receive_buffer;
	shard->relay_send_buffer = order->relay_send_buffer;
	for (unsigned listener = 0; listener < LIMIT_LISTENERS; listener++)
		shard->sharers[listener] = order->streams->listeners[listener].sharers;
	for (unsigned i = 0; i < order->listener_count; i++)
		open_listener(shard, &order->listeners[i]);
	close_acceptors(shard);
	set_ways(shard);
	atomic_fetch_add_explicit(&shard->orders_taken, 1, memory_order_release);
}

void listener_close(struct shard *shard, unsigned listener)
{
	close_sockets(shard, listener);
	for (unsigned other = 0; other < LIMIT_LISTENERS; other++)
		shard->sharers[other] &= ~LISTENER_BIT(listener);
	set_ways(shard);
	atomic_fetch_add_explicit(&shard->orders_taken, 1, memory_order_release);
}
