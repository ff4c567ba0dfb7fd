/*
 * load - runs one load against one server and measures it: sets up allocations and sockets, starts the workers, keeps the phases,
 * reads the server's cost, adds up the tallies.
 *
 * The phases:  set-up | warm-up | measured window | (system calls are counted) | drain (late packets) | end.
 *
 * Workers are threads; each owns a share of the calls or flows with all of their sockets, sends and receives for them, and counts
 * in tallies of its own, so that no packet of the loader takes a lock. An interrupt (interrupt.h) ends the window.
 */
#ifndef UTURN_BENCH_LOAD_LOAD_H
#define UTURN_BENCH_LOAD_LOAD_H

#include <sched.h>

#include "base/addr.h"
#include "base/failure.h"
#include "client/transport.h"
#include "load/script.h"
#include "measure/server_watch.h"
#include "measure/tally.h"

enum { LOAD_WORKERS_MAX = 64, LOAD_ALLOCATIONS_MAX = 100000 };

struct load_target {
	struct addr server;         /* the TURN server's address and port, of this transport: */
	struct transport transport; /* the clients'; peers have UDP */
	struct addr local; /* loader's client sockets bind this IP address; ADDR_NONE: chosen by the kernel's route to `server` */
	struct addr peer;  /* the peers' sockets bind this IP address; ADDR_NONE: as `local` */
	const char *username, *password;
	pid_t pid;       /* the server's process, 0 when it is not on this machine: then nothing is said of its cost */
	cpu_set_t cores; /* the server's, for the cores' split; empty when unknown */
};

enum load_kind { LOAD_SCRIPT, LOAD_FLOOD };

struct load_flood {
	unsigned flows; /* allocations, one peer each */
	unsigned size;  /* payload bytes */
	unsigned burst; /* packets at a time, 1 … 64 */
	bool up, down;  /* directions that are sent */
	bool indications;
	double rate_per_s; /* packets per second of all flows together; 0: closed loop */
	unsigned window;   /* closed loop: packets under way per stream */
};

struct load_plan {
	const char *name; /* of the workload, for people */
	enum load_kind kind;
	struct load_flood flood;
	const char *captures;        /* LOAD_SCRIPT: the files' names, " + " between them; NULL: not said */
	const struct script *script; /* LOAD_SCRIPT: not owned */
	unsigned calls;              /* LOAD_SCRIPT: copies of the script, which begin at places spread evenly over it */
	bool gso;                    /* runs of equal packets to one destination leave in one send with UDP_SEGMENT (over UDP) */
	double warmup_s, seconds, system_calls_s; /* system_calls_s 0: not counted */
	double drain_s;                           /* how long to wait for late packets, at most; ends early when none is missing */
	unsigned workers;                         /* 0: one per core of `cores` */
	cpu_set_t cores;                          /* the loader's; empty: no pinning */
	uint64_t seed;
	/* Called once all allocations stand, before the warm-up, with their relayed addresses (valid during the call), or NULL. */
	void (*ready)(void *context, const struct addr *relayed, unsigned count);
	void *ready_context;
};

/* Called by the coordinator about every 200 ms while a load runs; also with what was measured so far. May be NULL. */
struct load_progress {
	const char *phase;
	double elapsed_s, total_s;
	uint64_t sent, delivered; /* of the window so far */
	double delivered_per_s;   /* over the last interval */
	uint64_t latency_p99_ns;
};
typedef void load_progress_fn(void *context, const struct load_progress *progress);

struct load_result {
	double seconds;       /* of the measured window as it was */
	bool interrupted;     /* Ctrl-C: the window, or what comes behind it, ended early */
	bool loader_bound;    /* the loader's own cores were full while the server's were not: not the server's limit */
	double loader_busy;   /* the busiest worker's share of the window not spent waiting, 0 … 1 */
	double lost_schedule; /* paced: share of packets sent more than 1 ms after their time */
	unsigned workers, allocations;
	char tls_version[8], cipher[48]; /* TLS, DTLS: what was agreed upon */
	bool port_taken;                 /* why it failed: the server has allocations for all ports that a client tried (437) */
	double setup_s;
	struct tally up, down;
	bool server_known;           /* pid was given: the rest is valid */
	struct server_sample server; /* differences over the window */
	uint64_t rss_before_bytes;   /* before the allocations were made */
	uint64_t rss_held_bytes;     /* after they were made, before the load */
	bool system_calls_known;
	double system_calls_per_packet; /* per delivered packet of that phase */
	char system_calls_why[160];     /* why not */
};

/*
 * Runs the plan. False with one line in `failure`: the server does not answer, refuses the credentials, or ended in the middle
 * (nothing was measured then); too many sockets for this machine's limits; a plan out of bounds; interrupted before the window
 * began. *ret_result is large (histograms): callers keep it on the heap; of one that failed only port_taken is valid. The calling
 * thread runs on the loader's cores meanwhile.
 */
bool load_run(const struct load_plan *plan, const struct load_target *target, load_progress_fn *progress, void *context,
	struct load_result *ret_result, struct failure *failure);

/* The number of allocations that a plan makes. */
unsigned load_allocations(const struct load_plan *plan);

#endif
