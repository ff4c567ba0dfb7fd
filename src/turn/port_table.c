#include "turn/port_table.h"

#include <assert.h>
#include <stdlib.h>

enum entry_state { ENTRY_FREE = 0, ENTRY_BEING_WRITTEN, ENTRY_READY };

struct port_table *port_table_create(void)
{
	return calloc(1, sizeof(struct port_table));
}

void port_table_free(struct port_table *table)
{
	free(table);
}

static uint32_t state_of(const struct port_table_entry *entry)
{
	return __atomic_load_n(&entry->state, __ATOMIC_ACQUIRE);
}

/* Makes the entry this pair's, if it is free. False: it is another thread's by now. */
static bool entry_take(struct port_table_entry *entry, const struct addr *bound, const struct addr *advertised)
{
	uint32_t expected = ENTRY_FREE;
	if (!__atomic_compare_exchange_n(&entry->state, &expected, ENTRY_BEING_WRITTEN, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
		return false;
	entry->bound = *bound;
	entry->advertised = *advertised;
	__atomic_store_n(&entry->state, ENTRY_READY, __ATOMIC_RELEASE);
	return true;
}

unsigned port_table_address(struct port_table *table, const struct addr *bound, const struct addr *advertised)
{
	assert(bound->family != ADDR_NONE);
	const struct addr b = addr_with_port(*bound, 0);
	const struct addr a = advertised->family == ADDR_NONE ? b : addr_with_port(*advertised, 0);
	/* Everybody searches from the first entry on and waits for one that is being written, so that no pair gets two. */
	for (unsigned i = 0; i < PORT_TABLE_ADDRESSES; i++) {
		struct port_table_entry *entry = &table->entries[i];
		if (state_of(entry) == ENTRY_FREE && entry_take(entry, &b, &a))
			return i + 1;
		while (state_of(entry) != ENTRY_READY)
			;
		if (addr_equal(&entry->bound, &b) && addr_equal(&entry->advertised, &a))
			return i + 1;
	}
	return 0;
}

bool port_table_claim(struct port_table *table, unsigned address, enum addr_family family, uint16_t port)
{
	assert(address >= 1 && address <= PORT_TABLE_ADDRESSES);
	assert(state_of(&table->entries[address - 1]) == ENTRY_READY);
	assert(family == ADDR_IPV4 || family == ADDR_IPV6);
	assert(table->entries[address - 1].bound.family == family);
	uint8_t expected = 0;
	return __atomic_compare_exchange_n(
		&table->live[family == ADDR_IPV6][port], &expected, (uint8_t)address, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

void port_table_release(struct port_table *table, enum addr_family family, uint16_t port)
{
	assert(family == ADDR_IPV4 || family == ADDR_IPV6);
	uint8_t before = __atomic_exchange_n(&table->live[family == ADDR_IPV6][port], 0, __ATOMIC_ACQ_REL);
	assert(before != 0);
}

/* Where packets to a socket with this bound address go, and come from, on this machine: loopback if it is bound to any address. */
static struct addr reach_of(const struct addr *bound)
{
	return addr_is_any(bound) ? addr_loopback(bound->family, 0) : *bound;
}

/* The entry that is live on the endpoint's port; NULL when none is (any more). */
static const struct port_table_entry *entry_at(const struct port_table *table, const struct addr *endpoint)
{
	unsigned address = __atomic_load_n(&table->live[endpoint->family == ADDR_IPV6][endpoint->port], __ATOMIC_ACQUIRE);
	assert(address <= PORT_TABLE_ADDRESSES);
	return address ? &table->entries[address - 1] : NULL;
}

bool port_table_live_slow(const struct port_table *table, const struct addr *endpoint, struct addr *ret_reach)
{
	const struct port_table_entry *entry = entry_at(table, endpoint);
	if (!entry || addr_is_any(endpoint))
		return false;
	struct addr reach = reach_of(&entry->bound);
	if (!addr_ip_equal(endpoint, &entry->advertised) && !addr_ip_equal(endpoint, &reach))
		return false;
	*ret_reach = addr_with_port(reach, endpoint->port);
	return true;
}

struct addr port_table_advertised_slow(const struct port_table *table, const struct addr *endpoint)
{
	const struct port_table_entry *entry = entry_at(table, endpoint);
	if (!entry || addr_is_any(&entry->advertised))
		return *endpoint;
	struct addr reach = reach_of(&entry->bound);
	return addr_ip_equal(endpoint, &reach) ? addr_with_port(entry->advertised, endpoint->port) : *endpoint;
}

bool port_table_is_relay_ip(const struct port_table *table, const struct addr *ip)
{
	if (addr_is_any(ip))
		return false;
	for (unsigned i = 0; i < PORT_TABLE_ADDRESSES; i++) {
		const struct port_table_entry *entry = &table->entries[i];
		uint32_t state = state_of(entry);
		if (state == ENTRY_FREE)
			return false;
		if (state != ENTRY_READY)
			continue;
		if (addr_ip_equal(ip, &entry->bound) || addr_ip_equal(ip, &entry->advertised))
			return true;
	}
	return false;
}
