/*
 * wheel - a hierarchical timer wheel over timers that live inside their owners.
 *
 * A timer fires once, never early and at most WHEEL_TICK_NS late (given the caller asks in time). Starting, stopping and
 * moving a timer are O(1); asking for expired ones costs what has expired plus a bounded number of empty slots.
 *
 * Owns:     only its slot heads. A timer must be stopped before the memory that holds it goes.
 * Threads:  one. Never reads a clock.
 */
#ifndef UTURN_BASE_WHEEL_H
#define UTURN_BASE_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WHEEL_LEVELS = 4, WHEEL_SLOTS = 64 };

/* 2^24 ns: a sixtieth of a second. Four levels of 64 slots reach 3.2 days; later deadlines wait in the last slot. */
#define WHEEL_TICK_NS (UINT64_C(1) << 24)
#define WHEEL_NEVER UINT64_MAX

struct timer {
	struct timer *next, **link; /* link: the pointer that points at us; NULL while not running */
	uint64_t deadline_ns;
	uint8_t kind; /* the owner's own tag, so that one wheel can hold timers of several kinds */
};

struct wheel {
	struct timer *slots[WHEEL_LEVELS][WHEEL_SLOTS];
	uint64_t occupied[WHEEL_LEVELS]; /* a bit per slot */
	struct timer *expired;           /* due, not yet handed out */
	uint64_t tick;                   /* this tick and all before it were looked at */
	uint64_t now_ns;                 /* the latest time the wheel was told */
};

void wheel_init(struct wheel *wheel, uint64_t now_ns);

/* Starts, or moves a running timer. A deadline before the time that the wheel was last told fires at the next wheel_expired. */
void wheel_start(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns);

/* Harmless on a timer that is not running. */
void wheel_stop(struct wheel *wheel, struct timer *timer);

static inline bool timer_running(const struct timer *timer)
{
	return timer->link != NULL;
}

/* One timer whose deadline is at or before `now_ns` (it is stopped), or NULL. Call until NULL, or until a budget is spent. */
struct timer *wheel_expired(struct wheel *wheel, uint64_t now_ns);

/* When wheel_expired may next have something (never later than the next deadline + a tick); WHEEL_NEVER when no timer runs. */
uint64_t wheel_deadline_ns(const struct wheel *wheel);

#endif
