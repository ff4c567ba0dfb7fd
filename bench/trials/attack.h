/*
 * attack - a victim call's loss and latency alone, then while others flood.
 *
 * The victim is a paced load (load.h); the attackers are threads of this process, bounded in rate and time, on sockets of their
 * own. All use the target's transport, but for packets to relayed addresses, which are UDP's. Each kind of attack
 * gets a window of its own, with a window without attack before it, so that every figure has its own "before".
 *
 * An attack lasts from the moment the victim's allocations stand (so it is under way in the warm-up) to half a second after the
 * planned end of the measured window. The attacker is one thread at nice 10, on the loader's cores. The victim's own limits
 * (seconds, drain) are the plan's; system calls are not counted in these windows.
 */
#ifndef UTURN_BENCH_TRIALS_ATTACK_H
#define UTURN_BENCH_TRIALS_ATTACK_H

#include "load/load.h"

enum attack_kind {
	ATTACK_UNAUTHENTICATED, /* Allocate requests without credentials, from 64 ports of an address beside the victim's */
	ATTACK_UNPERMITTED,     /* packets to the victims' relayed addresses from an address that has no permission */
	ATTACK_CLIENT,          /* one client with an allocation of its own, sending as fast as it can to a peer of its own */
	ATTACK_KINDS,
};

struct attack_plan {
	struct load_plan victim; /* paced: LOAD_SCRIPT, or LOAD_FLOOD with a rate */
	double rate_per_s;       /* of the attackers; 0: as fast as one thread can */
	bool kinds[ATTACK_KINDS];
};

struct attack_result {
	struct {
		bool ran;
		struct load_result *before, *during; /* owned */
		uint64_t attack_packets; /* sent by the attackers inside the window (warmup_s after they began, for `seconds`) */
		double p99_ratio;        /* during / before, both directions together; 0 where nothing arrived in one of them */
	} kinds[ATTACK_KINDS];
};

const char *attack_kind_name(enum attack_kind kind); /* "unauthenticated", "unpermitted", "client" */

/*
 * Runs the kinds that the plan names, in their order. After an interrupt: true with those that ran (the last one's `during` may
 * say `interrupted`), or false with "interrupted" where none did. Progress phases are prefixed by the kind.
 */
bool attack_run(const struct attack_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct attack_result *ret_result, struct failure *failure);
void attack_result_done(struct attack_result *result);

/* The p99 of both directions together, during / before; 0 where nothing arrived in one of them. */
double attack_p99_ratio(const struct load_result *before, const struct load_result *during);

#endif
