/*
 * endpoint - the loader's UDP sockets: bound to ports clear of the servers' relay range, with large buffers, arrival stamps and
 * UDP_GRO.
 */
#ifndef UTURN_BENCH_CLIENT_ENDPOINT_H
#define UTURN_BENCH_CLIENT_ENDPOINT_H

#include "base/addr.h"
#include "failure.h"

/*
 * A non-blocking socket bound to `ip` and a free port between LOADER_PORT_MIN and LOADER_PORT_MAX (load/load.h), drawn at random,
 * SO_TIMESTAMPNS on, buffers as large as allowed (*_FORCE first; buffer_bytes 0: the system's own), UDP_GRO on where `gro`. Returns
 * the descriptor, or -1 with one line in `failure`. *ret_local gets the bound address. Threads: any.
 */
int endpoint_open(const struct addr *ip, bool gro, int buffer_bytes, struct addr *ret_local, struct failure *failure);

/* Connects it: only what comes from `remote` arrives, and ICMP errors are reported. */
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
