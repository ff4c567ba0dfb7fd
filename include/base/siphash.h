/*
 * siphash - SipHash-1-3: the keyed hash of every table that a stranger can fill.
 */
#ifndef UTURN_BASE_SIPHASH_H
#define UTURN_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t k0, k1;
};

/* Any 64-bit value may come back, 0 included. Pure; `data` may be NULL when size is 0. */
uint64_t siphash(const struct siphash_key *key, const void *data, size_t size);

#endif
