#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/prefix_set.h"

static void add(struct prefix_set *set, const char *text, uint32_t value)
{
	struct addr ip;
	unsigned bits;
	cr_assert(prefix_parse(text, &ip, &bits), "%s", text);
	cr_assert_eq(prefix_set_add(set, &ip, bits, value), 0);
}

static void assert_walk(const struct prefix_set *set, const char *text, const uint32_t *values, size_t count)
{
	struct addr ip;
	cr_assert(addr_parse_ip(text, &ip));
	struct prefix_walk walk = prefix_walk_start(set, &ip);
	for (size_t i = 0; i < count; i++) {
		const struct prefix *prefix = prefix_walk_next(&walk);
		cr_assert_not_null(prefix, "%s, %zu", text, i);
		cr_assert_eq(prefix->value, values[i], "%s, %zu: %u", text, i, prefix->value);
	}
	cr_assert_null(prefix_walk_next(&walk), "%s", text);
	cr_assert_null(prefix_walk_next(&walk), "%s: the end stays the end", text);
}

#define ASSERT_WALK(set, text, ...)                                                                                                \
	assert_walk(set, text, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

Test(prefix_set, finds_the_longest_first)
{
	struct prefix_set *set = prefix_set_create();
	add(set, "0.0.0.0/0", 1);
	add(set, "10.0.0.0/8", 2);
	add(set, "10.1.2.3", 3);
	add(set, "10.1.0.0/16", 4);
	add(set, "11.0.0.0/8", 5);
	prefix_set_seal(set);
	ASSERT_WALK(set, "10.1.2.3", 3, 4, 2, 1);
	ASSERT_WALK(set, "10.1.2.4", 4, 2, 1);
	ASSERT_WALK(set, "10.2.0.0", 2, 1);
	ASSERT_WALK(set, "11.255.255.255", 5, 1);
	ASSERT_WALK(set, "12.0.0.0", 1);
	prefix_set_free(set);
}

Test(prefix_set, equal_prefixes_come_in_the_order_they_were_added)
{
	struct prefix_set *set = prefix_set_create();
	for (uint32_t value = 0; value < 40; value++)
		add(set, "192.0.2.0/24", value);
	add(set, "192.0.2.99/24", 40); /* host bits are cleared */
	prefix_set_seal(set);
	uint32_t wanted[41];
	for (uint32_t value = 0; value <= 40; value++)
		wanted[value] = value;
	assert_walk(set, "192.0.2.1", wanted, 41);
	prefix_set_free(set);
}

Test(prefix_set, keeps_the_families_apart)
{
	struct prefix_set *set = prefix_set_create();
	add(set, "::/0", 6);
	prefix_set_seal(set);
	assert_walk(set, "192.0.2.1", NULL, 0);
	ASSERT_WALK(set, "2001:db8::1", 6);
	prefix_set_free(set);
}

Test(prefix_set, works_at_every_ipv6_length)
{
	struct addr ip;
	cr_assert(addr_parse_ip("fd5a:a5a5:5a5a:a5a5:5a5a:a5a5:5a5a:a5a5", &ip));
	for (unsigned bits = 0; bits <= 128; bits++) {
		struct prefix_set *set = prefix_set_create();
		cr_assert_eq(prefix_set_add(set, &ip, bits, bits), 0);
		prefix_set_seal(set);
		for (unsigned flipped = 0; flipped < 128; flipped++) {
			struct addr other = ip;
			other.ip[flipped / 8] ^= (uint8_t)(0x80 >> flipped % 8);
			struct prefix_walk walk = prefix_walk_start(set, &other);
			cr_assert_eq(prefix_walk_next(&walk) != NULL, flipped >= bits, "/%u, bit %u", bits, flipped);
		}
		prefix_set_free(set);
	}
}

Test(prefix_set, an_empty_set_contains_nothing)
{
	struct prefix_set *set = prefix_set_create();
	prefix_set_seal(set);
	assert_walk(set, "192.0.2.1", NULL, 0);
	assert_walk(set, "::1", NULL, 0);
	struct addr none = {.family = ADDR_NONE};
	struct prefix_walk walk = prefix_walk_start(set, &none);
	cr_assert_null(prefix_walk_next(&walk));
	prefix_set_free(set);
	prefix_set_free(NULL);
}

Test(prefix_set, ignores_the_port)
{
	struct prefix_set *set = prefix_set_create();
	struct addr ip = addr_ipv4(192, 0, 2, 1, 80), asked = addr_ipv4(192, 0, 2, 1, 443);
	cr_assert_eq(prefix_set_add(set, &ip, 32, 7), 0);
	prefix_set_seal(set);
	struct prefix_walk walk = prefix_walk_start(set, &asked);
	const struct prefix *found = prefix_walk_next(&walk);
	cr_assert_not_null(found);
	cr_assert(found->value == 7 && found->ip.port == 0 && found->bits == 32);
	prefix_set_free(set);
}

static bool contains(const struct prefix *prefix, const struct addr *ip)
{
	for (unsigned bit = 0; bit < prefix->bits; bit++)
		if (((prefix->ip.ip[bit / 8] ^ ip->ip[bit / 8]) & 0x80 >> bit % 8) != 0)
			return false;
	return true;
}

Test(prefix_set, agrees_with_trying_every_prefix)
{
	struct prefix added[300];
	struct prefix_set *set = prefix_set_create();
	srand(99);
	for (uint32_t i = 0; i < 300; i++) {
		struct addr ip = addr_ipv4((uint8_t)(rand() & 3), (uint8_t)(rand() & 3), (uint8_t)rand(), (uint8_t)rand(), 0);
		added[i] = (struct prefix){.ip = ip, .bits = (uint8_t)(rand() % 33), .value = i};
		cr_assert_eq(prefix_set_add(set, &ip, added[i].bits, i), 0);
	}
	prefix_set_seal(set);
	for (unsigned n = 0; n < 2000; n++) {
		struct addr ip = addr_ipv4((uint8_t)(rand() & 3), (uint8_t)(rand() & 3), (uint8_t)rand(), (uint8_t)rand(), 0);
		struct prefix_walk walk = prefix_walk_start(set, &ip);
		for (int bits = 32; bits >= 0; bits--) {
			for (uint32_t i = 0; i < 300; i++) {
				if (added[i].bits != bits || !contains(&added[i], &ip))
					continue;
				const struct prefix *found = prefix_walk_next(&walk);
				cr_assert_not_null(found);
				cr_assert_eq(found->value, i);
			}
		}
		cr_assert_null(prefix_walk_next(&walk));
	}
	prefix_set_free(set);
}

Test(prefix_set, reads_prefixes_as_people_write_them)
{
	static const struct {
		const char *text, *ip;
		unsigned bits;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0", 8},
		{"0.0.0.0/0", "0.0.0.0", 0},
		{"192.0.2.1", "192.0.2.1", 32},
		{"192.0.2.1/32", "192.0.2.1", 32},
		{"fd00::/8", "fd00::", 8},
		{"2001:db8::1", "2001:db8::1", 128},
		{"::/0", "::", 0},
		{"::ffff:10.0.0.0/104", "10.0.0.0", 8},
		{"::ffff:10.0.0.1", "10.0.0.1", 32},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr ip, wanted;
		unsigned bits;
		cr_assert(addr_parse_ip(cases[i].ip, &wanted));
		cr_assert(prefix_parse(cases[i].text, &ip, &bits), "%s", cases[i].text);
		cr_assert(addr_equal(&ip, &wanted) && bits == cases[i].bits, "%s", cases[i].text);
	}
}

Test(prefix_set, refuses_what_is_not_a_prefix)
{
	static const char *const texts[] = {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
		"10.0.0.0/8 ", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/4294967304", "fd00::/129", "::ffff:10.0.0.0/95", "10.0.0/8",
		"host/8", "0000000000000000000000000000000000000000000000000000000000000000000/8"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct addr ip;
		unsigned bits;
		cr_assert_not(prefix_parse(texts[i], &ip, &bits), "%s", texts[i]);
	}
}
