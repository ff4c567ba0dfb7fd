/*
 * proxy_header - the PROXY protocol's header, versions 1 and 2: a load balancer in front says who the client really is.
 *
 * Only ever read from a trusted sender. Unknown TLVs are skipped; LOCAL (v2) and UNKNOWN (v1) keep the connection's own addresses.
 * Source: the PROXY protocol specification of HAProxy, sections 2.1 and 2.2.
 *
 * Owns nothing, keeps nothing.
 */
#ifndef UTURN_WIRE_PROXY_HEADER_H
#define UTURN_WIRE_PROXY_HEADER_H

#include "base/addr.h"
#include "base/bytes.h"

enum { PROXY_HEADER_SIZE_MAX = 536 /* v2's minimum that receivers must take: 16 + 216, with room for TLVs */ };

enum proxy_result { PROXY_COMPLETE, PROXY_INCOMPLETE, PROXY_INVALID };

struct proxy_header {
	struct addr client, local; /* ADDR_NONE: keep the connection's own */
	size_t size;               /* of the header: what follows is the client's */
};

/*
 * At the start of a stream: either version. PROXY_INCOMPLETE while more bytes may make it valid (never beyond
 * PROXY_HEADER_SIZE_MAX), and no longer: a byte that cannot stand where it stands is refused when it comes.
 */
enum proxy_result proxy_header_read_stream(struct bytes stream, struct proxy_header *ret_header);
/* At the start of a datagram: version 2 only, with the DGRAM (or, as some senders do, the STREAM) transport; whole or invalid. */
enum proxy_result proxy_header_read_datagram(struct bytes datagram, struct proxy_header *ret_header);

#endif
