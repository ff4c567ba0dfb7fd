#include "crypto/random.h"

#include <criterion/criterion.h>

Test(random, fills_every_byte_of_any_size)
{
	static const size_t sizes[] = {1, 2, 16, 255, 256, 257, 1000};
	struct random_source source = {0};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		uint8_t seen[1000] = {0};
		/* The chance that one byte is zero in 16 draws is 2^-128. */
		for (unsigned draw = 0; draw < 16; draw++) {
			uint8_t *out = calloc(1, sizes[s]);
			random_bytes(&source, out, sizes[s]);
			for (size_t i = 0; i < sizes[s]; i++)
				seen[i] |= out[i];
			free(out);
		}
		for (size_t i = 0; i < sizes[s]; i++)
			cr_expect_neq(seen[i], 0, "byte %zu of %zu stayed zero", i, sizes[s]);
	}
}

Test(random, does_not_repeat_itself)
{
	enum { DRAWS = 2000 };
	static uint64_t drawn[DRAWS];
	struct random_source source = {0};
	for (size_t i = 0; i < DRAWS; i++) {
		random_bytes(&source, &drawn[i], sizeof drawn[i]);
		for (size_t j = 0; j < i; j++)
			cr_assert_neq(drawn[i], drawn[j], "draw %zu repeats draw %zu", i, j);
	}
}

Test(random, forgets_what_it_gave_out)
{
	struct random_source source = {0};
	uint8_t first[32];
	random_bytes(&source, first, sizeof first);
	cr_assert_eq(source.left, sizeof source.pool - sizeof first);
	for (size_t i = source.left; i < sizeof source.pool; i++)
		cr_assert_eq(source.pool[i], 0, "pool byte %zu", i);
}

Test(random, two_sources_differ)
{
	struct random_source a = {0}, b = {0};
	uint8_t from_a[32], from_b[32];
	random_bytes(&a, from_a, sizeof from_a);
	random_bytes(&b, from_b, sizeof from_b);
	cr_assert_arr_neq(from_a, from_b, sizeof from_a);
}

Test(random, giving_nothing_takes_nothing)
{
	struct random_source source = {0};
	uint8_t byte;
	random_bytes(&source, &byte, 1);
	size_t left = source.left;
	random_bytes(&source, NULL, 0);
	cr_assert_eq(source.left, left);
}
