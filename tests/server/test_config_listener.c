/* What a listener's addresses come to on a machine with 192.0.2.7 and 2001:db8::7. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "config_rig.h"

static struct config_rig rig;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(config_listener, .init = set_up);

/* A struct relay_address in text: "-" is ADDR_NONE. */
struct expected_relay {
	const char *bind, *advertised, *fallback;
	bool wildcard;
};

#define NOT_OFFERED                                                                                                                \
	{                                                                                                                          \
		"-", "-", "-", false                                                                                               \
	}
#define ARRIVED_AT_4                                                                                                               \
	{                                                                                                                          \
		"0.0.0.0", "-", "192.0.2.7", false                                                                                 \
	}
#define ARRIVED_AT_6                                                                                                               \
	{                                                                                                                          \
		"::", "-", "2001:db8::7", false                                                                                    \
	}

static const struct {
	const char *listener;
	struct expected_relay ipv4, ipv6;
} cases[] = {
	{"", ARRIVED_AT_4, ARRIVED_AT_6},
	{",\"address\":\"\"", ARRIVED_AT_4, ARRIVED_AT_6},
	{",\"address\":\"0.0.0.0\"", ARRIVED_AT_4, ARRIVED_AT_6},
	{",\"address\":\"::\"", ARRIVED_AT_4, ARRIVED_AT_6},
	{",\"address\":\"localhost\"", {"127.0.0.1", "-", "-", false}, ARRIVED_AT_6},
	{",\"address\":\"192.0.2.7\"", {"192.0.2.7", "-", "-", false}, ARRIVED_AT_6},
	{",\"address\":\"2001:db8::7\"", ARRIVED_AT_4, {"2001:db8::7", "-", "-", false}},
	/* Not this machine's: a node's address, behind a NAT. */
	{",\"address\":\"203.0.113.9\"", {"0.0.0.0", "203.0.113.9", "-", true}, ARRIVED_AT_6},
	{",\"address\":\"2001:db8::99\"", ARRIVED_AT_4, {"::", "2001:db8::99", "-", true}},
	/* 1:1 NAT. */
	{",\"advertised_address\":\"203.0.113.9\"", {"0.0.0.0", "203.0.113.9", "192.0.2.7", false}, ARRIVED_AT_6},
	{",\"relay_address\":\"192.0.2.7\",\"advertised_address\":\"203.0.113.9\"", {"192.0.2.7", "203.0.113.9", "-", false},
		NOT_OFFERED},
	{",\"address\":\"192.0.2.7\",\"advertised_address\":[\"203.0.113.9\",\"2001:db8::99\"]",
		{"192.0.2.7", "203.0.113.9", "-", false}, {"::", "2001:db8::99", "2001:db8::7", false}},
	{",\"address\":\"203.0.113.8\",\"advertised_address\":\"203.0.113.9\"", {"0.0.0.0", "203.0.113.9", "-", true},
		ARRIVED_AT_6},
	/* relay_address wins over address, and decides which families there are. */
	{",\"address\":\"203.0.113.8\",\"relay_address\":\"192.0.2.7\"", {"192.0.2.7", "-", "-", false}, NOT_OFFERED},
	{",\"relay_address\":\"0.0.0.0\"", ARRIVED_AT_4, NOT_OFFERED},
	{",\"relay_address\":[\"2001:db8::7\"]", NOT_OFFERED, {"2001:db8::7", "-", "-", false}},
	{",\"relay_address\":[\"192.0.2.7\",\"2001:db8::7\"]", {"192.0.2.7", "-", "-", false}, {"2001:db8::7", "-", "-", false}},
};

static void assert_addr(const char *listener, const char *what, const struct addr *addr, const char *expected)
{
	char text[ADDR_TEXT_SIZE] = "-";
	if (addr->family != ADDR_NONE)
		addr_format_ip(addr, text);
	cr_assert_str_eq(text, expected, "%s: %s is %s, not %s", listener, what, text, expected);
	cr_assert_eq(addr->port, 0);
}

static void assert_relay(const char *listener, const struct relay_address *relay, const struct expected_relay *expected)
{
	assert_addr(listener, "bind", &relay->bind, expected->bind);
	assert_addr(listener, "advertised", &relay->advertised, expected->advertised);
	assert_addr(listener, "fallback", &relay->fallback, expected->fallback);
	cr_assert_eq(relay->bind_wildcard, expected->wildcard, "%s", listener);
}

Test(config_listener, resolves_relay_addresses)
{
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config *c = config_rig_load(&rig, config_rig_native("", cases[i].listener, ""), NULL);
		assert_relay(cases[i].listener, &c->listeners[0].relay[RELAY_IPV4], &cases[i].ipv4);
		assert_relay(cases[i].listener, &c->listeners[0].relay[RELAY_IPV6], &cases[i].ipv6);
		config_free(c);
	}
}

Test(config_listener, offers_no_ipv6_where_the_machine_has_none)
{
	rig.no_ipv6 = true;
	struct config *c = config_rig_load(&rig, config_rig_native("", "", ""), NULL);
	cr_assert_eq(c->listeners[0].relay[RELAY_IPV4].bind.family, ADDR_IPV4);
	cr_assert_eq(c->listeners[0].relay[RELAY_IPV6].bind.family, ADDR_NONE);
	cr_assert_not(c->listeners[0].bind_given);
	config_free(c);
}

Test(config_listener, warns_of_a_relay_address_that_cannot_be_bound)
{
	struct config_problems problems = {0};
	struct config *c = config_rig_load(&rig, config_rig_native("", ",\"relay_address\":\"203.0.113.9\"", ""), &problems);
	cr_assert_not_null(c);
	cr_assert_eq(problems.kept, 1);
	cr_assert_str_eq(problems.list[0].text, "t.json: listeners[0].relay_address: 203.0.113.9 is not an address of this "
						"machine: allocations will fail; name one that is, "
						"and use advertised_address for the one that clients see");
	config_free(c);
}

Test(config_listener, binds_the_wildcard_of_both_families_or_exactly_what_is_given)
{
	struct addr any4 = addr_any(ADDR_IPV4, 3478), any6 = addr_any(ADDR_IPV6, 3478);
	struct config *c = config_rig_load(&rig, config_rig_native("", "", ""), NULL);
	cr_assert(addr_equal(&c->listeners[0].bind[RELAY_IPV4], &any4));
	cr_assert(addr_equal(&c->listeners[0].bind[RELAY_IPV6], &any6));
	config_free(c);
	c = config_rig_load(&rig, config_rig_native("", ",\"bind_address\":\"0.0.0.0\"", ""), NULL);
	cr_assert(addr_equal(&c->listeners[0].bind[RELAY_IPV4], &any4));
	cr_assert_eq(c->listeners[0].bind[RELAY_IPV6].family, ADDR_NONE);
	cr_assert(c->listeners[0].bind_given);
	config_free(c);
}

Test(config_listener, counts_the_sockets_that_have_queues_of_datagrams)
{
	static const struct {
		const char *listener;
		unsigned sockets;
	} counts[] = {
		{"", 2},
		{",\"bind_address\":\"192.0.2.7\"", 1},
		{",\"protocol\":\"tcp\"", 0},
	};
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct config *c = config_rig_load(&rig, config_rig_native("", counts[i].listener, ""), NULL);
		cr_expect_eq(
			config_datagram_sockets(c), counts[i].sockets, "%s: %u", counts[i].listener, config_datagram_sockets(c));
		/* Of those that retire the queues empty, and no other listener's buffer is made for their time. */
		c->listeners[1] = c->listeners[0];
		c->listeners[1].routes = NULL;
		c->retiring_count = 1;
		cr_expect_eq(config_datagram_sockets(c), counts[i].sockets);
		config_free(c);
	}
}

Test(config_listener, lets_listeners_share_a_port_on_different_addresses_only)
{
	static const struct {
		const char *first, *second;
		bool valid;
	} pairs[] = {
		{"192.0.2.7", "127.0.0.1", true},
		{"192.0.2.7", "192.0.2.7", false},
		{"192.0.2.7", "0.0.0.0", false},
		{"192.0.2.7", "::", true},
		{"::1", "::", false},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		char text[400];
		struct config_problems problems = {0};
		snprintf(text, sizeof text,
			"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"bind_address\":\"%s\"},"
			"{\"name\":\"b\",\"bind_address\":\"%s\"}]}",
			pairs[i].first, pairs[i].second);
		struct config *c = config_rig_load(&rig, text, &problems);
		cr_assert_eq(c != NULL, pairs[i].valid, "%s, %s", pairs[i].first, pairs[i].second);
		config_free(c);
	}
}

Test(config_listener, bounds_how_many_there_are)
{
	for (int count = CONFIG_LISTENERS_MAX; count <= CONFIG_LISTENERS_MAX + 1; count++) {
		static char text[16 << 10];
		struct config_problems problems = {0};
		size_t used =
			(size_t)snprintf(text, sizeof text, "{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[");
		for (int i = 0; i < count; i++)
			used += (size_t)snprintf(text + used, sizeof text - used, "%s{\"name\":\"%d\",\"port\":%d,\"routes\":[]}",
				i ? "," : "", i, i + 1);
		snprintf(text + used, sizeof text - used, "]}");
		struct config *c = config_rig_load(&rig, text, &problems);
		cr_assert_eq(c != NULL, count == CONFIG_LISTENERS_MAX);
		if (c == NULL)
			cr_assert_str_eq(problems.list[0].text, "t.json: listeners[32]: is one too many: use at most 32 listeners");
		config_free(c);
	}
}
