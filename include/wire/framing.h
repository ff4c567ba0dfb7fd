/*
 * framing - where one STUN message or ChannelData frame ends in a byte stream (RFC 8489 Section 6.2.2, RFC 8656 Section 12.5).
 *
 * All arithmetic in size_t: 16-bit lengths that wrap were a CVE elsewhere.
 */
#ifndef UTURN_WIRE_FRAMING_H
#define UTURN_WIRE_FRAMING_H

#include "base/bytes.h"

enum framing { FRAME_COMPLETE, FRAME_INCOMPLETE, FRAME_INVALID };

/*
 * Looks at the start of `stream`. FRAME_COMPLETE: *ret_frame is the message without stream padding, *ret_consumed what it and its
 * padding take (padding included: it must have arrived too). FRAME_INCOMPLETE: *ret_consumed is how many bytes are needed before
 * asking again is worth it. FRAME_INVALID: neither STUN nor ChannelData; the connection cannot be resynchronised.
 */
enum framing framing_next(struct bytes stream, struct bytes *ret_frame, size_t *ret_consumed);

#endif
