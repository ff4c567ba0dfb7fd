/*
 * unauth_limiter - how many 401 (and 438) answers a source prefix may have, so that the relay is no use to an attacker who forges
 * source addresses. A bucket of `burst` that refills at `per_s`; sources that authenticated lately are spared.
 *
 * Shared by all shards, so the limit is the process's and not the shard's. A set-associative table: when a set is full the source
 * that has used least of its bucket goes first, spared ones last.
 *
 * Bounds:  16,384 sources, 0.4 MB. Threads: any; one compare-and-swap per question.
 */
#ifndef UTURN_TURN_UNAUTH_LIMITER_H
#define UTURN_TURN_UNAUTH_LIMITER_H

#include "base/addr.h"
#include "base/siphash.h"

struct unauth_limits {
	uint32_t burst;    /* 500 */
	uint32_t per_s;    /* 50; 0: no limit at all */
	uint32_t spare_s;  /* 600: how long an authentication spares its source */
	uint8_t ipv4_bits; /* 32 */
	uint8_t ipv6_bits; /* 64 */
};

struct unauth_limiter;

struct unauth_limiter *unauth_limiter_create(const struct siphash_key *key);
void unauth_limiter_free(struct unauth_limiter *limiter);

/* May this source have one more unauthenticated answer? */
bool unauth_limiter_pass(
	struct unauth_limiter *limiter, const struct unauth_limits *limits, const struct addr *source, uint64_t now_ns);

/* This source has just authenticated. */
void unauth_limiter_spare(
	struct unauth_limiter *limiter, const struct unauth_limits *limits, const struct addr *source, uint64_t now_ns);

#endif
