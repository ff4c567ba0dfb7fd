/*
 * fuzz_rig - what the fuzz targets share: a check that always aborts, and repairs that take the input past the gates which random
 * bytes do not pass.
 */
#ifndef UTURN_TESTS_FUZZ_RIG_H
#define UTURN_TESTS_FUZZ_RIG_H

#include <stdio.h>
#include <stdlib.h>

#include "wire/crc32.h"
#include "wire/stun_format.h"

#define FUZZ_CHECK(condition)                                                                                                      \
	do {                                                                                                                       \
		if (!(condition)) {                                                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                             \
			abort();                                                                                                   \
		}                                                                                                                  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The two zero bits, the length and the cookie as they ought to be; as far as the size allows. */
static inline void fuzz_repair_header(uint8_t *message, size_t size)
{
	static const uint8_t cookie[4] = {0x21, 0x12, 0xa4, 0x42};
	if (size < STUN_HEADER_SIZE)
		return;
	size_t length = size - STUN_HEADER_SIZE;
	message[0] &= 0x3f;
	message[2] = (uint8_t)(length >> 8);
	message[3] = (uint8_t)length;
	memcpy(message + 4, cookie, sizeof cookie);
}

/* The last four bytes as the value of a FINGERPRINT. */
static inline void fuzz_repair_fingerprint(uint8_t *message, size_t size)
{
	uint32_t value = crc32(bytes_of(message, size - 8)) ^ STUN_FINGERPRINT_XOR;
	for (unsigned i = 0; i < 4; i++)
		message[size - 4 + i] = (uint8_t)(value >> (24 - 8 * i));
}

#endif
