#include "turn/peer_policy.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/prefix_set.h"
#include "turn/port_table.h"

/*
 * What a relay open to the internet must not reach. The IPv6 blocks that wrap IPv4 addresses stand here although base/addr
 * unwraps them first: what it does not recognise inside them is refused.
 */
static const char *const deny_list[] = {
	/* IANA IPv4 special-purpose addresses, multicast, broadcast. */
	"0.0.0.0/8",
	"10.0.0.0/8",
	"100.64.0.0/10",
	"127.0.0.0/8",
	"169.254.0.0/16",
	"172.16.0.0/12",
	"192.0.0.0/24",
	"192.0.2.0/24",
	"192.31.196.0/24",
	"192.52.193.0/24",
	"192.88.99.0/24",
	"192.168.0.0/16",
	"192.175.48.0/24",
	"198.18.0.0/15",
	"198.51.100.0/24",
	"203.0.113.0/24",
	"224.0.0.0/4",
	"240.0.0.0/4",
	"255.255.255.255",

	/* IANA IPv6 special-purpose addresses, the former site-local ones (RFC 3879), multicast. */
	"::",
	"::1",
	"::ffff:0:0:0/96", /* RFC 2765: IPv4-translated */
	"64:ff9b::/96",
	"64:ff9b:1::/48",
	"100::/64",
	"100:0:0:1::/64",
	"2001::/23",
	"2001:db8::/32",
	"2002::/16",
	"2620:4f:8000::/48",
	"3fff::/20",
	"5f00::/16",
	"fc00::/7",
	"fe80::/10",
	"fec0::/10",
	"ff00::/8",

	/* Metadata and credential services of clouds. Whole addresses: a route to the block around one does not open it, naming
	   it does. */
	/* Most clouds; AWS, Google, Scaleway and OpenStack over IPv6. */
	"169.254.169.254",
	"fd00:ec2::254",
	"fd20:ce::254",
	"fd00:42::42",
	"fe80::a9fe:a9fe",
	/* Credentials of AWS tasks and pods. */
	"169.254.170.2",
	"169.254.170.23",
	"fd00:ec2::23",
	/* Alibaba, Azure, Oracle. */
	"100.100.100.200",
	"168.63.129.16",
	"192.0.0.192",
};

/* A cluster's endpoint, or (`allow` false) a block of the deny list. */
struct rule {
	uint16_t port_min, port_max;
	uint16_t cluster;
	bool allow;
};

struct endpoints {
	struct addr *items; /* sorted once sealed */
	size_t count, room;
};

struct peer_policy {
	uint32_t references; /* atomic */
	bool sealed;
	struct prefix_set *prefixes; /* their values: indices of rules */
	struct rule *rules;
	size_t rule_count, rule_room;
	struct endpoints own;     /* the server's own addresses and ports */
	struct endpoints own_any; /* likewise on an `any` address: only the port matters */
	struct endpoints own_ips; /* the machine's addresses */
};

/* Ports on which the answer is the same. */
struct port_range {
	uint16_t min, max;
};
static const struct port_range no_ports = {1, 0};

/* Room for one more item of `size` bytes; NULL when there is no memory. `items` may have moved. */
static void *grow(void *items, size_t count, size_t *room, size_t size)
{
	if (count < *room)
		return items;
	size_t wanted = *room ? *room * 2 : 16;
	void *grown = reallocarray(items, wanted, size);
	if (grown)
		*room = wanted;
	return grown;
}

static int add_rule(struct peer_policy *policy, const struct addr *ip, unsigned bits, struct rule rule)
{
	assert(!policy->sealed);
	struct rule *rules = grow(policy->rules, policy->rule_count, &policy->rule_room, sizeof *rules);
	if (!rules)
		return -ENOMEM;
	policy->rules = rules;
	int failed = prefix_set_add(policy->prefixes, ip, bits, (uint32_t)policy->rule_count);
	if (failed)
		return failed;
	rules[policy->rule_count++] = rule;
	return 0;
}

static int add_endpoint(struct endpoints *endpoints, struct addr endpoint)
{
	struct addr *items = grow(endpoints->items, endpoints->count, &endpoints->room, sizeof *items);
	if (!items)
		return -ENOMEM;
	endpoints->items = items;
	items[endpoints->count++] = endpoint;
	return 0;
}

static int add_deny_list(struct peer_policy *policy)
{
	for (size_t i = 0; i < sizeof deny_list / sizeof *deny_list; i++) {
		struct addr ip;
		unsigned bits;
		bool valid = prefix_parse(deny_list[i], &ip, &bits);
		assert(valid);
		int failed = add_rule(policy, &ip, bits, (struct rule){.allow = false});
		if (failed)
			return failed;
	}
	return 0;
}

bool peer_policy_denies_itself(const struct addr *ip)
{
	for (size_t i = 0; i < sizeof deny_list / sizeof *deny_list; i++) {
		struct addr denied;
		unsigned bits;
		if (prefix_parse(deny_list[i], &denied, &bits) && bits == addr_ip_size(&denied) * 8 && addr_ip_equal(&denied, ip))
			return true;
	}
	return false;
}

struct peer_policy *peer_policy_create(void)
{
	struct peer_policy *policy = calloc(1, sizeof *policy);
	if (!policy)
		return NULL;
	policy->references = 1;
	policy->prefixes = prefix_set_create();
	if (!policy->prefixes || add_deny_list(policy) < 0) {
		peer_policy_unref(policy);
		return NULL;
	}
	return policy;
}

int peer_policy_allow(
	struct peer_policy *policy, const struct addr *ip, unsigned bits, uint16_t port_min, uint16_t port_max, uint16_t cluster)
{
	assert(port_min <= port_max);
	assert(cluster < LIMIT_CLUSTERS);
	struct rule rule = {.port_min = port_min ? port_min : 1, .port_max = port_max, .cluster = cluster, .allow = true};
	return add_rule(policy, ip, bits, rule);
}

int peer_policy_own_endpoint(struct peer_policy *policy, const struct addr *endpoint)
{
	assert(!policy->sealed);
	struct addr canonical = addr_canonical(endpoint);
	return add_endpoint(addr_is_any(&canonical) ? &policy->own_any : &policy->own, canonical);
}

int peer_policy_own_ip(struct peer_policy *policy, const struct addr *ip)
{
	assert(!policy->sealed);
	return add_endpoint(&policy->own_ips, addr_with_port(addr_canonical(ip), 0));
}

/* By IP address, then by port. */
static int compare_endpoints(const void *left, const void *right)
{
	const struct addr *a = left, *b = right;
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	int order = memcmp(a->ip, b->ip, sizeof a->ip);
	return order ? order : (a->port > b->port) - (a->port < b->port);
}

void peer_policy_seal(struct peer_policy *policy)
{
	assert(!policy->sealed);
	struct endpoints *all[] = {&policy->own, &policy->own_any, &policy->own_ips};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (all[i]->count)
			qsort(all[i]->items, all[i]->count, sizeof *all[i]->items, compare_endpoints);
	}
	prefix_set_seal(policy->prefixes);
	policy->sealed = true;
}

struct peer_policy *peer_policy_ref(struct peer_policy *policy)
{
	uint32_t before = __atomic_fetch_add(&policy->references, 1, __ATOMIC_RELAXED);
	assert(before > 0);
	return policy;
}

void peer_policy_unref(struct peer_policy *policy)
{
	if (!policy)
		return;
	uint32_t before = __atomic_fetch_sub(&policy->references, 1, __ATOMIC_ACQ_REL);
	assert(before > 0);
	if (before > 1)
		return;
	prefix_set_free(policy->prefixes);
	free(policy->rules);
	free(policy->own.items);
	free(policy->own_any.items);
	free(policy->own_ips.items);
	free(policy);
}

/* The index of the first item that is not before `key`. */
static size_t lower_bound(const struct endpoints *endpoints, const struct addr *key)
{
	size_t low = 0, high = endpoints->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare_endpoints(&endpoints->items[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_own_ip(const struct peer_policy *policy, const struct addr *ip)
{
	if (addr_is_loopback(ip))
		return true;
	size_t i = lower_bound(&policy->own_ips, ip);
	return i < policy->own_ips.count && addr_ip_equal(&policy->own_ips.items[i], ip);
}

/* Takes one of the server's ports out of the range around `port`. False when it is that very port. */
static bool narrow(struct port_range *range, uint16_t port, uint16_t own_port)
{
	if (own_port == port)
		return false;
	if (own_port < port && own_port >= range->min)
		range->min = (uint16_t)(own_port + 1);
	if (own_port > port && own_port <= range->max)
		range->max = (uint16_t)(own_port - 1);
	return true;
}

/* Takes the server's own ports on this address (`ip` has port 0) out of the range around `port`. False: `port` is one of them. */
static bool exclude_own(const struct peer_policy *policy, const struct addr *ip, uint16_t port, struct port_range *range)
{
	for (size_t i = lower_bound(&policy->own, ip); i < policy->own.count && addr_ip_equal(&policy->own.items[i], ip); i++) {
		if (!narrow(range, port, policy->own.items[i].port))
			return false;
	}
	if (!policy->own_any.count || !is_own_ip(policy, ip))
		return true;
	for (size_t i = 0; i < policy->own_any.count; i++) {
		if (!narrow(range, port, policy->own_any.items[i].port))
			return false;
	}
	return true;
}

/* The first port of the rule that is not the server's own; 0 when there is none. */
static uint16_t first_open_port(const struct peer_policy *policy, const struct addr *ip, const struct rule *rule)
{
	for (unsigned port = rule->port_min; port <= rule->port_max; port++) {
		struct port_range whole = {1, UINT16_MAX};
		if (exclude_own(policy, ip, (uint16_t)port, &whole))
			return (uint16_t)port;
	}
	return 0;
}

/*
 * The allowing rules for this address that the deny list does not overrule, the most specific first. On the same length the
 * configuration wins: the walk ends after the prefixes as long as the first denying one.
 */
struct allow_walk {
	const struct peer_policy *policy;
	struct prefix_walk prefixes;
	int bits_min;
};

static struct allow_walk allow_walk_start(const struct peer_policy *policy, const struct addr *ip)
{
	return (struct allow_walk){.policy = policy, .prefixes = prefix_walk_start(policy->prefixes, ip)};
}

static const struct rule *allow_walk_next(struct allow_walk *walk)
{
	const struct prefix *prefix;
	while ((prefix = prefix_walk_next(&walk->prefixes)) && prefix->bits >= walk->bits_min) {
		const struct rule *rule = &walk->policy->rules[prefix->value];
		if (rule->allow)
			return rule;
		walk->bits_min = prefix->bits;
	}
	return NULL;
}

/* Some port that a cluster admits; 0 when there is none. */
static uint16_t any_allowed_port(const struct peer_policy *policy, const struct addr *ip)
{
	struct allow_walk walk = allow_walk_start(policy, ip);
	for (const struct rule *rule; (rule = allow_walk_next(&walk));) {
		uint16_t port = first_open_port(policy, ip, rule);
		if (port)
			return port;
	}
	return 0;
}

/* Does a cluster admit this port? *range, without the own ports already, shrinks to the ports that the same rule decides. */
static bool allowed(
	const struct peer_policy *policy, const struct addr *ip, uint16_t port, struct port_range *range, uint16_t *ret_cluster)
{
	struct allow_walk walk = allow_walk_start(policy, ip);
	for (const struct rule *rule; (rule = allow_walk_next(&walk));) {
		if (port > rule->port_max) {
			range->min = range->min > rule->port_max ? range->min : (uint16_t)(rule->port_max + 1);
		} else if (port < rule->port_min) {
			range->max = range->max < rule->port_min ? range->max : (uint16_t)(rule->port_min - 1);
		} else {
			range->min = range->min > rule->port_min ? range->min : rule->port_min;
			range->max = range->max < rule->port_max ? range->max : rule->port_max;
			*ret_cluster = rule->cluster;
			return true;
		}
	}
	return false;
}

static void grant_relayed(struct peer_grant *ret_grant, bool relayed_only)
{
	*ret_grant = (struct peer_grant){
		.cluster = PEER_CLUSTER_OTHER,
		.port_min = no_ports.min,
		.port_max = no_ports.max,
		.relayed_only = relayed_only,
	};
}

enum peer_decision peer_policy_check(const struct peer_policy *policy, const struct port_table *ports, const struct addr *peer,
	bool any_port, struct peer_grant *ret_grant)
{
	assert(policy->sealed);
	const struct addr endpoint = addr_canonical(peer), ip = addr_with_port(endpoint, 0);
	/* Linux sends what goes to the unspecified address to itself. */
	if (endpoint.family == ADDR_NONE || addr_is_any(&ip))
		return PEER_REFUSED;

	uint16_t port = any_port ? any_allowed_port(policy, &ip) : endpoint.port;
	if (any_port && !port) {
		if (!ports || !port_table_is_relay_ip(ports, &ip))
			return PEER_REFUSED;
		grant_relayed(ret_grant, true);
		return PEER_ADMITTED;
	}

	struct port_range range = {1, UINT16_MAX};
	uint16_t cluster;
	if (!port || !exclude_own(policy, &ip, port, &range))
		return PEER_REFUSED;
	if (allowed(policy, &ip, port, &range, &cluster)) {
		*ret_grant = (struct peer_grant){.cluster = cluster, .port_min = range.min, .port_max = range.max};
		return PEER_ADMITTED;
	}
	struct addr reach;
	if (!ports || !port_table_live(ports, &endpoint, &reach))
		return PEER_REFUSED;
	grant_relayed(ret_grant, any_allowed_port(policy, &ip) == 0);
	return PEER_ADMITTED;
}
