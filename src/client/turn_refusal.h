/*
 * turn_refusal - what an answer that ends a client means, in one line. Private to the client.
 */
#ifndef UTURN_CLIENT_TURN_REFUSAL_H
#define UTURN_CLIENT_TURN_REFUSAL_H

#include "client/turn_client.h"

/* "Allocate", …; for people. */
const char *turn_method_name(unsigned method);

/* Ends the client: the server and what it does, as `format` says ("refuses …"). */
void turn_client_end(struct turn_client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the client with what an error response to its pending request means. */
void turn_client_refused(struct turn_client *c, unsigned code, struct bytes reason);

#endif
