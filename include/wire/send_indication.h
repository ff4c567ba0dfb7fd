/*
 * send_indication - the fast way through a Send indication (RFC 8656 Section 11.1): one pass, no index. Hot: a browser that binds
 * no channel sends its whole call in these.
 */
#ifndef UTURN_WIRE_SEND_INDICATION_H
#define UTURN_WIRE_SEND_INDICATION_H

#include "base/addr.h"
#include "base/bytes.h"
#include "wire/stun_format.h"

enum send_indication {
	SEND_INDICATION_OK,
	SEND_INDICATION_MALFORMED,         /* no or bad XOR-PEER-ADDRESS or DATA, lengths that do not fit, bad FINGERPRINT */
	SEND_INDICATION_UNKNOWN_ATTRIBUTE, /* comprehension-required and not understood: RFC 8489 Section 6.3.2, discard */
};

struct send_indication_view {
	struct addr peer;
	struct bytes data;
	bool dont_fragment;
};

/* True when the datagram is a Send indication by its first eight bytes (type 0x0016, magic cookie). */
bool send_indication_is(struct bytes datagram);
enum send_indication send_indication_read(struct bytes datagram, struct send_indication_view *ret_view);

#endif
