/*
 * random - bytes nobody can guess, from the kernel's generator (getrandom(2)); buffered per object so that ports and tokens cost no
 * system call each.
 *
 * Threads: one per object.
 */
#ifndef UTURN_CRYPTO_RANDOM_H
#define UTURN_CRYPTO_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_source {
	uint8_t pool[256]; /* bytes already given out are wiped */
	size_t left;
};

/* Fills `out`. Aborts if the kernel has no randomness to give, which does not happen after boot. */
void random_bytes(struct random_source *source, void *out, size_t size);

#endif
