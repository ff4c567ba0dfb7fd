/*
 * local - where a tunnel's local clients arrive: datagrams, connections, or standard input.
 *
 * Every client has a tunnel: a UDP address, a connection, standard input as a whole. What a connection brings is sent in
 * packets of up to LOCAL_STREAM_PACKET bytes, as it arrives; of standard input every line (with its end) is a packet.
 * Connections and standard input are read only while their tunnel takes packets; packets that a UDP client sends too early wait
 * (tunnel.h).
 *
 * After its end of input, a connection's or standard input's tunnel stays for the answers that are under way: until as many
 * packets have come back as were sent and LOCAL_SETTLE_MS have passed without one, or LOCAL_LINGER_MS have passed without one.
 *
 * Bounds:  options.clients_max clients; a connection that does not read loses packets beyond LOCAL_OUTPUT_MAX bytes.
 * Threads: the event loop's.
 */
#ifndef UTURN_TURNCAT_LOCAL_H
#define UTURN_TURNCAT_LOCAL_H

#include "turncat/options.h"
#include "turncat/tunnel.h"

enum { LOCAL_STREAM_PACKET = 1500, LOCAL_OUTPUT_MAX = 1 << 20, LOCAL_SETTLE_MS = 250, LOCAL_LINGER_MS = 2000 };

struct local_world {
	struct tunnel_world *tunnels;
	const struct turncat_options *options;
	void (*leave)(void *context, int status); /* standard input is done */
	void *context;
};

struct local_udp;
struct local_stream;
struct local_stdio;

/* NULL with one line. The world must outlive them. What is freed ends all its tunnels. */
struct local_udp *local_udp_create(const struct local_world *world, struct failure *failure);
void local_udp_free(struct local_udp *local);

struct local_stream *local_stream_create(const struct local_world *world, struct failure *failure);
void local_stream_free(struct local_stream *local);

struct local_stdio *local_stdio_create(const struct local_world *world, struct failure *failure);
void local_stdio_free(struct local_stdio *local);

#endif
