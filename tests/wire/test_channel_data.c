#include <criterion/criterion.h>

#include "exact_copy.h"
#include "wire/channel_data.h"

Test(channel_data, reads_with_and_without_padding)
{
	static const struct {
		const char *datagram;
		size_t size, data_size;
	} cases[] = {
		{"\x40\x01\x00\x05hello", 9, 5},
		{"\x40\x01\x00\x05hello\0\0\0", 12, 5},
		{"\x40\x01\x00\x00", 4, 0},
		{"\x40\x01\x00\x00\0\0\0\0", 8, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bytes copy = exact_copy(cases[i].datagram, cases[i].size), data;
		uint16_t channel;
		cr_assert(channel_data_read(copy, &channel, &data), "%zu", i);
		cr_assert_eq(channel, 0x4001);
		cr_assert(data.data == copy.data + 4 && data.size == cases[i].data_size, "%zu", i);
		exact_copy_free(copy);
	}
}

Test(channel_data, refuses_what_is_cut_off)
{
	static const char datagram[] = "\x40\x01\x00\x05hello";
	for (size_t size = 0; size < 9; size++) {
		struct bytes copy = exact_copy(datagram, size), data;
		uint16_t channel;
		cr_assert_not(channel_data_read(copy, &channel, &data), "%zu", size);
		exact_copy_free(copy);
	}
}

Test(channel_data, writes_what_it_reads)
{
	uint8_t datagram[4 + 0x102] = {0};
	struct bytes data;
	uint16_t channel;
	channel_data_write(datagram, 0x4fff, 0x102);
	cr_assert_arr_eq(datagram, ((uint8_t[]){0x4f, 0xff, 0x01, 0x02}), 4);
	cr_assert(channel_data_read(bytes_of(datagram, sizeof datagram), &channel, &data));
	cr_assert(channel == 0x4fff && data.size == 0x102);
}
