/*
 * udp_socket - making the two kinds of UDP socket, with every option that the engines rely on.
 *
 * Both: non-blocking, close-on-exec, UDP_GRO, TOS reported, SO_RXQ_OVFL, large receive buffer (SO_RCVBUFFORCE where allowed), no
 * path MTU discovery (IP_PMTUDISC_OMIT: a forged ICMP cannot shrink anything). IPv6 sockets are IPv6 only. Listeners report the
 * destination address.
 */
#ifndef UTURN_IO_UDP_SOCKET_H
#define UTURN_IO_UDP_SOCKET_H

#include "base/addr.h"

struct udp_socket_options {
	int receive_buffer; /* bytes; 0: leave the system's default */
	int send_buffer;
	bool reuse_port; /* listeners of several shards */
	bool shut;       /* lets nothing in yet: for udp_socket_open_group */
	bool listener;   /* report the destination address of each packet */
	bool freebind;   /* bind an address that this machine does not have (yet) */
};

/* The descriptor, or a negative errno. *ret_receive_buffer (may be NULL): what the kernel granted, in the same terms as asked. */
int udp_socket_open(const struct addr *local, const struct udp_socket_options *options, int *ret_receive_buffer);

/*
 * `count` sockets on one address and port that share its traffic, flow by flow (SO_REUSEPORT). The first is bound exclusively
 * before the others join, so a port that any other process listens on gives -EADDRINUSE instead of half of the traffic. Nothing is
 * received before the group is complete. All or none.
 */
int udp_socket_open_group(
	const struct addr *local, const struct udp_socket_options *options, unsigned count, int ret_fds[], int *ret_receive_buffer);

/* The address as bound, with the port the kernel chose. */
struct addr udp_socket_local(int fd);

/* The address that packets to the outside of this family leave from, found by asking the routing table (nothing is sent); the first
 * global address of an interface otherwise; ADDR_NONE if there is none. */
struct addr udp_default_source(enum addr_family family);

#endif
