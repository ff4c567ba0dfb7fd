/*
 * server_state - what the process holds, and the functions its files offer each other: server (start and end), listeners (sockets),
 * reload (a new configuration), retirement (of listeners), watch and discovery (when there is a new configuration), drain (the way
 * out).
 */
#ifndef UTURN_SRC_SERVER_SERVER_STATE_H
#define UTURN_SRC_SERVER_SERVER_STATE_H

#include <event2/event.h>

#include "base/log.h"
#include "discovery.h"
#include "server/cluster_registry.h"
#include "server/config_world.h"
#include "server/lockdown.h"
#include "server/machine.h"
#include "server/reload_diff.h"
#include "server/server.h"
#include "server/server_view.h"
#include "shard/shard.h"

struct server {
	const struct options *options;
	const struct config_world *world;
	struct config *config; /* the running one; without listeners and endpoints before there was any */
	bool awaits;           /* there was none yet but what the process itself made */
	struct machine machine;
	struct machine_budget capacity; /* what the shards' tables were made for, whatever kind of listener comes */
	struct machine_budget budget;   /* with the listeners that there are */
	struct cluster_registry *registry;
	struct shard_shared *shared;
	struct shard *shards[SHARDS_MAX];
	unsigned shard_count;
	uint64_t orders_given; /* to each shard; closings of listeners too */
	uint64_t closing;      /* the slots of listeners that shards may not have closed yet */
	struct listener_accounts accounts;
	struct event *retirement; /* a timer: running while listeners retire, close, or wait */
	struct log_limit waiting_log;
	struct tls_tickets *tickets; /* as long as the process; NULL: no listener has had handshakes */
	struct event *tickets_timer;
	struct turn_config *turn;      /* what the shards were given last, */
	struct stream_config *streams; /* and for connections */
	char engine_reason[ENGINE_REASON_SIZE];
	struct lockdown lockdown;
	int status; /* what the process ends with */

	struct event_base *events;
	struct server_ops *ops;  /* HTTP endpoints */
	struct server_view view; /* what they show */
	struct cluster_names *cluster_names;
	struct names *names; /* looks them up */
	struct event *signals[3];
	struct watch *watch;         /* the folders of the configuration file and of certificates; NULL: no file */
	struct discovery *discovery; /* configurations from a config discovery service; NULL: none is followed */
	struct event *drain_poll;    /* running while draining */
	uint64_t drain_began_ns;
};

/* An order for each shard. */
struct server_orders {
	struct shard_order *list[SHARDS_MAX];
};

/* listeners.c: opens what the plan for `config` asks for, one socket for each shard, into the orders. False after a log line; what
 * was opened is in the orders. */
bool listeners_open(
	const struct server *server, const struct config *config, const struct listener_plan *plan, struct server_orders *orders);
/* A line for each socket of it. */
void listeners_log(const struct config *config, const struct listener_plan *plan, const struct server_orders *orders);
/* Tries again for a listener that waits, whose sockets are in nobody's way any more if this is true: it is in the orders. */
bool listeners_open_waiting(struct server *server, struct config_listener *listener, struct server_orders *orders);

/* server.c: session tickets, once a listener has handshakes. False: no memory. */
bool server_open_tickets(struct server *server);

/* retirement.c: looks after the listeners that retire, close or wait, while there are any. */
bool retirement_init(struct server *server); /* false: no memory */
void retirement_watch(struct server *server);

/* reload.c: orders with these configurations (references are taken) and without sockets. False: no memory. */
bool server_orders_create(const struct server *server, const struct config *config, struct turn_config *turn,
	struct stream_config *streams, struct server_orders *ret_orders);
void server_orders_free(struct server_orders *orders);
void server_orders_give(struct server *server, struct server_orders *orders);
/* The first configuration. False after log lines. Takes over `config`. */
bool server_begin(struct server *server, struct config *config);
/* Listeners have gone that had a share of the machine: the others get it. Without memory for that everything stays. */
void server_divide_anew(struct server *server);
/* What clusters stand for has changed, though not the configuration: the shards learn of it. False after a log line, and nothing
 * changed. */
bool server_clusters_changed(struct server *server);
/* Takes up a configuration that was just loaded, wherever it came from. NULL, or one that cannot be used, leaves everything as
 * it was; what is wrong is logged with `problems`. Takes over `incoming`. */
void server_offer(struct server *server, struct config *incoming, struct config_problems *problems, const char *cause);
/* Likewise, with what the options name. */
void server_reload(struct server *server, const char *cause);

/* watch.c: calls server_reload when the configuration file or one that it names changes, or what their folders' links lead to.
 * NULL: no memory, or no inotify (logged). */
struct watch *watch_start(struct server *server, const char *file);
/* The running configuration names other files now. */
void watch_update(struct watch *watch); /* NULL is fine */
void watch_stop(struct watch *watch);

/* names.c: the domain names of the running configuration's clusters are looked up in the background; false: no memory. names_update
 * says that the configuration is another one now. */
bool names_start(struct server *server);
void names_update(struct server *server);
void names_stop(struct server *server);
/* drain.c: the first call begins to drain, the second leaves at once. */
void server_drain(struct server *server);

#endif
