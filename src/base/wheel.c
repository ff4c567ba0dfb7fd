#include "base/wheel.h"

#include <assert.h>

/*
 * A timer is due in the first tick that starts at or after its deadline. Its level is the highest group of six bits in which that
 * tick differs from the wheel's. So on the lower levels all slots in use lie ahead in the wheel's own block, and everything on one
 * level is due before anything on the next. The uppermost level is a ring: 63 of its slots ahead of the wheel's.
 */
enum { SLOT_BITS = 6, TICK_BITS = 24, TOP = WHEEL_LEVELS - 1, TOP_SHIFT = SLOT_BITS * TOP };
_Static_assert(1 << SLOT_BITS == WHEEL_SLOTS, "one group of bits per level");
_Static_assert(UINT64_C(1) << TICK_BITS == WHEEL_TICK_NS, "ticks by shifting");

static uint64_t due_tick(uint64_t deadline_ns)
{
	return (deadline_ns >> TICK_BITS) + ((deadline_ns & (WHEEL_TICK_NS - 1)) != 0);
}

static void list_push(struct timer **head, struct timer *timer)
{
	timer->next = *head;
	if (timer->next != NULL)
		timer->next->link = &timer->next;
	timer->link = head;
	*head = timer;
}

static void list_remove(struct timer *timer)
{
	*timer->link = timer->next;
	if (timer->next != NULL)
		timer->next->link = timer->link;
	timer->link = NULL;
	timer->next = NULL;
}

static void slot_push(struct wheel *wheel, unsigned level, unsigned slot, struct timer *timer)
{
	list_push(&wheel->slots[level][slot], timer);
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

/* `due` lies ahead of wheel->tick. */
static void place(struct wheel *wheel, struct timer *timer, uint64_t due)
{
	unsigned level = (63 - (unsigned)__builtin_clzll(due ^ wheel->tick)) / SLOT_BITS;
	if (level < TOP) {
		slot_push(wheel, level, (due >> (level * SLOT_BITS)) % WHEEL_SLOTS, timer);
		return;
	}
	uint64_t here = wheel->tick >> TOP_SHIFT;
	uint64_t distance = (due >> TOP_SHIFT) - here;
	if (distance > WHEEL_SLOTS - 1)
		distance = WHEEL_SLOTS - 1; /* placed anew when the wheel gets there */
	slot_push(wheel, TOP, (here + distance) % WHEEL_SLOTS, timer);
}

void wheel_init(struct wheel *wheel, uint64_t now_ns)
{
	*wheel = (struct wheel){.tick = now_ns >> TICK_BITS, .now_ns = now_ns};
}

void wheel_start(struct wheel *wheel, struct timer *timer, uint64_t deadline_ns)
{
	wheel_stop(wheel, timer);
	timer->deadline_ns = deadline_ns;
	uint64_t due = due_tick(deadline_ns);
	if (deadline_ns <= wheel->now_ns || due <= wheel->tick)
		list_push(&wheel->expired, timer);
	else
		place(wheel, timer, due);
}

void wheel_stop(struct wheel *wheel, struct timer *timer)
{
	if (!timer_running(timer))
		return;
	uintptr_t link = (uintptr_t)timer->link, slots = (uintptr_t)wheel->slots;
	list_remove(timer);
	if (link < slots || link >= slots + sizeof wheel->slots)
		return;
	/* It was the head of a slot. */
	size_t index = (link - slots) / sizeof wheel->slots[0][0];
	if (wheel->slots[index / WHEEL_SLOTS][index % WHEEL_SLOTS] == NULL)
		wheel->occupied[index / WHEEL_SLOTS] &= ~(UINT64_C(1) << index % WHEEL_SLOTS);
}

/* The next slot in use and the tick it starts at; false when none is. */
static bool next_slot(const struct wheel *wheel, unsigned *ret_level, unsigned *ret_slot, uint64_t *ret_tick)
{
	for (unsigned level = 0; level < TOP; level++) {
		if (wheel->occupied[level] == 0)
			continue;
		unsigned shift = level * SLOT_BITS, slot = (unsigned)__builtin_ctzll(wheel->occupied[level]);
		uint64_t block = wheel->tick >> (shift + SLOT_BITS) << (shift + SLOT_BITS);
		*ret_level = level;
		*ret_slot = slot;
		*ret_tick = block | (uint64_t)slot << shift;
		return true;
	}
	uint64_t occupied = wheel->occupied[TOP];
	if (occupied == 0)
		return false;
	uint64_t here = wheel->tick >> TOP_SHIFT;
	unsigned turn = here % WHEEL_SLOTS;
	uint64_t ahead = turn == 0 ? occupied : occupied >> turn | occupied << (WHEEL_SLOTS - turn);
	unsigned distance = (unsigned)__builtin_ctzll(ahead);
	*ret_level = TOP;
	*ret_slot = (unsigned)((here + distance) % WHEEL_SLOTS);
	*ret_tick = (here + distance) << TOP_SHIFT;
	return true;
}

/* The wheel has come to the start of this slot: what is due expires, the rest moves to lower levels. */
static void open_slot(struct wheel *wheel, unsigned level, unsigned slot, uint64_t now_tick)
{
	struct timer **head = &wheel->slots[level][slot];
	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	struct timer *rest = *head;
	*head = NULL;
	while (rest != NULL) {
		struct timer *timer = rest;
		rest = timer->next;
		uint64_t due = due_tick(timer->deadline_ns);
		if (due <= now_tick)
			list_push(&wheel->expired, timer);
		else
			place(wheel, timer, due);
	}
}

struct timer *wheel_expired(struct wheel *wheel, uint64_t now_ns)
{
	uint64_t now_tick = now_ns >> TICK_BITS;
	if (wheel->now_ns < now_ns)
		wheel->now_ns = now_ns;
	while (wheel->expired == NULL) {
		unsigned level, slot;
		uint64_t tick;
		if (!next_slot(wheel, &level, &slot, &tick) || tick > now_tick) {
			if (wheel->tick < now_tick)
				wheel->tick = now_tick;
			return NULL;
		}
		assert(tick > wheel->tick);
		wheel->tick = tick;
		open_slot(wheel, level, slot, now_tick);
	}
	struct timer *timer = wheel->expired;
	list_remove(timer);
	return timer;
}

uint64_t wheel_deadline_ns(const struct wheel *wheel)
{
	unsigned level, slot;
	uint64_t tick;
	if (wheel->expired != NULL)
		return wheel->now_ns;
	return next_slot(wheel, &level, &slot, &tick) ? tick << TICK_BITS : WHEEL_NEVER;
}
