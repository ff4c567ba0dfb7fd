#include "turncat/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "io/tcp_socket.h"
#include "io/udp_socket.h"

enum { UDP_BUFFER_BYTES = 4 << 20, BACKLOG = 128 };

static void set_int(int fd, int level, int option, int value)
{
	setsockopt(fd, level, option, &value, sizeof value);
}

/* As large as the system's limits allow, and past them where this process may. */
static void set_udp_comforts(int fd)
{
	int size = UDP_BUFFER_BYTES;
	set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
		set_int(fd, SOL_SOCKET, SO_RCVBUF, size);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
		set_int(fd, SOL_SOCKET, SO_SNDBUF, size);
}

int sockets_connect(enum transport_kind kind, const struct addr *server, struct failure *failure)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(server, &name);
	bool stream = transport_is_stream(kind);
	int fd = socket(name.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		fail(failure, "cannot make a socket: %s", strerror(errno));
		return -1;
	}
	if (stream)
		set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	else
		set_udp_comforts(fd);
	if (connect(fd, (struct sockaddr *)&name, size) == 0 || errno == EINPROGRESS)
		return fd;
	fail(failure, "cannot be reached: %s", strerror(errno));
	close(fd);
	return -1;
}

static int listen_failed(const struct spec_local *local, int error, struct failure *failure)
{
	char name[SOCKETS_NAME_SIZE];
	sockets_format(local, name);
	const char *what = error == EADDRINUSE      ? "is taken by another program: use another, or end that one"
			   : error == EADDRNOTAVAIL ? "no interface of this machine has that address"
			   : error == EACCES        ? "permission denied: ports below 1024 and foreign directories take root"
						    : strerror(error);
	fail(failure, "cannot listen on %s: %s", name, what);
	return -1;
}

/* A socket file that an earlier process left behind; one that somebody listens on is not touched. */
static void remove_left_behind(const struct sockaddr_un *name)
{
	struct stat status;
	if (name->sun_path[0] == '\0' || lstat(name->sun_path, &status) != 0 || !S_ISSOCK(status.st_mode))
		return;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED)
		unlink(name->sun_path);
	close(fd);
}

/* -errno */
static int listen_unix(const char *path)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	size_t length = strlen(path);
	memcpy(name.sun_path, path, length);
	socklen_t size = sizeof name;
	if (path[0] == '@') {
		name.sun_path[0] = '\0';
		size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	}
	remove_left_behind(&name);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&name, size) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int error = errno;
	close(fd);
	return -error;
}

int sockets_listen(const struct spec_local *local, struct failure *failure)
{
	static const struct udp_socket_options udp = {
		.receive_buffer = UDP_BUFFER_BYTES, .send_buffer = UDP_BUFFER_BYTES, .listener = true};
	static const struct tcp_socket_options tcp = {0};
	int fd = -EINVAL, error;
	switch (local->kind) {
	case SPEC_UDP:
		fd = udp_socket_open(&local->addr, &udp, NULL);
		break;
	case SPEC_TCP:
		error = tcp_socket_listen_group(&local->addr, &tcp, 1, &fd);
		fd = error < 0 ? error : fd;
		break;
	case SPEC_UNIX:
		fd = listen_unix(local->path);
		break;
	case SPEC_STDIO:
		break;
	}
	return fd >= 0 ? fd : listen_failed(local, -fd, failure);
}

void sockets_format(const struct spec_local *local, char ret_name[static SOCKETS_NAME_SIZE])
{
	char addr[ADDR_TEXT_SIZE] = "";
	switch (local->kind) {
	case SPEC_UDP:
	case SPEC_TCP:
		snprintf(ret_name, SOCKETS_NAME_SIZE, "%s://%s", local->kind == SPEC_UDP ? "udp" : "tcp",
			addr_format(&local->addr, addr));
		break;
	case SPEC_UNIX:
		snprintf(ret_name, SOCKETS_NAME_SIZE, "unix://%s", local->path);
		break;
	case SPEC_STDIO:
		snprintf(ret_name, SOCKETS_NAME_SIZE, "standard input");
		break;
	}
}
