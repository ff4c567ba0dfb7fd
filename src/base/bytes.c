#include "base/bytes.h"

bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size)
{
	/* volatile: the compiler may not see through the accumulation and leave the loop early. */
	volatile uint8_t difference = 0;
	for (size_t i = 0; i < size; i++)
		difference = (uint8_t)(difference | (a[i] ^ b[i]));
	return difference == 0;
}

void bytes_wipe(void *secret, size_t size)
{
	explicit_bzero(secret, size);
}
