/*
 * stream_counters - what a shard counts about connections: TCP, TLS, and DTLS associations. Written by the shard, read by anyone.
 */
#ifndef UTURN_SHARD_STREAM_COUNTERS_H
#define UTURN_SHARD_STREAM_COUNTERS_H

#include "base/counter.h"
#include "tls/keys.h"
#include "tls/record.h"
#include "tls/session.h"
#include "turn/limits.h"

/* Why a connection was not taken. */
enum stream_refusal {
	REFUSED_CONNECTIONS, /* the shard holds as many as it may */
	REFUSED_SOURCE,      /* this client address does */
	REFUSED_UNTRUSTED,   /* a proxy was expected, and this is none of the trusted ones */
	REFUSED_MEMORY,
	STREAM_REFUSALS
};
const char *stream_refusal_name(enum stream_refusal refusal); /* a metric's label */

/* Why a connection ended. */
enum stream_end {
	END_BY_CLIENT, /* it closed: end of stream, close_notify */
	END_RESET,     /* a reset, or another error of the socket */
	END_GARBAGE,   /* neither STUN nor ChannelData, or a length out of bounds: cannot be resynchronised */
	END_PROXY,     /* a bad PROXY header */
	END_HANDSHAKE, /* the handshake failed; why is counted on its own */
	END_RECORD,    /* a record was refused; why is counted on its own */
	END_TIMEOUT,   /* no PROXY header, or no handshake, in time */
	END_IDLE,      /* no allocation, and no message in time */
	END_STUCK,     /* it did not read */
	END_ANSWERS,   /* it asked for more answers than it read */
	END_REFUSED,   /* over a bound; which one is counted on its own */
	END_SERVER,    /* the relay stopped */
	STREAM_ENDS
};
const char *stream_end_name(enum stream_end end); /* a metric's label */

struct stream_counters {
	counter connections[LIMIT_LISTENERS]; /* gauge */
	counter connections_total[LIMIT_LISTENERS];
	counter refused[STREAM_REFUSALS];
	counter ended[STREAM_ENDS];
	counter handshaking; /* gauge: handshakes under way */
	counter handshakes[TLS_VERSIONS];
	counter resumed; /* of those */
	counter handshakes_failed[TLS_FAILURES];
	counter records_refused[RECORD_REASONS]; /* DTLS: dropped datagrams; TLS: ends of connections */
	counter queue_dropped;                   /* packets to clients that did not read: oldest first */
	counter queued_bytes;                    /* gauge: waiting for slow readers */
	counter cookies_sent;                    /* DTLS: HelloVerifyRequests */
	counter unknown_datagrams;               /* DTLS: from nobody with a session, and not a ClientHello */
	counter proxy_headers_bad;               /* UDP: datagrams without a good PROXY header */
};

#endif
