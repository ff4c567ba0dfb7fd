/*
 * message - what a UDP payload is, from as much of it as was captured (RFC 7983 Section 7, RFC 8489 Section 5, RFC 8656 Section
 * 12.4).
 *
 * A payload may be cut anywhere, even before its first byte: whatever is there must fit, and the UDP length tells the rest. Where
 * the length of the data inside the framing is cut off, it is estimated as what the UDP length leaves for it, without padding.
 */
#ifndef UTURN_BENCH_CAPTURE_MESSAGE_H
#define UTURN_BENCH_CAPTURE_MESSAGE_H

#include "base/addr.h"
#include "base/bytes.h"
#include "capture/capture.h"
#include "wire/stun_format.h"

enum message_kind {
	MESSAGE_UNSEEN,     /* no byte of it was captured */
	MESSAGE_STUN,       /* other than the two indications that carry data */
	MESSAGE_INDICATION, /* Send or Data */
	MESSAGE_CHANNEL_DATA,
	MESSAGE_OTHER,
};

struct message {
	enum message_kind kind;
	uint16_t method; /* STUN and indications: enum stun_method, or a number that is none */
	enum stun_class class;
	bool sure;           /* STUN and indications: the magic cookie was seen; ChannelData: the length field, and it fits */
	uint16_t channel;    /* 0: not seen */
	struct addr peer;    /* ADDR_NONE: not seen */
	struct addr relayed; /* of an answer to Allocate; ADDR_NONE: not seen */
	const uint8_t *transaction_id; /* NULL: not seen; borrowed */
	uint16_t size;                 /* of the data inside the framing; of the whole where there is none */
	enum capture_payload payload;  /* what the data is; PAYLOAD_OTHER where it was not captured */
	bool estimated;                /* `size` follows from the UDP length alone */
};

/* `captured` is the start of a payload of `size` bytes, or all of it; a peer whose address was cut off counts as of `family`. */
void message_read(struct bytes captured, size_t size, enum addr_family family, struct message *ret_message);

/*
 * A host that segments in its network card, or aggregates on receipt, shows several datagrams of one flow as one. Returns the
 * size of the first of them (the others are as long, the last may be shorter), or `size` when the payload is a single datagram or
 * not TURN.
 */
size_t message_segment_size(struct bytes captured, size_t size);

/* What the data seems to be by its first bytes, as PAYLOAD_…; what was not captured fits. */
enum capture_payload payload_read(struct bytes captured, size_t size);

#endif
