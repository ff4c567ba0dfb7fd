/*
 * relay_rig - a small TURN server in a thread, on loopback, that asks for no credentials and treats packets as badly as a test
 * wants.
 *
 * Threads: its own. The faults are to be set before relay_rig_start; what it counts and records may be read after relay_rig_stop.
 */
#ifndef UTURN_TESTS_BENCH_LOAD_RELAY_RIG_H
#define UTURN_TESTS_BENCH_LOAD_RELAY_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/addr.h"

enum { RELAY_ALLOCATIONS_MAX = 32, RELAY_PEERS_MAX = 8, RELAY_RECORD_MAX = 4096, RELAY_PACKET_MAX = 2048 };

struct relay_allocation {
	struct addr client;
	int fd;
	unsigned peer_count;
	struct relay_peer {
		struct addr addr;
		uint16_t channel;
	} peers[RELAY_PEERS_MAX];
};

struct relay_rig {
	struct addr addr; /* where it listens */
	/* Every so manieth packet of each direction; 0: none. */
	unsigned drop_every, duplicate_every, swap_every, corrupt_every;
	uint64_t end_after; /* so many packets in all it closes its sockets; 0: never */
	/* What came up, and down: payload sizes in their order, and of what came up whether it was an indication. */
	unsigned recorded[2];
	uint16_t sizes[2][RELAY_RECORD_MAX];
	bool indications[RELAY_RECORD_MAX];
	uint64_t packets;
	unsigned refreshes;
	int fd;
	unsigned allocation_count;
	struct relay_allocation allocations[RELAY_ALLOCATIONS_MAX];
	struct relay_lane {
		unsigned count;
		uint8_t held[RELAY_PACKET_MAX];
		size_t held_size;
		struct addr held_to;
		int held_fd;
		bool holds;
	} lanes[2];
	pthread_t thread;
	atomic_bool stop;
};

void relay_rig_start(struct relay_rig *r);
void relay_rig_stop(struct relay_rig *r);

#endif
