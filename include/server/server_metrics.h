/*
 * server_metrics - all metrics of the process in the text format of Prometheus: stunnerd's names, for the dashboards that exist,
 * and uturn's own. What each means: docs/METRICS.md.
 *
 * Counters are read while the shards go on; a family may be a packet ahead of another.
 * Bounds: labels take their values from the source and from the configuration, never from the network.
 */
#ifndef UTURN_SERVER_SERVER_METRICS_H
#define UTURN_SERVER_SERVER_METRICS_H

#include "ops/http.h"
#include "server/server_view.h"

/* False: no memory. */
bool server_metrics_write(const struct server_view *view, struct evbuffer *out);

/* The http_handler; its context is the server_view. */
void server_metrics_serve(void *view, const struct http_request *request, struct http_reply *reply);

#endif
