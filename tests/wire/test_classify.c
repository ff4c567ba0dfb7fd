#include <criterion/criterion.h>

#include "wire/classify.h"

/* RFC 7983 Section 7 */
Test(classify, goes_by_the_first_byte)
{
	for (unsigned first = 0; first < 256; first++) {
		uint8_t byte = (uint8_t)first;
		enum wire_kind wanted = first <= 3                    ? WIRE_STUN
					: first >= 20 && first <= 63  ? WIRE_DTLS
					: first >= 64 && first <= 127 ? WIRE_CHANNEL_DATA
								      : WIRE_OTHER;
		cr_assert_eq(wire_classify(bytes_of(&byte, 1)), wanted, "%u", first);
	}
	cr_assert_eq(wire_classify(bytes_of(NULL, 0)), WIRE_OTHER);
}
