#include "capture/key_index.h"

#include <criterion/criterion.h>

Test(key_index, numbers_keys_in_the_order_of_their_appearance)
{
	enum { KEYS = 5000 };
	struct key_index k;
	key_index_init(&k, sizeof(uint64_t));
	uint64_t key = 7;
	cr_expect_eq(key_index_find(&k, &key), KEY_INDEX_FULL);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < KEYS; i++) {
			key = (uint64_t)i * i;
			cr_assert_eq(key_index_number(&k, &key), i);
		}
	}
	cr_expect_eq(k.count, KEYS);
	for (uint32_t i = 0; i < KEYS; i++) {
		key = (uint64_t)i * i;
		cr_assert_eq(key_index_find(&k, &key), i);
		cr_assert(memcmp(key_index_key(&k, i), &key, sizeof key) == 0);
	}
	key = 2;
	cr_expect_eq(key_index_find(&k, &key), KEY_INDEX_FULL);
	key_index_done(&k);
	key_index_done(&k);
}
