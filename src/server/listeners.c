/*
 * listeners - the sockets that clients send to or connect to: for each listener and family one per shard, all before the first
 * packet, because a socket that joins or leaves the group later moves the flows of all others.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "server_state.h"

static const char *advice(int error)
{
	switch (error) {
	case -EADDRINUSE:
		return "another process listens there (another uturn, or coturn?): stop it or choose another port";
	case -EADDRNOTAVAIL:
		return "this machine does not have the address: correct bind_address or address";
	case -EACCES:
		return "ports below net.ipv4.ip_unprivileged_port_start take CAP_NET_BIND_SERVICE: choose a higher port or map one";
	case -EMFILE:
	case -ENFILE:
		return "too few descriptors: raise the limit (ulimit -n)";
	default:
		return "check the address and the machine's limits";
	}
}

static void warn_if_clipped(uint32_t wanted, int granted)
{
	static bool warned;
	if (warned || granted >= (int)wanted)
		return;
	warned = true;
	log_warn(LOG_IO,
		"receive buffers are clipped to %d of %u bytes, so bursts may be lost: raise net.core.rmem_max on the node (or "
		"grant CAP_NET_ADMIN)",
		granted, wanted);
}

/* What each of the listeners' sockets asks for: all of their queues may be full at once. */
static uint32_t receive_buffer(const struct server *server, const struct config *config)
{
	static bool told;
	uint32_t wanted = config->admin.listener_receive_buffer;
	uint32_t buffer = machine_socket_buffer(&server->machine, wanted, server->shard_count * config_datagram_sockets(config));
	if (buffer < wanted && !told)
		log_info(LOG_IO,
			"receive buffers of listeners are %u bytes instead of %u, bounded by the memory limit of the cgroup",
			buffer, wanted);
	told |= buffer < wanted;
	return buffer;
}

static int open_once(const struct server *server, const struct config *config, const struct config_listener *listener,
	const struct addr *bind, int fds[])
{
	if (config_listener_is_stream(listener)) {
		struct tcp_socket_options options = {0};
		return tcp_socket_listen_group(bind, &options, server->shard_count, fds);
	}
	uint32_t buffer = receive_buffer(server, config);
	struct udp_socket_options options = {
		.receive_buffer = (int)buffer,
		.send_buffer = (int)buffer,
		.reuse_port = true,
		.listener = true,
	};
	int granted = 0;
	int result = udp_socket_open_group(bind, &options, server->shard_count, fds, &granted);
	if (result == 0)
		warn_if_clipped(buffer, granted);
	return result;
}

enum { BIND_TRIES_AT_START = 20, BIND_TRIES = 4, BIND_PAUSE_MS = 50, STILL_WAITING_LOG_S = 60 };

/* A process that used io_uring and has just ended may hold its port for some 100 ms more, until the kernel has torn its ring down;
 * and a listener of our own that has just retired until its shards have closed it. That takes a turn of theirs, and probes of the
 * health server wait meanwhile. */
static int open_group(const struct server *server, const struct config *config, const struct config_listener *listener,
	const struct addr *bind, int fds[])
{
	unsigned tries = server->awaits ? BIND_TRIES_AT_START : BIND_TRIES;
	int result = open_once(server, config, listener, bind, fds);
	for (unsigned try = 1; result == -EADDRINUSE && try < tries; try++) {
		usleep(BIND_PAUSE_MS * 1000);
		result = open_once(server, config, listener, bind, fds);
	}
	return result;
}

static void put_sockets(const struct server *server, const struct config_listener *listener, unsigned family, unsigned at,
	const int fds[], struct server_orders *orders)
{
	for (unsigned shard = 0; shard < server->shard_count; shard++) {
		struct shard_listener *out = &orders->list[shard]->listeners[at];
		out->fds[family] = fds[shard];
		out->bound[family] = !addr_is_any(&listener->bind[family]);
	}
}

static void log_socket(const struct config_listener *listener, int family, const char *how)
{
	char text[ADDR_TEXT_SIZE];
	log_info(LOG_IO, "listener %s: %s %s%s%s", listener->name, config_protocol_name(listener->protocol),
		addr_format(&listener->bind[family], text), listener->proxy_protocol ? " behind proxies" : "", how);
}

/* One listener's sockets of one family. A family that the machine lacks may be missing when the bind address was not named. */
static bool open_family(const struct server *server, const struct config *config, const struct config_listener *listener,
	unsigned family, unsigned at, struct server_orders *orders)
{
	const struct addr *bind = &listener->bind[family];
	int fds[SHARDS_MAX];
	char text[ADDR_TEXT_SIZE];
	int result = open_group(server, config, listener, bind, fds);
	if ((result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL) && !listener->bind_given && family == RELAY_IPV6) {
		log_info(LOG_IO, "listener %s: this machine has no IPv6, IPv4 only", listener->name);
		return true;
	}
	if (result < 0) {
		log_error(LOG_IO, "listener %s: cannot open %s %s: %s: %s", listener->name,
			config_protocol_name(listener->protocol), addr_format(bind, text), strerror(-result), advice(result));
		return false;
	}
	put_sockets(server, listener, family, at, fds, orders);
	return true;
}

/* The next place in the orders, without sockets. */
static unsigned add_listener(const struct server *server, uint8_t slot, struct server_orders *orders)
{
	unsigned at = orders->list[0]->listener_count;
	for (unsigned shard = 0; shard < server->shard_count; shard++) {
		struct shard_order *order = orders->list[shard];
		order->listener_count++;
		order->listeners[at] =
			(struct shard_listener){.listener = slot, .from = {LISTENER_NONE, LISTENER_NONE}, .fds = {-1, -1}};
	}
	return at;
}

bool listeners_open(
	const struct server *server, const struct config *config, const struct listener_plan *plan, struct server_orders *orders)
{
	for (unsigned i = 0; i < plan->opening_count; i++) {
		const struct listener_opening *opening = &plan->openings[i];
		const struct config_listener *listener = &config->listeners[opening->index];
		unsigned at = add_listener(server, listener->slot, orders);
		for (unsigned shard = 0; shard < server->shard_count; shard++)
			memcpy(orders->list[shard]->listeners[at].from, opening->from, sizeof opening->from);
		for (unsigned family = 0; family < RELAY_FAMILIES; family++) {
			bool opens = opening->from[family] == LISTENER_NONE && !listener->waits[family] &&
				     listener->bind[family].family != ADDR_NONE;
			if (opens && !open_family(server, config, listener, family, at, orders))
				return false;
		}
	}
	return true;
}

void listeners_log(const struct config *config, const struct listener_plan *plan, const struct server_orders *orders)
{
	for (unsigned i = 0; i < plan->opening_count; i++) {
		const struct config_listener *listener = &config->listeners[plan->openings[i].index];
		const struct shard_listener *opened = &orders->list[0]->listeners[i];
		for (int family = 0; family < RELAY_FAMILIES; family++) {
			if (opened->fds[family] >= 0)
				log_socket(listener, family, "");
			else if (opened->from[family] != LISTENER_NONE)
				log_socket(listener, family, ", on the sockets that are open there");
			else if (listener->waits[family])
				log_socket(listener, family,
					" waits until sockets in its way close: a listener that was removed or replaced has them "
					"and still has clients");
		}
	}
}

static bool is_in_the_way(const struct server *server, const struct config_listener *listener, int family)
{
	const struct config *config = server->config;
	for (size_t i = config->listener_count; i < config->listener_count + config->retiring_count; i++)
		if (config_sockets_collide(&config->listeners[i], listener, family))
			return true;
	return server->closing != 0;
}

static void log_still_waiting(struct server *server, const struct config_listener *listener, const struct addr *bind, int error)
{
	uint32_t suppressed;
	char text[ADDR_TEXT_SIZE];
	if (log_limit_pass(&server->waiting_log, clock_mono_ns(), STILL_WAITING_LOG_S * NS_PER_S, &suppressed))
		log_error(LOG_IO, "listener %s: still cannot open %s %s: %s: %s", listener->name,
			config_protocol_name(listener->protocol), addr_format(bind, text), strerror(-error), advice(error));
}

bool listeners_open_waiting(struct server *server, struct config_listener *listener, struct server_orders *orders)
{
	unsigned at = add_listener(server, listener->slot, orders);
	bool any = false;
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		int fds[SHARDS_MAX];
		if (!listener->waits[family] || is_in_the_way(server, listener, family))
			continue;
		int result = open_once(server, server->config, listener, &listener->bind[family], fds);
		if (result < 0) {
			log_still_waiting(server, listener, &listener->bind[family], result);
			continue;
		}
		put_sockets(server, listener, (unsigned)family, at, fds, orders);
		log_socket(listener, family, "");
		listener->waits[family] = false;
		any = true;
	}
	return any;
}
