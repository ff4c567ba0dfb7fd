/*
 * server_ice - hands out credentials over HTTP, as stunner-auth-service does: to web applications inside, never to the internet.
 * Who may reach it may use the relay.
 *
 *	/      {"password":…,"ttl":…,"uris":[…],"username":…}, the REST API of draft-uberti-behave-turn-rest
 *	/ice   {"iceServers":[{"credential":…,"urls":[…],"username":…}],"iceTransportPolicy":"all"}, for RTCPeerConnection
 *
 * Queries: service=turn (required), username, ttl (seconds), namespace, gateway and listener (of listeners named
 * NAMESPACE/GATEWAY/LISTENER; gateway counts beside namespace only, listener beside both), public-addr (public-ip),
 * iceTransportPolicy; others are ignored. 400: a query that is wrong; 403: not the key that the configuration asks for; 404: no
 * listener, or no relaying; 500: no configuration.
 *
 * Bounds: ICE_TTL_MAX_S; a longer ttl is cut to that, and the answer says so.
 */
#ifndef UTURN_SERVER_SERVER_ICE_H
#define UTURN_SERVER_SERVER_ICE_H

#include "ops/http.h"
#include "server/server_view.h"

enum { ICE_TTL_DEFAULT_S = 86400, ICE_TTL_MAX_S = 30 * 86400, ICE_USER_SIZE_MAX = 480 };

/* The http_handlers of "/" and "/ice"; their context is the server_view. */
void server_ice_serve_turn(void *view, const struct http_request *request, struct http_reply *reply);
void server_ice_serve(void *view, const struct http_request *request, struct http_reply *reply);

#endif
