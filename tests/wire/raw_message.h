/*
 * raw_message - STUN messages written byte by byte, right or wrong, with nothing of the code under test.
 */
#ifndef UTURN_TESTS_RAW_MESSAGE_H
#define UTURN_TESTS_RAW_MESSAGE_H

#include "base/bytes.h"

struct raw_message {
	uint8_t bytes[66000];
	size_t size;
};

/* The header, with the transaction ID 01 02 .. 0c. */
void raw_begin(struct raw_message *m, uint16_t type);
/* Appends the attribute and zeros up to a multiple of four, and counts them in the header's length. */
void raw_attribute(struct raw_message *m, uint16_t type, const void *value, size_t size);
void raw_fingerprint(struct raw_message *m);
/* Overwrites two bytes. */
void raw_patch(struct raw_message *m, size_t offset, unsigned value);
/* Bit by bit, as the polynomial says. */
uint32_t raw_crc32(const uint8_t *data, size_t size);

#endif
