#include <criterion/criterion.h>
#include <signal.h>

#include "exact_copy.h"
#include "wire/cursor.h"

Test(cursor, reads_in_network_order_up_to_the_last_byte)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct bytes copy = exact_copy(data, sizeof data);
	struct reader r = reader_of(copy);
	cr_assert_eq(reader_u8(&r), 0x01);
	cr_assert_eq(reader_u16(&r), 0x0203);
	cr_assert_eq(reader_u32(&r), 0x04050607);
	cr_assert_eq(reader_left(&r), 2);
	cr_assert_not(reader_done(&r));
	cr_assert_eq(reader_bytes(&r, 2).data, copy.data + 7);
	cr_assert(reader_done(&r));
	exact_copy_free(copy);
}

Test(cursor, first_overrun_sticks)
{
	static const struct {
		size_t size;
		unsigned wanted; /* bytes that the failing read asks for */
	} cases[] = {{0, 1}, {1, 2}, {3, 4}, {2, 3}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes copy = exact_copy("\xff\xff\xff", cases[i].size);
		struct reader r = reader_of(copy);
		unsigned wanted = cases[i].wanted;
		uint32_t value = wanted == 1 ? reader_u8(&r) : wanted == 2 ? reader_u16(&r) : wanted == 4 ? reader_u32(&r) : 0;
		cr_assert_eq(value, 0);
		if (wanted == 3)
			cr_assert_null(reader_bytes(&r, 3).data);
		cr_assert(r.failed);
		/* What would have fitted does not come any more. */
		cr_assert_eq(reader_u8(&r), 0);
		cr_assert_null(reader_bytes(&r, 0).data);
		cr_assert_not(reader_done(&r));
		exact_copy_free(copy);
	}
}

Test(cursor, refuses_a_size_near_the_end_of_the_address_space)
{
	struct bytes copy = exact_copy("abc", 3);
	struct reader r = reader_of(copy);
	cr_assert_null(reader_bytes(&r, SIZE_MAX).data);
	cr_assert(r.failed);
	exact_copy_free(copy);
}

Test(cursor, reads_nothing_from_nothing)
{
	struct reader r = reader_of(bytes_of(NULL, 0));
	cr_assert(reader_done(&r));
	cr_assert_eq(reader_bytes(&r, 0).size, 0);
	cr_assert(reader_done(&r));
	cr_assert_eq(reader_u8(&r), 0);
	cr_assert(r.failed);
}

Test(cursor, writes_in_network_order_up_to_the_last_byte)
{
	uint8_t buffer[13];
	memset(buffer, 0xee, sizeof buffer);
	struct writer w = writer_of(buffer, 12);
	writer_u8(&w, 1);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_bytes(&w, bytes_of("ab", 2));
	writer_zeros(&w, 3);
	writer_bytes(&w, bytes_of(NULL, 0));
	cr_assert_not(w.failed);
	cr_assert_eq(writer_size(&w), 12);
	writer_patch_u16(&w, 10, 0x0809);
	cr_assert_arr_eq(buffer, ((uint8_t[]){1, 2, 3, 4, 5, 6, 7, 'a', 'b', 0, 8, 9, 0xee}), sizeof buffer);
}

Test(cursor, writes_nothing_after_the_first_overrun)
{
	uint8_t buffer[4] = {0xee, 0xee, 0xee, 0xee};
	struct writer w = writer_of(buffer, 3);
	writer_u32(&w, 0x01020304);
	cr_assert(w.failed);
	writer_u8(&w, 1);
	writer_bytes(&w, bytes_of("a", 1));
	writer_zeros(&w, 1);
	writer_patch_u16(&w, 0, 0x0102);
	cr_assert_null(writer_reserve(&w, 0));
	cr_assert_eq(writer_size(&w), 0);
	cr_assert_arr_eq(buffer, ((uint8_t[]){0xee, 0xee, 0xee, 0xee}), 4);
}

Test(cursor, patching_what_was_not_written_aborts, .signal = SIGABRT)
{
	uint8_t buffer[4];
	struct writer w = writer_of(buffer, 4);
	writer_u16(&w, 1);
	writer_patch_u16(&w, 1, 0);
}
