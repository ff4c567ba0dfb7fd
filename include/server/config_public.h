/*
 * config_public - how clients reach a listener, as far as it is known here: host and turn: URI.
 */
#ifndef UTURN_SERVER_CONFIG_PUBLIC_H
#define UTURN_SERVER_CONFIG_PUBLIC_H

#include "server/config.h"

/* A host name or an IP address without brackets. Returns `text`. */
const char *config_public_host(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_HOST_SIZE]);

/* "turn:192.0.2.1:3478?transport=udp" (RFC 7065), as clients should dial the listener: at the host above, or at another one. Both
 * return `text`. */
enum { CONFIG_URI_SIZE = CONFIG_HOST_SIZE + 32 };
const char *config_turn_uri(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_URI_SIZE]);
const char *config_turn_uri_at(const struct config_listener *listener, const char *host, char text[static CONFIG_URI_SIZE]);

#endif
