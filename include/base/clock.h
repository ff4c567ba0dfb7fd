/*
 * clock - the only reader of time.
 *
 * A shard reads the clock once per turn of its loop and hands the result down; nothing below `shard` calls this. Built with
 * -Dclock_rate=N the monotonic clock runs N times faster, so that tests over real sockets see expiries in seconds.
 */
#ifndef UTURN_BASE_CLOCK_H
#define UTURN_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

/* One moment, as both clocks tell it. */
struct moment {
	uint64_t mono_ns; /* monotonic: lifetimes, timers, rates */
	uint64_t wall_s;  /* seconds since 1970: credentials and nonces, which other machines must agree on */
};

struct moment clock_now(void);
uint64_t clock_mono_ns(void);

/* Processor time that this thread has used, at the rate of the monotonic clock. A system call. */
uint64_t clock_thread_ns(void);

/* Milliseconds since 1970, for time stamps that people read; never accelerated. */
uint64_t clock_wall_ms(void);

/* How long to sleep, in real nanoseconds, until the (possibly accelerated) monotonic clock shows `deadline_ns`. 0 if it is past. */
uint64_t clock_wait_ns(uint64_t deadline_ns, uint64_t now_ns);

#endif
