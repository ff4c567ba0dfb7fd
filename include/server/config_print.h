/*
 * config_print - a configuration for people's eyes: what --dry-run shows, and the greeting of the embedded default.
 */
#ifndef UTURN_SERVER_CONFIG_PRINT_H
#define UTURN_SERVER_CONFIG_PRINT_H

#include <stdio.h>

#include "server/config.h"

/* What would run: one line per thing, credentials left out. */
void config_print_plan(const struct config *config, FILE *out);

/* How to use it at once: the turn: URI, the snippet for RTCPeerConnection (with a password that was made up here, without one that
 * was given), metrics and health, and how to open a private network. */
void config_print_greeting(const struct config *config, const struct config_world *world, FILE *out);

/* Where clients find a listener, as far as it is known here: a host name or an IP address without brackets. Returns `text`. */
const char *config_public_host(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_HOST_SIZE]);

/* "turn:192.0.2.1:3478?transport=udp" of a listener, as clients should dial it. Returns `text`. */
enum { CONFIG_URI_SIZE = CONFIG_HOST_SIZE + 32 };
const char *config_turn_uri(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_URI_SIZE]);

#endif
