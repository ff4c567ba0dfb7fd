/*
 * server_allocations - /status/allocations: finds the allocations of a user or a client, each with its counters.
 *
 *	/status/allocations                          the first ones of all
 *	/status/allocations?user=alice               by user name, as the client sent it, percent-encoded
 *	/status/allocations?client=192.0.2.1         by the client's address; also 192.0.2.1:50000, 2001:db8::1, [2001:db8::1]:50000
 *	/status/allocations?user=…&client=…          both must match
 *
 * Bounds:  at most ALLOCATIONS_LISTED_MAX are listed; "total" says how many match and "truncated" that not all are listed. Shards
 *          are asked in turn. Once one has not answered in time the rest are not asked and "incomplete" is true, so the main thread
 *          waits for one shard at most.
 */
#ifndef UTURN_SERVER_SERVER_ALLOCATIONS_H
#define UTURN_SERVER_SERVER_ALLOCATIONS_H

#include "ops/http.h"
#include "server/server_view.h"

enum { ALLOCATIONS_LISTED_MAX = 100 };

/* The http_handler; its context is the server_view. A bad query is answered with 400. */
void server_allocations_serve(void *view, const struct http_request *request, struct http_reply *reply);

#endif
