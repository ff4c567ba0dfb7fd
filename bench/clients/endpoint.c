#include "clients/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

#include "crypto/random.h"

enum { PORTS = LOADER_PORT_MAX - LOADER_PORT_MIN + 1, SPARE_DESCRIPTORS = 256 };

/* The larger of what is allowed: past the system's limit where this process may, up to it otherwise. Never an error. */
static void set_buffers(int fd, int receive_bytes, int send_bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_bytes, sizeof receive_bytes) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_bytes, sizeof send_bytes) != 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
}

static bool set_options(int fd, bool gro, int buffer_bytes, struct failure *failure)
{
	const int on = 1;
	if (buffer_bytes > 0)
		set_buffers(fd, buffer_bytes, buffer_bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0)
		return fail(failure, "this kernel does not stamp arrivals (SO_TIMESTAMPNS: %s)", strerror(errno));
	if (gro && setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) != 0)
		return fail(failure, "this kernel has no UDP_GRO (%s): Linux 5.0 or later is needed", strerror(errno));
	return true;
}

static bool bind_failed(const struct addr *ip, int error, struct failure *failure)
{
	char text[ADDR_TEXT_SIZE];
	addr_format_ip(ip, text);
	if (error == EADDRINUSE)
		return fail(
			failure, "%s has no free port between %d and %d: use fewer flows", text, LOADER_PORT_MIN, LOADER_PORT_MAX);
	if (error == EADDRNOTAVAIL)
		return fail(failure, "cannot send from %s: no interface of this machine has that address", text);
	return fail(failure, "cannot bind a socket to %s: %s", text, strerror(error));
}

static atomic_uint ports_used;

static void draw_first_port(void)
{
	struct random_source source = {0};
	unsigned draw;
	random_bytes(&source, &draw, sizeof draw);
	atomic_store(&ports_used, draw % PORTS);
}

static uint16_t next_port(void)
{
	static pthread_once_t drawn = PTHREAD_ONCE_INIT;
	pthread_once(&drawn, draw_first_port);
	return (uint16_t)(LOADER_PORT_MIN + atomic_fetch_add(&ports_used, 1) % PORTS);
}

static bool bind_somewhere(int fd, const struct addr *ip, struct addr *ret_local, struct failure *failure)
{
	int error = EADDRINUSE;
	for (int i = 0; i < PORTS && error == EADDRINUSE; i++) {
		struct addr local = addr_with_port(*ip, next_port());
		struct sockaddr_storage sa;
		socklen_t size = addr_to_sockaddr(&local, &sa);
		if (bind(fd, (struct sockaddr *)&sa, size) == 0) {
			*ret_local = local;
			return true;
		}
		error = errno;
	}
	return bind_failed(ip, error, failure);
}

static int socket_for(const struct addr *ip, int type, struct failure *failure)
{
	int fd = socket(ip->family == ADDR_IPV6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		return fd;
	if (errno == EMFILE || errno == ENFILE)
		fail(failure, "too many open sockets for this machine's limits: raise them (ulimit -n), or use fewer flows");
	else
		fail(failure, "cannot make a socket: %s", strerror(errno));
	return -1;
}

int endpoint_open(const struct addr *ip, bool gro, int buffer_bytes, struct addr *ret_local, struct failure *failure)
{
	int fd = socket_for(ip, SOCK_DGRAM, failure);
	if (fd < 0)
		return -1;
	if (!set_options(fd, gro, buffer_bytes, failure) || !bind_somewhere(fd, ip, ret_local, failure)) {
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * Thousands of connections that end with a FIN would keep as many of the loader's ports for a minute (TIME_WAIT): they end with a
 * RST.
 */
static bool set_stream_options(int fd, struct failure *failure)
{
	const int on = 1;
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0)
		return true;
	return fail(failure, "cannot set the options of a TCP socket: %s", strerror(errno));
}

int endpoint_open_stream(const struct addr *ip, int buffer_bytes, struct addr *ret_local, struct failure *failure)
{
	int fd = socket_for(ip, SOCK_STREAM, failure);
	if (fd < 0)
		return -1;
	if (!set_options(fd, false, buffer_bytes, failure) || !set_stream_options(fd, failure) ||
		!bind_somewhere(fd, ip, ret_local, failure)) {
		close(fd);
		return -1;
	}
	return fd;
}

bool endpoint_connect(int fd, const struct addr *remote, struct failure *failure)
{
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(remote, &sa);
	if (connect(fd, (struct sockaddr *)&sa, size) == 0 || errno == EINPROGRESS)
		return true;
	char text[ADDR_TEXT_SIZE];
	return fail(failure, "cannot reach %s: %s", addr_format(remote, text), strerror(errno));
}

static bool ends_of(int fd, struct addr *ret_local, struct addr *ret_remote, struct failure *failure)
{
	struct sockaddr_storage local = {0}, remote = {0};
	socklen_t local_size = sizeof local, remote_size = sizeof remote;
	if (getsockname(fd, (struct sockaddr *)&local, &local_size) != 0 ||
		getpeername(fd, (struct sockaddr *)&remote, &remote_size) != 0)
		return fail(failure, "a socket's addresses cannot be read: %s", strerror(errno));
	*ret_local = addr_from_sockaddr((struct sockaddr *)&local);
	*ret_remote = addr_from_sockaddr((struct sockaddr *)&remote);
	return true;
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t size = sizeof value;
	getsockopt(fd, level, name, &value, &size);
	return value;
}

bool endpoint_renew(int fd, struct failure *failure)
{
	struct addr local, remote, bound;
	if (!ends_of(fd, &local, &remote, failure))
		return false;
	bool gro = option(fd, IPPROTO_UDP, UDP_GRO) != 0;
	int other = endpoint_open(&local, gro, 0, &bound, failure);
	if (other < 0)
		return false;
	/* socket(7): twice what was asked for is told. */
	set_buffers(other, option(fd, SOL_SOCKET, SO_RCVBUF) / 2, option(fd, SOL_SOCKET, SO_SNDBUF) / 2);
	bool done = endpoint_connect(other, &remote, failure);
	if (done && dup3(other, fd, O_CLOEXEC) < 0)
		done = fail(failure, "dup3: %s", strerror(errno));
	close(other);
	return done;
}

bool endpoint_local_address(const struct addr *remote, struct addr *ret_local, struct failure *failure)
{
	int fd = socket_for(remote, SOCK_DGRAM, failure);
	if (fd < 0)
		return false;
	bool done = endpoint_connect(fd, remote, failure);
	if (done) {
		struct sockaddr_storage sa = {0};
		socklen_t size = sizeof sa;
		if (getsockname(fd, (struct sockaddr *)&sa, &size) == 0)
			*ret_local = addr_with_port(addr_from_sockaddr((struct sockaddr *)&sa), 0);
		else
			done = fail(failure, "getsockname: %s", strerror(errno));
	}
	close(fd);
	return done;
}

static struct addr interface_address(const struct ifaddrs *entry)
{
	if (entry->ifa_addr == NULL)
		return (struct addr){.family = ADDR_NONE};
	return addr_with_port(addr_from_sockaddr(entry->ifa_addr), 0);
}

static const char *interface_with(const struct ifaddrs *list, const struct addr *ip)
{
	for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
		struct addr addr = interface_address(entry);
		if (addr_ip_equal(&addr, ip))
			return entry->ifa_name;
	}
	return NULL;
}

static bool link_local(const struct addr *a)
{
	return a->family == ADDR_IPV6 && a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static bool other_in(const struct ifaddrs *list, const char *interface, const struct addr *ip, struct addr *ret_other)
{
	for (const struct ifaddrs *entry = list; entry != NULL; entry = entry->ifa_next) {
		struct addr addr = interface_address(entry);
		if (addr.family == ip->family && strcmp(entry->ifa_name, interface) == 0 && !addr_ip_equal(&addr, ip) &&
			link_local(&addr) == link_local(ip)) {
			*ret_other = addr;
			return true;
		}
	}
	return false;
}

bool endpoint_other_address(const struct addr *ip, struct addr *ret_other, struct failure *failure)
{
	if (ip->family == ADDR_IPV4 && addr_is_loopback(ip)) {
		*ret_other = addr_with_port(*ip, 0);
		/* All of 127.0.0.0/8 is local, without being configured. */
		ret_other->ip[3] = ip->ip[3] == 2 ? 3 : 2;
		return true;
	}
	struct ifaddrs *list;
	if (getifaddrs(&list) != 0)
		return fail(failure, "cannot list the interfaces of this machine: %s", strerror(errno));
	char text[ADDR_TEXT_SIZE];
	addr_format_ip(ip, text);
	const char *interface = interface_with(list, ip);
	bool found = interface != NULL && other_in(list, interface, ip, ret_other);
	if (!found)
		fail(failure, "a second local address beside %s is needed: add one ('ip address add … dev %s')", text,
			interface != NULL ? interface : "INTERFACE");
	freeifaddrs(list);
	return found;
}

bool endpoint_make_room(unsigned count, struct failure *failure)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return fail(failure, "getrlimit: %s", strerror(errno));
	rlim_t needed = (rlim_t)count + SPARE_DESCRIPTORS;
	if (limit.rlim_cur >= needed)
		return true;
	limit.rlim_cur = needed;
	if (limit.rlim_max < needed)
		limit.rlim_max = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return true;
	return fail(failure,
		"%u sockets do not fit into this process's limit of open files: raise it ('ulimit -n %llu'), or use fewer flows",
		count, (unsigned long long)needed);
}
