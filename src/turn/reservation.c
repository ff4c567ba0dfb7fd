#include "reservation.h"

#include "relay_slot.h"

bool reservation_room(const struct turn *t)
{
	return t->reservations.used < t->reservations.capacity;
}

uint32_t reservation_keep(struct turn *t)
{
	uint32_t slot = pool_take(&t->reservations);
	assert(slot != POOL_NONE);
	struct reservation *reservation = reservation_at(t, slot);
	reservation->slot = slot;
	reservation->relay = POOL_NONE;
	reservation->timer.kind = TIMER_RESERVATION;
	return slot;
}

void reservation_cancel(struct turn *t, uint32_t slot)
{
	pool_give(&t->reservations, slot);
}

void reservation_start(
	struct turn *t, uint32_t slot, struct relay *relay, uint64_t now_ns, uint8_t ret_token[static RESERVATION_TOKEN_SIZE])
{
	struct reservation *reservation = reservation_at(t, slot);
	t->hooks.random(t->hooks.context, reservation->token, sizeof reservation->token);
	reservation->token[0] = t->shard;
	memcpy(ret_token, reservation->token, sizeof reservation->token);
	reservation->relay = relay->slot;
	relay->allocation = POOL_NONE;
	relay->reservation = slot;

	reservation->next = t->reservation_head;
	reservation->previous = POOL_NONE;
	if (t->reservation_head != POOL_NONE)
		reservation_at(t, t->reservation_head)->previous = slot;
	t->reservation_head = slot;
	counter_set(&t->counters.reservations, ++t->reservations_made);
	wheel_start(&t->wheel, &reservation->timer, now_ns + RESERVATION_LIFETIME_S * NS_PER_S);
}

static void reservation_remove(struct turn *t, struct reservation *reservation)
{
	wheel_stop(&t->wheel, &reservation->timer);
	if (reservation->previous != POOL_NONE)
		reservation_at(t, reservation->previous)->next = reservation->next;
	else
		t->reservation_head = reservation->next;
	if (reservation->next != POOL_NONE)
		reservation_at(t, reservation->next)->previous = reservation->previous;
	counter_set(&t->counters.reservations, --t->reservations_made);
	pool_give(&t->reservations, reservation->slot);
}

void reservation_end(struct turn *t, struct reservation *reservation, struct turn_out *out)
{
	relay_slot_close(t, relay_at(t, reservation->relay), out);
	reservation_remove(t, reservation);
}

bool turn_reservation_take(
	struct turn *t, const uint8_t token[static RESERVATION_TOKEN_SIZE], struct relay_ref *ret_relay, struct addr *ret_bound)
{
	for (uint32_t s = t->reservation_head; s != POOL_NONE; s = reservation_at(t, s)->next) {
		struct reservation *reservation = reservation_at(t, s);
		if (!bytes_equal_constant_time(reservation->token, token, RESERVATION_TOKEN_SIZE))
			continue;
		struct relay *relay = relay_at(t, reservation->relay);
		*ret_relay = relay_slot_ref(t, relay);
		*ret_bound = relay->bound;
		relay_slot_forget(t, relay);
		reservation_remove(t, reservation);
		return true;
	}
	return false;
}
