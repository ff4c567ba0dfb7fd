/*
 * netns - two network namespaces joined by a veth pair: one for the servers, one for the loader (`--netns`).
 *
 * Made with ip(8) and ethtool(8), MTU 1500, GRO on at the servers' end, addresses from 198.18.0.0/15 (RFC 2544, benchmarks). The
 * calling thread moves into the loader's; threads that it starts follow. Removed by netns_remove, also after Ctrl-C; what a killed
 * process left behind is removed by the next netns_create.
 */
#ifndef UTURN_BENCH_COMPARE_NETNS_H
#define UTURN_BENCH_COMPARE_NETNS_H

#include "base/addr.h"
#include "base/failure.h"

struct netns_pair {
	char server_path[64], loader_path[64]; /* "/run/netns/…" */
	struct addr server, loader;
	int home_fd; /* the namespace the caller came from */
};

bool netns_create(struct netns_pair *ret_pair, struct failure *failure);
void netns_remove(struct netns_pair *pair);

#endif
