/*
 * tcp_socket - listening TCP sockets, with every option that their connections inherit.
 *
 * Connections are non-blocking, close-on-exec, TCP_NODELAY, with keep-alive; what they have not yet sent is kept short
 * (TCP_NOTSENT_LOWAT), so that a slow reader's queue is ours, where old media can be dropped, and not the kernel's. IPv6 sockets
 * are IPv6 only.
 */
#ifndef UTURN_IO_TCP_SOCKET_H
#define UTURN_IO_TCP_SOCKET_H

#include "base/addr.h"

struct tcp_socket_options {
	int receive_buffer; /* bytes; 0: leave the system's own sizing */
	int send_buffer;
};

/*
 * `count` listening sockets on one address and port that share its connections (SO_REUSEPORT). The first is bound exclusively
 * before the others join, so a port that any other process listens on gives -EADDRINUSE. All or none. 0, or a negative errno.
 */
int tcp_socket_listen_group(const struct addr *local, const struct tcp_socket_options *options, unsigned count, int ret_fds[]);

/* Of a listening socket or a connection; ADDR_NONE when it has none (any more). */
struct addr tcp_socket_local(int fd);
struct addr tcp_socket_peer(int fd);

#endif
