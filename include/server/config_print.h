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

#endif
