/*
 * bytes - a borrowed run of bytes: where it starts and how long it is.
 *
 * Owns:     nothing; whoever hands a `struct bytes` out says how long it stays valid.
 * Threads:  a value type.
 */
#ifndef UTURN_BASE_BYTES_H
#define UTURN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t size;
};

static inline struct bytes bytes_of(const void *data, size_t size)
{
	return (struct bytes){.data = data, .size = size};
}

static inline struct bytes bytes_of_string(const char *text)
{
	return bytes_of(text, strlen(text));
}

/* For public data only: its run time depends on the contents. */
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* For secrets and MACs: run time depends on the size alone. */
bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size);

/* Overwrites a secret in a way that the compiler may not drop. */
void bytes_wipe(void *secret, size_t size);

#endif
