/*
 * server_status - what probes and people ask over HTTP: is the process alive, is it ready, what is it doing. stunnerd's answers
 * byte for byte where it has them.
 *
 *	/live     200 while the event loop turns and every shard's loop has turned lately, 503 otherwise
 *	/ready    200 when new clients are served; while draining as the configuration says
 *	/status   the configuration and counters as stunnerd prints them (no credentials), and uturn's own under "uturn"
 *
 * Bounds: STATUS_CLUSTERS_MAX clusters and STATUS_ENDPOINTS_MAX endpoints are listed; "truncated" under "uturn" tells.
 */
#ifndef UTURN_SERVER_SERVER_STATUS_H
#define UTURN_SERVER_SERVER_STATUS_H

#include "ops/http.h"
#include "server/server_view.h"

enum { LIVENESS_S = 10, STATUS_CLUSTERS_MAX = 1024, STATUS_ENDPOINTS_MAX = 4096 };

/* The http_handlers; their context is the server_view. */
void server_status_live(void *view, const struct http_request *request, struct http_reply *reply);
void server_status_ready(void *view, const struct http_request *request, struct http_reply *reply);
void server_status_serve(void *view, const struct http_request *request, struct http_reply *reply);

#endif
