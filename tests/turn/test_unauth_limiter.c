#include "turn/unauth_limiter.h"

#include <criterion/criterion.h>
#include <pthread.h>

#include "base/clock.h"

static const struct siphash_key key = {0x0123456789abcdef, 0xfedcba9876543210};
static const uint64_t start_ns = 1000 * NS_PER_S;

static const struct unauth_limits limits = {.burst = 500, .per_s = 50, .spare_s = 600, .ipv4_bits = 32, .ipv6_bits = 64};

static struct unauth_limiter *limiter_of(void)
{
	struct unauth_limiter *limiter = unauth_limiter_create(&key);
	cr_assert_not_null(limiter);
	return limiter;
}

static struct addr source(uint32_t number)
{
	return addr_ipv4(10, (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number, (uint16_t)(number + 1024));
}

/* How many of `asked` questions at one moment are answered. */
static unsigned passed(
	struct unauth_limiter *limiter, const struct unauth_limits *l, struct addr from, uint64_t now_ns, unsigned asked)
{
	unsigned count = 0;
	for (unsigned i = 0; i < asked; i++)
		count += unauth_limiter_pass(limiter, l, &from, now_ns);
	return count;
}

Test(unauth_limiter, answers_a_burst_and_then_the_rate)
{
	struct unauth_limiter *limiter = limiter_of();
	struct addr from = source(1);
	cr_expect_eq(passed(limiter, &limits, from, start_ns, 1000), 500);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 19 * NS_PER_MS, 1000), 0);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 20 * NS_PER_MS, 1000), 1);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + NS_PER_S, 1000), 49);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 3 * NS_PER_S, 1000), 100);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, refills_to_the_burst_and_no_further)
{
	struct unauth_limiter *limiter = limiter_of();
	struct addr from = source(1);
	cr_expect_eq(passed(limiter, &limits, from, start_ns, 1000), 500);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 10000 * NS_PER_S, 1000), 500);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, never_starves_a_source_below_its_rate)
{
	struct unauth_limiter *limiter = limiter_of();
	struct addr from = source(1);
	for (unsigned i = 0; i < 100000; i++)
		cr_assert_eq(passed(limiter, &limits, from, start_ns + i * 20 * NS_PER_MS, 1), 1, "question %u", i);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, counts_by_prefix_and_not_by_port)
{
	static const struct {
		struct addr first, second;
		uint8_t ipv4_bits, ipv6_bits;
		bool shared;
	} cases[] = {
		{{.ip = {10, 0, 0, 1}, .port = 1, .family = ADDR_IPV4}, {.ip = {10, 0, 0, 1}, .port = 2, .family = ADDR_IPV4}, 32,
			64, true},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {10, 0, 0, 2}, .family = ADDR_IPV4}, 32, 64, false},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {10, 0, 0, 2}, .family = ADDR_IPV4}, 24, 64, true},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {10, 0, 1, 1}, .family = ADDR_IPV4}, 24, 64, false},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {10, 0, 1, 1}, .family = ADDR_IPV4}, 23, 64, true},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {99, 0, 1, 1}, .family = ADDR_IPV4}, 0, 64, true},
		{{.ip = {32, 1, 13, 184, [15] = 1}, .family = ADDR_IPV6}, {.ip = {32, 1, 13, 184, [8] = 1}, .family = ADDR_IPV6},
			32, 64, true},
		{{.ip = {32, 1, 13, 184, [7] = 1}, .family = ADDR_IPV6}, {.ip = {32, 1, 13, 184, [7] = 2}, .family = ADDR_IPV6}, 32,
			64, false},
		{{.ip = {32, 1, 13, 184, [7] = 1}, .family = ADDR_IPV6}, {.ip = {32, 1, 13, 184, [7] = 2}, .family = ADDR_IPV6}, 32,
			56, true},
		{{.ip = {32, 1, 13, 184, [15] = 1}, .family = ADDR_IPV6}, {.ip = {32, 1, 13, 184, [15] = 2}, .family = ADDR_IPV6},
			32, 128, false},
		{{.ip = {10, 0, 0, 1}, .family = ADDR_IPV4}, {.ip = {10, 0, 0, 1}, .family = ADDR_IPV6}, 32, 128, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct unauth_limiter *limiter = limiter_of();
		struct unauth_limits l = limits;
		l.ipv4_bits = cases[i].ipv4_bits;
		l.ipv6_bits = cases[i].ipv6_bits;
		cr_expect_eq(passed(limiter, &l, cases[i].first, start_ns, 600), 500, "case %zu", i);
		cr_expect_eq(passed(limiter, &l, cases[i].second, start_ns, 600), cases[i].shared ? 0 : 500, "case %zu", i);
		unauth_limiter_free(limiter);
	}
}

Test(unauth_limiter, spares_who_has_authenticated_for_a_while)
{
	struct unauth_limiter *limiter = limiter_of();
	struct addr from = source(1), other = source(2);
	cr_expect_eq(passed(limiter, &limits, from, start_ns, 1000), 500);
	unauth_limiter_spare(limiter, &limits, &from, start_ns);
	cr_expect_eq(passed(limiter, &limits, from, start_ns, 1000), 1000);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 600 * NS_PER_S - 1, 1000), 1000);
	cr_expect_eq(passed(limiter, &limits, other, start_ns, 1000), 500, "only that source");
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 600 * NS_PER_S, 1000), 500, "and only so long");
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, a_later_authentication_spares_longer)
{
	struct unauth_limiter *limiter = limiter_of();
	struct addr from = source(1);
	unauth_limiter_spare(limiter, &limits, &from, start_ns);
	unauth_limiter_spare(limiter, &limits, &from, start_ns + 599 * NS_PER_S);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 1198 * NS_PER_S, 1000), 1000);
	cr_expect_eq(passed(limiter, &limits, from, start_ns + 1199 * NS_PER_S, 1000), 500);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, limits_at_the_edge_mean_what_they_say)
{
	struct unauth_limiter *limiter = limiter_of();
	struct unauth_limits off = limits, silent = limits, single = limits, unspared = limits;
	off.per_s = 0;
	cr_expect_eq(passed(limiter, &off, source(1), start_ns, 100000), 100000, "a rate of 0 is no limit");
	silent.burst = 0;
	cr_expect_eq(passed(limiter, &silent, source(2), start_ns, 100), 0);
	single.burst = 1;
	cr_expect_eq(passed(limiter, &single, source(3), start_ns, 100), 1);
	unspared.spare_s = 0;
	struct addr from = source(4);
	unauth_limiter_spare(limiter, &unspared, &from, start_ns);
	cr_expect_eq(passed(limiter, &unspared, from, start_ns, 1000), 500);
	struct unauth_limits huge = {
		.burst = UINT32_MAX, .per_s = UINT32_MAX, .spare_s = UINT32_MAX, .ipv4_bits = 32, .ipv6_bits = 128};
	cr_expect_eq(passed(limiter, &huge, source(5), start_ns, 1000), 1000);
	unauth_limiter_free(limiter);
}

enum { KNOWN = 200, FORGED = 200000 };

/* One question from each of many sources: more than the table holds, so that every set is full. */
static void flood(struct unauth_limiter *limiter, uint32_t first_source)
{
	for (uint32_t i = 0; i < FORGED; i++)
		passed(limiter, &limits, source(first_source + i), start_ns, 1);
}

Test(unauth_limiter, a_flood_from_forged_sources_leaves_the_spared_alone)
{
	struct unauth_limiter *limiter = limiter_of();
	flood(limiter, 1000000);
	for (uint32_t i = 0; i < KNOWN; i++) {
		struct addr from = source(i);
		unauth_limiter_spare(limiter, &limits, &from, start_ns);
	}
	flood(limiter, 2000000);
	for (uint32_t i = 0; i < KNOWN; i++)
		cr_expect_eq(passed(limiter, &limits, source(i), start_ns, 501), 501, "source %u", i);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, a_flood_from_forged_sources_does_not_make_the_worst_ones_forgotten)
{
	struct unauth_limiter *limiter = limiter_of();
	flood(limiter, 1000000);
	for (uint32_t i = 0; i < KNOWN; i++)
		cr_expect_eq(passed(limiter, &limits, source(i), start_ns, 1000), 500);
	flood(limiter, 2000000);
	for (uint32_t i = 0; i < KNOWN; i++)
		cr_expect_eq(passed(limiter, &limits, source(i), start_ns, 1000), 0, "source %u", i);
	unauth_limiter_free(limiter);
}

Test(unauth_limiter, a_source_that_takes_an_old_entry_starts_afresh)
{
	/* More sources than places, all of them used up: whoever comes next gets a whole bucket, and no old one's remainder. */
	struct unauth_limiter *limiter = limiter_of();
	struct unauth_limits small = limits;
	small.burst = 3;
	for (uint32_t i = 0; i < 100000; i++)
		cr_assert_eq(passed(limiter, &small, source(i), start_ns, 5), 3, "source %u", i);
	/* The same where those thrown out had been spared. */
	for (uint32_t i = 100000; i < 200000; i++) {
		struct addr from = source(i);
		unauth_limiter_spare(limiter, &small, &from, start_ns);
	}
	for (uint32_t i = 200000; i < 300000; i++)
		cr_assert_eq(passed(limiter, &small, source(i), start_ns, 5), 3, "source %u", i);
	unauth_limiter_free(limiter);
}

enum { THREADS = 4, STEPS = 2000, QUESTIONS_PER_STEP = 4 };

struct hammer {
	struct unauth_limiter *limiter;
	pthread_barrier_t *barrier;
	pthread_t thread;
	unsigned passed;
};

static void *hammer(void *argument)
{
	struct hammer *h = argument;
	pthread_barrier_wait(h->barrier);
	/* All threads' clocks go from start to start + 2 s, in steps of 1 ms, each at its own pace. */
	for (unsigned step = 0; step <= STEPS; step++)
		h->passed += passed(h->limiter, &limits, source(1), start_ns + step * NS_PER_MS, QUESTIONS_PER_STEP);
	return NULL;
}

Test(unauth_limiter, threads_share_one_bucket_exactly)
{
	struct hammer hammers[THREADS] = {0};
	pthread_barrier_t barrier;
	struct unauth_limiter *limiter = limiter_of();
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		hammers[i] = (struct hammer){.limiter = limiter, .barrier = &barrier};
		cr_assert_eq(pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]), 0);
	}
	unsigned total = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(hammers[i].thread, NULL);
		total += hammers[i].passed;
	}
	/* The whole burst and what two seconds refill; the questions are far more than that. */
	cr_expect_eq(total, 500 + 2 * 50);
	pthread_barrier_destroy(&barrier);
	unauth_limiter_free(limiter);
}
