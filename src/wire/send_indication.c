#include "wire/send_indication.h"

#include "attribute_walk.h"

/* Per packet: no allocation, no copy, one pass; a CRC over the message only where a FINGERPRINT asks for it. */

bool send_indication_is(struct bytes datagram)
{
	static const uint8_t type[2] = {0x00, 0x16}, cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	return datagram.size >= 8 && memcmp(datagram.data, type, sizeof type) == 0 &&
	       memcmp(datagram.data + 4, cookie, sizeof cookie) == 0;
}

/* What the pass has found; data == NULL: not seen. The first of each type counts (RFC 8489 Section 14). */
struct findings {
	struct bytes peer, data, fingerprint;
	bool dont_fragment, unknown;
};

static inline void note(struct findings *found, const struct attribute *attribute)
{
	switch (attribute->type) {
	case STUN_ATTR_XOR_PEER_ADDRESS:
		if (found->peer.data == NULL)
			found->peer = attribute->value;
		break;
	case STUN_ATTR_DATA:
		if (found->data.data == NULL)
			found->data = attribute->value;
		break;
	case STUN_ATTR_DONT_FRAGMENT:
		found->dont_fragment = true;
		break;
	case STUN_ATTR_FINGERPRINT:
		found->fingerprint = attribute->value;
		break;
	default:
		found->unknown |= stun_comprehension_required(attribute->type) && !stun_attribute_known(attribute->type);
		break;
	}
}

enum send_indication send_indication_read(struct bytes datagram, struct send_indication_view *ret_view)
{
	/* The upper bound is that of stun_view: no way in is wider than the other. */
	if (!send_indication_is(datagram) || !stun_header_fits(datagram) || datagram.size > UINT16_MAX)
		return SEND_INDICATION_MALFORMED;
	struct attribute_walk walk = attribute_walk_start(datagram);
	struct findings found = {0};
	struct attribute attribute;
	enum attribute_step step;
	while ((step = attribute_walk_next(&walk, &attribute)) == ATTRIBUTE)
		note(&found, &attribute);
	if (step == ATTRIBUTES_MALFORMED)
		return SEND_INDICATION_MALFORMED;
	if (found.fingerprint.data != NULL && !fingerprint_right(datagram, found.fingerprint))
		return SEND_INDICATION_MALFORMED;
	if (found.unknown)
		return SEND_INDICATION_UNKNOWN_ATTRIBUTE;
	/* RFC 8656 Section 11.2: both attributes must be there. */
	struct addr peer;
	if (found.data.data == NULL || found.peer.data == NULL || !stun_xor_addr_read(found.peer, datagram.data + 8, &peer))
		return SEND_INDICATION_MALFORMED;
	*ret_view = (struct send_indication_view){.peer = peer, .data = found.data, .dont_fragment = found.dont_fragment};
	return SEND_INDICATION_OK;
}
