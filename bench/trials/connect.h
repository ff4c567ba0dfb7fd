/*
 * connect - how fast a server takes connections, and what memory an idle one takes: TCP, TLS or DTLS with its handshake done and
 * one Binding request answered, and no allocation.
 *
 * Resident memory is read before, 0.2 s after the last connection was answered with all of them held, and 0.5 s after they ended.
 * One connection has come and gone before the first reading: what a server makes once is no part of the figure.
 *
 * Threads: one, the caller's; pinned to `cores` while it runs. An interrupt (interrupt.h) ends it with "interrupted".
 */
#ifndef UTURN_BENCH_TRIALS_CONNECT_H
#define UTURN_BENCH_TRIALS_CONNECT_H

#include "load/load.h"

enum { CONNECT_PARALLEL_DEFAULT = 64, CONNECT_HELD_MAX = 32000 /* sockets of one address, with a port each */ };

struct connect_plan {
	unsigned held, parallel; /* parallel 0: CONNECT_PARALLEL_DEFAULT */
	cpu_set_t cores;
};

struct connect_result {
	unsigned held;
	char tls_version[8], cipher[48]; /* TLS, DTLS: what was agreed upon */
	double seconds, connections_per_s;
	bool loader_bound; /* as of allocate.h */
	double loader_busy;
	bool server_known;            /* a pid was given: the rest is valid */
	double run_ns_per_connection; /* of the server's threads, handshake and Binding */
	double server_busy;
	uint64_t rss_idle_bytes, rss_held_bytes, rss_after_bytes;
	double rss_bytes_per_connection;
};

/* The target's transport is TCP, TLS or DTLS; its credentials are not used. */
bool connect_run(const struct connect_plan *plan, const struct load_target *target, struct connect_result *ret_result,
	struct failure *failure);

#endif
