#include <criterion/criterion.h>

#include "exact_copy.h"
#include "raw_message.h"
#include "wire/crc32.h"

Test(crc32, gives_the_check_value_of_the_standard)
{
	cr_assert_eq(crc32(bytes_of_string("123456789")), 0xcbf43926);
	cr_assert_eq(crc32(bytes_of(NULL, 0)), 0);
}

Test(crc32, agrees_with_the_polynomial_at_every_size_and_alignment)
{
	uint8_t data[300];
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 167 + i / 256 + 13);
	for (size_t start = 0; start < 9; start++) {
		for (size_t size = 0; size <= sizeof data - start; size++) {
			struct bytes copy = exact_copy(data, start + size);
			cr_assert_eq(
				crc32(bytes_of(copy.data + start, size)), raw_crc32(data + start, size), "%zu at %zu", size, start);
			exact_copy_free(copy);
		}
	}
}

/* A wrong entry in any of the tables shows: every byte value stands at every one of the eight places. */
Test(crc32, agrees_with_the_polynomial_for_every_byte_at_every_place)
{
	for (unsigned place = 0; place < 8; place++) {
		for (unsigned value = 0; value < 256; value++) {
			uint8_t data[8] = {0};
			data[place] = (uint8_t)value;
			cr_assert_eq(crc32(bytes_of(data, sizeof data)), raw_crc32(data, sizeof data), "%u at %u", value, place);
		}
	}
}
