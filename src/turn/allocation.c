#include "allocation.h"

#include "channel.h"
#include "permission.h"
#include "relay_slot.h"
#include "reservation.h"

static uint64_t flow_hash(const struct turn *t, const struct flow *flow)
{
	return siphash(&t->key, flow, sizeof *flow);
}

struct allocation *allocation_find_slow(struct turn *t, const struct flow *flow)
{
	uint64_t hash = flow_hash(t, flow);
	uint32_t it;
	for (uint32_t s = map_first(&t->flows, hash, &it); s != MAP_NONE; s = map_next(&t->flows, hash, &it)) {
		struct allocation *a = allocation_at(t, s);
		if (!flow_equal(&a->flow, flow))
			continue;
		t->last = a;
		return a;
	}
	return NULL;
}

static void count_at_listener(struct turn *t, const struct allocation *a, bool comes)
{
	counter *gauge = &t->counters.listener_allocations[a->flow.listener];
	counter_set(gauge, comes ? counter_read(gauge) + 1 : counter_read(gauge) - 1);
}

struct allocation *allocation_create(struct turn *t, const struct request *request)
{
	uint32_t slot = pool_take(&t->allocations);
	assert(slot != POOL_NONE);
	struct allocation *a = allocation_at(t, slot);
	a->slot = slot;
	a->state = ALLOCATION_OPENING;
	a->flow = *request->flow;
	a->relay.index = POOL_NONE;
	a->pair = POOL_NONE;
	a->reservation = POOL_NONE;
	a->permission_head = POOL_NONE;
	a->channel_head = POOL_NONE;
	near_init(&a->permissions_near);
	near_init(&a->channels_near_number);
	near_init(&a->channels_near_peer);
	a->user = request->user;
	a->realm = request->realm;
	a->made_by = request->transaction;
	a->created_ns = request->now->mono_ns;
	a->username_size = (uint16_t)request->username.size;
	memcpy(a->username, request->username.data, request->username.size);

	a->next = t->allocation_head;
	a->previous = POOL_NONE;
	if (t->allocation_head != POOL_NONE)
		allocation_at(t, t->allocation_head)->previous = slot;
	t->allocation_head = slot;

	bool inserted = map_insert(&t->flows, flow_hash(t, &a->flow), slot);
	assert(inserted);
	count_at_listener(t, a, true);
	a->timer.kind = TIMER_ALLOCATION;
	allocation_prolong(t, a, OPENING_LIFETIME_S, request->now->mono_ns);
	return a;
}

void allocation_prolong(struct turn *t, struct allocation *a, uint32_t lifetime_s, uint64_t now_ns)
{
	a->expires_ns = now_ns + lifetime_s * NS_PER_S;
	wheel_start(&t->wheel, &a->timer, a->expires_ns);
}

void allocation_established(struct turn *t, struct allocation *a, const struct moment *now)
{
	assert(a->state == ALLOCATION_OPENING);
	a->state = ALLOCATION_LIVE;
	if (a->pair != POOL_NONE) {
		reservation_start(t, a->reservation, relay_at(t, a->pair), now->mono_ns, a->token);
		a->has_token = true;
		a->pair = POOL_NONE;
		a->reservation = POOL_NONE;
	}
	allocation_prolong(t, a, a->lifetime_s, now->mono_ns);
	counter_set(&t->counters.allocations, ++t->allocations_live);
	counter_add(&t->counters.allocations_total, 1);
}

static void end_sockets(struct turn *t, struct allocation *a, struct turn_out *out)
{
	if (a->pair != POOL_NONE)
		relay_slot_close(t, relay_at(t, a->pair), out);
	if (a->reservation != POOL_NONE)
		reservation_cancel(t, a->reservation);
	if (a->relay.index != POOL_NONE)
		relay_slot_close(t, relay_at(t, a->relay.index), out);
}

void allocation_end(struct turn *t, struct allocation *a, struct turn_out *out)
{
	if (t->last == a)
		t->last = NULL;
	while (a->channel_head != POOL_NONE)
		channel_end(t, channel_at(t, a->channel_head));
	while (a->permission_head != POOL_NONE)
		permission_end(t, permission_at(t, a->permission_head));
	end_sockets(t, a, out);
	wheel_stop(&t->wheel, &a->timer);

	bool removed = map_remove(&t->flows, flow_hash(t, &a->flow), a->slot);
	assert(removed);
	if (a->previous != POOL_NONE)
		allocation_at(t, a->previous)->next = a->next;
	else
		t->allocation_head = a->next;
	if (a->next != POOL_NONE)
		allocation_at(t, a->next)->previous = a->previous;

	count_at_listener(t, a, false);
	t->hooks.quota_release(t->hooks.context, a->user);
	if (a->state == ALLOCATION_LIVE)
		counter_set(&t->counters.allocations, --t->allocations_live);
	a->state = ALLOCATION_FREE;
	bytes_wipe(&a->made_by, sizeof a->made_by);
	pool_give(&t->allocations, a->slot);
}
