#include "channel.h"

static uint64_t number_hash(const struct turn *t, const struct allocation *a, uint16_t number)
{
	uint32_t key[2] = {a->slot, number};
	return siphash(&t->key, key, sizeof key);
}

static uint64_t peer_hash(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	struct {
		uint32_t allocation;
		struct addr peer;
	} key = {.allocation = a->slot, .peer = *peer};
	_Static_assert(sizeof key == 24, "hashed as memory: no padding");
	return siphash(&t->key, &key, sizeof key);
}

struct channel *channel_find_number_far(const struct turn *t, const struct allocation *a, uint16_t number)
{
	uint64_t hash = number_hash(t, a, number);
	uint32_t it;
	const struct map *map = &t->channels_far_number;
	for (uint32_t s = map_first(map, hash, &it); s != MAP_NONE; s = map_next(map, hash, &it)) {
		struct channel *channel = channel_at(t, s);
		if (channel->allocation == a->slot && channel->number == number)
			return channel;
	}
	return NULL;
}

struct channel *channel_find_peer_far(const struct turn *t, const struct allocation *a, const struct addr *peer)
{
	uint64_t hash = peer_hash(t, a, peer);
	uint32_t it;
	const struct map *map = &t->channels_far_peer;
	for (uint32_t s = map_first(map, hash, &it); s != MAP_NONE; s = map_next(map, hash, &it)) {
		struct channel *channel = channel_at(t, s);
		if (channel->allocation == a->slot && addr_equal(&channel->peer, peer))
			return channel;
	}
	return NULL;
}

bool channel_room(const struct turn *t, const struct allocation *a)
{
	return a->channel_count < LIMIT_CHANNELS_PER_ALLOCATION && t->channels.used < t->channels.capacity;
}

static void announce(const struct turn *t, const struct channel *channel, enum binding_event event)
{
	if (t->hooks.binding == NULL)
		return;
	const struct allocation *a = allocation_at(t, channel->allocation);
	struct turn_binding binding = {
		.flow = a->flow,
		.relayed = relay_at(t, a->relay.index)->bound,
		.peer = channel->peer,
		.channel = channel->number,
	};
	t->hooks.binding(t->hooks.context, event, &binding);
}

static void channel_prolong(struct turn *t, struct channel *channel, uint64_t now_ns)
{
	channel->expires_ns = now_ns + CHANNEL_LIFETIME_S * NS_PER_S;
	wheel_start(&t->wheel, &channel->timer, channel->expires_ns);
}

void channel_refresh(struct turn *t, struct channel *channel, uint64_t now_ns)
{
	channel_prolong(t, channel, now_ns);
	announce(t, channel, BINDING_REFRESHED);
}

static void channel_index(struct turn *t, struct allocation *a, struct channel *channel)
{
	channel->far_number = !near_put(&a->channels_near_number, channel->number, channel->slot);
	if (channel->far_number) {
		bool inserted = map_insert(&t->channels_far_number, number_hash(t, a, channel->number), channel->slot);
		assert(inserted);
		a->channels_far_number++;
	}
	channel->far_peer = !near_put(&a->channels_near_peer, near_tag_endpoint(&channel->peer), channel->slot);
	if (channel->far_peer) {
		bool inserted = map_insert(&t->channels_far_peer, peer_hash(t, a, &channel->peer), channel->slot);
		assert(inserted);
		a->channels_far_peer++;
	}
}

static void channel_unindex(struct turn *t, struct allocation *a, struct channel *channel)
{
	if (channel->far_number) {
		bool removed = map_remove(&t->channels_far_number, number_hash(t, a, channel->number), channel->slot);
		assert(removed);
		a->channels_far_number--;
	} else {
		near_drop(&a->channels_near_number, channel->slot);
	}
	if (channel->far_peer) {
		bool removed = map_remove(&t->channels_far_peer, peer_hash(t, a, &channel->peer), channel->slot);
		assert(removed);
		a->channels_far_peer--;
	} else {
		near_drop(&a->channels_near_peer, channel->slot);
	}
}

void channel_create(struct turn *t, struct allocation *a, uint16_t number, const struct addr *peer, uint64_t now_ns)
{
	uint32_t slot = pool_take(&t->channels);
	assert(slot != POOL_NONE);
	struct channel *channel = channel_at(t, slot);
	channel->slot = slot;
	channel->allocation = a->slot;
	channel->number = number;
	channel->peer = *peer;
	channel->timer.kind = TIMER_CHANNEL;

	channel->next = a->channel_head;
	channel->previous = POOL_NONE;
	if (a->channel_head != POOL_NONE)
		channel_at(t, a->channel_head)->previous = slot;
	a->channel_head = slot;
	a->channel_count++;

	channel_index(t, a, channel);
	channel_prolong(t, channel, now_ns);
	counter_set(&t->counters.channels, t->channels.used);
	announce(t, channel, BINDING_ADDED);
}

void channel_end(struct turn *t, struct channel *channel)
{
	struct allocation *a = allocation_at(t, channel->allocation);
	announce(t, channel, BINDING_REMOVED);
	wheel_stop(&t->wheel, &channel->timer);
	channel_unindex(t, a, channel);

	if (channel->previous != POOL_NONE)
		channel_at(t, channel->previous)->next = channel->next;
	else
		a->channel_head = channel->next;
	if (channel->next != POOL_NONE)
		channel_at(t, channel->next)->previous = channel->previous;
	a->channel_count--;

	pool_give(&t->channels, channel->slot);
	counter_set(&t->counters.channels, t->channels.used);
}
