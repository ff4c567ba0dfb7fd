/*
 * train_rig - what tests of trains build them from, and read them with.
 */
#ifndef UTURN_TESTS_IO_TRAIN_RIG_H
#define UTURN_TESTS_IO_TRAIN_RIG_H

#include <criterion/criterion.h>

#include "io/train.h"

static uint8_t memory[1 << 20];

static inline struct departure packet(uint32_t socket, uint16_t port, size_t size)
{
	return (struct departure){.socket = socket, .to = addr_ipv4(192, 0, 2, 1, port), .payload = bytes_of(memory, size)};
}

static inline void append(struct trains *t, const struct departure *departure)
{
	cr_assert_eq(trains_append(t, departure, 0), 1u + departure->repeats);
}

/* The bytes of a train, as the kernel would gather them. */
static inline size_t gather(const struct train *train, uint8_t *ret_bytes)
{
	size_t size = 0;
	for (unsigned i = 0; i < train->iov_count; i++) {
		memcpy(ret_bytes + size, train->iov[i].iov_base, train->iov[i].iov_len);
		size += train->iov[i].iov_len;
	}
	return size;
}

#endif
