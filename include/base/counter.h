/*
 * counter - a number that one thread adds to and any thread may read.
 *
 * A plain add on x86 and arm64: no lock prefix, no fence. Readers may lag, never tear.
 */
#ifndef UTURN_BASE_COUNTER_H
#define UTURN_BASE_COUNTER_H

#include <stdint.h>

typedef struct {
	uint64_t value;
} counter;

static inline uint64_t counter_read(const counter *c)
{
	return __atomic_load_n(&c->value, __ATOMIC_RELAXED);
}

static inline void counter_add(counter *c, uint64_t n)
{
	__atomic_store_n(&c->value, c->value + n, __ATOMIC_RELAXED);
}

/* For gauges. */
static inline void counter_set(counter *c, uint64_t value)
{
	__atomic_store_n(&c->value, value, __ATOMIC_RELAXED);
}

#endif
