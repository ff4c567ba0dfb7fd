/*
 * exact_copy - bytes in a heap block of exactly their size, so that AddressSanitizer sees a read of even one byte too many.
 */
#ifndef UTURN_TESTS_EXACT_COPY_H
#define UTURN_TESTS_EXACT_COPY_H

#include "base/bytes.h"

/* Never NULL, not even for no bytes: those end at the block's end too. Given back with exact_copy_free. */
struct bytes exact_copy(const void *data, size_t size);
void exact_copy_free(struct bytes copy);

#endif
