#include "opening.h"

#include "allocation.h"
#include "relay_slot.h"
#include "respond.h"

bool opening_address(const struct turn_listener *listener, enum addr_family family, const struct flow *flow, struct addr *ret_bind,
	struct addr *ret_advertised)
{
	const struct relay_address *relay = &listener->relay[family == ADDR_IPV6 ? RELAY_IPV6 : RELAY_IPV4];
	struct addr bind = relay->bind;
	if (bind.family == ADDR_NONE)
		return false;
	if (addr_is_any(&bind) && !(relay->bind_wildcard && relay->advertised.family != ADDR_NONE)) {
		if (flow->local.family == family && !addr_is_any(&flow->local))
			bind = flow->local;
		else if (addr_is_loopback(&flow->local))
			bind = addr_loopback(family, 0);
		else
			bind = relay->fallback;
		if (bind.family == ADDR_NONE)
			return false;
	}
	bind.port = 0;
	*ret_advertised = addr_with_port(relay->advertised.family == ADDR_NONE ? bind : relay->advertised, 0);
	*ret_bind = relay->bind_wildcard ? addr_any(family, 0) : bind;
	return true;
}

/* The ports that would do: first, first + step, … */
struct port_range {
	uint32_t first, step, count;
};

static struct port_range port_range_of(const struct turn_listener *listener, bool even, bool pair)
{
	uint32_t first = listener->port_min == 0 ? 1 : listener->port_min;
	uint32_t last = listener->port_max;
	uint32_t step = 1;
	if (even) {
		step = 2;
		first += first & 1;
		last -= pair && (last & 1) == 0 ? 1 : 0;
		last &= ~UINT32_C(1);
	}
	return (struct port_range){.first = first, .step = step, .count = first <= last ? (last - first) / step + 1 : 0};
}

static uint32_t random_below(const struct turn *t, uint32_t bound)
{
	uint32_t value;
	t->hooks.random(t->hooks.context, &value, sizeof value);
	return value % bound;
}

static bool ports_claim(const struct turn *t, const struct allocation *a, uint16_t port)
{
	if (!port_table_claim(t->ports, a->search.address, a->family, port))
		return false;
	if (a->reservation == POOL_NONE || port_table_claim(t->ports, a->search.address, a->family, (uint16_t)(port + 1)))
		return true;
	port_table_release(t->ports, a->family, port);
	return false;
}

/* A port (with a reservation: it and the next) that nobody else of ours uses, now claimed. 0: there is none. */
static uint16_t port_next(const struct turn *t, struct allocation *a)
{
	const struct turn_listener *listener = &t->config->listeners[a->flow.listener];
	struct port_range range = port_range_of(listener, a->even_port, a->reservation != POOL_NONE);
	struct port_search *search = &a->search;
	if (range.count == 0)
		return 0;
	while (search->tries < LIMIT_PORT_TRIES) {
		search->tries++;
		uint16_t port = (uint16_t)(range.first + range.step * random_below(t, range.count));
		if (ports_claim(t, a, port))
			return port;
	}
	if (search->walked == 0)
		search->walk_start = random_below(t, range.count);
	while (search->walked < range.count && search->walk_failures < LIMIT_PORT_SEARCH) {
		uint32_t place = (search->walk_start + search->walked++) % range.count;
		uint16_t port = (uint16_t)(range.first + range.step * place);
		if (ports_claim(t, a, port))
			return port;
	}
	return 0;
}

static void ask(struct turn *t, struct relay *relay, bool receive, struct turn_out *out)
{
	struct turn_effect *effect = turn_effect_add(out, EFFECT_OPEN_RELAY);
	effect->relay = relay_slot_ref(t, relay);
	effect->address = relay->bound;
	effect->receive = receive;
}

static struct relay *slot_for(struct turn *t, const struct allocation *a, enum relay_state state)
{
	struct relay *relay = relay_slot_take(t);
	if (relay != NULL) {
		relay->state = (uint8_t)state;
		relay->allocation = a->slot;
	}
	return relay;
}

/* The upper port of a pair: claimed already, and asked for once the lower one is open. */
static void pair_keep(struct allocation *a, struct relay *pair, const struct relay *relay)
{
	pair->bound = addr_with_port(relay->bound, (uint16_t)(relay->bound.port + 1));
	pair->advertised = addr_with_port(relay->advertised, pair->bound.port);
	pair->owns_port = true;
	a->pair = pair->slot;
}

bool opening_start(struct turn *t, struct allocation *a, struct turn_out *out)
{
	struct addr bind, advertised;
	const struct turn_listener *listener = &t->config->listeners[a->flow.listener];
	if (!opening_address(listener, a->family, &a->flow, &bind, &advertised))
		return false;
	a->search.address = port_table_address(t->ports, &bind, &advertised);
	bool paired = a->reservation != POOL_NONE;
	uint32_t free_slots = t->relays.capacity - t->relays.used;
	if (a->search.address == 0 || free_slots < (paired ? 2 : 1))
		return false;
	uint16_t port = port_next(t, a);
	if (port == 0)
		return false;

	struct relay *relay = slot_for(t, a, RELAY_OPENING);
	relay->bound = addr_with_port(bind, port);
	relay->advertised = addr_with_port(advertised, port);
	relay->owns_port = true;
	a->relay = relay_slot_ref(t, relay);
	if (paired)
		pair_keep(a, slot_for(t, a, RELAY_WAITING), relay);
	ask(t, relay, true, out);
	return true;
}

bool opening_claim(struct turn *t, struct allocation *a, const uint8_t token[static RESERVATION_TOKEN_SIZE], struct turn_out *out)
{
	struct relay *relay = slot_for(t, a, RELAY_CLAIMING);
	if (relay == NULL)
		return false;
	a->relay = relay_slot_ref(t, relay);
	struct turn_effect *effect = turn_effect_add(out, EFFECT_CLAIM_RESERVATION);
	effect->relay = a->relay;
	memcpy(effect->token, token, RESERVATION_TOKEN_SIZE);
	return true;
}

/* The socket of another core, and with it the port that it claimed, is ours. */
static void claimed(struct turn *t, struct relay *relay, const struct addr *bound)
{
	relay->bound = *bound;
	relay->advertised = port_table_advertised(t->ports, bound);
	relay->owns_port = true;
}

/* The report comes too late: the client has long given up, or its credentials were revoked meanwhile. */
static bool past_deadline(struct turn *t, struct allocation *a, const struct moment *now, struct turn_out *out)
{
	if (now->mono_ns < a->expires_ns)
		return false;
	allocation_end(t, a, out);
	return true;
}

void turn_relay_opened(
	struct turn *t, struct relay_ref ref, const struct addr *bound, const struct moment *now, struct turn_out *out)
{
	out->effect_count = 0;
	struct relay *relay = relay_slot_resolve(t, ref);
	if (relay == NULL) {
		turn_effect_add(out, EFFECT_CLOSE_RELAY)->relay = ref;
		return;
	}
	assert(relay->state != RELAY_OPEN);
	if (relay->state == RELAY_ABANDONED) {
		claimed(t, relay, bound);
		relay_slot_close(t, relay, out);
		return;
	}
	struct allocation *a = allocation_at(t, relay->allocation);
	if (relay->state == RELAY_CLAIMING) {
		claimed(t, relay, bound);
		a->family = bound->family;
	}
	relay->state = RELAY_OPEN;
	if (past_deadline(t, a, now, out))
		return;
	if (a->pair != POOL_NONE && relay->slot != a->pair) {
		struct relay *pair = relay_at(t, a->pair);
		pair->state = RELAY_OPENING;
		ask(t, pair, false, out);
		return;
	}
	allocation_established(t, a, now);
	respond_allocated(t, a, out);
}

/* Both sockets of an attempt are given up; `failed` never was one. */
static void give_up_attempt(struct turn *t, struct allocation *a, const struct relay *failed, struct turn_out *out)
{
	uint32_t slots[2] = {a->relay.index, a->pair};
	a->relay.index = POOL_NONE;
	a->pair = POOL_NONE;
	for (unsigned i = 0; i < 2; i++) {
		if (slots[i] == POOL_NONE)
			continue;
		struct relay *relay = relay_at(t, slots[i]);
		if (relay == failed)
			relay_slot_failed(t, relay);
		else
			relay_slot_close(t, relay, out);
	}
}

void turn_relay_failed(
	struct turn *t, struct relay_ref ref, enum relay_failure failure, const struct moment *now, struct turn_out *out)
{
	out->effect_count = 0;
	struct relay *relay = relay_slot_resolve(t, ref);
	if (relay == NULL)
		return;
	assert(relay->state != RELAY_OPEN);
	if (relay->state == RELAY_ABANDONED) {
		relay_slot_failed(t, relay);
		return;
	}
	struct allocation *a = allocation_at(t, relay->allocation);
	bool claiming = relay->state == RELAY_CLAIMING;
	give_up_attempt(t, a, relay, out);
	if (past_deadline(t, a, now, out))
		return;
	if (failure == RELAY_PORT_TAKEN && !claiming) {
		if (a->search.walked > 0)
			a->search.walk_failures++;
		if (opening_start(t, a, out))
			return;
	}
	if (failure == RELAY_PORT_TAKEN || failure == RELAY_NO_RESOURCES)
		counter_add(&t->counters.allocations_refused_capacity, 1);
	respond_allocate_failed(t, a, out);
	allocation_end(t, a, out);
}
