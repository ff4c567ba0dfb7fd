#include "io/tcp_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 4096, /* the kernel clips it to net.core.somaxconn */
	/* Bytes that a connection holds unsent before it takes no more. Less makes shorter bursts, more makes older media. */
	NOTSENT_LOWAT = 64 * 1024,
	/* A client that is gone without a word is noticed within two minutes, one that acknowledges nothing within one. */
	KEEP_IDLE_S = 60,
	KEEP_INTERVAL_S = 15,
	KEEP_COUNT = 4,
	USER_TIMEOUT_MS = 60 * 1000,
};

static bool set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

/* What cannot be had of these costs some comfort, and nobody the connection. */
static void set_comforts(int fd, const struct tcp_socket_options *options)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT);
	set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
	set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
	if (options->receive_buffer > 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, options->receive_buffer);
	if (options->send_buffer > 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, options->send_buffer);
}

static int open_bound(const struct addr *local, const struct tcp_socket_options *options, bool reuse_port)
{
	struct sockaddr_storage name;
	socklen_t name_size = addr_to_sockaddr(local, &name);
	if (name_size == 0)
		return -EAFNOSUPPORT;
	int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
	if (fd < 0)
		return -errno;
	/* Connections of an earlier process that linger (TIME_WAIT) do not hold the port. */
	bool good = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	good = good && (local->family != ADDR_IPV6 || set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
	good = good && (!reuse_port || set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1));
	if (!good || bind(fd, (struct sockaddr *)&name, name_size) < 0) {
		int error = -errno;
		close(fd);
		return error;
	}
	set_comforts(fd, options);
	return fd;
}

/* Binds them all, and only then listens: with the first connection the group is complete. */
static int open_group(
	const struct addr *local, const struct tcp_socket_options *options, unsigned count, int fds[], unsigned *ret_opened)
{
	struct addr address = *local;
	for (unsigned i = 0; i < count; i++) {
		int fd = open_bound(&address, options, i > 0);
		if (fd < 0)
			return fd;
		fds[i] = fd;
		*ret_opened = i + 1;
		if (i > 0 || count == 1)
			continue;
		/* The first was bound without sharing: the port is ours alone. */
		address = tcp_socket_local(fd);
		if (!set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
			return -errno;
	}
	for (unsigned i = 0; i < count; i++)
		if (listen(fds[i], BACKLOG) < 0)
			return -errno;
	return 0;
}

int tcp_socket_listen_group(const struct addr *local, const struct tcp_socket_options *options, unsigned count, int ret_fds[])
{
	unsigned opened = 0;
	int error = open_group(local, options, count, ret_fds, &opened);
	while (error < 0 && opened > 0)
		close(ret_fds[--opened]);
	return error;
}

struct addr tcp_socket_local(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
		return (struct addr){.family = ADDR_NONE};
	return addr_from_sockaddr((struct sockaddr *)&name);
}

struct addr tcp_socket_peer(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;
	if (getpeername(fd, (struct sockaddr *)&name, &size) < 0)
		return (struct addr){.family = ADDR_NONE};
	return addr_from_sockaddr((struct sockaddr *)&name);
}
