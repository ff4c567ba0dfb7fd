#include "exact_copy.h"

#include <stdlib.h>

/* malloc(0) would be a block of one byte that may be read; the copy of nothing is the end of such a block instead. */
static size_t slack(size_t size)
{
	return size == 0 ? 1 : 0;
}

struct bytes exact_copy(const void *data, size_t size)
{
	uint8_t *block = malloc(size + slack(size));
	if (block == NULL)
		abort();
	uint8_t *copy = block + slack(size);
	if (size > 0)
		memcpy(copy, data, size);
	return bytes_of(copy, size);
}

void exact_copy_free(struct bytes copy)
{
	free((uint8_t *)copy.data - slack(copy.size));
}
