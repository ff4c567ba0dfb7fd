/*
 * flow - who a client is: the 5-tuple (RFC 8656 Section 3.2) and the listener it came to.
 */
#ifndef UTURN_TURN_FLOW_H
#define UTURN_TURN_FLOW_H

#include "base/addr.h"

enum transport { TRANSPORT_UDP = 0, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS };

struct flow {
	struct addr client;
	struct addr local; /* the server's address and port that the client sent to */
	uint16_t listener; /* index in turn_config.listeners */
	uint16_t transport;
};
_Static_assert(sizeof(struct flow) == 44, "hashed and compared as memory: no padding");

static inline bool flow_equal(const struct flow *a, const struct flow *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

#endif
