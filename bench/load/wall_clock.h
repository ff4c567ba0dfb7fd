/*
 * wall_clock - CLOCK_REALTIME in nanoseconds: the clock with which the kernel stamps arrivals.
 */
#ifndef UTURN_BENCH_LOAD_WALL_CLOCK_H
#define UTURN_BENCH_LOAD_WALL_CLOCK_H

#include <time.h>

#include "base/clock.h"

static inline uint64_t wall_clock_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;
}

static inline uint64_t wall_clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return wall_clock_of(&now);
}

#endif
