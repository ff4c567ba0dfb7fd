/*
 * server_state - what the process holds, and the functions its files offer each other: server (start and end), listeners (sockets),
 * reload (a new configuration), watch (when there is one), drain (the way out).
 */
#ifndef UTURN_SRC_SERVER_SERVER_STATE_H
#define UTURN_SRC_SERVER_SERVER_STATE_H

#include <event2/event.h>

#include "server/cluster_registry.h"
#include "server/config_world.h"
#include "server/machine.h"
#include "server/server.h"
#include "server/server_view.h"
#include "shard/shard.h"

struct server {
	const struct options *options;
	const struct config_world *world;
	struct config *config;
	struct machine machine;
	struct machine_budget budget;
	struct cluster_registry *registry;
	struct shard_shared *shared;
	struct shard *shards[SHARDS_MAX];
	unsigned shard_count;
	uint32_t allocations_capacity; /* what the shards' tables hold together */
	struct tls_tickets *tickets;   /* as long as the process; NULL: no listener has handshakes */
	struct event *tickets_timer;
	struct stream_config *streams; /* what the shards were given last */
	char engine_reason[ENGINE_REASON_SIZE];
	int status; /* what the process ends with */

	struct event_base *events;
	struct server_ops *ops;  /* HTTP endpoints */
	struct server_view view; /* what they show */
	struct event *signals[3];
	struct watch *watch;        /* the folders of the configuration file and of certificates; NULL: no file */
	struct event *drain_poll;   /* running while draining */
	uint64_t drain_deadline_ns; /* 0: none */
};

/* listeners.c: opens the sockets of all listeners, `shard_count` of each, into the parameters of the shards. 0, or -1 after a log
 * line. On failure nothing stays open. */
int listeners_open(struct server *server, struct shard_params params[]);

/* reload.c: takes up a configuration that was just loaded, wherever it came from. NULL, or one that cannot be used, leaves everything as
 * it was; what is wrong is logged with `problems`. Takes over `incoming`. */
void server_offer(struct server *server, struct config *incoming, struct config_problems *problems, const char *cause);
/* Likewise, with what the options name. */
void server_reload(struct server *server, const char *cause);
/* Limits that take effect on the next Allocate. */
void server_set_quota(struct server *server, const struct config *config);
/* The snapshot that the shards get; NULL after a log line. */
struct turn_config *server_turn_config(struct server *server, const struct config *config);
/* Likewise, for connections; NULL after problems were added. `running` is NULL at the start. */
struct stream_config *server_stream_config(
	struct server *server, const struct config *config, const struct config *running, struct config_problems *problems);
/* A line for each certificate that `streams` has and the running one, if any, has not. */
void log_certificates(const struct server *server, const struct config *config, const struct stream_config *streams);
/* Logs each, as errors and warnings. */
void log_problems(const struct config_problems *problems);

/* watch.c: calls server_reload when the configuration file or one that it names changes, or what their folders' links lead to.
 * NULL: no memory, or no inotify (logged). */
struct watch *watch_start(struct server *server, const char *file);
/* The running configuration names other files now. */
void watch_update(struct watch *watch); /* NULL is fine */
void watch_stop(struct watch *watch);

/* drain.c: the first call begins to drain, the second leaves at once. */
void server_drain(struct server *server);

#endif
