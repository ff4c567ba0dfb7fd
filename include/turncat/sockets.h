/*
 * sockets - the sockets of a tunnel's two ends.
 *
 * All are non-blocking and close-on-exec. Those of UDP have UDP_GRO and large buffers.
 */
#ifndef UTURN_TURNCAT_SOCKETS_H
#define UTURN_TURNCAT_SOCKETS_H

#include "base/addr.h"
#include "base/failure.h"
#include "client/transport.h"
#include "turncat/spec.h"

/* Connected to the server, or about to be. -1 with one line. */
int sockets_connect(enum transport_kind kind, const struct addr *server, struct failure *failure);

/* Bound, and of TCP and UNIX listening. A UNIX socket that nobody listens on any more is replaced. -1 with one line. */
int sockets_listen(const struct spec_local *local, struct failure *failure);

/* "udp://127.0.0.1:9000", for the log. */
enum { SOCKETS_NAME_SIZE = 128 };
void sockets_format(const struct spec_local *local, char ret_name[static SOCKETS_NAME_SIZE]);

#endif
