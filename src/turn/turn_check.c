/*
 * turn_check - every invariant of the tables, asserted: each thing is in its list, findable by its keys, and counted once.
 */
#include "allocation.h"
#include "channel.h"
#include "permission.h"
#include "relay_slot.h"

struct tally {
	uint32_t allocations, live, permissions, channels, relays, reservations_kept, reservations_made;
	uint32_t permissions_far, channels_far_number, channels_far_peer;
	uint32_t at_listener[LIMIT_LISTENERS];
};

static void check_relay(const struct turn *t, uint32_t slot, struct tally *tally)
{
	assert(slot < t->relays.capacity);
	const struct relay *relay = relay_at(t, slot);
	assert(relay->slot == slot);
	assert(relay->state != RELAY_FREE);
	assert(relay->state != RELAY_ABANDONED);
	struct addr reach;
	assert(relay->owns_port == (relay->state != RELAY_CLAIMING));
	if (relay->owns_port) {
		assert(relay->bound.port != 0);
		struct addr known = addr_with_port(relay->advertised, relay->bound.port);
		assert(port_table_live(t->ports, &known, &reach));
	}
	tally->relays++;
}

static void check_permission(const struct turn *t, const struct allocation *a, const struct permission *permission,
	uint32_t previous, struct tally *tally)
{
	assert(permission->allocation == a->slot);
	assert(permission->previous == previous);
	assert(permission->peer.family == a->family);
	assert(permission->peer.port == 0);
	assert(permission->policy != NULL);
	assert(timer_running(&permission->timer));
	assert(permission->timer.kind == TIMER_PERMISSION);
	assert(permission->timer.deadline_ns == permission->expires_ns);
	assert(permission_find(t, a, &permission->peer) == permission);
	tally->permissions++;
	tally->permissions_far += permission->far;
}

static void check_channel(
	const struct turn *t, const struct allocation *a, const struct channel *channel, uint32_t previous, struct tally *tally)
{
	assert(channel->allocation == a->slot);
	assert(channel->previous == previous);
	assert(channel->peer.family == a->family);
	assert(channel->number >= CHANNEL_NUMBER_MIN);
	assert(channel->number <= CHANNEL_NUMBER_MAX);
	assert(timer_running(&channel->timer));
	assert(channel->timer.kind == TIMER_CHANNEL);
	assert(channel->timer.deadline_ns == channel->expires_ns);
	assert(channel_find_number(t, a, channel->number) == channel);
	assert(channel_find_peer(t, a, &channel->peer) == channel);
	tally->channels++;
	tally->channels_far_number += channel->far_number;
	tally->channels_far_peer += channel->far_peer;
}

static void check_contents(const struct turn *t, const struct allocation *a, struct tally *tally)
{
	struct tally before = *tally;
	uint32_t previous = POOL_NONE;
	for (uint32_t s = a->permission_head; s != POOL_NONE; previous = s, s = permission_at(t, s)->next)
		check_permission(t, a, permission_at(t, s), previous, tally);
	previous = POOL_NONE;
	for (uint32_t s = a->channel_head; s != POOL_NONE; previous = s, s = channel_at(t, s)->next)
		check_channel(t, a, channel_at(t, s), previous, tally);
	assert(a->permission_count == tally->permissions - before.permissions);
	assert(a->permission_count <= LIMIT_PERMISSIONS_PER_ALLOCATION);
	assert(a->permissions_far == tally->permissions_far - before.permissions_far);
	assert(a->channel_count == tally->channels - before.channels);
	assert(a->channel_count <= LIMIT_CHANNELS_PER_ALLOCATION);
	assert(a->channels_far_number == tally->channels_far_number - before.channels_far_number);
	assert(a->channels_far_peer == tally->channels_far_peer - before.channels_far_peer);
}

static void check_allocation(const struct turn *t, const struct allocation *a, uint32_t previous, struct tally *tally)
{
	assert(a->state == ALLOCATION_OPENING || a->state == ALLOCATION_LIVE);
	assert(a->previous == previous);
	assert(timer_running(&a->timer));
	assert(a->timer.kind == TIMER_ALLOCATION);
	assert(a->timer.deadline_ns == a->expires_ns);
	struct relay *relay = relay_slot_resolve(t, a->relay);
	assert(relay != NULL);
	assert(relay->allocation == a->slot);
	check_relay(t, a->relay.index, tally);
	if (a->pair != POOL_NONE) {
		assert(relay_at(t, a->pair)->allocation == a->slot);
		assert(a->reservation != POOL_NONE);
		check_relay(t, a->pair, tally);
	}
	tally->reservations_kept += a->reservation != POOL_NONE;
	tally->allocations++;
	tally->at_listener[a->flow.listener]++;
	if (a->state == ALLOCATION_LIVE) {
		assert(relay->state == RELAY_OPEN);
		assert(a->family == relay->bound.family);
		assert(a->pair == POOL_NONE);
		assert(a->reservation == POOL_NONE);
		tally->live++;
	} else {
		assert(a->permission_count == 0);
		assert(a->channel_count == 0);
	}
	uint32_t it;
	uint32_t found = map_first(&t->flows, siphash(&t->key, &a->flow, sizeof a->flow), &it);
	while (found != MAP_NONE && found != a->slot)
		found = map_next(&t->flows, siphash(&t->key, &a->flow, sizeof a->flow), &it);
	assert(found == a->slot);
	check_contents(t, a, tally);
}

static void check_reservation(const struct turn *t, const struct reservation *reservation, uint32_t previous, struct tally *tally)
{
	assert(reservation->previous == previous);
	assert(reservation->token[0] == t->shard);
	assert(timer_running(&reservation->timer));
	assert(relay_at(t, reservation->relay)->state == RELAY_OPEN);
	assert(relay_at(t, reservation->relay)->reservation == reservation->slot);
	assert(relay_at(t, reservation->relay)->allocation == POOL_NONE);
	check_relay(t, reservation->relay, tally);
	tally->reservations_made++;
}

static void check_totals(const struct turn *t, const struct tally *tally)
{
	assert(t->allocations.used == tally->allocations);
	assert(t->flows.used == tally->allocations);
	assert(t->allocations_live == tally->live);
	assert(t->permissions.used == tally->permissions);
	assert(t->permissions_far.used == tally->permissions_far);
	assert(t->channels.used == tally->channels);
	assert(t->channels_far_number.used == tally->channels_far_number);
	assert(t->channels_far_peer.used == tally->channels_far_peer);
	assert(t->relays.used == tally->relays + t->relays_abandoned);
	assert(t->reservations_made == tally->reservations_made);
	assert(t->reservations.used == tally->reservations_made + tally->reservations_kept);
	assert(counter_read(&t->counters.allocations) == tally->live);
	for (unsigned i = 0; i < LIMIT_LISTENERS; i++)
		assert(counter_read(&t->counters.listener_allocations[i]) == tally->at_listener[i]);
	assert(counter_read(&t->counters.permissions) == tally->permissions);
	assert(counter_read(&t->counters.channels) == tally->channels);
	assert(counter_read(&t->counters.reservations) == tally->reservations_made);
}

void turn_check(const struct turn *t)
{
	struct tally tally = {.allocations = 0};
	bool last_is_held = t->last == NULL;
	uint32_t previous = POOL_NONE;
	for (uint32_t s = t->allocation_head; s != POOL_NONE; previous = s, s = allocation_at(t, s)->next) {
		check_allocation(t, allocation_at(t, s), previous, &tally);
		last_is_held |= t->last == allocation_at(t, s);
	}
	assert(last_is_held);
	previous = POOL_NONE;
	for (uint32_t s = t->reservation_head; s != POOL_NONE; previous = s, s = reservation_at(t, s)->next)
		check_reservation(t, reservation_at(t, s), previous, &tally);
	check_totals(t, &tally);
}
