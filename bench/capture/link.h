/*
 * link - from a captured frame to the UDP datagram in it: link layer, VLAN tags, IPv4 with options, IPv6 with extension headers.
 *
 * Lengths are those of the IP and UDP headers, which stay true when a snap length cut the frame.
 */
#ifndef UTURN_BENCH_CAPTURE_LINK_H
#define UTURN_BENCH_CAPTURE_LINK_H

#include "base/addr.h"
#include "base/bytes.h"

enum frame_kind {
	FRAME_UDP,
	FRAME_TCP,
	FRAME_OTHER_IP,
	FRAME_NOT_IP,
	FRAME_FRAGMENT,
	FRAME_CUT,       /* ends before the end of the UDP header */
	FRAME_MALFORMED, /* headers that contradict each other */
};

struct datagram {
	struct addr from, to;
	struct bytes captured; /* what there is of the UDP payload; borrowed from the frame */
	size_t size;           /* of the whole UDP payload, by the UDP header */
};

/* `link_type` is a DLT_ number as pcap_datalink gives it. */
bool link_known(int link_type);

/* *ret_datagram is written for FRAME_UDP only. `link_type` is one that is known. */
enum frame_kind link_read(int link_type, struct bytes frame, struct datagram *ret_datagram);

#endif
