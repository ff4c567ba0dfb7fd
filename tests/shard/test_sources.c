#include <criterion/criterion.h>

#include "sources.h"

static struct sources sources;

static void start(uint32_t capacity)
{
	static const struct siphash_key key = {1, 2};
	cr_assert_eq(sources_init(&sources, capacity, &key), 0);
}

static struct addr ipv6(uint8_t seventh, uint8_t last)
{
	return (struct addr){.ip = {0x20, 0x01, 0x0d, 0xb8, [7] = seventh, [15] = last}, .port = 1000, .family = ADDR_IPV6};
}

Test(sources, one_address_gets_no_more_than_its_share)
{
	struct addr greedy = addr_ipv4(192, 0, 2, 1, 1000), modest = addr_ipv4(192, 0, 2, 2, 1000);
	uint32_t taken[4];
	start(10);
	for (unsigned i = 0; i < 3; i++) {
		greedy.port++;
		taken[i] = sources_acquire(&sources, &greedy, 3);
		cr_expect_neq(taken[i], SOURCE_NONE);
	}
	cr_expect_eq(sources_acquire(&sources, &greedy, 3), SOURCE_NONE);
	cr_expect_neq(sources_acquire(&sources, &modest, 3), SOURCE_NONE);
	sources_release(&sources, taken[0]);
	cr_expect_neq(sources_acquire(&sources, &greedy, 3), SOURCE_NONE);
	sources_done(&sources);
}

Test(sources, no_bound_is_no_bound)
{
	struct addr client = addr_ipv4(192, 0, 2, 1, 1000);
	start(1);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_neq(sources_acquire(&sources, &client, 0), SOURCE_NONE);
	sources_done(&sources);
}

Test(sources, ipv6_addresses_of_one_64_count_together)
{
	struct addr a = ipv6(1, 1), b = ipv6(1, 2), c = ipv6(2, 1);
	start(10);
	cr_expect_neq(sources_acquire(&sources, &a, 1), SOURCE_NONE);
	cr_expect_eq(sources_acquire(&sources, &b, 1), SOURCE_NONE);
	cr_expect_neq(sources_acquire(&sources, &c, 1), SOURCE_NONE);
	sources_done(&sources);
}

Test(sources, an_address_without_connections_takes_no_place)
{
	start(2);
	for (unsigned i = 0; i < 10000; i++) {
		struct addr client = addr_ipv4(10, 0, (uint8_t)(i >> 8), (uint8_t)i, 1);
		uint32_t source = sources_acquire(&sources, &client, 1);
		cr_assert_neq(source, SOURCE_NONE);
		sources_release(&sources, source);
	}
	sources_release(&sources, SOURCE_NONE);
	sources_done(&sources);
}
