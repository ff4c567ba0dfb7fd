/*
 * server_stream_metrics - the part of the metrics that is about connections and certificates.
 */
#ifndef UTURN_SERVER_SERVER_STREAM_METRICS_H
#define UTURN_SERVER_SERVER_STREAM_METRICS_H

#include "ops/prometheus.h"
#include "server/server_view.h"

void server_stream_metrics_write(const struct server_view *view, struct prometheus *p);

/* stunnerd's stunner_listener_connections and stunner_listener_connections_total. */
void server_stream_metrics_write_stunner(const struct server_view *view, struct prometheus *p);

#endif
