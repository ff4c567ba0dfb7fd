#include "relay_slot.h"

struct relay *relay_slot_take(struct turn *t)
{
	uint32_t slot = pool_take(&t->relays);
	if (slot == POOL_NONE)
		return NULL;
	struct relay *relay = relay_at(t, slot);
	relay->slot = slot;
	relay->allocation = POOL_NONE;
	relay->reservation = POOL_NONE;
	return relay;
}

struct relay *relay_slot_resolve(const struct turn *t, struct relay_ref ref)
{
	if (ref.index >= t->relays.capacity || pool_generation(&t->relays, ref.index) != ref.generation)
		return NULL;
	struct relay *relay = relay_at(t, ref.index);
	return relay->state == RELAY_FREE ? NULL : relay;
}

struct relay_ref relay_slot_ref(const struct turn *t, const struct relay *relay)
{
	return (struct relay_ref){.index = relay->slot, .generation = pool_generation(&t->relays, relay->slot)};
}

static void relay_slot_give(struct turn *t, struct relay *relay)
{
	relay->state = RELAY_FREE;
	pool_give(&t->relays, relay->slot);
}

void relay_slot_failed(struct turn *t, struct relay *relay)
{
	if (relay->state == RELAY_ABANDONED)
		t->relays_abandoned--;
	if (relay->owns_port)
		port_table_release(t->ports, relay->bound.family, relay->bound.port);
	relay_slot_give(t, relay);
}

void relay_slot_close(struct turn *t, struct relay *relay, struct turn_out *out)
{
	if (relay->state == RELAY_CLAIMING) {
		/* Closing by reference now could overtake the socket, and only the report says which port it holds. */
		relay->state = RELAY_ABANDONED;
		relay->allocation = POOL_NONE;
		t->relays_abandoned++;
		return;
	}
	if (relay->state != RELAY_WAITING)
		turn_effect_add(out, EFFECT_CLOSE_RELAY)->relay = relay_slot_ref(t, relay);
	relay_slot_failed(t, relay);
}

void relay_slot_forget(struct turn *t, struct relay *relay)
{
	relay->owns_port = false;
	relay_slot_give(t, relay);
}
