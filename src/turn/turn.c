#include "turn/turn.h"

#include <stdlib.h>

#include "allocation.h"
#include "authenticate.h"
#include "channel.h"
#include "method_rules.h"
#include "permission.h"
#include "relay.h"
#include "reservation.h"
#include "turn_state.h"
#include "wire/classify.h"
#include "wire/send_indication.h"

/* How many timers one turn_expire looks at: an allocation that ends may take 512 other things with it. */
enum { EXPIRE_TIMERS_MAX = 64 };

static uint32_t reservations_of(uint32_t allocations_max)
{
	uint32_t most = allocations_max / LIMIT_ALLOCATIONS_PER_RESERVATION + 1;
	return most < LIMIT_RESERVATIONS ? most : LIMIT_RESERVATIONS;
}

static uint32_t at_least(uint32_t least, uint32_t value)
{
	return value < least ? least : value;
}

static int tables_init(struct turn *t, uint32_t allocations_max)
{
	uint32_t permissions_max = at_least(LIMIT_TABLE_MIN, allocations_max * LIMIT_PERMISSIONS_PER_ALLOCATION_MEAN);
	uint32_t channels_max = at_least(LIMIT_TABLE_MIN, allocations_max * LIMIT_CHANNELS_PER_ALLOCATION_MEAN);
	uint32_t reservations_max = reservations_of(allocations_max);
	int errors = 0;
	errors |= pool_init(&t->allocations, sizeof(struct allocation), allocations_max);
	errors |= pool_init(&t->permissions, sizeof(struct permission), permissions_max);
	errors |= pool_init(&t->channels, sizeof(struct channel), channels_max);
	errors |= pool_init(&t->relays, sizeof(struct relay), allocations_max + reservations_max);
	errors |= pool_init(&t->reservations, sizeof(struct reservation), reservations_max);
	errors |= map_init(&t->flows, allocations_max);
	errors |= map_init(&t->permissions_far, permissions_max);
	errors |= map_init(&t->channels_far_number, channels_max);
	errors |= map_init(&t->channels_far_peer, channels_max);
	return errors;
}

struct turn *turn_create(const struct turn_params *params, struct turn_config *config, struct moment now)
{
	struct turn *t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->allocation_head = POOL_NONE;
	t->reservation_head = POOL_NONE;
	if (tables_init(t, params->allocations_max) != 0) {
		turn_free(t);
		return NULL;
	}
	t->ports = params->ports;
	t->hooks = params->hooks;
	t->limiter = params->limiter;
	t->user_key = params->user_key;
	t->shard = params->shard;
	t->config = turn_config_ref(config);
	t->hooks.random(t->hooks.context, &t->key, sizeof t->key);
	t->hooks.random(t->hooks.context, &t->indication_key, sizeof t->indication_key);
	wheel_init(&t->wheel, now.mono_ns);
	return t;
}

void turn_free(struct turn *t)
{
	if (t == NULL)
		return;
	struct turn_out unheard;
	for (unheard.effect_count = 0; t->allocation_head != POOL_NONE; unheard.effect_count = 0)
		allocation_end(t, allocation_at(t, t->allocation_head), &unheard);
	for (unheard.effect_count = 0; t->reservation_head != POOL_NONE; unheard.effect_count = 0)
		reservation_end(t, reservation_at(t, t->reservation_head), &unheard);
	map_done(&t->channels_far_peer);
	map_done(&t->channels_far_number);
	map_done(&t->permissions_far);
	map_done(&t->flows);
	pool_done(&t->reservations);
	pool_done(&t->relays);
	pool_done(&t->channels);
	pool_done(&t->permissions);
	pool_done(&t->allocations);
	turn_config_unref(t->config);
	free(t);
}

uint32_t turn_relay_capacity(const struct turn *t)
{
	return t->relays.capacity;
}

static inline enum verdict dispatch(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out)
{
	switch (wire_classify(datagram)) {
	case WIRE_CHANNEL_DATA:
		return relay_channel_data(t, flow, datagram, now->mono_ns, &out->forward);
	case WIRE_STUN:
		if (send_indication_is(datagram))
			return relay_send_indication(t, flow, datagram, now->mono_ns, &out->forward);
		return turn_message(t, flow, datagram, now, out);
	case WIRE_DTLS:
		return DROP_DTLS;
	case WIRE_OTHER:
		break;
	}
	return datagram.size == 0 ? DROP_EMPTY : DROP_NOT_STUN;
}

enum verdict turn_from_client(
	struct turn *t, const struct flow *flow, struct bytes datagram, const struct moment *now, struct turn_out *out)
{
	assert(flow->listener < LIMIT_LISTENERS);
	out->effect_count = 0;
	out->auth_failure = AUTH_FAILURE_COUNT;
	enum verdict verdict = dispatch(t, flow, datagram, now, out);
	counter_add(&t->counters.verdicts[verdict], 1);
	return verdict;
}

void turn_client_gone(struct turn *t, const struct flow *flow, struct turn_out *out)
{
	out->effect_count = 0;
	struct allocation *a = allocation_find(t, flow);
	if (a != NULL)
		allocation_end(t, a, out);
}

bool turn_client_holds(struct turn *t, const struct flow *flow)
{
	return allocation_find(t, flow) != NULL;
}

enum verdict turn_from_peer(struct turn *t, struct relay_ref relay, const struct addr *peer, struct bytes datagram,
	const struct moment *now, struct turn_out *out)
{
	out->effect_count = 0;
	enum verdict verdict = relay_from_peer(t, relay, peer, datagram, now->mono_ns, &out->forward);
	counter_add(&t->counters.verdicts[verdict], 1);
	return verdict;
}

void turn_repeat(struct turn *t, const struct turn_forward *forward, enum verdict verdict, unsigned count)
{
	relay_repeat(forward, verdict, count);
	counter_add(&t->counters.verdicts[verdict], count);
}

#define OWNER_OF(timer_pointer, type) ((type *)(void *)((char *)(timer_pointer)-offsetof(type, timer)))

static void expire_one(struct turn *t, struct timer *timer, struct turn_out *out)
{
	struct allocation *a;
	switch ((enum timer_kind)timer->kind) {
	case TIMER_ALLOCATION:
		a = OWNER_OF(timer, struct allocation);
		if (a->state == ALLOCATION_LIVE)
			counter_add(&t->counters.allocations_expired, 1);
		allocation_end(t, a, out);
		return;
	case TIMER_PERMISSION:
		permission_end(t, OWNER_OF(timer, struct permission));
		return;
	case TIMER_CHANNEL:
		channel_end(t, OWNER_OF(timer, struct channel));
		return;
	case TIMER_RESERVATION:
		reservation_end(t, OWNER_OF(timer, struct reservation), out);
		return;
	}
}

bool turn_expire(struct turn *t, const struct moment *now, struct turn_out *out)
{
	out->effect_count = 0;
	for (unsigned i = 0; i < EXPIRE_TIMERS_MAX; i++) {
		if (out->effect_count + ALLOCATION_END_EFFECTS > TURN_EFFECTS_MAX)
			return true;
		struct timer *timer = wheel_expired(&t->wheel, now->mono_ns);
		if (timer == NULL)
			return false;
		expire_one(t, timer, out);
	}
	return true;
}

uint64_t turn_deadline_ns(const struct turn *t)
{
	return wheel_deadline_ns(&t->wheel);
}

/* Nothing ends here, since its sockets could not be closed: the deadlines are moved. */
static void revoke_allocation(struct turn *t, struct allocation *a, uint64_t now_ns)
{
	const struct turn_listener *listener = &t->config->listeners[a->flow.listener];
	struct peer_policy *policy = listener->policy;
	bool removed = listener->retiring && policy == NULL;
	if (removed || !authenticate_still_holds(t->config, a)) {
		allocation_prolong(t, a, 0, now_ns);
		return;
	}
	for (uint32_t s = a->permission_head; s != POOL_NONE; s = permission_at(t, s)->next) {
		struct permission *permission = permission_at(t, s);
		struct peer_grant grant;
		if (policy != NULL && peer_policy_check(policy, t->ports, &permission->peer, true, &grant) == PEER_ADMITTED)
			permission_move(permission, &grant, policy);
		else
			permission_cut(t, permission, now_ns);
	}
}

void turn_configure(struct turn *t, struct turn_config *config, bool revoke, const struct moment *now)
{
	struct turn_config *old = t->config;
	authenticate_remember_realm(t, old->auth.realm, config->auth.realm);
	t->config = turn_config_ref(config);
	turn_config_unref(old);
	if (!revoke)
		return;
	for (uint32_t s = t->allocation_head; s != POOL_NONE; s = allocation_at(t, s)->next)
		revoke_allocation(t, allocation_at(t, s), now->mono_ns);
}

void turn_drain(struct turn *t)
{
	t->draining = true;
}

uint32_t turn_allocation_count(const struct turn *t)
{
	return t->allocations.used;
}

const struct turn_counters *turn_counters(const struct turn *t)
{
	return &t->counters;
}
