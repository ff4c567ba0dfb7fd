/*
 * tunnel - one local client's way to the peer: finds the server, connects, allocates, binds a channel, keeps all of it alive,
 * and begins anew when the server is lost, for as long as its owner wants it.
 *
 * Lost is a server that closes the connection, refuses packets (ICMP), cannot be connected to for TUNNEL_CONNECT_S, does not
 * answer a request for TUNNEL_PATIENCE_S, or has forgotten the allocation (437, as after a restart). Whether it has is asked when
 * packets have gone out for TUNNEL_CHECK_S with none coming in, and when nothing has gone out for TUNNEL_KEEPALIVE_S, which keeps
 * NATs on the way open, too. Tries follow after 0.5 s, doubling up to 10 s. A server that refuses (wrong credentials, a peer that
 * it does not allow, no capacity) is told in one line of the log, and tried again after 10 s unless the owner ends the tunnel.
 * ALTERNATE-SERVER (300) is followed, three times in a row.
 *
 * Bounds:  QUEUE_MAX (queue.h) packets wait for the allocation; beyond, the oldest goes.
 * Threads: the event loop's. The functions of `struct tunnel_events` are called from it; tunnel_free may be called from all of
 * them but `packet`.
 */
#ifndef UTURN_TURNCAT_TUNNEL_H
#define UTURN_TURNCAT_TUNNEL_H

#include "base/bytes.h"
#include "turncat/inbox.h"
#include "turncat/upstream.h"

enum { TUNNEL_CONNECT_S = 10, TUNNEL_PATIENCE_S = 5, TUNNEL_CHECK_S = 3, TUNNEL_KEEPALIVE_S = 20, TUNNEL_PAYLOAD_MAX = 65507 - 4 };

/* What all tunnels of a process share. */
struct tunnel_world {
	struct event_base *base;
	struct upstream *upstream;
	struct resolver *resolver;
	const struct spec_host *peer;
	struct inbox *inbox;
	unsigned long long dropped; /* packets that no tunnel could take or deliver */
};

struct tunnel_events {
	void (*packet)(void *owner, struct bytes payload); /* from the peer */
	void (*batch_end)(void *owner);                    /* no more of them for now */
	void (*ready)(void *owner);                        /* packets are taken (again) */
	void (*failed)(void *owner, bool refused);         /* a try for an allocation failed, or one was taken away: the log says
	                                                       why. `refused`: because the server does not want it */
};

struct tunnel;

/* Begins at once. `name` is the local client's, for the log; copied. NULL: no memory. */
struct tunnel *tunnel_create(struct tunnel_world *world, const char *name, const struct tunnel_events *events, void *owner);

/* Ends the allocation (Refresh with lifetime 0). The memory goes with the event loop's next round. */
void tunnel_free(struct tunnel *tunnel);

/* False: what is sent would wait in the queue, or be lost. */
bool tunnel_takes(const struct tunnel *tunnel);

/* To the peer: appends to a burst. Between the first tunnel_send and tunnel_flush no other tunnel may be sent to. */
void tunnel_send(struct tunnel *tunnel, struct bytes payload);
void tunnel_flush(struct tunnel *tunnel);

#endif
