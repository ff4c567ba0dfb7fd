/*
 * fuzz_framing - any bytes as a stream: frames lie inside it, the walk gets on, and no answer depends on how the bytes arrived.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "wire/channel_data.h"
#include "wire/classify.h"
#include "wire/framing.h"
#include "wire/stun_view.h"

/* The same stream, of which only the first `arrived` bytes are there. */
static void check_prefix(struct bytes stream, size_t arrived, enum framing whole, size_t whole_consumed)
{
	struct bytes prefix = exact_copy(stream.data, arrived), frame;
	size_t consumed = 0;
	enum framing framing = framing_next(prefix, &frame, &consumed);
	if (framing == FRAME_COMPLETE)
		FUZZ_CHECK(whole == FRAME_COMPLETE && consumed == whole_consumed && consumed <= arrived);
	else if (framing == FRAME_INVALID)
		FUZZ_CHECK(whole == FRAME_INVALID);
	else
		FUZZ_CHECK(consumed > arrived && (whole == FRAME_INVALID || consumed <= whole_consumed));
	exact_copy_free(prefix);
}

static void check_frame(struct bytes frame)
{
	struct stun_view view;
	uint16_t channel;
	struct bytes data;
	if (wire_classify(frame) == WIRE_STUN)
		FUZZ_CHECK(stun_view_parse(frame, &view) != STUN_NOT_STUN);
	else
		FUZZ_CHECK(channel_data_read(frame, &channel, &data) && data.size == frame.size - CHANNEL_DATA_HEADER_SIZE);
}

/* Returns what is left after the first frame; nothing when there is none. */
static struct bytes check_next(struct bytes stream)
{
	struct bytes frame;
	size_t consumed = 0;
	enum framing framing = framing_next(stream, &frame, &consumed);
	for (size_t arrived = 0; arrived < stream.size && arrived <= STUN_HEADER_SIZE + 1; arrived++)
		check_prefix(stream, arrived, framing, consumed);
	if (framing == FRAME_INCOMPLETE)
		FUZZ_CHECK(consumed > stream.size);
	if (framing != FRAME_COMPLETE)
		return bytes_of(NULL, 0);
	FUZZ_CHECK(consumed > 0 && consumed <= stream.size && consumed % 4 == 0);
	FUZZ_CHECK(frame.data == stream.data && frame.size <= consumed && consumed - frame.size < 4);
	check_prefix(stream, consumed - 1, framing, consumed);
	check_prefix(stream, consumed, framing, consumed);
	check_frame(frame);
	return bytes_of(stream.data + consumed, stream.size - consumed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes copy = exact_copy(data, size), rest = copy;
	do
		rest = check_next(rest);
	while (rest.size > 0);
	exact_copy_free(copy);
	return 0;
}
