/*
 * port_table - which relayed transport addresses are live, in all shards: one byte per port and family naming the address it
 * is live on.
 *
 * A port number is used on one of the server's addresses at a time, so that (address, port) can be looked up with one load. The
 * same table makes ports unique across shards and answers "is this peer a relayed address of ours" for every packet.
 *
 * Addresses: an entry pairs the address that relay sockets bind with the one that clients are told (the same, unless a 1:1 NAT
 *            lies in front). An `any` bind address is looked up through the loopback address of its family, as packets between
 *            two sockets on the same machine then travel.
 * Bounds:    254 addresses for the life of the process.
 * Threads:   any; atomic loads and compare-and-swap, no locks.
 */
#ifndef UTURN_TURN_PORT_TABLE_H
#define UTURN_TURN_PORT_TABLE_H

#include "base/addr.h"

enum { PORT_TABLE_ADDRESSES = 254 };

struct port_table_entry {
	uint32_t state; /* atomic; the rest never changes once it says that the entry is ready */
	struct addr bound, advertised;
};

struct port_table {
	uint8_t live[2][65536]; /* atomic; by family and port: the entry's number, 0 when nothing is live there */
	struct port_table_entry entries[PORT_TABLE_ADDRESSES];
};

/* NULL: no memory. */
struct port_table *port_table_create(void);
void port_table_free(struct port_table *table); /* NULL is fine */

/* The entry for this pair (ports ignored; `advertised` ADDR_NONE: the same as bound), made on first use. 0 when the table
 * is full. */
unsigned port_table_address(struct port_table *table, const struct addr *bound, const struct addr *advertised);

/* False when the port is live already, on whichever address of the family. */
bool port_table_claim(struct port_table *table, unsigned address, enum addr_family family, uint16_t port);
void port_table_release(struct port_table *table, enum addr_family family, uint16_t port);

/* The number of the entry whose relayed address may be live on this port; 0, by one load, when nothing is. */
static inline unsigned port_table_at(const struct port_table *table, const struct addr *endpoint)
{
	return __atomic_load_n(&table->live[endpoint->family == ADDR_IPV6][endpoint->port], __ATOMIC_RELAXED);
}

bool port_table_live_slow(const struct port_table *table, const struct addr *endpoint, struct addr *ret_reach);
struct addr port_table_advertised_slow(const struct port_table *table, const struct addr *endpoint);

/* Is `endpoint` (as advertised, or as bound) a live relayed address? *ret_reach is where to send to reach it. Hot. */
static inline bool port_table_live(const struct port_table *table, const struct addr *endpoint, struct addr *ret_reach)
{
	return port_table_at(table, endpoint) && port_table_live_slow(table, endpoint, ret_reach);
}

/* The address that clients know this endpoint by: advertised for a live relayed address of ours, `endpoint` itself
 * otherwise. Hot. */
static inline struct addr port_table_advertised(const struct port_table *table, const struct addr *endpoint)
{
	return port_table_at(table, endpoint) ? port_table_advertised_slow(table, endpoint) : *endpoint;
}

/* Does any relay socket of ours use this IP address, bound or advertised? An `any` address is none. */
bool port_table_is_relay_ip(const struct port_table *table, const struct addr *ip);

#endif
