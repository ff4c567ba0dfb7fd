/*
 * answers - when a client that sends nothing more has had its answers.
 *
 * Zero-initialise it; packets are counted all the time, and judged once the input has ended.
 */
#ifndef UTURN_TURNCAT_ANSWERS_H
#define UTURN_TURNCAT_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

struct answers {
	uint64_t sent, answered; /* packets */
	uint64_t last_ns;        /* of the last one, or of the end of input */
	bool ended;
};

/* How much longer to wait for answers; 0: they are there, or none comes. */
static inline uint64_t answers_left_ns(const struct answers *a, uint64_t now_ns, uint64_t settle_ms, uint64_t linger_ms)
{
	uint64_t patience_ns = (a->answered >= a->sent ? settle_ms : linger_ms) * NS_PER_MS, passed_ns = now_ns - a->last_ns;
	return passed_ns < patience_ns ? patience_ns - passed_ns : 0;
}

#endif
