#include "turn/unauth_limiter.h"

#include <stdlib.h>

#include "base/clock.h"

enum { SETS = 4096, WAYS = 4 };
_Static_assert((SETS & (SETS - 1)) == 0, "a set is chosen by masking");

/*
 * One source. All fields are atomic, each on its own: when an entry changes hands, a question that another thread asks for the new
 * source at that moment may still be counted against the old one's rest. That is at most one answer per thread.
 */
struct source {
	/* The hash of its prefix; 0: free. */
	uint64_t tag;
	/* GCRA's theoretical arrival time: when the bucket will be full again. */
	uint64_t arrival_ns;
	/* 0: it never authenticated. */
	uint64_t spared_until_ns;
};

struct unauth_limiter {
	struct siphash_key key;
	struct source sets[SETS][WAYS];
};

struct unauth_limiter *unauth_limiter_create(const struct siphash_key *key)
{
	struct unauth_limiter *limiter = calloc(1, sizeof *limiter);
	if (limiter)
		limiter->key = *key;
	return limiter;
}

void unauth_limiter_free(struct unauth_limiter *limiter)
{
	free(limiter);
}

static uint64_t load(const uint64_t *field)
{
	return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void store(uint64_t *field, uint64_t value)
{
	__atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static struct addr prefix_of(const struct addr *source, const struct unauth_limits *limits)
{
	unsigned bits = source->family == ADDR_IPV4 ? limits->ipv4_bits : limits->ipv6_bits;
	return addr_prefix(source, bits);
}

/* How much there is to lose when this entry is forgotten. */
static uint64_t worth(const struct source *source, uint64_t now_ns)
{
	if (load(&source->spared_until_ns) > now_ns)
		return UINT64_MAX;
	uint64_t arrival_ns = load(&source->arrival_ns);
	return arrival_ns > now_ns ? arrival_ns - now_ns : 0;
}

static struct source *victim_of(struct source set[static WAYS], uint64_t now_ns)
{
	struct source *victim = &set[0];
	for (unsigned i = 1; i < WAYS; i++) {
		if (worth(&set[i], now_ns) < worth(victim, now_ns))
			victim = &set[i];
	}
	return victim;
}

/* The entry of this source; taken from another one when the set is full. */
static struct source *find(
	struct unauth_limiter *limiter, const struct unauth_limits *limits, const struct addr *source, uint64_t now_ns)
{
	struct addr prefix = prefix_of(source, limits);
	uint64_t hash = siphash(&limiter->key, &prefix, sizeof prefix);
	uint64_t tag = hash | 1;
	struct source *set = limiter->sets[hash >> 32 & (SETS - 1)];
	for (;;) {
		struct source *taken = NULL;
		for (unsigned i = 0; i < WAYS; i++) {
			uint64_t there = load(&set[i].tag);
			if (there == tag)
				return &set[i];
			if (!there && !taken)
				taken = &set[i];
		}
		bool fresh = taken != NULL;
		if (!fresh)
			taken = victim_of(set, now_ns);
		uint64_t before = fresh ? 0 : load(&taken->tag);
		/* Losing the race means that somebody else has changed the set: look again. */
		if (before == tag ||
			!__atomic_compare_exchange_n(&taken->tag, &before, tag, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		if (!fresh) {
			store(&taken->spared_until_ns, 0);
			store(&taken->arrival_ns, 0);
		}
		return taken;
	}
}

bool unauth_limiter_pass(
	struct unauth_limiter *limiter, const struct unauth_limits *limits, const struct addr *source, uint64_t now_ns)
{
	if (!limits->per_s)
		return true;
	if (!limits->burst)
		return false;
	struct source *s = find(limiter, limits, source, now_ns);
	if (load(&s->spared_until_ns) > now_ns)
		return true;
	uint64_t interval_ns = NS_PER_S / limits->per_s;
	uint64_t tolerance_ns = interval_ns * (limits->burst - 1);
	uint64_t arrival_ns = load(&s->arrival_ns), next_ns;
	do {
		if (arrival_ns > now_ns && arrival_ns - now_ns > tolerance_ns)
			return false;
		next_ns = (arrival_ns > now_ns ? arrival_ns : now_ns) + interval_ns;
	} while (!__atomic_compare_exchange_n(&s->arrival_ns, &arrival_ns, next_ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

void unauth_limiter_spare(
	struct unauth_limiter *limiter, const struct unauth_limits *limits, const struct addr *source, uint64_t now_ns)
{
	if (!limits->per_s || !limits->spare_s)
		return;
	struct source *s = find(limiter, limits, source, now_ns);
	store(&s->spared_until_ns, now_ns + limits->spare_s * NS_PER_S);
}
