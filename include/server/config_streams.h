/*
 * config_streams - what the shards need of a configuration for connections: certificates made ready for handshakes, trusted
 * proxies, limits.
 */
#ifndef UTURN_SERVER_CONFIG_STREAMS_H
#define UTURN_SERVER_CONFIG_STREAMS_H

#include "server/config.h"

struct config_streams_params {
	const struct config *config;
	/* The configuration that runs, and what was made of it. Certificates that it has already keep their context, whatever the
	 * date. NULL at the start: then one that has expired is taken, with a warning. */
	const struct config *running;
	const struct stream_config *running_streams;
	const struct config_world *world;
	struct tls_tickets *tickets; /* outlives the result; NULL: no resumption */
	uint64_t now_s;              /* since 1970 */
	uint32_t handshakes_max;     /* in one shard, as far as memory goes */
	uint32_t connections_max;    /* likewise; 0: no bound */
};

/* A listener of the configuration is listener number `slot` of the result. With one reference; NULL: an error was added to
 * *problems. */
struct stream_config *config_streams_create(const struct config_streams_params *params, struct config_problems *problems);

/* Some listener of it, or one that retires, has connections; TLS or DTLS; TCP or TLS. */
struct config_streams_needs {
	bool connections, handshakes, sockets;
};
struct config_streams_needs config_streams_needs(const struct config *config);

#endif
