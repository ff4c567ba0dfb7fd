#include "capture/link.h"

#include <pcap/dlt.h>

#include "wire/cursor.h"

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_PROVIDER_VLAN = 0x88a8,
	ETHERTYPE_OLD_PROVIDER_VLAN = 0x9100,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	IPV4_HEADER_SIZE = 20,
	UDP_HEADER_SIZE = 8,
};

bool link_known(int link_type)
{
	switch (link_type) {
	case DLT_EN10MB:
	case DLT_LINUX_SLL:
	case DLT_LINUX_SLL2:
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_NULL:
	case DLT_LOOP:
		return true;
	default:
		return false;
	}
}

/* Leaves the reader at the IP header. The IP version tells what follows where the link layer has no EtherType. */
static enum frame_kind skip_link(int link_type, struct reader *r)
{
	uint16_t type = 0;
	switch (link_type) {
	case DLT_EN10MB:
		reader_bytes(r, 12);
		type = reader_u16(r);
		break;
	case DLT_LINUX_SLL:
		reader_bytes(r, 14);
		type = reader_u16(r);
		break;
	case DLT_LINUX_SLL2:
		type = reader_u16(r);
		reader_bytes(r, 18);
		break;
	case DLT_NULL:
	case DLT_LOOP:
		/* The address family's number and its byte order depend on the system that wrote the file. */
		reader_bytes(r, 4);
		return r->failed ? FRAME_CUT : FRAME_UDP;
	default:
		return FRAME_UDP;
	}
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_PROVIDER_VLAN || type == ETHERTYPE_OLD_PROVIDER_VLAN) {
		reader_u16(r);
		type = reader_u16(r);
	}
	if (r->failed)
		return FRAME_CUT;
	return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6 ? FRAME_UDP : FRAME_NOT_IP;
}

static enum frame_kind of_protocol(uint8_t protocol)
{
	return protocol == PROTOCOL_UDP ? FRAME_UDP : protocol == PROTOCOL_TCP ? FRAME_TCP : FRAME_OTHER_IP;
}

static void ip_read(struct reader *r, enum addr_family family, struct addr *ret_addr)
{
	*ret_addr = (struct addr){.family = (uint8_t)family};
	unsigned size = addr_ip_size(ret_addr);
	struct bytes ip = reader_bytes(r, size);
	if (ip.data != NULL)
		memcpy(ret_addr->ip, ip.data, size);
}

/* *ret_left: what the IP header says follows it; SIZE_MAX when it leaves that to a network card that segments. */
static enum frame_kind read_ipv4(struct reader *r, struct datagram *d, size_t *ret_left)
{
	size_t header_size = (size_t)(reader_u8(r) & 0x0f) * 4;
	reader_u8(r);
	size_t total = reader_u16(r);
	reader_u16(r);
	uint16_t fragment = reader_u16(r);
	reader_u8(r);
	uint8_t protocol = reader_u8(r);
	reader_u16(r);
	ip_read(r, ADDR_IPV4, &d->from);
	ip_read(r, ADDR_IPV4, &d->to);
	if (r->failed)
		return FRAME_CUT;
	if (header_size < IPV4_HEADER_SIZE || (total != 0 && total < header_size))
		return FRAME_MALFORMED;
	/* More fragments, or an offset: RFC 791 Section 3.1. */
	if ((fragment & 0x3fff) != 0)
		return FRAME_FRAGMENT;
	reader_bytes(r, header_size - IPV4_HEADER_SIZE);
	*ret_left = total != 0 ? total - header_size : SIZE_MAX;
	return of_protocol(protocol);
}

/* RFC 8200 Section 4. Returns false when `protocol` is none of the extension headers. */
static bool skip_extension(struct reader *r, uint8_t *protocol, size_t *ret_size, bool *ret_fragment)
{
	enum { HOP_BY_HOP = 0, ROUTING = 43, FRAGMENT = 44, AUTHENTICATION = 51, DESTINATION = 60, MOBILITY = 135 };
	uint8_t which = *protocol;
	if (which != HOP_BY_HOP && which != ROUTING && which != FRAGMENT && which != AUTHENTICATION && which != DESTINATION &&
		which != MOBILITY)
		return false;
	*protocol = reader_u8(r);
	size_t length = reader_u8(r);
	*ret_size = which == FRAGMENT ? 8 : which == AUTHENTICATION ? (length + 2) * 4 : (length + 1) * 8;
	/* Offset or M bit; neither is set in an atomic fragment (RFC 6946), which is whole. */
	*ret_fragment = which == FRAGMENT && (reader_u16(r) & 0xfff9) != 0;
	reader_bytes(r, *ret_size - (which == FRAGMENT ? 4 : 2));
	return true;
}

static enum frame_kind read_ipv6(struct reader *r, struct datagram *d, size_t *ret_left)
{
	reader_u32(r);
	size_t left = reader_u16(r);
	if (left == 0)
		left = SIZE_MAX;
	uint8_t protocol = reader_u8(r);
	reader_u8(r);
	ip_read(r, ADDR_IPV6, &d->from);
	ip_read(r, ADDR_IPV6, &d->to);
	bool fragment = false;
	size_t size;
	while (!r->failed && skip_extension(r, &protocol, &size, &fragment)) {
		if (r->failed)
			break;
		if (fragment)
			return FRAME_FRAGMENT;
		if (size > left)
			return FRAME_MALFORMED;
		left -= left != SIZE_MAX ? size : 0;
	}
	if (r->failed)
		return FRAME_CUT;
	*ret_left = left;
	return of_protocol(protocol);
}

enum frame_kind link_read(int link_type, struct bytes frame, struct datagram *ret_datagram)
{
	struct reader r = reader_of(frame);
	enum frame_kind kind = skip_link(link_type, &r);
	if (kind != FRAME_UDP)
		return kind;
	if (reader_left(&r) == 0)
		return FRAME_CUT;
	struct datagram d;
	size_t left = 0;
	unsigned version = *r.position >> 4;
	kind = version == 4 ? read_ipv4(&r, &d, &left) : version == 6 ? read_ipv6(&r, &d, &left) : FRAME_NOT_IP;
	if (kind != FRAME_UDP)
		return kind;
	d.from.port = reader_u16(&r);
	d.to.port = reader_u16(&r);
	size_t length = reader_u16(&r);
	reader_u16(&r);
	if (r.failed)
		return FRAME_CUT;
	if (length < UDP_HEADER_SIZE || length > left)
		return FRAME_MALFORMED;
	d.size = length - UDP_HEADER_SIZE;
	/* Short Ethernet frames are padded. */
	size_t captured = reader_left(&r) < d.size ? reader_left(&r) : d.size;
	d.captured = reader_bytes(&r, captured);
	*ret_datagram = d;
	return FRAME_UDP;
}
