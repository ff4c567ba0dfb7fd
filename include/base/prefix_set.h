/*
 * prefix_set - IP prefixes with a 32-bit value each; finds all that contain an address, most specific first.
 *
 * Built once (add, then seal), read-only afterwards. IPv4 and IPv6 are kept apart: ::/0 does not contain an IPv4 address.
 *
 * Owns:     its arrays on the heap; built and freed outside the packet path.
 * Threads:  after sealing it may be read by any number.
 */
#ifndef UTURN_BASE_PREFIX_SET_H
#define UTURN_BASE_PREFIX_SET_H

#include "base/addr.h"

struct prefix {
	struct addr ip; /* port 0; bits past `bits` are zero */
	uint8_t bits;   /* 0..32 or 0..128 */
	uint32_t value; /* the owner's */
};

struct prefix_set;

struct prefix_set *prefix_set_create(void);
void prefix_set_free(struct prefix_set *set); /* NULL is fine */

/* Host bits in `ip` are cleared. The same prefix may be added several times, with other values. 0, or -ENOMEM. Not after seal. */
int prefix_set_add(struct prefix_set *set, const struct addr *ip, unsigned bits, uint32_t value);
void prefix_set_seal(struct prefix_set *set);

/* A walk over the prefixes that contain an address, the longest first; the same length in the order they were added. */
struct prefix_walk {
	const struct prefix_set *set;
	struct addr ip;
	int bits;
	size_t index;
};
struct prefix_walk prefix_walk_start(const struct prefix_set *set, const struct addr *ip);
const struct prefix *prefix_walk_next(struct prefix_walk *walk); /* NULL at the end */

/* "10.0.0.0/8", "fd00::/8", or a bare address (all bits). False if it is neither, or the length is out of range. */
bool prefix_parse(const char *text, struct addr *ret_ip, unsigned *ret_bits);

#endif
