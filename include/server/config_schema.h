/*
 * config_schema - the tables of what a document may say: its top level, admin and auth. (Listeners: config_listener; clusters:
 * config_cluster.)
 */
#ifndef UTURN_SERVER_CONFIG_SCHEMA_H
#define UTURN_SERVER_CONFIG_SCHEMA_H

#include "server/config_read.h"

/* The document's top level; its target is the struct config. */
extern const struct config_field config_schema[];
/* The first form of v1alpha1: {"version", "admin", "static": {"auth", "listeners"}}. */
extern const struct config_field config_schema_early[];

/* Also for STUNNER_AUTH_TYPE. */
extern const struct config_choice config_auth_types[];

#endif
