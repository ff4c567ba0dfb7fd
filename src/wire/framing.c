#include "wire/framing.h"

#include "wire/classify.h"
#include "wire/cursor.h"
#include "wire/stun_format.h"

static enum framing frame(struct bytes stream, size_t size, size_t padded, struct bytes *ret_frame, size_t *ret_consumed)
{
	*ret_consumed = padded;
	if (stream.size < padded)
		return FRAME_INCOMPLETE;
	*ret_frame = bytes_of(stream.data, size);
	return FRAME_COMPLETE;
}

static enum framing need(size_t size, size_t *ret_consumed)
{
	*ret_consumed = size;
	return FRAME_INCOMPLETE;
}

/* What has arrived of the header is judged at once, so that a stranger's connection does not linger until 20 bytes are there. */
static enum framing next_stun(struct bytes stream, struct bytes *ret_frame, size_t *ret_consumed)
{
	struct reader r = reader_of(stream);
	reader_u16(&r);
	size_t length = reader_u16(&r);
	if (!r.failed && length % 4 != 0)
		return FRAME_INVALID;
	uint32_t cookie = reader_u32(&r);
	if (!r.failed && cookie != STUN_MAGIC_COOKIE)
		return FRAME_INVALID;
	if (stream.size < STUN_HEADER_SIZE)
		return need(STUN_HEADER_SIZE, ret_consumed);
	size_t size = STUN_HEADER_SIZE + length;
	return frame(stream, size, size, ret_frame, ret_consumed);
}

static enum framing next_channel_data(struct bytes stream, struct bytes *ret_frame, size_t *ret_consumed)
{
	struct reader r = reader_of(stream);
	reader_u16(&r);
	size_t length = reader_u16(&r);
	if (r.failed)
		return need(CHANNEL_DATA_HEADER_SIZE, ret_consumed);
	size_t size = CHANNEL_DATA_HEADER_SIZE + length;
	return frame(stream, size, (size + 3) & ~(size_t)3, ret_frame, ret_consumed);
}

enum framing framing_next(struct bytes stream, struct bytes *ret_frame, size_t *ret_consumed)
{
	if (stream.size == 0)
		return need(CHANNEL_DATA_HEADER_SIZE, ret_consumed); /* the shorter of the two headers */
	switch (wire_classify(stream)) {
	case WIRE_STUN:
		return next_stun(stream, ret_frame, ret_consumed);
	case WIRE_CHANNEL_DATA:
		return next_channel_data(stream, ret_frame, ret_consumed);
	case WIRE_OTHER:
	case WIRE_DTLS:
		break;
	}
	return FRAME_INVALID;
}
