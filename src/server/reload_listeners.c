#include "server/reload_listeners.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct matching {
	const struct config *running;
	struct config *incoming;
	/* By place in `running`: the incoming one that goes on with its sockets. */
	struct config_listener *continued[LIMIT_LISTENERS];
	bool taken[LIMIT_LISTENERS][RELAY_FAMILIES]; /* likewise: its socket is another one's */
	bool placed[LIMIT_LISTENERS];                /* by place in `incoming` */
	uint64_t slots;                              /* in use */
	struct listener_plan *plan;
};

static size_t all_of(const struct config *config)
{
	return config->listener_count + config->retiring_count;
}

/* One with none of its own left is like no other. */
static bool same_sockets(const struct config_listener *a, const struct config_listener *b)
{
	return a->protocol == b->protocol && a->proxy_protocol == b->proxy_protocol &&
	       addr_equal(&a->bind[RELAY_IPV4], &b->bind[RELAY_IPV4]) && addr_equal(&a->bind[RELAY_IPV6], &b->bind[RELAY_IPV6]);
}

/* What a client notices, or an operator reads; its sockets and routes aside. */
#define FIELD(member) offsetof(struct config_listener, member), sizeof((struct config_listener *)NULL)->member
static const struct {
	size_t offset, size;
} fields[] = {
	{FIELD(name)},
	{FIELD(port)},
	{FIELD(public_address)},
	{FIELD(public_port)},
	{FIELD(address)},
	{FIELD(relay_address)},
	{FIELD(advertised_address)},
	{FIELD(port_min)},
	{FIELD(port_max)},
	{FIELD(proxy_trusted)},
};

static bool relays_equal(const struct relay_address *a, const struct relay_address *b)
{
	return addr_equal(&a->bind, &b->bind) && addr_equal(&a->advertised, &b->advertised) &&
	       addr_equal(&a->fallback, &b->fallback) && a->bind_wildcard == b->bind_wildcard;
}

static bool routes_equal(
	const struct config *a, const struct config_listener *in_a, const struct config *b, const struct config_listener *in_b)
{
	if (in_a->route_count != in_b->route_count)
		return false;
	for (size_t i = 0; i < in_a->route_count; i++)
		if (strcmp(a->clusters[in_a->routes[i]].name, b->clusters[in_b->routes[i]].name) != 0)
			return false;
	return true;
}

static bool listeners_equal(
	const struct config *a, const struct config_listener *in_a, const struct config *b, const struct config_listener *in_b)
{
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (memcmp((const char *)in_a + fields[i].offset, (const char *)in_b + fields[i].offset, fields[i].size) != 0)
			return false;
	for (int family = 0; family < RELAY_FAMILIES; family++)
		if (!relays_equal(&in_a->relay[family], &in_b->relay[family]))
			return false;
	return routes_equal(a, in_a, b, in_b) && config_identities_equal(in_a->identities, in_b->identities) &&
	       config_identities_same_files(in_a->identities, in_b->identities);
}

static void go_on(struct matching *m, size_t old_place, size_t new_place)
{
	const struct config_listener *old = &m->running->listeners[old_place];
	struct config_listener *new = &m->incoming->listeners[new_place];
	m->continued[old_place] = new;
	m->placed[new_place] = true;
	new->slot = old->slot;
	new->sharers = old->sharers;
	memcpy(new->waits, old->waits, sizeof new->waits);
	/* The system's range may have changed in between: that was nobody's wish. */
	if (!new->port_range_given && !old->port_range_given) {
		new->port_min = old->port_min;
		new->port_max = old->port_max;
	}
	bool retired = old_place >= m->running->listener_count;
	m->plan->changed |= retired || !listeners_equal(m->running, old, m->incoming, new);
}

/* First those that keep their name; then others that have the same sockets, so that a new name costs nobody anything. */
static void match(struct matching *m, bool by_name)
{
	for (size_t n = 0; n < m->incoming->listener_count; n++) {
		const struct config_listener *new = &m->incoming->listeners[n];
		for (size_t o = 0; o < all_of(m->running) && !m->placed[n]; o++) {
			const struct config_listener *old = &m->running->listeners[o];
			if (m->continued[o] != NULL || (by_name && strcmp(old->name, new->name) != 0))
				continue;
			if (same_sockets(old, new))
				go_on(m, o, n);
		}
	}
}

static bool take_slot(struct matching *m, struct config_listener *listener, struct config_problems *problems)
{
	if (m->slots == UINT64_MAX) {
		config_error(problems, "listeners",
			"%d are the most at once, and of those that were removed or replaced too many still have clients: "
			"wait until they are gone (/status has them), or change fewer",
			LIMIT_LISTENERS);
		return false;
	}
	listener->slot = (uint8_t)__builtin_ctzll(~m->slots);
	m->slots |= LISTENER_BIT(listener->slot);
	return true;
}

/* The socket that it needs is there, in another role; or something of ours is in its way. */
static void find_socket(struct matching *m, struct config_listener *new, int family, struct listener_opening *opening)
{
	opening->from[family] = LISTENER_NONE;
	for (size_t o = 0; o < all_of(m->running); o++) {
		const struct config_listener *old = &m->running->listeners[o];
		if (m->continued[o] != NULL || old->waits[family] || !config_sockets_collide(old, new, family))
			continue;
		if (!addr_equal(&old->bind[family], &new->bind[family])) {
			new->waits[family] = true;
			continue;
		}
		opening->from[family] = old->slot;
		m->taken[o][family] = true;
		if (!config_listener_is_stream(old))
			new->sharers |= old->sharers | LISTENER_BIT(old->slot);
		return;
	}
}

static bool place(struct matching *m, size_t n, struct config_problems *problems)
{
	struct config_listener *new = &m->incoming->listeners[n];
	struct listener_opening *opening = &m->plan->openings[m->plan->opening_count];
	if (m->placed[n])
		return true;
	if (!take_slot(m, new, problems))
		return false;
	opening->index = (uint8_t)n;
	new->sharers = 0;
	for (int family = 0; family < RELAY_FAMILIES; family++)
		find_socket(m, new, family, opening);
	m->plan->opening_count++;
	m->plan->changed = true;
	return true;
}

static const struct config_listener *named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return &config->listeners[i];
	return NULL;
}

/* It may reach what the one that has its name now may, or nothing. */
static bool give_routes(struct config_listener *retiring, const struct config_listener *successor)
{
	retiring->routes = NULL;
	retiring->route_count = 0;
	if (successor == NULL || successor->route_count == 0)
		return true;
	retiring->routes = calloc(successor->route_count, sizeof *retiring->routes);
	if (retiring->routes == NULL)
		return false;
	memcpy(retiring->routes, successor->routes, successor->route_count * sizeof *successor->routes);
	retiring->route_count = successor->route_count;
	return true;
}

static bool retire(struct matching *m, size_t o, struct config_problems *problems)
{
	const struct config_listener *old = &m->running->listeners[o];
	struct config *incoming = m->incoming;
	assert(all_of(incoming) < LIMIT_LISTENERS);
	struct config_listener *retiring = &incoming->listeners[all_of(incoming)];
	*retiring = *old;
	config_identities_ref(retiring->identities);
	incoming->retiring_count++;
	for (int family = 0; family < RELAY_FAMILIES; family++)
		if (m->taken[o][family] || old->waits[family] || config_listener_is_stream(old))
			retiring->bind[family].family = ADDR_NONE;
	if (retiring->bind[RELAY_IPV4].family == ADDR_NONE && retiring->bind[RELAY_IPV6].family == ADDR_NONE)
		retiring->sharers = 0;
	m->plan->changed |= o < m->running->listener_count;
	if (give_routes(retiring, named(incoming, old->name)))
		return true;
	config_error(problems, "", "out of memory");
	return false;
}

bool reload_listeners(const struct config *running, struct config *incoming, uint64_t closing, struct listener_plan *ret_plan,
	struct config_problems *problems)
{
	*ret_plan = (struct listener_plan){0};
	struct matching m = {.running = running, .incoming = incoming, .slots = closing, .plan = ret_plan};
	for (size_t o = 0; o < all_of(running); o++)
		m.slots |= LISTENER_BIT(running->listeners[o].slot);
	match(&m, true);
	match(&m, false);
	for (size_t n = 0; n < incoming->listener_count; n++)
		if (!place(&m, n, problems))
			return false;
	for (size_t o = 0; o < all_of(running); o++)
		if (m.continued[o] == NULL && !retire(&m, o, problems))
			return false;
	return true;
}
