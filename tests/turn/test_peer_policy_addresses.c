/*
 * The addresses that an attacker asks a relay for, in every notation, under a policy that opens the whole internet.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "turn/port_table.h"
#include "turn_policy_rig.h"

static struct peer_policy *internet(void)
{
	return policy_of("0.0.0.0/0 ::/0");
}

/* The IPv6 addresses that stand for an IPv4 address: where its bytes go. */
static const struct wrapping {
	const char *name;
	uint8_t prefix[16];
	uint8_t places[4];
	uint8_t inverted;
} wrappings[] = {
	{"v4-mapped", {[10] = 0xff, 0xff}, {12, 13, 14, 15}, 0},
	{"v4-compatible", {0}, {12, 13, 14, 15}, 0},
	{"NAT64", {0, 0x64, 0xff, 0x9b}, {12, 13, 14, 15}, 0},
	{"local NAT64 /96", {0, 0x64, 0xff, 0x9b, 0, 1}, {12, 13, 14, 15}, 0},
	{"local NAT64 /48", {0, 0x64, 0xff, 0x9b, 0, 1}, {6, 7, 9, 10}, 0},
	{"6to4", {0x20, 0x02, [15] = 1}, {2, 3, 4, 5}, 0},
	{"Teredo", {0x20, 0x01, 0, 0, 8, 8, 8, 8, 0, 0, 1, 1}, {12, 13, 14, 15}, 0xff},
};
enum { WRAPPINGS = sizeof wrappings / sizeof *wrappings };

static struct addr wrapped(const struct wrapping *wrapping, struct addr ipv4)
{
	struct addr peer = {.family = ADDR_IPV6};
	memcpy(peer.ip, wrapping->prefix, sizeof peer.ip);
	for (unsigned i = 0; i < 4; i++)
		peer.ip[wrapping->places[i]] = ipv4.ip[i] ^ wrapping->inverted;
	return peer;
}

typedef void expectation(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name);

/* The address itself and, for IPv4, all its wrapped forms. */
static void expect_all_forms(expectation *expect, const struct peer_policy *policy, const char *text)
{
	struct addr peer = ip(text);
	expect(policy, NULL, peer, text);
	for (size_t i = 0; i < WRAPPINGS && peer.family == ADDR_IPV4; i++) {
		char name[96];
		snprintf(name, sizeof name, "%s as %s", text, wrappings[i].name);
		expect(policy, NULL, wrapped(&wrappings[i], peer), name);
	}
}

Test(peer_policy_addresses, the_public_internet_is_open)
{
	static const char *const addresses[] = {"1.1.1.1", "8.8.8.8", "9.9.9.9", "93.184.216.34", "128.0.0.1", "198.41.0.4",
		"223.255.255.1", "2606:4700:4700::1111", "2a00:1450:4001:800::200e", "2620:fe::fe", "2001:4860:4860::8888",
		"2400:cb00::1"};
	struct peer_policy *policy = internet();
	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
		expect_all_forms(expect_admitted, policy, addresses[i]);
	peer_policy_unref(policy);
}

static const char *const refused[] = {
	/* Loopback and what the kernel takes for it. */
	"127.0.0.1",
	"127.0.0.53",
	"127.1.2.3",
	"127.255.255.254",
	"0.0.0.0",
	"0.0.0.1",
	"0.1.2.3",
	"::",
	"::1",
	/* Private, shared, link-local, unique local, site-local. */
	"10.0.0.1",
	"10.96.0.1",
	"10.96.0.10",
	"10.244.0.1",
	"172.16.0.1",
	"172.17.0.1",
	"172.31.255.254",
	"192.168.0.1",
	"192.168.255.254",
	"100.64.0.1",
	"100.127.255.254",
	"169.254.0.1",
	"169.254.20.10",
	"fe80::1",
	"fe80::dead:beef",
	"fc00::1",
	"fd00::1",
	"fd00:10:96::a",
	"fec0::1",
	/* Metadata and credentials. */
	"169.254.169.254",
	"169.254.170.2",
	"169.254.170.23",
	"100.100.100.200",
	"168.63.129.16",
	"192.0.0.192",
	"fd00:ec2::254",
	"fd00:ec2::23",
	"fd20:ce::254",
	"fd00:42::42",
	"fe80::a9fe:a9fe",
	/* Multicast and broadcast. */
	"224.0.0.1",
	"224.0.0.251",
	"239.255.255.250",
	"255.255.255.255",
	"ff01::1",
	"ff02::1",
	"ff02::fb",
	"ff05::2",
	"ff0e::1",
	/* Reserved, documentation, benchmarks, former relays. */
	"192.0.0.1",
	"192.0.2.1",
	"192.31.196.1",
	"192.52.193.1",
	"192.88.99.1",
	"192.175.48.1",
	"198.18.0.1",
	"198.19.255.254",
	"198.51.100.1",
	"203.0.113.1",
	"240.0.0.1",
	"254.255.255.255",
	"100::1",
	"100:0:0:1::1",
	"2001:2::1",
	"2001:10::1",
	"2001:20::1",
	"2001:db8::1",
	"2620:4f:8000::1",
	"3fff::1",
	"5f00::1",
	/* Local NAT64 whose embedding is not known. */
	"64:ff9b:1:2:3:4:5:6",
	"64:ff9b:1:ffff::808:808",
};

Test(peer_policy_addresses, what_attackers_ask_for_is_refused_in_every_form)
{
	struct peer_policy *policy = internet();
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		expect_all_forms(expect_refused, policy, refused[i]);
	peer_policy_unref(policy);
}

/* Each block with its neighbours; NULL where the neighbour belongs to a denied block too. */
static const struct block {
	const char *before, *first, *last, *after;
} blocks[] = {
	{NULL, "0.0.0.0", "0.255.255.255", "1.0.0.0"},
	{"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
	{"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
	{"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
	{"168.63.129.15", "168.63.129.16", "168.63.129.16", "168.63.129.17"},
	{"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
	{"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
	{"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
	{"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
	{"192.31.195.255", "192.31.196.0", "192.31.196.255", "192.31.197.0"},
	{"192.52.192.255", "192.52.193.0", "192.52.193.255", "192.52.194.0"},
	{"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
	{"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
	{"192.175.47.255", "192.175.48.0", "192.175.48.255", "192.175.49.0"},
	{"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
	{"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
	{"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
	{"223.255.255.255", "224.0.0.0", "239.255.255.255", NULL},
	{NULL, "240.0.0.0", "255.255.255.255", NULL},
	{NULL, "::", "::1", NULL},
	{"64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9b::1:0:0"},
	{"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"},
	{"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "100::", "100::ffff:ffff:ffff:ffff", NULL},
	{NULL, "100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff", "100:0:0:2::"},
	{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
	{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
	{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
	{"2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
	{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
	{"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"},
	{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"},
	{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{NULL, "fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
	{NULL, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL},
};

Test(peer_policy_addresses, denied_blocks_end_where_they_should)
{
	struct peer_policy *policy = internet();
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		expect_all_forms(expect_refused, policy, blocks[i].first);
		expect_all_forms(expect_refused, policy, blocks[i].last);
		if (blocks[i].before)
			expect_all_forms(expect_admitted, policy, blocks[i].before);
		if (blocks[i].after)
			expect_all_forms(expect_admitted, policy, blocks[i].after);
	}
	peer_policy_unref(policy);
}

Test(peer_policy_addresses, the_server_itself_is_refused_in_every_form)
{
	/* A listener and a metrics port on the wildcard, health on loopback; the machine is known under two addresses. */
	struct peer_policy *policy = unsealed_policy_of("0.0.0.0/0 ::/0 10.0.0.0/8 127.0.0.0/8 ::1");
	struct addr listener = addr_any(ADDR_IPV6, 3478), metrics = addr_any(ADDR_IPV4, 8080),
		    health = addr_ipv4(127, 0, 0, 1, 8086);
	struct addr public = ip("198.41.0.4"), private = ip("10.0.0.5");
	cr_assert_eq(peer_policy_own_endpoint(policy, &listener) | peer_policy_own_endpoint(policy, &metrics), 0);
	cr_assert_eq(peer_policy_own_endpoint(policy, &health), 0);
	cr_assert_eq(peer_policy_own_ip(policy, &public) | peer_policy_own_ip(policy, &private), 0);
	peer_policy_seal(policy);

	static const struct {
		const char *ip;
		uint16_t port;
		enum peer_decision expected;
	} cases[] = {
		{"198.41.0.4", 3478, PEER_REFUSED},
		{"10.0.0.5", 3478, PEER_REFUSED},
		{"127.0.0.1", 3478, PEER_REFUSED},
		{"198.41.0.4", 8080, PEER_REFUSED},
		{"127.0.0.1", 8080, PEER_REFUSED},
		{"127.0.0.1", 8086, PEER_REFUSED},
		{"10.0.0.5", 8086, PEER_ADMITTED},
		{"10.0.0.6", 3478, PEER_ADMITTED},
		{"198.41.0.4", 9999, PEER_ADMITTED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr peer = ip(cases[i].ip);
		for (size_t w = 0; w <= WRAPPINGS; w++) {
			struct addr asked = addr_with_port(w < WRAPPINGS ? wrapped(&wrappings[w], peer) : peer, cases[i].port);
			struct peer_grant grant;
			cr_expect_eq(peer_policy_check(policy, NULL, &asked, false, &grant), cases[i].expected, "%s:%u in form %zu",
				cases[i].ip, cases[i].port, w);
		}
	}
	peer_policy_unref(policy);
}

Test(peer_policy_addresses, relay_ports_are_refused_unless_live)
{
	struct peer_policy *policy = internet();
	struct port_table *ports = port_table_create();
	struct addr relay = ip("10.0.0.5");
	cr_assert(port_table_claim(ports, port_table_address(ports, &relay, &relay), ADDR_IPV4, 50000));
	for (size_t w = 0; w <= WRAPPINGS; w++) {
		struct addr asked = w < WRAPPINGS ? wrapped(&wrappings[w], relay) : relay;
		struct addr live = addr_with_port(asked, 50000), dead = addr_with_port(asked, 50001);
		struct peer_grant grant;
		cr_expect_eq(peer_policy_check(policy, ports, &live, false, &grant), PEER_ADMITTED, "form %zu", w);
		cr_expect_eq(peer_policy_check(policy, ports, &dead, false, &grant), PEER_REFUSED, "form %zu", w);
	}
	port_table_free(ports);
	peer_policy_unref(policy);
}
