/*
 * discovery - configurations from a config discovery service, taken up as they come.
 */
#ifndef UTURN_SRC_SERVER_DISCOVERY_H
#define UTURN_SRC_SERVER_DISCOVERY_H

#include "server/options.h"

/* Once, as the loaders of server/config. */
struct config *discovery_load(const struct options *options, const struct config_world *world, struct config_problems *problems);

struct source_view;
/* What is known of the source before anything has come. */
void discovery_describe(const struct options *options, struct source_view *ret_view);

struct server;
struct discovery;
/* Follows the service that the options name, from the server's event loop. NULL after a log line. */
struct discovery *discovery_start(struct server *server);
/* Where it is not followed: asks it once more, and takes up the answer when it comes. */
void discovery_ask(struct server *server);
void discovery_stop(struct discovery *discovery); /* NULL is fine */

#endif
