/*
 * stream_config - what the shards need to know about listeners that are not plain UDP: certificates, PROXY protocol, limits. An
 * immutable, reference-counted snapshot beside turn_config; a reload makes a new one.
 *
 * Threads: made and changed by the server's thread before the first shard sees it; references are atomic.
 */
#ifndef UTURN_SHARD_STREAM_CONFIG_H
#define UTURN_SHARD_STREAM_CONFIG_H

#include "base/prefix_set.h"
#include "tls/context.h"
#include "turn/flow.h"
#include "turn/limits.h"

struct stream_limits {
	uint32_t per_source;          /* connections of one client address (IPv6: of one /64) to one shard; 0: no bound */
	uint32_t handshakes;          /* under way in one shard */
	uint32_t handshake_timeout_s; /* from the connection to the end of the handshake, PROXY header included */
	uint32_t idle_timeout_s;      /* without an allocation and without a message */
	uint32_t stuck_timeout_s;     /* in which the client has read nothing although something waits for it */
};

struct stream_listener {
	enum transport transport;
	bool proxy;                       /* clients come through a proxy that sends the PROXY protocol's header */
	struct prefix_set *proxy_trusted; /* … from these addresses; owned. Others are refused */
	struct tls_context *tls;          /* TLS and DTLS; a reference is owned */
	bool retiring;                    /* no new connections: those it has go on */
	uint64_t sharers; /* a bit for each retiring listener whose clients still come to the sockets of this one (UDP, DTLS) */
};
/* Sets of listeners. */
#define LISTENER_BIT(listener) (UINT64_C(1) << (listener))
_Static_assert(LIMIT_LISTENERS == 64, "a bit for each");

struct stream_config {
	uint32_t references; /* atomic */
	struct stream_limits limits;
	uint32_t connections_max; /* in one shard; 0: what the shard has room for */
	struct stream_listener listeners[LIMIT_LISTENERS];
};

/* With one reference, zeroed: every listener is plain UDP. NULL: no memory. */
struct stream_config *stream_config_create(void);
struct stream_config *stream_config_ref(struct stream_config *config);
void stream_config_unref(struct stream_config *config); /* the last one lets go of what it owns; NULL is fine */

#endif
