/*
 * config_cluster - the clusters of a document: names for the peers that listeners may route to.
 */
#ifndef UTURN_SERVER_CONFIG_CLUSTER_H
#define UTURN_SERVER_CONFIG_CLUSTER_H

#include "server/config_read.h"

extern const struct config_field config_schema_cluster[];

/* Into r->config. */
config_read_function config_read_clusters;

/* A cluster of every address, as the embedded default and a URI have it; false: no memory. */
bool config_cluster_add_any(struct config *config, const char *name);

/* "10.0.0.0/8:<10000-20000>", and "media.example.org:<10000-20000>". NULL, or what is wrong and what would be right. */
const char *config_endpoint_parse(const char *text, struct config_endpoint *ret_endpoint);
const char *config_domain_parse(const char *text, struct config_domain *ret_domain);

bool config_cluster_equal(const struct config_cluster *a, const struct config_cluster *b);
void config_cluster_done(struct config_cluster *cluster);

#endif
