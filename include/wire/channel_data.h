/*
 * channel_data - the 4-byte ChannelData header (RFC 8656 Section 12.4). Hot: inline, nothing is copied.
 */
#ifndef UTURN_WIRE_CHANNEL_DATA_H
#define UTURN_WIRE_CHANNEL_DATA_H

#include "base/bytes.h"
#include "wire/stun_format.h"

/*
 * Reads a datagram. The length field may be smaller than what follows it (padding, RFC 8656 Section 12.5) but not larger.
 * False when it is malformed: too short, a length beyond the end. The channel number is not checked for range here: an unbound
 * number and an impossible one are dropped alike by whoever looks it up.
 */
static inline bool channel_data_read(struct bytes datagram, uint16_t *ret_channel, struct bytes *ret_data)
{
	if (datagram.size < CHANNEL_DATA_HEADER_SIZE)
		return false;
	const uint8_t *d = datagram.data;
	size_t length = (size_t)d[2] << 8 | d[3];
	if (length > datagram.size - CHANNEL_DATA_HEADER_SIZE)
		return false;
	*ret_channel = (uint16_t)(d[0] << 8 | d[1]);
	*ret_data = bytes_of(d + CHANNEL_DATA_HEADER_SIZE, length);
	return true;
}

static inline void channel_data_write(uint8_t header[static CHANNEL_DATA_HEADER_SIZE], uint16_t channel, uint16_t length)
{
	header[0] = (uint8_t)(channel >> 8);
	header[1] = (uint8_t)channel;
	header[2] = (uint8_t)(length >> 8);
	header[3] = (uint8_t)length;
}

#endif
