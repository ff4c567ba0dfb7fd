#include "turn/peer_policy.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "turn/port_table.h"
#include "turn_policy_rig.h"

Test(peer_policy, without_routes_admits_nothing)
{
	struct peer_policy *policy = policy_of("");
	expect_refused(policy, NULL, ip("8.8.8.8"), "8.8.8.8");
	expect_refused(policy, NULL, ip("2606:4700::1111"), "2606:4700::1111");
	peer_policy_unref(policy);
}

struct route_case {
	const char *routes, *peer;
	bool admitted;
};

static const struct route_case route_cases[] = {
	/* The whole internet, of one family. */
	{"0.0.0.0/0", "8.8.8.8", true},
	{"0.0.0.0/0", "2606:4700::1111", false},
	{"::/0", "2606:4700::1111", true},
	{"::/0", "8.8.8.8", false},
	/* The wrapped forms are IPv4 addresses, for better or worse. */
	{"0.0.0.0/0", "::ffff:8.8.8.8", true},
	{"0.0.0.0/0", "64:ff9b::8.8.8.8", true},
	{"0.0.0.0/0", "2002:808:808::1", true},
	{"::/0", "::ffff:8.8.8.8", false},
	{"::/0", "64:ff9b::8.8.8.8", false},
	{"::/0", "2002:808:808::1", false},
	{"10.0.0.0/8", "::ffff:10.1.2.3", true},
	{"::ffff:0:0/96", "8.8.8.8", true},
	/* A private network is opened by naming it, or a part of it. */
	{"10.0.0.0/8", "10.1.2.3", true},
	{"10.0.0.0/8", "11.0.0.1", false},
	{"10.0.0.0/8", "192.168.1.1", false},
	{"10.244.0.0/16", "10.244.3.4", true},
	{"10.244.0.0/16", "10.245.0.1", false},
	{"10.244.3.4", "10.244.3.4", true},
	{"10.244.3.4", "10.244.3.5", false},
	{"fd00::/8", "fd12:3456::1", true},
	{"fd00::/8", "fc00::1", false},
	{"fd12:3456::/48", "fd12:3456::1", true},
	{"fc00::/7", "fd12:3456::1", true},
	{"127.0.0.0/8", "127.0.0.1", true},
	{"::1", "::1", true},
	{"224.0.0.0/4", "239.1.2.3", true},
	{"64:ff9b:1::/48", "64:ff9b:1:2:3:4:5:6", true},
	/* A wider route does not: what is denied is more specific. */
	{"10.0.0.0/7", "10.1.2.3", false},
	{"10.0.0.0/7", "11.1.2.3", true},
	{"fc00::/6", "fd12:3456::1", false},
	{"172.0.0.0/8", "172.16.0.1", false},
	{"172.0.0.0/8", "172.32.0.1", true},
	{"0.0.0.0/0 10.0.0.0/8", "10.1.2.3", true},
	{"0.0.0.0/0 10.0.0.0/8", "192.168.1.1", false},
	/* Metadata addresses are denied one by one: only naming them opens them. */
	{"0.0.0.0/0", "168.63.129.16", false},
	{"0.0.0.0/0", "168.63.129.17", true},
	{"168.63.129.0/24", "168.63.129.16", false},
	{"168.63.129.16", "168.63.129.16", true},
	{"169.254.0.0/16", "169.254.1.1", true},
	{"169.254.0.0/16", "169.254.169.254", false},
	{"169.254.0.0/16", "169.254.170.2", false},
	{"169.254.169.254/32", "169.254.169.254", true},
	{"100.64.0.0/10", "100.64.0.1", true},
	{"100.64.0.0/10", "100.100.100.200", false},
	{"192.0.0.0/24", "192.0.0.1", true},
	{"192.0.0.0/24", "192.0.0.192", false},
	{"fd00::/8", "fd00:ec2::254", false},
	{"fd00:ec2::/32", "fd00:ec2::254", false},
	{"fd00:ec2::254", "fd00:ec2::254", true},
	{"fe80::/10", "fe80::a9fe:a9fe", false},
	/* The unspecified address reaches the machine itself: it cannot be opened. */
	{"0.0.0.0/8", "0.0.0.1", true},
	{"0.0.0.0/8", "0.0.0.0", false},
	{"0.0.0.0", "0.0.0.0", false},
	{"::", "::", false},
};

Test(peer_policy, the_most_specific_prefix_wins_and_a_tie_goes_to_the_configuration)
{
	for (size_t i = 0; i < sizeof route_cases / sizeof *route_cases; i++) {
		const struct route_case *c = &route_cases[i];
		struct peer_policy *policy = policy_of(c->routes);
		char name[128];
		snprintf(name, sizeof name, "%s under \"%s\"", c->peer, c->routes);
		if (c->admitted)
			expect_admitted(policy, NULL, ip(c->peer), name);
		else
			expect_refused(policy, NULL, ip(c->peer), name);
		peer_policy_unref(policy);
	}
}

struct port_case {
	const char *routes, *peer;
	uint16_t port;
	bool admitted;
	uint16_t cluster, port_min, port_max;
};

/* Each route is a cluster of its own, numbered from 0. */
static const struct port_case port_cases[] = {
	{"10.0.0.0/8:5000-6000", "10.1.1.1", 4999, false, 0, 0, 0},
	{"10.0.0.0/8:5000-6000", "10.1.1.1", 5000, true, 0, 5000, 6000},
	{"10.0.0.0/8:5000-6000", "10.1.1.1", 6000, true, 0, 5000, 6000},
	{"10.0.0.0/8:5000-6000", "10.1.1.1", 6001, false, 0, 0, 0},
	{"10.0.0.0/8", "10.1.1.1", 1, true, 0, 1, 65535},
	{"10.0.0.0/8", "10.1.1.1", 65535, true, 0, 1, 65535},
	{"10.0.0.0/8", "10.1.1.1", 0, false, 0, 0, 0},
	{"10.0.0.0/8:0-0", "10.1.1.1", 0, false, 0, 0, 0},
	{"10.0.0.0/8:65535-65535", "10.1.1.1", 65535, true, 0, 65535, 65535},
	/* The same prefix: ranges add up, the first route counts where they overlap. */
	{"10.0.0.0/8:100-200 10.0.0.0/8:150-300", "10.1.1.1", 150, true, 0, 100, 200},
	{"10.0.0.0/8:100-200 10.0.0.0/8:150-300", "10.1.1.1", 250, true, 1, 201, 300},
	{"10.0.0.0/8:150-300 10.0.0.0/8:100-200", "10.1.1.1", 120, true, 1, 100, 149},
	{"10.0.0.0/8:100-200 10.0.0.0/8:300-400", "10.1.1.1", 250, false, 0, 0, 0},
	/* A wider prefix still counts where no denied block lies between. */
	{"10.0.0.0/8:100-200 10.1.0.0/16:150-300", "10.1.1.1", 120, true, 0, 100, 149},
	{"10.0.0.0/8:100-200 10.1.0.0/16:150-300", "10.1.1.1", 160, true, 1, 150, 300},
	{"10.0.0.0/8:100-200 10.1.0.0/16:150-300", "10.2.1.1", 250, false, 0, 0, 0},
	{"10.0.0.0/8 10.1.1.1:500-600", "10.1.1.1", 550, true, 1, 500, 600},
	{"10.0.0.0/8 10.1.1.1:500-600", "10.1.1.1", 499, true, 0, 1, 499},
	{"10.0.0.0/8 10.1.1.1:500-600", "10.1.1.1", 601, true, 0, 601, 65535},
	/* 10.0.0.0/8 is denied as well and more specific than 0.0.0.0/0, whose ports therefore do not help. */
	{"0.0.0.0/0 10.0.0.0/8:100-200", "10.1.1.1", 150, true, 1, 100, 200},
	{"0.0.0.0/0 10.0.0.0/8:100-200", "10.1.1.1", 80, false, 0, 0, 0},
	{"0.0.0.0/0 10.1.0.0/16:100-200", "10.1.1.1", 80, false, 0, 0, 0},
	{"0.0.0.0/0:80-80 8.0.0.0/8:100-200", "8.8.8.8", 80, true, 0, 80, 80},
	{"0.0.0.0/0:80-80 8.0.0.0/8:100-200", "8.8.8.8", 150, true, 1, 100, 200},
};

Test(peer_policy, port_ranges_add_up_and_name_the_cluster)
{
	for (size_t i = 0; i < sizeof port_cases / sizeof *port_cases; i++) {
		const struct port_case *c = &port_cases[i];
		struct peer_policy *policy = policy_of(c->routes);
		struct addr peer = addr_with_port(ip(c->peer), c->port);
		struct peer_grant grant = {.cluster = 4242, .port_min = 4242, .port_max = 4242};
		enum peer_decision decision = peer_policy_check(policy, NULL, &peer, false, &grant);
		cr_expect_eq(
			decision, c->admitted ? PEER_ADMITTED : PEER_REFUSED, "%s port %u under %s", c->peer, c->port, c->routes);
		cr_expect_eq(grant.cluster, c->admitted ? c->cluster : 4242, "%s port %u under %s", c->peer, c->port, c->routes);
		cr_expect_eq(grant.port_min, c->admitted ? c->port_min : 4242, "%s port %u under %s", c->peer, c->port, c->routes);
		cr_expect_eq(grant.port_max, c->admitted ? c->port_max : 4242, "%s port %u under %s", c->peer, c->port, c->routes);
		cr_expect_not(grant.relayed_only);
		peer_policy_unref(policy);
	}
}

Test(peer_policy, asked_for_an_address_grants_ports_that_are_open)
{
	struct peer_policy *policy = policy_of("10.0.0.0/8:100-200 10.1.1.1:500-600");
	struct peer_grant grant = {0};
	struct addr peer = addr_with_port(ip("10.1.1.1"), 9);
	cr_assert_eq(peer_policy_check(policy, NULL, &peer, true, &grant), PEER_ADMITTED, "whatever port the question came with");
	cr_expect_eq(grant.cluster, 1);
	cr_expect_eq(grant.port_min, 500);
	cr_expect_eq(grant.port_max, 600);
	cr_expect_not(grant.relayed_only);
	peer_policy_unref(policy);

	policy = policy_of("10.0.0.0/8:0-0");
	cr_expect_eq(peer_policy_check(policy, NULL, &peer, true, &grant), PEER_REFUSED, "port 0 is none");
	peer_policy_unref(policy);
}

struct own_case {
	const char *own;  /* an endpoint of the server */
	const char *peer; /* on that endpoint's port */
	bool admitted;
};

/* The machine has 198.41.0.4, 10.0.0.5 and 2620:0:2d0:200::7. All is routed, the private networks too. */
static const struct own_case own_cases[] = {
	{"198.41.0.4", "198.41.0.4", false},
	{"198.41.0.4", "10.0.0.5", true},
	{"198.41.0.4", "127.0.0.1", true},
	{"198.41.0.4", "8.8.8.8", true},
	{"198.41.0.4", "::ffff:198.41.0.4", false},
	{"198.41.0.4", "64:ff9b::198.41.0.4", false},
	{"198.41.0.4", "2002:c629:4::1", false},
	{"127.0.0.1", "127.0.0.1", false},
	{"127.0.0.1", "::ffff:127.0.0.1", false},
	{"127.0.0.1", "198.41.0.4", true},
	{"::ffff:10.0.0.5", "10.0.0.5", false},
	{"2620:0:2d0:200::7", "2620:0:2d0:200::7", false},
	{"2620:0:2d0:200::7", "2620:0:2d0:200::8", true},
	{"0.0.0.0", "198.41.0.4", false},
	{"0.0.0.0", "10.0.0.5", false},
	{"0.0.0.0", "127.0.0.1", false},
	{"0.0.0.0", "127.8.9.10", false},
	{"0.0.0.0", "8.8.8.8", true},
	{"0.0.0.0", "10.0.0.6", true},
	{"::", "2620:0:2d0:200::7", false},
	{"::", "::1", false},
	{"::", "198.41.0.4", false},
	{"::", "::ffff:10.0.0.5", false},
	{"::", "127.0.0.1", false},
	{"::", "8.8.8.8", true},
};

static struct peer_policy *policy_with_own(const char *endpoint, uint16_t port)
{
	struct peer_policy *policy = unsealed_policy_of("0.0.0.0/0 ::/0 10.0.0.0/8 127.0.0.0/8 ::1");
	static const char *const ips[] = {"198.41.0.4", "2620:0:2d0:200::7", "10.0.0.5"};
	for (size_t i = 0; i < sizeof ips / sizeof *ips; i++) {
		struct addr own = addr_with_port(ip(ips[i]), 1);
		cr_assert_eq(peer_policy_own_ip(policy, &own), 0);
	}
	struct addr own = addr_with_port(ip(endpoint), port);
	cr_assert_eq(peer_policy_own_endpoint(policy, &own), 0);
	peer_policy_seal(policy);
	return policy;
}

Test(peer_policy, the_server_s_own_endpoints_are_refused_always)
{
	for (size_t i = 0; i < sizeof own_cases / sizeof *own_cases; i++) {
		const struct own_case *c = &own_cases[i];
		struct peer_policy *policy = policy_with_own(c->own, 3478);
		struct addr peer = addr_with_port(ip(c->peer), 3478), other_port = addr_with_port(peer, 3479);
		struct peer_grant grant;
		cr_expect_eq(peer_policy_check(policy, NULL, &peer, false, &grant), c->admitted ? PEER_ADMITTED : PEER_REFUSED,
			"%s when we are %s", c->peer, c->own);
		cr_assert_eq(peer_policy_check(policy, NULL, &other_port, false, &grant), PEER_ADMITTED);
		cr_expect_eq(grant.port_min, c->admitted ? 1 : 3479, "%s when we are %s", c->peer, c->own);
		cr_expect_eq(grant.port_max, 65535);
		cr_assert_eq(peer_policy_check(policy, NULL, &peer, true, &grant), PEER_ADMITTED, "at some port");
		cr_expect_eq(grant.port_max, c->admitted ? 65535 : 3477, "%s when we are %s", c->peer, c->own);
		peer_policy_unref(policy);
	}
}

Test(peer_policy, an_address_whose_only_routed_ports_are_our_own_is_refused)
{
	struct peer_policy *policy = unsealed_policy_of("10.0.0.5:3478-3479");
	for (uint16_t port = 3478; port <= 3479; port++) {
		struct addr own = addr_with_port(ip("10.0.0.5"), port);
		cr_assert_eq(peer_policy_own_endpoint(policy, &own), 0);
	}
	peer_policy_seal(policy);
	expect_refused(policy, NULL, ip("10.0.0.5"), "10.0.0.5");
	peer_policy_unref(policy);
}

Test(peer_policy, an_address_is_admitted_for_the_ports_of_a_wider_route_where_the_narrower_has_only_our_own)
{
	struct peer_policy *policy = unsealed_policy_of("10.0.0.5:3478-3478 10.0.0.0/8:5000-6000");
	struct addr own = addr_with_port(ip("10.0.0.5"), 3478);
	cr_assert_eq(peer_policy_own_endpoint(policy, &own), 0);
	peer_policy_seal(policy);
	struct peer_grant grant;
	cr_assert_eq(peer_policy_check(policy, NULL, &own, true, &grant), PEER_ADMITTED);
	cr_expect_eq(grant.cluster, 1);
	cr_expect_eq(grant.port_min, 5000);
	cr_expect_eq(grant.port_max, 6000);
	peer_policy_unref(policy);
}

static struct port_table *ports_with(const char *bound, const char *advertised, uint16_t port)
{
	struct port_table *ports = port_table_create();
	struct addr b = ip(bound), a = ip(advertised);
	cr_assert(port_table_claim(ports, port_table_address(ports, &b, &a), b.family, port));
	return ports;
}

Test(peer_policy, live_relayed_addresses_are_admitted_always)
{
	struct peer_policy *policy = policy_of("8.0.0.0/8");
	struct port_table *ports = ports_with("10.0.0.5", "198.51.100.7", 50000);
	static const char *const names[] = {"10.0.0.5", "198.51.100.7", "::ffff:198.51.100.7"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct addr live = addr_with_port(ip(names[i]), 50000), dead = addr_with_port(live, 50001);
		struct peer_grant grant = {0};
		cr_assert_eq(peer_policy_check(policy, ports, &live, false, &grant), PEER_ADMITTED, "%s", names[i]);
		cr_expect(grant.relayed_only);
		cr_expect_gt(grant.port_min, grant.port_max, "it may end at any moment: ask again");
		cr_expect_eq(grant.cluster, PEER_CLUSTER_OTHER);
		cr_expect_eq(peer_policy_check(policy, ports, &dead, false, &grant), PEER_REFUSED);
		cr_expect_eq(peer_policy_check(policy, NULL, &live, false, &grant), PEER_REFUSED);
		grant = (struct peer_grant){0};
		cr_assert_eq(
			peer_policy_check(policy, ports, &dead, true, &grant), PEER_ADMITTED, "a permission is for the address");
		cr_expect(grant.relayed_only);
		cr_expect_gt(grant.port_min, grant.port_max);
	}
	struct addr bystander = addr_with_port(ip("10.0.0.6"), 50000);
	struct peer_grant grant;
	cr_expect_eq(peer_policy_check(policy, ports, &bystander, false, &grant), PEER_REFUSED);
	cr_expect_eq(peer_policy_check(policy, ports, &bystander, true, &grant), PEER_REFUSED);
	port_table_free(ports);
	peer_policy_unref(policy);
}

Test(peer_policy, a_relayed_address_in_a_route_is_both)
{
	struct peer_policy *policy = policy_of("10.0.0.5:100-200");
	struct port_table *ports = ports_with("10.0.0.5", "10.0.0.5", 50000);
	struct addr live = addr_with_port(ip("10.0.0.5"), 50000), routed = addr_with_port(live, 150),
		    dead = addr_with_port(live, 50001);
	struct peer_grant grant;
	cr_assert_eq(peer_policy_check(policy, ports, &live, false, &grant), PEER_ADMITTED);
	cr_expect_gt(grant.port_min, grant.port_max);
	cr_expect_not(grant.relayed_only, "other ports are open too");
	cr_assert_eq(peer_policy_check(policy, ports, &routed, false, &grant), PEER_ADMITTED);
	cr_expect_eq(grant.port_min, 100);
	cr_expect_eq(grant.port_max, 200);
	cr_expect_eq(grant.cluster, 0);
	cr_expect_eq(peer_policy_check(policy, ports, &dead, false, &grant), PEER_REFUSED);
	port_table_free(ports);
	peer_policy_unref(policy);
}

Test(peer_policy, our_own_port_stays_refused_although_a_relayed_address_is_live_there)
{
	struct peer_policy *policy = policy_with_own("::", 50000);
	struct port_table *ports = ports_with("10.0.0.5", "198.41.0.4", 50000);
	static const char *const names[] = {"10.0.0.5", "198.41.0.4"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct addr peer = addr_with_port(ip(names[i]), 50000);
		struct peer_grant grant;
		cr_expect_eq(peer_policy_check(policy, ports, &peer, false, &grant), PEER_REFUSED, "%s", names[i]);
	}
	port_table_free(ports);
	peer_policy_unref(policy);
}

Test(peer_policy, port_0_is_refused_whatever_is_said_to_live_there)
{
	struct peer_policy *policy = policy_of("0.0.0.0/0");
	struct port_table *ports = ports_with("10.0.0.5", "198.41.0.4", 0);
	static const char *const names[] = {"10.0.0.5", "198.41.0.4"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct addr peer = ip(names[i]);
		struct peer_grant grant;
		cr_expect_eq(peer_policy_check(policy, ports, &peer, false, &grant), PEER_REFUSED, "%s", names[i]);
	}
	port_table_free(ports);
	peer_policy_unref(policy);
}

Test(peer_policy, no_address_at_all_is_refused)
{
	struct peer_policy *policy = policy_of("0.0.0.0/0 ::/0");
	struct port_table *ports = ports_with("10.0.0.5", "10.0.0.5", 50000);
	struct addr nobody = {.port = 50000};
	struct peer_grant grant;
	cr_expect_eq(peer_policy_check(policy, ports, &nobody, false, &grant), PEER_REFUSED);
	cr_expect_eq(peer_policy_check(policy, ports, &nobody, true, &grant), PEER_REFUSED);
	port_table_free(ports);
	peer_policy_unref(policy);
}

Test(peer_policy, holds_a_hundred_thousand_endpoints)
{
	enum { ENDPOINTS = 100000 };
	struct peer_policy *policy = peer_policy_create();
	for (uint32_t i = 0; i < ENDPOINTS; i++) {
		struct addr pod = addr_ipv4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 0);
		cr_assert_eq(peer_policy_allow(policy, &pod, 32, 1000, 2000, (uint16_t)(i % LIMIT_CLUSTERS)), 0);
	}
	peer_policy_seal(policy);
	for (uint32_t i = 0; i < 2 * ENDPOINTS; i++) {
		struct addr pod = addr_ipv4(10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1500);
		struct peer_grant grant = {0};
		enum peer_decision expected = i < ENDPOINTS ? PEER_ADMITTED : PEER_REFUSED;
		cr_assert_eq(peer_policy_check(policy, NULL, &pod, false, &grant), expected, "endpoint %u", i);
		cr_assert_eq(grant.cluster, i < ENDPOINTS ? i % LIMIT_CLUSTERS : 0, "endpoint %u", i);
	}
	peer_policy_unref(policy);
}

Test(peer_policy, lives_as_long_as_somebody_refers_to_it)
{
	struct peer_policy *policy = policy_of("8.0.0.0/8");
	cr_expect_eq(peer_policy_ref(policy), policy);
	peer_policy_unref(policy);
	expect_admitted(policy, NULL, ip("8.8.8.8"), "8.8.8.8");
	peer_policy_unref(policy);
}
