#include "base/clock.h"

#include <assert.h>
#include <time.h>

_Static_assert(UTURN_CLOCK_RATE >= 1 && UTURN_CLOCK_RATE <= 1000, "the accelerated clock must not wrap within months of uptime");

static struct timespec read_clock(clockid_t id)
{
	struct timespec ts;
	int rc = clock_gettime(id, &ts);
	assert(rc == 0);
	return ts;
}

uint64_t clock_mono_ns(void)
{
	struct timespec ts = read_clock(CLOCK_MONOTONIC);
	return ((uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec) * UTURN_CLOCK_RATE;
}

uint64_t clock_thread_ns(void)
{
	struct timespec ts = read_clock(CLOCK_THREAD_CPUTIME_ID);
	return ((uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec) * UTURN_CLOCK_RATE;
}

uint64_t clock_wall_ms(void)
{
	struct timespec ts = read_clock(CLOCK_REALTIME);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / NS_PER_MS;
}

struct moment clock_now(void)
{
	return (struct moment){.mono_ns = clock_mono_ns(), .wall_s = (uint64_t)read_clock(CLOCK_REALTIME).tv_sec};
}

uint64_t clock_wait_ns(uint64_t deadline_ns, uint64_t now_ns)
{
	if (deadline_ns <= now_ns)
		return 0;
	/* Rounded up: a sleep that ends before the deadline would be followed by a second one. */
	uint64_t left = deadline_ns - now_ns;
	return left / UTURN_CLOCK_RATE + (left % UTURN_CLOCK_RATE != 0);
}
