/*
 * endpoint - the loader's sockets: bound to ports clear of the servers' relay range, with large buffers, arrival stamps, and
 * UDP_GRO where they are UDP's.
 */
#ifndef UTURN_BENCH_CLIENTS_ENDPOINT_H
#define UTURN_BENCH_CLIENTS_ENDPOINT_H

#include "base/addr.h"
#include "base/failure.h"

enum { LOADER_PORT_MIN = 10000, LOADER_PORT_MAX = 48000 /* TURN servers relay from 49152-65535 */ };

/*
 * A non-blocking socket bound to `ip` and a free port between LOADER_PORT_MIN and LOADER_PORT_MAX, SO_TIMESTAMPNS on, buffers as
 * large as allowed (*_FORCE first; buffer_bytes 0: the system's own), UDP_GRO on where `gro`. Returns the descriptor, or -1 with
 * one line in `failure`. *ret_local gets the bound address. The ports are taken one after the other from a random start, so that a
 * process uses none again before it has used all: a server may take seconds to forget the allocation of a port. Threads: any.
 */
int endpoint_open(const struct addr *ip, bool gro, int buffer_bytes, struct addr *ret_local, struct failure *failure);

/*
 * The same of TCP, without UDP_GRO: what is sent leaves at once (TCP_NODELAY), and closing it ends the connection with a RST, so
 * that no port stays taken (TIME_WAIT).
 */
int endpoint_open_stream(const struct addr *ip, int buffer_bytes, struct addr *ret_local, struct failure *failure);

/*
 * Gives a connected endpoint another port: behind `fd` there is a new socket afterwards with the same IP address, peer and
 * options, which no epoll set has. False with one line: then `fd` is as it was.
 */
bool endpoint_renew(int fd, struct failure *failure);

/* Connects it: only what comes from `remote` arrives, and ICMP errors are reported. Of TCP: begins to. */
bool endpoint_connect(int fd, const struct addr *remote, struct failure *failure);

/* The local IP address (port 0) from which `remote` is reached. */
bool endpoint_local_address(const struct addr *remote, struct addr *ret_local, struct failure *failure);

/*
 * A local IP address (port 0) beside `ip`, from which the same hosts are reached: for IPv4 loopback another one of 127.0.0.0/8,
 * otherwise another address of the interface that has `ip`. False, with the command that gives one, where there is none.
 */
bool endpoint_other_address(const struct addr *ip, struct addr *ret_other, struct failure *failure);

/* Raises RLIMIT_NOFILE so that `count` sockets fit beside what is open; false, with the command to do so, where it may not. */
bool endpoint_make_room(unsigned count, struct failure *failure);

#endif
