#include <criterion/criterion.h>

#include "base/counter.h"

Test(counter, adds_and_is_read_back)
{
	counter c = {0};
	counter_add(&c, 3);
	counter_add(&c, UINT64_C(1) << 40);
	cr_assert_eq(counter_read(&c), (UINT64_C(1) << 40) + 3);
	counter_set(&c, 7);
	cr_assert_eq(counter_read(&c), 7);
}
