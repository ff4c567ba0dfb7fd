/*
 * flow - who a client is: the 5-tuple (RFC 8656 Section 3.2), the listener it came to, and the connection that it came over.
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
	uint32_t connection; /* the caller's name for a connection; 0: there is none (plain UDP). A flow ends with its connection */
};
_Static_assert(sizeof(struct flow) == 48, "hashed and compared as memory: no padding");

static inline bool flow_is_stream(const struct flow *flow)
{
	return flow->transport == TRANSPORT_TCP || flow->transport == TRANSPORT_TLS;
}

/*
 * ChannelData is padded: over streams it must be, elsewhere it may be (RFC 8656 Section 12.5). Clients that read DTLS as a stream
 * wait for the padding: those with pion's STUNConn, STUNner's turncat among them.
 */
static inline bool flow_is_padded(const struct flow *flow)
{
	return flow->transport != TRANSPORT_UDP;
}

/* The client's address was proven before its first message: by TCP, or by a DTLS cookie. */
static inline bool flow_is_proven(const struct flow *flow)
{
	return flow->transport != TRANSPORT_UDP;
}

static inline bool flow_equal(const struct flow *a, const struct flow *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

#endif
