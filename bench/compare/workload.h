/*
 * workload - a named load with the bars that it is held against: the standard sets, and what a user gives on the command line.
 */
#ifndef UTURN_BENCH_COMPARE_WORKLOAD_H
#define UTURN_BENCH_COMPARE_WORKLOAD_H

#include "load/load.h"
#include "trials/allocate.h"
#include "trials/attack.h"
#include "trials/connect.h"
#include "trials/handshakes.h"

enum workload_kind {
	WORKLOAD_FLOOD,
	WORKLOAD_REPLAY,
	WORKLOAD_ALLOCATE,
	WORKLOAD_ATTACK,
	WORKLOAD_CONNECT,
	WORKLOAD_HANDSHAKES,
};

enum bar_figure {
	BAR_RUN_TIME,    /* reference's run time per delivered packet / ours, median of the rounds' ratios; at least `bound` */
	BAR_LATENCY_P50, /* ours / reference's; at most `bound` */
	BAR_LATENCY_P99,
	BAR_ALLOCATIONS,  /* our allocations per second / reference's; at least */
	BAR_MEMORY,       /* our resident bytes per allocation; at most; no reference */
	BAR_MEMORY_IDLE,  /* our resident bytes before the first allocation; at most; no reference */
	BAR_MEMORY_HELD,  /* our resident bytes with all held; at most; no reference */
	BAR_SYSTEM_CALLS, /* ours per packet; at most; no reference */
	BAR_CONNECTION,   /* connect: our resident bytes per idle connection; at most; no reference */
	BAR_VICTIM_LOSS,  /* attack, handshakes: packets that the victim lost in all; at most; no reference */
	BAR_VICTIM_P99,   /* attack, handshakes: during / before; at most; no reference */
};

struct bar {
	enum bar_figure figure;
	const char *server;    /* whose figure: "uturn-io_uring" */
	const char *reference; /* against whom: "coturn", "uturn-io_uring"; NULL: none */
	double bound;
	bool best_quartile; /* the reference counts with its better quartile over the rounds, not the median */
};

enum { WORKLOAD_BARS_MAX = 16 };

struct workload {
	const char *name, *title; /* "up-8x1200"; "client to peer, 20 flows, bursts of 8 x 1200 B, single packets" */
	enum workload_kind kind;
	struct transport transport; /* the clients' */
	struct load_flood flood;    /* WORKLOAD_FLOOD, and the victim of WORKLOAD_ATTACK and, over UDP, of WORKLOAD_HANDSHAKES */
	bool gso;
	const char *capture;      /* WORKLOAD_REPLAY: a file in bench/captures */
	unsigned calls;           /* WORKLOAD_REPLAY: 0: as many as load the calibration server's core to load_share */
	double load_share;        /* WORKLOAD_REPLAY: 0.7 */
	double rate_share;        /* WORKLOAD_FLOOD: paced at this share of the calibration server's maximum (closed loop) */
	double attack_rate_per_s; /* WORKLOAD_ATTACK: packets per second of the attackers; 0: as many as one thread can send */
	unsigned held;            /* WORKLOAD_ALLOCATE, WORKLOAD_CONNECT */
	unsigned handshakes;      /* WORKLOAD_HANDSHAKES: of each kind, at most; and for no longer than a second */
	double handshakes_per_s;  /* WORKLOAD_HANDSHAKES: at most; 0: as many as one thread makes */
	double seconds;           /* of the measured window; 0: the set's default */
	unsigned rounds_max;      /* no more rounds than that, for what takes long; 0: the plan's */
	const char *left_out;     /* the name of a server that is not measured here, since no bar asks for it; NULL: none */
	struct bar bars[WORKLOAD_BARS_MAX]; /* those in use come first; server NULL ends them */
};

/* What a standard set is run with unless the user says otherwise. */
struct workload_defaults {
	unsigned rounds;
	double seconds;
	const char *servers; /* a comma list, as server_spec_parse knows them */
};

/* The standard set ("quick" or "full" differ in rounds and seconds, and in what full has in addition). NULL: no such set. */
const struct workload *workload_set(const char *name, size_t *ret_count);
const struct workload *workload_find(const char *name);

/* False: no such set. */
bool workload_defaults(const char *set, struct workload_defaults *ret_defaults);

#endif
