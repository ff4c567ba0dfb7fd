/*
 * classify - what a datagram claims to be, from its first byte (RFC 7983 Section 7; ChannelData's range is that of RFC 5766).
 */
#ifndef UTURN_WIRE_CLASSIFY_H
#define UTURN_WIRE_CLASSIFY_H

#include "base/bytes.h"
#include "wire/stun_format.h"

enum wire_kind { WIRE_OTHER, WIRE_STUN, WIRE_CHANNEL_DATA, WIRE_DTLS };

static inline enum wire_kind wire_classify(struct bytes datagram)
{
	if (datagram.size == 0)
		return WIRE_OTHER;
	uint8_t first = datagram.data[0];
	if (first >= CHANNEL_NUMBER_MIN >> 8 && first <= CHANNEL_NUMBER_MAX >> 8)
		return WIRE_CHANNEL_DATA;
	if (first <= 3)
		return WIRE_STUN;
	if (first >= 20 && first <= 63)
		return WIRE_DTLS;
	return WIRE_OTHER;
}

#endif
