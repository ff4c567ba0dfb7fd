#include "turn_rig.h"
#include "turn_state.h"

static const struct siphash_key digest_key = {.k0 = 5, .k1 = 6};

static void mix(uint64_t *digest, const void *data, size_t size)
{
	uint64_t parts[2] = {*digest, siphash(&digest_key, data, size)};
	*digest = siphash(&digest_key, parts, sizeof parts);
}

static void mix_number(uint64_t *digest, uint64_t number)
{
	mix(digest, &number, sizeof number);
}

static void mix_permission(uint64_t *digest, const struct permission *permission)
{
	mix(digest, &permission->peer, sizeof permission->peer);
	mix_number(digest, permission->grant.cluster);
	mix_number(digest, permission->grant.port_min);
	mix_number(digest, permission->grant.port_max);
	mix_number(digest, permission->grant.relayed_only);
	mix_number(digest, permission->expires_ns);
	mix_number(digest, (uintptr_t)permission->policy);
}

static void mix_relay(uint64_t *digest, const struct turn *t, uint32_t slot)
{
	mix_number(digest, slot);
	if (slot == POOL_NONE)
		return;
	const struct relay *relay = relay_at(t, slot);
	mix_number(digest, relay->state);
	mix_number(digest, pool_generation(&t->relays, slot));
	mix(digest, &relay->bound, sizeof relay->bound);
	mix(digest, &relay->advertised, sizeof relay->advertised);
}

static void mix_allocation(uint64_t *digest, const struct turn *t, const struct allocation *a)
{
	mix_number(digest, a->slot);
	mix(digest, &a->flow, sizeof a->flow);
	mix_number(digest, a->state);
	mix_number(digest, a->family);
	mix_number(digest, a->expires_ns);
	mix_number(digest, a->lifetime_s);
	mix_number(digest, a->user);
	mix_number(digest, a->realm);
	mix_number(digest, a->from_client_packets + a->to_client_packets);
	mix(digest, a->token, sizeof a->token);
	mix(digest, a->made_by.id, sizeof a->made_by.id);
	mix(digest, a->made_by.key, sizeof a->made_by.key);
	mix(digest, a->username, a->username_size);
	mix_relay(digest, t, a->relay.index);
	mix_relay(digest, t, a->pair);
	mix_number(digest, a->permission_count);
	mix_number(digest, a->channel_count);
	for (uint32_t s = a->permission_head; s != POOL_NONE; s = permission_at(t, s)->next)
		mix_permission(digest, permission_at(t, s));
	for (uint32_t s = a->channel_head; s != POOL_NONE; s = channel_at(t, s)->next) {
		mix(digest, &channel_at(t, s)->peer, sizeof(struct addr));
		mix_number(digest, channel_at(t, s)->number);
		mix_number(digest, channel_at(t, s)->expires_ns);
	}
}

static void mix_core(uint64_t *digest, const struct turn *t)
{
	mix_number(digest, t->allocations.used);
	mix_number(digest, t->permissions.used);
	mix_number(digest, t->channels.used);
	mix_number(digest, t->relays.used);
	mix_number(digest, t->reservations.used);
	mix_number(digest, t->flows.used);
	mix_number(digest, t->permissions_far.used);
	mix_number(digest, t->channels_far_number.used);
	mix_number(digest, t->channels_far_peer.used);
	mix_number(digest, t->relays_abandoned);
	for (uint32_t s = t->allocation_head; s != POOL_NONE; s = allocation_at(t, s)->next)
		mix_allocation(digest, t, allocation_at(t, s));
	for (uint32_t s = t->reservation_head; s != POOL_NONE; s = reservation_at(t, s)->next) {
		mix(digest, reservation_at(t, s)->token, RESERVATION_TOKEN_SIZE);
		mix_number(digest, reservation_at(t, s)->timer.deadline_ns);
		mix_relay(digest, t, reservation_at(t, s)->relay);
	}
}

uint64_t rig_digest(const struct rig *rig)
{
	uint64_t digest = 0;
	for (unsigned i = 0; i < rig->core_count; i++)
		mix_core(&digest, rig->cores[i]);
	mix(&digest, rig->ports->live, sizeof rig->ports->live);
	mix_number(&digest, quota_total(rig->quota));
	mix_number(&digest, (uint64_t)rig->held_quota);
	mix_number(&digest, rig_sockets_open(rig));
	mix_number(&digest, rig->held_count);
	return digest;
}
