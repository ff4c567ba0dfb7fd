#include "turn/port_table.h"

#include <criterion/criterion.h>
#include <pthread.h>

#include "turn_addresses.h"

static const struct addr none = {0};

static struct port_table *table_of(void)
{
	struct port_table *table = port_table_create();
	cr_assert_not_null(table);
	return table;
}

Test(port_table, names_a_pair_once_whatever_the_ports)
{
	struct port_table *table = table_of();
	struct addr a = ip("10.0.0.1"), b = ip("10.0.0.2"), public = ip("203.0.113.9"), any = ip("0.0.0.0");
	unsigned first = port_table_address(table, &a, &a);
	cr_expect_neq(first, 0);
	struct addr with_port = addr_with_port(a, 99);
	cr_expect_eq(port_table_address(table, &with_port, &a), first);
	cr_expect_eq(port_table_address(table, &a, &none), first, "not told otherwise: as bound");
	cr_expect_neq(port_table_address(table, &b, &b), first);
	cr_expect_neq(port_table_address(table, &a, &public), first);
	cr_expect_neq(port_table_address(table, &any, &public), port_table_address(table, &a, &public));
	port_table_free(table);
}

Test(port_table, holds_254_pairs_and_then_says_so)
{
	struct port_table *table = table_of();
	for (unsigned i = 0; i < 300; i++) {
		struct addr a = addr_ipv4(10, 0, (uint8_t)(i >> 8), (uint8_t)i, 0);
		cr_expect_eq(port_table_address(table, &a, &a), i < 254 ? i + 1 : 0, "pair %u", i);
	}
	struct addr first = addr_ipv4(10, 0, 0, 0, 0);
	cr_expect_eq(port_table_address(table, &first, &first), 1, "a full table still knows the old ones");
	port_table_free(table);
}

Test(port_table, a_port_is_claimed_once_per_family)
{
	struct port_table *table = table_of();
	struct addr a = ip("10.0.0.1"), b = ip("10.0.0.2"), v6 = ip("2001:db8::1");
	unsigned on_a = port_table_address(table, &a, &a), on_b = port_table_address(table, &b, &b);
	unsigned on_v6 = port_table_address(table, &v6, &v6);
	cr_expect(port_table_claim(table, on_a, ADDR_IPV4, 50000));
	cr_expect_not(port_table_claim(table, on_a, ADDR_IPV4, 50000));
	cr_expect_not(port_table_claim(table, on_b, ADDR_IPV4, 50000), "on another address neither");
	cr_expect(port_table_claim(table, on_v6, ADDR_IPV6, 50000));
	port_table_release(table, ADDR_IPV4, 50000);
	cr_expect(port_table_claim(table, on_b, ADDR_IPV4, 50000));
	cr_expect(port_table_claim(table, on_a, ADDR_IPV4, 65535));
	port_table_free(table);
}

struct lookup {
	const char *bound, *advertised, *question;
	bool live;
	const char *reach, *shown;
};

/* One relayed address, live on port 50000 as bound and advertised; what is known of `question`, on the same port. */
static const struct lookup lookups[] = {
	{"10.0.0.1", "10.0.0.1", "10.0.0.1", true, "10.0.0.1", "10.0.0.1"},
	{"10.0.0.1", "10.0.0.1", "10.0.0.2", false, NULL, "10.0.0.2"},
	/* 1:1 NAT: reached under either name, shown under the advertised one. */
	{"10.0.0.1", "198.51.100.7", "198.51.100.7", true, "10.0.0.1", "198.51.100.7"},
	{"10.0.0.1", "198.51.100.7", "10.0.0.1", true, "10.0.0.1", "198.51.100.7"},
	{"10.0.0.1", "198.51.100.7", "127.0.0.1", false, NULL, "127.0.0.1"},
	{"10.0.0.1", "198.51.100.7", "198.51.100.8", false, NULL, "198.51.100.8"},
	/* Bound to the wildcard: packets inside the machine travel over loopback. */
	{"0.0.0.0", "198.51.100.7", "198.51.100.7", true, "127.0.0.1", "198.51.100.7"},
	{"0.0.0.0", "198.51.100.7", "127.0.0.1", true, "127.0.0.1", "198.51.100.7"},
	{"0.0.0.0", "198.51.100.7", "127.0.0.2", false, NULL, "127.0.0.2"},
	{"0.0.0.0", "198.51.100.7", "0.0.0.0", false, NULL, "0.0.0.0"},
	{"0.0.0.0", NULL, "0.0.0.0", false, NULL, "0.0.0.0"},
	{"0.0.0.0", NULL, "127.0.0.1", true, "127.0.0.1", "127.0.0.1"},
	{"::", "2001:db8::7", "2001:db8::7", true, "::1", "2001:db8::7"},
	{"::", "2001:db8::7", "::1", true, "::1", "2001:db8::7"},
	{"::", "2001:db8::7", "::", false, NULL, "::"},
	{"2001:db8::1", "2001:db8::1", "2001:db8::1", true, "2001:db8::1", "2001:db8::1"},
	/* The other family has ports of its own. */
	{"2001:db8::1", "2001:db8::1", "10.0.0.1", false, NULL, "10.0.0.1"},
	{"10.0.0.1", "10.0.0.1", "2001:db8::1", false, NULL, "2001:db8::1"},
};

static void expect_lookup(const struct port_table *table, const struct lookup *l, size_t number, bool claimed, uint16_t port)
{
	struct addr question = addr_with_port(ip(l->question), port), reach = addr_ipv4(1, 2, 3, 4, 5), untouched = reach;
	bool live = port_table_live(table, &question, &reach);
	cr_expect_eq(live, claimed && l->live, "case %zu", number);
	struct addr expected_reach = live ? addr_with_port(ip(l->reach), port) : untouched;
	cr_expect(addr_equal(&reach, &expected_reach), "case %zu: where to send", number);
	struct addr shown = port_table_advertised(table, &question);
	struct addr expected_shown = addr_with_port(claimed ? ip(l->shown) : question, port);
	cr_expect(addr_equal(&shown, &expected_shown), "case %zu: what clients are told", number);
}

Test(port_table, knows_a_live_relayed_address_by_every_name_it_has)
{
	for (size_t i = 0; i < sizeof lookups / sizeof *lookups; i++) {
		const struct lookup *l = &lookups[i];
		struct port_table *table = table_of();
		struct addr bound = ip(l->bound), advertised = l->advertised ? ip(l->advertised) : none;
		unsigned address = port_table_address(table, &bound, &advertised);
		expect_lookup(table, l, i, false, 50000);
		cr_assert(port_table_claim(table, address, bound.family, 50000));
		expect_lookup(table, l, i, true, 50000);
		expect_lookup(table, l, i, false, 50001);
		port_table_release(table, bound.family, 50000);
		expect_lookup(table, l, i, false, 50000);
		port_table_free(table);
	}
}

Test(port_table, knows_relay_addresses_without_a_live_port)
{
	struct port_table *table = table_of();
	struct addr bound = ip("10.0.0.1"), advertised = ip("198.51.100.7"), any = ip("0.0.0.0"), other = ip("198.51.100.8");
	cr_expect_not(port_table_is_relay_ip(table, &bound));
	port_table_address(table, &bound, &advertised);
	port_table_address(table, &any, &other);
	static const struct {
		const char *text;
		bool expected;
	} cases[] = {{"10.0.0.1", true}, {"198.51.100.7", true}, {"198.51.100.8", true}, {"10.0.0.2", false}, {"0.0.0.0", false},
		{"127.0.0.1", false}, {"::", false}, {"::1", false}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr question = addr_with_port(ip(cases[i].text), 4711);
		cr_expect_eq(port_table_is_relay_ip(table, &question), cases[i].expected, "%s", cases[i].text);
	}
	port_table_free(table);
}

Test(port_table, of_no_family_is_nothing)
{
	struct port_table *table = table_of();
	struct addr a = ip("0.0.0.0"), reach, question = {.port = 50000};
	port_table_claim(table, port_table_address(table, &a, &none), ADDR_IPV4, 50000);
	cr_expect_not(port_table_live(table, &question, &reach));
	struct addr shown = port_table_advertised(table, &question);
	cr_expect(addr_equal(&shown, &question));
	port_table_free(table);
}

enum { THREADS = 4, PAIRS = 100, PORTS = 20000 };

struct contender {
	struct port_table *table;
	pthread_barrier_t *barrier;
	pthread_t thread;
	unsigned numbers[PAIRS];
	unsigned claimed;
};

static void *contend(void *argument)
{
	struct contender *c = argument;
	pthread_barrier_wait(c->barrier);
	for (unsigned i = 0; i < PAIRS; i++) {
		struct addr a = addr_ipv4(10, 0, 0, (uint8_t)i, 0);
		c->numbers[i] = port_table_address(c->table, &a, &a);
	}
	for (unsigned port = 1; port <= PORTS; port++)
		c->claimed += port_table_claim(c->table, c->numbers[port % PAIRS], ADDR_IPV4, (uint16_t)port);
	return NULL;
}

Test(port_table, threads_agree_on_the_numbers_and_share_no_port)
{
	struct contender contenders[THREADS] = {0};
	struct port_table *table = table_of();
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		contenders[i] = (struct contender){.table = table, .barrier = &barrier};
		cr_assert_eq(pthread_create(&contenders[i].thread, NULL, contend, &contenders[i]), 0);
	}
	unsigned claimed = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(contenders[i].thread, NULL);
		claimed += contenders[i].claimed;
		cr_expect_arr_eq(contenders[i].numbers, contenders[0].numbers, sizeof contenders[0].numbers, "thread %u", i);
	}
	cr_expect_eq(claimed, PORTS);
	pthread_barrier_destroy(&barrier);
	port_table_free(table);
}
