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

static void close_all(struct shard_params params[], unsigned shard_count)
{
	for (unsigned shard = 0; shard < shard_count; shard++)
		for (unsigned listener = 0; listener < LIMIT_LISTENERS; listener++)
			for (unsigned family = 0; family < RELAY_FAMILIES; family++)
				if (params[shard].listeners[listener][family] >= 0)
					close(params[shard].listeners[listener][family]);
}

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

static void warn_if_clipped(const struct config *config, int granted)
{
	static bool warned;
	if (warned || granted >= (int)config->admin.listener_receive_buffer)
		return;
	warned = true;
	log_warn(LOG_IO,
		"receive buffers are clipped to %d of %u bytes, so bursts may be lost: raise net.core.rmem_max on the node (or "
		"grant CAP_NET_ADMIN)",
		granted, config->admin.listener_receive_buffer);
}

enum { BIND_TRIES = 20, BIND_PAUSE_MS = 50 };

static int open_once(struct server *server, const struct config_listener *listener, const struct addr *bind, int fds[])
{
	if (config_listener_is_stream(listener)) {
		struct tcp_socket_options options = {0};
		return tcp_socket_listen_group(bind, &options, server->shard_count, fds);
	}
	struct udp_socket_options options = {
		.receive_buffer = (int)server->config->admin.listener_receive_buffer,
		.send_buffer = (int)server->config->admin.listener_receive_buffer,
		.reuse_port = true,
		.listener = true,
	};
	int granted = 0;
	int result = udp_socket_open_group(bind, &options, server->shard_count, fds, &granted);
	if (result == 0)
		warn_if_clipped(server->config, granted);
	return result;
}

/* A process that used io_uring and has just ended may hold its port for some 100 ms more, until the kernel has torn its ring
 * down. */
static int open_group(struct server *server, const struct config_listener *listener, const struct addr *bind, int fds[])
{
	int result = open_once(server, listener, bind, fds);
	for (unsigned try = 1; result == -EADDRINUSE && try < BIND_TRIES; try++) {
		usleep(BIND_PAUSE_MS * 1000);
		result = open_once(server, listener, bind, fds);
	}
	return result;
}

/* One listener's sockets of one family. A family that the machine lacks may be missing when the bind address was not named. */
static int open_family(struct server *server, struct shard_params params[], unsigned index, unsigned family)
{
	const struct config_listener *listener = &server->config->listeners[index];
	const struct addr *bind = &listener->bind[family];
	if (bind->family == ADDR_NONE)
		return 0;
	int fds[SHARDS_MAX];
	char text[ADDR_TEXT_SIZE];
	const char *protocol = config_protocol_name(listener->protocol);
	int result = open_group(server, listener, bind, fds);
	if ((result == -EAFNOSUPPORT || result == -EADDRNOTAVAIL) && !listener->bind_given && family == RELAY_IPV6) {
		log_info(LOG_IO, "listener %s: this machine has no IPv6, IPv4 only", listener->name);
		return 0;
	}
	if (result < 0) {
		log_error(LOG_IO, "listener %s: cannot open %s %s: %s: %s", listener->name, protocol, addr_format(bind, text),
			strerror(-result), advice(result));
		return -1;
	}
	for (unsigned shard = 0; shard < server->shard_count; shard++) {
		params[shard].listeners[index][family] = fds[shard];
		params[shard].listener_bound[index][family] = !addr_is_any(bind);
	}
	log_info(LOG_IO, "listener %s: %s %s%s", listener->name, protocol, addr_format(bind, text),
		listener->proxy_protocol ? " behind proxies" : "");
	return 0;
}

int listeners_open(struct server *server, struct shard_params params[])
{
	for (unsigned shard = 0; shard < server->shard_count; shard++)
		memset(params[shard].listeners, -1, sizeof params[shard].listeners);
	for (unsigned index = 0; index < server->config->listener_count; index++) {
		for (unsigned family = 0; family < RELAY_FAMILIES; family++) {
			if (open_family(server, params, index, family) < 0) {
				close_all(params, server->shard_count);
				return -1;
			}
		}
	}
	return 0;
}
