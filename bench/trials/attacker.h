/*
 * attacker - one thread that floods a server in one of the ways of attack.h. Private to the trials.
 *
 * Owns:    its sockets, its allocation (ATTACK_CLIENT), its thread. Over UDP nothing is read of what comes back: small receive
 * buffers overflow.
 * Bounds:  ATTACKER_BATCH packets per send call; `rate_per_s` kept per millisecond; ends by itself at end_ns.
 * Threads: the functions are the coordinator's.
 */
#ifndef UTURN_BENCH_TRIALS_ATTACKER_H
#define UTURN_BENCH_TRIALS_ATTACKER_H

#include "trials/attack.h"

enum { ATTACKER_BATCH = 32, ATTACKER_PORTS = 64 };

struct attacker;

/* When it sends, and when it counts: CLOCK_MONOTONIC. */
struct attacker_times {
	uint64_t window_start_ns, window_end_ns, end_ns;
};

/* Opens the sockets and makes the allocation, where the kind needs one; sends nothing else yet. NULL: one line in `failure`. */
struct attacker *attacker_open(
	enum attack_kind kind, const struct attack_plan *plan, const struct load_target *target, struct failure *failure);

/* Starts the flood; `relayed` (copied) are the addresses that ATTACK_UNPERMITTED sends to. Once at most. */
bool attacker_start(struct attacker *a, const struct addr *relayed, unsigned count, const struct attacker_times *times,
	struct failure *failure);

/*
 * Ends the flood: *ret_packets are those that the kernel took inside the window. False with one line when none was sent at all
 * because of an error, or it never started.
 */
bool attacker_stop(struct attacker *a, uint64_t *ret_packets, struct failure *failure);

/* Stops it where it still runs, ends its allocation, closes the sockets. NULL-safe. */
void attacker_free(struct attacker *a);

#endif
