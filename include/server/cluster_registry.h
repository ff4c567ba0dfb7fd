/*
 * cluster_registry - gives each cluster name a small number for its counters, the same one for the life of the process, so that
 * a reload neither resets a counter nor mixes two.
 *
 * Bounds:  LIMIT_CLUSTERS numbers; names past LIMIT_CLUSTERS - 1 share the last one, called "(others)".
 * Threads: cluster_registry_id from one thread; the readers from any.
 */
#ifndef UTURN_SERVER_CLUSTER_REGISTRY_H
#define UTURN_SERVER_CLUSTER_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

struct cluster_registry;

struct cluster_registry *cluster_registry_create(void);        /* NULL: no memory */
void cluster_registry_free(struct cluster_registry *registry); /* NULL is fine */

/* The number of this name, made if it is new. Without memory for the name, that of "(others)". */
uint16_t cluster_registry_id(struct cluster_registry *registry, const char *name);

/* How many numbers are in use (0 .. count-1, and LIMIT_CLUSTERS - 1 once it is needed), and whose they are: NULL if nobody's. */
size_t cluster_registry_count(const struct cluster_registry *registry);
const char *cluster_registry_name(const struct cluster_registry *registry, uint16_t id);

#endif
