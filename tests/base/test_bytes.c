#include <criterion/criterion.h>

#include "base/bytes.h"

Test(bytes, are_equal_when_size_and_contents_are)
{
	cr_assert(bytes_equal(bytes_of_string("abc"), bytes_of("abcd", 3)));
	cr_assert_not(bytes_equal(bytes_of_string("abc"), bytes_of_string("abcd")));
	cr_assert_not(bytes_equal(bytes_of_string("abc"), bytes_of_string("abd")));
	cr_assert(bytes_equal(bytes_of(NULL, 0), bytes_of_string("")));
}

Test(bytes, compares_secrets_to_the_last_bit)
{
	uint8_t a[20], b[20];
	memset(a, 0x5a, sizeof a);
	for (unsigned bit = 0; bit < sizeof a * 8; bit++) {
		memcpy(b, a, sizeof b);
		b[bit / 8] ^= (uint8_t)(1u << bit % 8);
		cr_assert_not(bytes_equal_constant_time(a, b, sizeof a), "bit %u", bit);
	}
	cr_assert(bytes_equal_constant_time(a, a, sizeof a));
	cr_assert(bytes_equal_constant_time(a, b, 0));
}

Test(bytes, wipe_leaves_zeros_and_only_there)
{
	uint8_t secret[4] = {1, 2, 3, 4};
	bytes_wipe(secret, 3);
	cr_assert_arr_eq(secret, ((uint8_t[]){0, 0, 0, 4}), 4);
}
