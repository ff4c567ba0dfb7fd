#include "io/udp_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/udp.h>
#include <unistd.h>

static bool set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) == 0;
}

static int set_ipv4_options(int fd, const struct udp_socket_options *options)
{
	if (!set_int(fd, IPPROTO_IP, IP_RECVTOS, 1) || !set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT))
		return -errno;
	if (options->listener && !set_int(fd, IPPROTO_IP, IP_PKTINFO, 1))
		return -errno;
	if (options->freebind && !set_int(fd, IPPROTO_IP, IP_FREEBIND, 1))
		return -errno;
	return 0;
}

static int set_ipv6_options(int fd, const struct udp_socket_options *options)
{
	if (!set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) || !set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) ||
		!set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT))
		return -errno;
	if (options->listener && !set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1))
		return -errno;
	if (options->freebind && !set_int(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1))
		return -errno;
	return 0;
}

/* Beyond net.core.rmem_max (wmem_max) with CAP_NET_ADMIN, up to it without. */
static void set_buffer(int fd, int force, int option, int size)
{
	if (size > 0 && !set_int(fd, SOL_SOCKET, force, size))
		set_int(fd, SOL_SOCKET, option, size);
}

/* The kernel doubles what it is asked for, to account for its own overhead, and reports the double. */
static int granted_receive_buffer(int fd)
{
	int size = 0;
	socklen_t length = sizeof size;
	getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &length);
	return size / 2;
}

static int set_options(int fd, enum addr_family family, const struct udp_socket_options *options)
{
	int error = family == ADDR_IPV4 ? set_ipv4_options(fd, options) : set_ipv6_options(fd, options);
	if (error < 0)
		return error;
	if (!set_int(fd, SOL_SOCKET, SO_RXQ_OVFL, 1))
		return -errno;
	/* A kernel without it delivers one packet at a time: slower, not wrong. */
	set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
	set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options->receive_buffer);
	set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options->send_buffer);
	return 0;
}

/* While a group grows, packets would queue at members whose flows are another's once it is complete: nothing is let in before. */
static bool shut(int fd)
{
	struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
	struct sock_fprog program = {.len = 1, .filter = &nothing};
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static bool open_up(int fd)
{
	return set_int(fd, SOL_SOCKET, SO_DETACH_FILTER, 0);
}

int udp_socket_open(const struct addr *local, const struct udp_socket_options *options, int *ret_receive_buffer)
{
	struct sockaddr_storage name;
	socklen_t name_size = addr_to_sockaddr(local, &name);
	if (name_size == 0)
		return -EAFNOSUPPORT;
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0)
		return -errno;
	int error = set_options(fd, (enum addr_family)local->family, options);
	if (error == 0 && options->reuse_port && !set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		error = -errno;
	if (error == 0 && options->shut && !shut(fd))
		error = -errno;
	if (error == 0 && bind(fd, (struct sockaddr *)&name, name_size) < 0)
		error = -errno;
	if (error < 0) {
		close(fd);
		return error;
	}
	if (ret_receive_buffer != NULL)
		*ret_receive_buffer = granted_receive_buffer(fd);
	return fd;
}

int udp_socket_open_group(
	const struct addr *local, const struct udp_socket_options *options, unsigned count, int ret_fds[], int *ret_receive_buffer)
{
	/* The first must not share: SO_REUSEPORT would silently take a part of another process's traffic, or give away ours. */
	struct udp_socket_options member = *options;
	member.reuse_port = false;
	member.shut = count > 1;
	struct addr address = *local;
	unsigned opened = 0;
	int error = 0;
	while (opened < count) {
		int fd = udp_socket_open(&address, &member, ret_receive_buffer);
		if (fd < 0) {
			error = fd;
			break;
		}
		ret_fds[opened++] = fd;
		if (opened > 1 || count == 1)
			continue;
		address = udp_socket_local(fd);
		member.reuse_port = true;
		if (!set_int(fd, SOL_SOCKET, SO_REUSEPORT, 1)) {
			error = -errno;
			break;
		}
	}
	for (unsigned i = 0; i < count && count > 1 && error == 0; i++)
		if (!open_up(ret_fds[i]))
			error = -errno;
	if (error == 0)
		return 0;
	while (opened > 0)
		close(ret_fds[--opened]);
	return error;
}

struct addr udp_socket_local(int fd)
{
	struct sockaddr_storage name = {0};
	socklen_t size = sizeof name;
	if (getsockname(fd, (struct sockaddr *)&name, &size) < 0)
		return (struct addr){.family = ADDR_NONE};
	return addr_from_sockaddr((struct sockaddr *)&name);
}

/* Connecting a UDP socket asks the routing table and sends nothing. The destinations are documentation addresses (RFC 5737, RFC
 * 3849): they are outside, and nobody's. */
static struct addr routed_source(enum addr_family family)
{
	struct addr outside = addr_ipv4(192, 0, 2, 1, 9);
	if (family == ADDR_IPV6)
		outside = (struct addr){.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .port = 9, .family = ADDR_IPV6};
	struct addr source = {.family = ADDR_NONE};
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&outside, &name);
	int fd = socket(name.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (fd < 0)
		return source;
	if (connect(fd, (struct sockaddr *)&name, size) == 0)
		source = udp_socket_local(fd);
	close(fd);
	return source;
}

static bool is_usable_source(const struct addr *a, enum addr_family family)
{
	if (a->family != family || addr_is_any(a) || addr_is_loopback(a))
		return false;
	if (family == ADDR_IPV4)
		return !(a->ip[0] == 169 && a->ip[1] == 254);
	return !(a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80);
}

static struct addr interface_source(enum addr_family family)
{
	struct addr source = {.family = ADDR_NONE};
	struct ifaddrs *interfaces;
	if (getifaddrs(&interfaces) < 0)
		return source;
	for (const struct ifaddrs *i = interfaces; i != NULL && source.family == ADDR_NONE; i = i->ifa_next) {
		if (i->ifa_addr == NULL || !(i->ifa_flags & IFF_UP))
			continue;
		struct addr candidate = addr_from_sockaddr(i->ifa_addr);
		if (is_usable_source(&candidate, family))
			source = candidate;
	}
	freeifaddrs(interfaces);
	return source;
}

struct addr udp_default_source(enum addr_family family)
{
	struct addr source = routed_source(family);
	if (!is_usable_source(&source, family))
		source = interface_source(family);
	return addr_with_port(source, 0);
}
