/*
 * server_cluster_metrics - metrics of the clusters whose endpoints are domain names.
 */
#ifndef UTURN_SERVER_SERVER_CLUSTER_METRICS_H
#define UTURN_SERVER_SERVER_CLUSTER_METRICS_H

#include "ops/prometheus.h"
#include "server/server_view.h"

void server_cluster_metrics_write(const struct server_view *view, struct prometheus *p);

#endif
