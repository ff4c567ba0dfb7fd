/*
 * machine - what this process may use of the machine: processors, memory, descriptors. Affinity and cgroups (v1 and v2) count, not
 * what the hardware has.
 */
#ifndef UTURN_SERVER_MACHINE_H
#define UTURN_SERVER_MACHINE_H

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

/*
 * How many allocations this machine can hold: each takes a descriptor, a kernel socket and our own state. `wanted` 0 means as many
 * as possible. *ret_reason names what bounds it.
 */
uint32_t machine_allocations_max(
	const struct machine *machine, unsigned shards, unsigned listeners, uint32_t wanted, const char **ret_reason);

/* Receive buffers of each shard: fewer where memory is tight. A power of two. */
uint32_t machine_receive_buffers(const struct machine *machine, unsigned shards);

#endif
