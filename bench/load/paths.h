/*
 * paths - all allocations and paths of a load, with their sockets: opened, set up, closed.
 *
 * A *unit* is what is copied and what a worker takes as a whole: a call of a script, or a flow of a flood. All units are alike and
 * lie one behind the other; inside a unit the paths of an allocation lie together.
 *
 * Threads: made and closed by the coordinator. In between each worker touches those of its own units only.
 */
#ifndef UTURN_BENCH_LOAD_PATHS_H
#define UTURN_BENCH_LOAD_PATHS_H

#include "client/connection.h"
#include "clients/setup.h"
#include "load/load.h"
#include "load/stream.h"

struct path {
	int peer_fd;      /* the peer's socket, connected to the relayed address */
	uint16_t channel; /* 0: none; the relay then sends Data indications */
	uint32_t allocation;
	struct addr peer; /* the peer's address */
	struct stream streams[DIRECTIONS];
};

struct allocation {
	int fd;                        /* the client's socket, connected to the server */
	struct connection *connection; /* over TCP, TLS or DTLS; NULL: UDP */
	uint32_t path_first, path_count;
};

struct paths {
	const struct load_target *target;
	struct addr local; /* the clients' IP address */
	unsigned units, unit_allocations, unit_paths;
	unsigned allocation_count, path_count; /* of all units */
	uint32_t *places;                      /* of the script's paths inside a unit */
	struct allocation *allocations;
	struct turn_client *turn_clients; /* of the allocations, same order */
	struct setup_client *clients;
	struct path *paths;
	struct tls_context *tls;         /* TLS and DTLS */
	struct connection_plan plan;     /* of the connections */
	struct connection *connections;  /* of the allocations; NULL: UDP */
	char tls_version[8], cipher[48]; /* TLS, DTLS: what was agreed upon */
};

/* Opens all sockets and prepares the clients. False with one line; in any case paths_close is to be called. */
bool paths_open(struct paths *p, const struct load_plan *plan, const struct load_target *target, struct failure *failure);

/* Brings up the connections, makes the allocations, permissions and channels, and connects the peers to their relayed addresses. */
bool paths_set_up(struct paths *p, double *ret_seconds, struct failure *failure);

/* Of a set-up that failed: whether a client ended with 437 to Allocate. */
bool paths_port_taken(const struct paths *p);

/* Shows the relayed addresses to the plan's hook. */
bool paths_announce(const struct paths *p, const struct load_plan *plan, struct failure *failure);

/* Ends the allocations, closes and frees everything. A zeroed one is closed already. */
void paths_close(struct paths *p);

#endif
