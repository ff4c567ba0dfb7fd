/*
 * relay_sockets - opens and closes the sockets behind relayed transport addresses, and hands them from shard to shard.
 */
#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "io/udp_socket.h"
#include "shard_state.h"

static enum relay_failure failure_of(int error)
{
	switch (error) {
	case -EADDRINUSE:
	case -EACCES: /* a port below ip_unprivileged_port_start */
		return RELAY_PORT_TAKEN;
	case -EADDRNOTAVAIL:
	case -EAFNOSUPPORT:
		return RELAY_NO_ADDRESS;
	default:
		return RELAY_NO_RESOURCES;
	}
}

static void log_failure(struct shard *shard, const struct addr *address, int error)
{
	uint32_t suppressed;
	char text[ADDR_TEXT_SIZE];
	counter_add(&shard->counters->relay_open_failures, 1);
	if (log_limit_pass(&shard->open_failure_log, shard->now.mono_ns, 10 * NS_PER_S, &suppressed))
		log_warn(LOG_TURN, "relay socket on %s: %s; the client got 508 (%u more since the last such line)",
			addr_format(address, text), strerror(-error), suppressed);
}

static void set_relay_socket(struct shard *shard, struct relay_ref relay, struct relay_socket socket)
{
	socket.generation = relay.generation;
	shard->relays[relay.index] = socket;
	counter_set(&shard->counters->relay_sockets, shard->counters->relay_sockets.value + 1);
}

static int start_relay(struct shard *shard, const struct turn_effect *effect)
{
	struct udp_socket_options options = {
		.receive_buffer = shard->relay_receive_buffer,
		.send_buffer = shard->relay_send_buffer,
	};
	int fd = udp_socket_open(&effect->address, &options, NULL);
	if (fd < 0)
		return fd;
	if (!effect->receive) {
		set_relay_socket(shard, effect->relay, (struct relay_socket){.state = RELAY_RESERVED, .fd = fd});
		return 0;
	}
	return relay_adopt(shard, effect->relay, fd) ? 0 : -ENOBUFS;
}

void relay_open(struct shard *shard, const struct turn_effect *effect)
{
	int result = start_relay(shard, effect);
	if (result == 0) {
		char text[ADDR_TEXT_SIZE];
		log_debug(LOG_TURN, "relay socket %u opened on %s", effect->relay.index, addr_format(&effect->address, text));
		turn_relay_opened(shard->turn, effect->relay, &effect->address, &shard->now, &shard->out);
		return;
	}
	enum relay_failure failure = failure_of(result);
	if (failure != RELAY_PORT_TAKEN)
		log_failure(shard, &effect->address, result);
	turn_relay_failed(shard->turn, effect->relay, failure, &shard->now, &shard->out);
}

void relay_close(struct shard *shard, struct relay_ref relay)
{
	struct relay_socket *socket = &shard->relays[relay.index];
	if (socket->generation != relay.generation || socket->state == RELAY_ABSENT)
		return;
	log_debug(LOG_TURN, "relay socket %u closed", relay.index);
	if (socket->state == RELAY_RECEIVING)
		engine_remove(shard->engine, socket->socket);
	else
		close(socket->fd);
	socket->state = RELAY_ABSENT;
	counter_set(&shard->counters->relay_sockets, shard->counters->relay_sockets.value - 1);
}

int relay_give(struct shard *shard, struct relay_ref relay)
{
	struct relay_socket *socket = &shard->relays[relay.index];
	if (socket->generation != relay.generation || socket->state != RELAY_RESERVED)
		return -1;
	socket->state = RELAY_ABSENT;
	counter_set(&shard->counters->relay_sockets, shard->counters->relay_sockets.value - 1);
	return socket->fd;
}

bool relay_adopt(struct shard *shard, struct relay_ref relay, int fd)
{
	uint32_t socket;
	if (engine_add(shard->engine, fd, SOCKET_RELAY, tag_of_relay(relay), &socket) < 0)
		return false;
	set_relay_socket(shard, relay, (struct relay_socket){.state = RELAY_RECEIVING, .socket = socket});
	return true;
}
