/*
 * script - what one call sends: packets of known sizes at known times along paths.
 *
 * A *path* is a client's allocation together with one of its peers: packets go up it (client, server, peer) and down (peer, server,
 * client). Each path and direction is a *stream* with sequence numbers of its own. Paths of one allocation share the client's
 * socket.
 *
 * Owns:    its arrays (script_free). Immutable once made, shared by all copies of a call.
 */
#ifndef UTURN_BENCH_LOAD_SCRIPT_H
#define UTURN_BENCH_LOAD_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum direction { UP, DOWN, DIRECTIONS };

struct script_path {
	uint16_t allocation; /* index; allocations are numbered from 0 without a gap */
	bool channel; /* a channel is bound for the peer; otherwise a permission, and the relay sends Data indications down */
};

struct script_packet {
	uint64_t at_ns;    /* since the start of the script; ascending */
	uint16_t path;     /* index into paths */
	uint16_t size;     /* application payload in bytes, without TURN framing; may be 0 */
	uint8_t direction; /* enum direction */
	bool indication;   /* up only: in a Send indication although the path has a channel (browsers do so before it is bound) */
};

struct script {
	struct script_path *paths;
	struct script_packet *packets;
	size_t path_count, packet_count;
	unsigned allocations;
	uint64_t length_ns; /* when the next loop begins; at least the last packet's time */
};

enum { SCRIPT_PATHS_MAX = 1024, SCRIPT_PACKETS_MAX = 16 << 20 };

void script_free(struct script *s); /* frees the arrays and zeroes *s; NULL-safe for its arrays */

#endif
