#include "base/prefix_set.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { BITS_MAX = 128 };

struct entry {
	struct prefix prefix;
	size_t order; /* of being added; the sort must keep it */
};

/* The prefixes of one family and length, side by side in `entries`. */
struct group {
	size_t first, count;
	int shorter; /* the next shorter length that has any, -1: none */
};

struct family_groups {
	struct group by_bits[BITS_MAX + 1];
	int longest; /* -1: this family has no prefixes */
};

struct prefix_set {
	struct entry *entries;
	size_t count, room;
	bool sealed;
	struct family_groups ipv4, ipv6;
};

struct prefix_set *prefix_set_create(void)
{
	return calloc(1, sizeof(struct prefix_set));
}

void prefix_set_free(struct prefix_set *set)
{
	if (set == NULL)
		return;
	free(set->entries);
	free(set);
}

int prefix_set_add(struct prefix_set *set, const struct addr *ip, unsigned bits, uint32_t value)
{
	assert(!set->sealed);
	assert(ip->family != ADDR_NONE);
	assert(bits <= addr_ip_size(ip) * 8);
	if (set->count == set->room) {
		size_t room = set->room == 0 ? 16 : set->room * 2;
		struct entry *grown = reallocarray(set->entries, room, sizeof *grown);
		if (grown == NULL)
			return -ENOMEM;
		set->entries = grown;
		set->room = room;
	}
	set->entries[set->count] = (struct entry){
		.prefix = {.ip = addr_prefix(ip, bits), .bits = (uint8_t)bits, .value = value},
		.order = set->count,
	};
	set->count++;
	return 0;
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	if (a->prefix.ip.family != b->prefix.ip.family)
		return a->prefix.ip.family < b->prefix.ip.family ? -1 : 1;
	if (a->prefix.bits != b->prefix.bits)
		return a->prefix.bits < b->prefix.bits ? -1 : 1;
	int by_ip = memcmp(a->prefix.ip.ip, b->prefix.ip.ip, sizeof a->prefix.ip.ip);
	if (by_ip != 0)
		return by_ip;
	return a->order < b->order ? -1 : a->order > b->order;
}

static void link_lengths(struct family_groups *groups)
{
	groups->longest = -1;
	for (int bits = 0; bits <= BITS_MAX; bits++) {
		groups->by_bits[bits].shorter = groups->longest;
		if (groups->by_bits[bits].count > 0)
			groups->longest = bits;
	}
}

void prefix_set_seal(struct prefix_set *set)
{
	assert(!set->sealed);
	if (set->count > 0)
		qsort(set->entries, set->count, sizeof *set->entries, compare_entries);
	for (size_t i = 0; i < set->count; i++) {
		const struct prefix *prefix = &set->entries[i].prefix;
		struct family_groups *groups = prefix->ip.family == ADDR_IPV4 ? &set->ipv4 : &set->ipv6;
		struct group *group = &groups->by_bits[prefix->bits];
		if (group->count++ == 0)
			group->first = i;
	}
	link_lengths(&set->ipv4);
	link_lengths(&set->ipv6);
	set->sealed = true;
}

static const struct family_groups *groups_of(const struct prefix_set *set, const struct addr *ip)
{
	return ip->family == ADDR_IPV4 ? &set->ipv4 : &set->ipv6;
}

/* The first entry of the group whose address is not below `ip`: where equal ones start, if there are any. */
static size_t lower_bound(const struct prefix_set *set, const struct group *group, const struct addr *ip)
{
	size_t low = group->first, high = group->first + group->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (memcmp(set->entries[middle].prefix.ip.ip, ip->ip, sizeof ip->ip) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void walk_enter(struct prefix_walk *walk, int bits)
{
	walk->bits = bits;
	if (bits < 0)
		return;
	struct addr ip = addr_prefix(&walk->ip, (unsigned)bits);
	walk->index = lower_bound(walk->set, &groups_of(walk->set, &ip)->by_bits[bits], &ip);
}

struct prefix_walk prefix_walk_start(const struct prefix_set *set, const struct addr *ip)
{
	assert(set->sealed);
	struct prefix_walk walk = {.set = set, .ip = *ip, .bits = -1};
	if (ip->family != ADDR_NONE)
		walk_enter(&walk, groups_of(set, ip)->longest);
	return walk;
}

const struct prefix *prefix_walk_next(struct prefix_walk *walk)
{
	while (walk->bits >= 0) {
		const struct group *group = &groups_of(walk->set, &walk->ip)->by_bits[walk->bits];
		if (walk->index < group->first + group->count) {
			const struct prefix *prefix = &walk->set->entries[walk->index].prefix;
			struct addr ip = addr_prefix(&walk->ip, (unsigned)walk->bits);
			if (addr_ip_equal(&prefix->ip, &ip)) {
				walk->index++;
				return prefix;
			}
		}
		walk_enter(walk, group->shorter);
	}
	return NULL;
}

/* One to three digits without a leading zero. */
static bool parse_length(const char *text, unsigned *ret_bits)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 3 || text[digits] != '\0' || (digits > 1 && text[0] == '0'))
		return false;
	*ret_bits = (unsigned)strtoul(text, NULL, 10);
	return true;
}

bool prefix_parse(const char *text, struct addr *ret_ip, unsigned *ret_bits)
{
	char ip_text[ADDR_TEXT_SIZE];
	size_t ip_size = strcspn(text, "/");
	if (ip_size >= sizeof ip_text)
		return false;
	memcpy(ip_text, text, ip_size);
	ip_text[ip_size] = '\0';

	struct addr ip;
	if (!addr_parse_ip(ip_text, &ip))
		return false;
	unsigned bits_max = addr_ip_size(&ip) * 8, bits = bits_max;
	if (text[ip_size] == '/') {
		/* A v4-mapped prefix became an IPv4 address above; its length counts the 96 bits in front. */
		unsigned mapped_bits = ip.family == ADDR_IPV4 && strchr(ip_text, ':') != NULL ? 96 : 0;
		if (!parse_length(text + ip_size + 1, &bits) || bits < mapped_bits)
			return false;
		bits -= mapped_bits;
	}
	if (bits > bits_max)
		return false;
	*ret_ip = ip;
	*ret_bits = bits;
	return true;
}
