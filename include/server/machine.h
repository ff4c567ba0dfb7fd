/*
 * machine - what this process may use of the machine: processors, memory, descriptors. Affinity and cgroups (v1 and v2) count, not
 * what the hardware has.
 */
#ifndef UTURN_SERVER_MACHINE_H
#define UTURN_SERVER_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct machine {
	unsigned processors;   /* at least 1: the fewest of affinity mask and cgroup quota (rounded up) */
	uint64_t memory_bytes; /* the cgroup's limit; UINT64_MAX: none */
	uint32_t descriptors;  /* the soft limit, after it was raised to the hard one */
};

/* `root` is put in front of /proc and /sys/fs/cgroup: "" but in tests. */
void machine_read(const char *root, struct machine *ret_machine);

/* Raises the soft descriptor limit to the hard one. Returns the limit in force. */
uint32_t machine_raise_descriptors(void);

/* How many shards there are to be when nobody says: one a processor, fewer where memory is tight. */
unsigned machine_shards(const struct machine *machine);

/* What the configuration asks for. */
struct machine_wish {
	unsigned shards, listeners;
	uint32_t allocations;       /* 0: as many as possible */
	uint32_t connections_max;   /* 0: likewise */
	uint32_t handshakes_wanted; /* at once, in each shard */
	bool connections;           /* some listener has connections */
	bool sockets;               /* … that take a descriptor each: TCP, TLS */
	bool handshakes;            /* … that begin with one: TLS, DTLS */
};

struct machine_budget {
	uint32_t allocations;
	const char *allocations_bound; /* what bounds them */
	uint32_t connections;          /* of all shards; 0: no listener has any */
	const char *connections_bound;
	uint32_t handshakes_max; /* at once, in each shard, as far as memory goes; UINT32_MAX: no bound */
	uint32_t stream_buffers; /* of each shard */
};

/* How much this machine can hold: allocations and connections take descriptors, kernel sockets and our own state. Without
 * connections, all of it is for allocations. */
void machine_plan(const struct machine *machine, const struct machine_wish *wish, struct machine_budget *ret_budget);

/* Receive buffers of each shard: fewer where memory is tight. A power of two. */
uint32_t machine_receive_buffers(const struct machine *machine, unsigned shards);

/* The bytes to ask for, for each of so many sockets that may be full at the same time: `wanted`, or fewer where memory is tight. */
uint32_t machine_socket_buffer(const struct machine *machine, uint32_t wanted, unsigned sockets);

#endif
