/*
 * handshakes - what TLS or DTLS handshakes cost a server, full ones and resumed ones, and what a call over UDP suffers meanwhile.
 *
 * A handshake counts when a Binding request behind it has been answered; then the connection ends. Each comes from a port of its
 * own. The parts, one after the other: full handshakes alone; resumed ones alone (each offers the session of one before it); the
 * call alone; the call while full handshakes go on. The first two tell the server's run time per handshake, from which follows how
 * many a core could make in a second: this tool's own end of a handshake costs more than the server's, so what is counted per
 * second may be its own limit.
 *
 * The handshakes beside the call come from one thread at nice 19 on the loader's cores, from the moment that the call's
 * allocations stand to half a second after its window.
 *
 * Threads: the caller's, pinned to the call's cores while it runs, and one for the handshakes beside the call. An interrupt
 * (interrupt.h) ends it with "interrupted".
 */
#ifndef UTURN_BENCH_TRIALS_HANDSHAKES_H
#define UTURN_BENCH_TRIALS_HANDSHAKES_H

#include "load/load.h"

enum { HANDSHAKES_PARALLEL_DEFAULT = 16, HANDSHAKES_MAX = 1000000 };

struct handshakes_plan {
	unsigned count;    /* of each kind, at most */
	unsigned parallel; /* 0: HANDSHAKES_PARALLEL_DEFAULT */
	double rate_per_s; /* so many are begun in a second, at most; 0: as many as it can */
	double seconds;    /* of each kind, at most */
	bool has_victim;
	struct addr victim_server; /* the server's UDP listener */
	struct load_plan victim;   /* paced; its cores are the loader's, with a victim or without */
};

struct handshakes_part {
	unsigned done, failed, resumed;
	double seconds, per_s;
	double loader_busy;
	bool loader_bound; /* as of allocate.h */
	/* Where a pid was given: */
	double run_ns_per_handshake, per_core_s, server_busy;
};

struct handshakes_result {
	bool server_known, loader_bound;
	char tls_version[8], cipher[48];
	struct handshakes_part full, resumed;
	struct load_result *before, *during; /* owned; NULL without a victim */
	uint64_t beside;                     /* handshakes that were made inside the call's window */
	double p99_ratio;                    /* as of attack.h */
};

/* The target's transport is TLS or DTLS. False with one line, also where no handshake came to its end. */
bool handshakes_run(const struct handshakes_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct handshakes_result *ret_result, struct failure *failure);
void handshakes_result_done(struct handshakes_result *result);

#endif
