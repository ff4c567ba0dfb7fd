#include <criterion/criterion.h>
#include <stdlib.h>

#include "exact_copy.h"
#include "rfc5769.h"
#include "wire/framing.h"

/* Every shorter start of `stream` asks for more, and never for more than there is to come; all of it is one frame. */
static void assert_frame(const void *stream, size_t size, size_t frame_size)
{
	struct bytes frame;
	size_t consumed;
	for (size_t arrived = 0; arrived < size; arrived++) {
		struct bytes copy = exact_copy(stream, arrived);
		cr_assert_eq(framing_next(copy, &frame, &consumed), FRAME_INCOMPLETE, "%zu of %zu", arrived, size);
		cr_assert(consumed > arrived && consumed <= size, "%zu of %zu: asks for %zu", arrived, size, consumed);
		exact_copy_free(copy);
	}
	struct bytes copy = exact_copy(stream, size);
	cr_assert_eq(framing_next(copy, &frame, &consumed), FRAME_COMPLETE);
	cr_assert_eq(consumed, size);
	cr_assert(frame.data == copy.data && frame.size == frame_size);
	exact_copy_free(copy);
}

Test(framing, a_stun_message_ends_where_its_length_says)
{
	assert_frame(rfc5769_request, sizeof rfc5769_request, sizeof rfc5769_request);
	assert_frame("\x00\x01\x00\x00\x21\x12\xa4\x42transactiond", 20, 20);
}

Test(framing, channel_data_is_padded_to_four)
{
	assert_frame("\x40\x01\x00\x00", 4, 4);
	assert_frame("\x40\x01\x00\x01"
		     "a\0\0\0",
		8, 5);
	assert_frame("\x4f\xff\x00\x03"
		     "abc\0",
		8, 7);
	assert_frame("\x40\x01\x00\x04"
		     "abcd",
		8, 8);
}

Test(framing, leaves_the_next_frame_alone)
{
	static const char stream[] = "\x40\x01\x00\x01"
				     "a\0\0\0"
				     "\x40\x02\x00\x00"
				     "\x40\x03\x00\x02"
				     "bc\0\0";
	static const size_t frame_sizes[] = {5, 4, 6};
	struct bytes rest = exact_copy(stream, sizeof stream - 1), whole = rest;
	for (size_t i = 0; i < 3; i++) {
		struct bytes frame;
		size_t consumed;
		cr_assert_eq(framing_next(rest, &frame, &consumed), FRAME_COMPLETE);
		cr_assert_eq(frame.size, frame_sizes[i]);
		rest = bytes_of(rest.data + consumed, rest.size - consumed);
	}
	cr_assert_eq(rest.size, 0);
	exact_copy_free(whole);
}

/* Sums of 16 bits would wrap: 20 + 0xfffc, and 4 + 0xffff + 1. */
Test(framing, the_greatest_lengths_do_not_wrap)
{
	static const struct {
		const char *header;
		size_t frame_size, consumed;
	} cases[] = {
		{"\x00\x01\xff\xfc\x21\x12\xa4\x42", 65552, 65552},
		{"\x40\x01\xff\xff", 65539, 65540},
		{"\x40\x01\xff\xfd", 65537, 65540},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t *stream = calloc(1, 65552);
		memcpy(stream, cases[i].header, i == 0 ? 8 : 4);
		struct bytes frame;
		size_t consumed;
		cr_assert_eq(framing_next(bytes_of(stream, cases[i].consumed - 1), &frame, &consumed), FRAME_INCOMPLETE);
		cr_assert_eq(consumed, cases[i].consumed);
		cr_assert_eq(framing_next(bytes_of(stream, 65552), &frame, &consumed), FRAME_COMPLETE);
		cr_assert(frame.size == cases[i].frame_size && consumed == cases[i].consumed);
		free(stream);
	}
}

Test(framing, what_is_neither_stun_nor_channel_data_is_invalid_at_once)
{
	static const struct {
		const char *stream;
		size_t size;
	} cases[] = {
		{"\x16", 1},                             /* TLS */
		{"\x80\x00\x00\x00", 4},                 /* RTP: beyond the channel numbers */
		{"\x04", 1},                             /* no STUN type */
		{"\xff", 1},                             /* nothing */
		{"\x00\x01\x00\x01", 4},                 /* a STUN length that is no multiple of four */
		{"\x00\x01\x00\x00\x21\x12\xa4\x43", 8}, /* not the cookie */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes copy = exact_copy(cases[i].stream, cases[i].size), frame;
		size_t consumed;
		cr_assert_eq(framing_next(copy, &frame, &consumed), FRAME_INVALID, "%zu", i);
		exact_copy_free(copy);
	}
}
