/*
 * server_view - what metrics and status show of the process, and the HTTP endpoints that show it.
 *
 * The server fills the view in and keeps it true; metrics and status only read.
 * Threads: the server's main thread, on which HTTP handlers run too.
 */
#ifndef UTURN_SERVER_SERVER_VIEW_H
#define UTURN_SERVER_SERVER_VIEW_H

#include "server/cds.h"
#include "server/cluster_names.h"
#include "server/cluster_registry.h"
#include "server/config.h"
#include "server/listener_accounts.h"
#include "server/lockdown.h"
#include "shard/shard.h"

/* Where configurations come from. */
struct source_view {
	char place[CONFIG_HOST_SIZE + 64]; /* a file's name (its beginning), "http://10.0.0.1:13478", "URI", "embedded default" */
	const char *id;                    /* whose configuration a service is followed for; NULL: none is followed */
	bool connected;                    /* to the service */
	char problem[CDS_ERROR_SIZE];      /* why not; "": nothing is known to be wrong */
	uint64_t connects, messages, refused;
};

struct server_view {
	struct shard *const *shards;
	unsigned shard_count;
	struct shard_shared *shared;

	const struct config *config;         /* the running one */
	const struct stream_config *streams; /* what was made of it */
	const struct cluster_registry *registry;
	const struct listener_accounts *accounts;
	const struct cluster_names *cluster_names;
	const struct config_world *world;

	enum engine_kind engine;   /* never ENGINE_AUTO */
	const char *engine_reason; /* one line, the same for the life of the process */
	const struct lockdown *lockdown;
	uint32_t allocations_max; /* of all shards together */
	uint32_t connections_max; /* likewise; 0: no listener has connections */

	bool ready; /* a configuration is in effect and packets flow */
	bool draining;
	struct moment started;

	struct source_view source;
	uint64_t reloads_ok, reloads_failed;
	bool last_reload_ok;         /* true before the first one */
	uint64_t last_reload_wall_s; /* of the last one that succeeded, or of the start; since 1970 */
};

/* Listener `index`, retiring ones counted, has the name (and the protocol) of one before it: they are shown together. */
bool server_view_named_before(const struct server_view *view, size_t index, bool of_protocol);

struct event_base;
struct server_ops;

/* Nothing is open yet. The view is borrowed. NULL: no memory. */
struct server_ops *server_ops_create(struct event_base *base, struct server_view *view);
/*
 * Opens what these settings' metrics_endpoint, healthcheck_endpoint and ice_endpoint ask for, and then closes what was open
 * elsewhere; an endpoint that stays where it is is not touched. False after a log line: all is as it was. Not from an HTTP
 * handler.
 */
bool server_ops_move(struct server_ops *ops, const struct config_admin *admin);
void server_ops_free(struct server_ops *ops); /* NULL is fine */

#endif
