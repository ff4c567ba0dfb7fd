/*
 * control - what the kernel says about a received datagram: reads its control messages.
 *
 * Owns nothing, keeps nothing. Tolerates any bytes: unknown messages are skipped, a malformed one ends the walk.
 */
#ifndef UTURN_IO_CONTROL_H
#define UTURN_IO_CONTROL_H

#include "base/addr.h"

struct control {
	struct addr to;        /* IP_PKTINFO, IPV6_PKTINFO; ADDR_NONE when not reported. Port 0 */
	uint32_t drops;        /* SO_RXQ_OVFL: datagrams that this socket has dropped so far; 0 when not reported */
	uint16_t segment_size; /* UDP_GRO; 0 when not reported: one datagram */
	uint8_t tos;           /* IP_TOS, IPV6_TCLASS; 0 when not reported */
};

/* `control` must be aligned as struct cmsghdr. */
void control_parse(const void *control, size_t size, struct control *ret_control);

#endif
