/*
 * config_listener - the listeners of a document, and what their addresses mean on this machine.
 */
#ifndef UTURN_SERVER_CONFIG_LISTENER_H
#define UTURN_SERVER_CONFIG_LISTENER_H

#include "server/config_read.h"

extern const struct config_field config_schema_listener[];

/* Into r->config. */
config_read_function config_read_listeners;

struct config_listener config_listener_defaults(void);
void config_listener_done(struct config_listener *listener); /* lets go of what it owns */

/* The listener may reach all clusters; false: no memory. */
bool config_listener_route_to_all(struct config_listener *listener, const struct config *config);

/*
 * Fills in listener->bind, ->relay and the port range. Per family the relay address is the first of
 *	relay_address, if any is given: a family without one is not offered;
 *	`address`, if it is of this family: bound if it is this machine's, only told to clients otherwise;
 *	the address that the Allocate arrived at, on a machine that has this family.
 * Where advertised_address names one of this family, that is what clients are told.
 */
void config_listener_complete(struct config_listener *listener, const struct config_world *world, struct config_problems *problems);

/* config_listener_streams.c: for the schema, behind the protocol and in this order; and what contradicts in what they read. */
config_read_function config_read_cert, config_read_key, config_read_certificates;
config_read_function config_read_proxy_trusted;
void config_listener_check_streams(
	const struct config_listener *listener, enum config_dialect dialect, struct config_problems *problems);

#endif
