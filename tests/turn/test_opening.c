#include <criterion/criterion.h>

#include "turn_rig.h"

static struct addr ip(const char *text)
{
	struct addr addr;
	cr_assert(addr_parse_ip(text, &addr), "%s", text);
	return addr;
}

/* --- ports --- */

static void five_ports(struct turn_config *config)
{
	config->listeners[0].port_min = 10001;
	config->listeners[0].port_max = 10005;
}

Test(opening, finds_every_port_of_a_small_range_and_then_answers_508)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = five_ports});
	bool seen[5] = {false};
	for (unsigned n = 1; n <= 5; n++) {
		cr_assert_eq(rig_allocate(rig, rig_client(rig, n)), STUN_OK);
		seen[rig_client(rig, n)->relayed.port - 10001] = true;
	}
	for (unsigned i = 0; i < 5; i++)
		cr_assert(seen[i], "port %u", 10001 + i);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 6)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert(rig_reply_signed(rig, rig_client(rig, 6)));
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_refused_capacity), 1);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_refresh(rig, rig_client(rig, 3), 0), STUN_OK);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 6)), STUN_OK, "the port that became free");
	rig_free(rig);
}

Test(opening, goes_around_ports_that_other_programs_hold)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = five_ports});
	memset(rig->taken, 1, sizeof rig->taken);
	rig->taken[10004] = 0;
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_OK);
	cr_assert_eq(rig_client(rig, 1)->relayed.port, 10004);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 2)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(opening, tries_a_bounded_number_of_ports)
{
	struct rig *rig = rig_create();
	uint64_t before = rig_digest(rig);
	memset(rig->taken, 1, sizeof rig->taken);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig->opens, LIMIT_PORT_TRIES + LIMIT_PORT_SEARCH);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(opening, tries_different_ports)
{
	struct rig *rig = rig_create();
	rig_fail(rig, 0, 3, RELAY_PORT_TAKEN);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_OK);
	cr_assert_eq(rig->opens, 4);
	cr_assert_eq(rig_ports_live(rig), 1);
	rig_free(rig);
}

Test(opening, chooses_ports_that_do_not_follow_from_one_another)
{
	struct rig *rig = rig_create();
	int64_t step = 0;
	bool steady = true;
	for (unsigned n = 1; n <= 8; n++) {
		cr_assert_eq(rig_allocate(rig, rig_client(rig, n)), STUN_OK);
		int64_t this_step = n == 1 ? 0 : (int64_t)rig_client(rig, n)->relayed.port - rig_client(rig, n - 1)->relayed.port;
		steady &= n <= 2 || this_step == step;
		step = this_step;
	}
	cr_assert_not(steady);
	rig_free(rig);
}

Test(opening, answers_508_when_the_machine_has_no_socket_or_no_such_address)
{
	static const enum relay_failure failures[] = {RELAY_NO_RESOURCES, RELAY_NO_ADDRESS};
	struct rig *rig = rig_create();
	for (unsigned i = 0; i < 2; i++) {
		uint64_t before = rig_digest(rig);
		rig_fail(rig, 0, 1, failures[i]);
		cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_INSUFFICIENT_CAPACITY);
		cr_assert_eq(rig->opens, 1);
		cr_assert_eq(rig_digest(rig), before);
	}
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_refused_capacity), 1, "a wrong address is no bound");
	rig_free(rig);
}

Test(opening, forgets_a_request_whose_socket_never_opens)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	rig->hold = true;
	rig_allocate(rig, client);
	rig_pass_s(rig, OPENING_LIFETIME_S + 1);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 0);
	cr_assert_eq(rig_ports_live(rig), 0);
	rig->replies = 0;
	rig_report(rig);
	cr_assert_eq(rig->replies, 0);
	cr_assert_eq(rig_sockets_open(rig), 0, "a socket that opens too late is closed");
	cr_assert_eq(rig_digest(rig), before);
	rig->hold = false;
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	rig_free(rig);
}

Test(opening, ignores_reports_about_earlier_tenants)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	uint64_t before = rig_digest(rig);
	static const struct relay_ref stale[] = {{0, 77}, {1, 0}, {1000000, 0}};
	struct addr bound = addr_ipv4(192, 0, 2, 1, 10000);
	for (unsigned i = 0; i < 3; i++) {
		turn_relay_opened(rig->cores[0], stale[i], &bound, &rig->now, &rig->out);
		cr_assert_eq(rig->out.effect_count, 1);
		cr_assert_eq(rig->out.effects[0].kind, EFFECT_CLOSE_RELAY);
		cr_assert_eq(rig->out.effects[0].relay.index, stale[i].index);
		cr_assert_eq(rig->out.effects[0].relay.generation, stale[i].generation);
		turn_relay_failed(rig->cores[0], stale[i], RELAY_PORT_TAKEN, &rig->now, &rig->out);
		cr_assert_eq(rig->out.effect_count, 0);
	}
	rig->out.effect_count = 0;
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

/* --- EVEN-PORT --- */

Test(opening, opens_an_even_port_and_keeps_the_next)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = 100});
	for (unsigned n = 1; n <= 8; n++) {
		struct rig_client *client = rig_client(rig, n);
		cr_assert_eq(rig_allocate_even(rig, client, true), STUN_OK);
		cr_assert(client->has_token);
		cr_assert_eq(client->token[0], 0, "the shard");
		cr_assert_eq(client->relayed.port % 2, 0);
		struct addr next = addr_with_port(client->relayed, client->relayed.port + 1);
		const struct rig_socket *socket = rig_socket_at(rig, &next);
		cr_assert_not_null(socket);
		cr_assert_not(socket->receiving);
	}
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->reservations), 8);
	rig_free(rig);
}

Test(opening, gives_both_ports_up_when_either_is_taken)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	for (unsigned first = 0; first < 2; first++) {
		rig_fail(rig, first, 1, RELAY_PORT_TAKEN);
		cr_assert_eq(rig_allocate_even(rig, client, true), STUN_OK);
		cr_assert_eq(rig->opens, first + 3);
		cr_assert_eq(rig_sockets_open(rig), 2);
		cr_assert_eq(rig_ports_live(rig), 2);
		cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
		rig_pass_s(rig, RESERVATION_LIFETIME_S + 1);
		cr_assert_eq(rig_ports_live(rig), 0);
	}
	rig_free(rig);
}

Test(opening, leaks_nothing_when_half_of_a_pair_cannot_be_had)
{
	static const enum relay_failure failures[] = {RELAY_NO_RESOURCES, RELAY_NO_ADDRESS, RELAY_PORT_TAKEN};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned first = 0; first < 2; first++) {
			rig_fail(rig, first, 10000, failures[i]);
			cr_assert_eq(rig_allocate_even(rig, client, true), STUN_INSUFFICIENT_CAPACITY);
			cr_assert_eq(rig_sockets_open(rig), 0);
			cr_assert_eq(rig_digest(rig), before);
		}
	}
	rig_free(rig);
}

Test(opening, leaks_nothing_when_half_of_a_pair_comes_too_late)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	rig->hold = true;
	rig_allocate_even(rig, client, true);
	cr_assert_eq(rig->held_count, 1, "the upper port is asked for once the lower one is open");
	rig->closes = 0;
	rig_pass_s(rig, OPENING_LIFETIME_S + 1);
	cr_assert_eq(rig->closes, 1, "and what was not asked for needs no closing");
	rig_report(rig);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

static void odd_range(struct turn_config *config)
{
	config->listeners[0].port_min = 10001;
	config->listeners[0].port_max = 10004;
}

Test(opening, keeps_pairs_inside_of_the_range)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = odd_range});
	cr_assert_eq(rig_allocate_even(rig, rig_client(rig, 1), true), STUN_OK);
	cr_assert_eq(rig_client(rig, 1)->relayed.port, 10002, "10004 has no upper half");
	cr_assert_eq(rig_allocate_even(rig, rig_client(rig, 2), true), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_allocate_even(rig, rig_client(rig, 2), false), STUN_OK);
	cr_assert_eq(rig_client(rig, 2)->relayed.port, 10004);
	rig_free(rig);
}

/* --- addresses --- */

struct address_case {
	const char *name;
	const char *bind, *advertised, *fallback; /* NULL: ADDR_NONE */
	bool wildcard;
	const char *local;
	int expected;
	const char *bound, *told;
};

static const struct address_case address_cases[] = {
	{"a fixed address", "192.0.2.7", NULL, NULL, false, "192.0.2.1", 0, "192.0.2.7", "192.0.2.7"},
	{"1:1 NAT", "10.0.0.7", "192.0.2.200", NULL, false, "10.0.0.7", 0, "10.0.0.7", "192.0.2.200"},
	{"any: as arrived", "0.0.0.0", NULL, NULL, false, "192.0.2.33", 0, "192.0.2.33", "192.0.2.33"},
	{"any: as arrived, behind NAT", "0.0.0.0", "192.0.2.200", NULL, false, "10.0.0.7", 0, "10.0.0.7", "192.0.2.200"},
	{"any: over IPv6 loopback", "0.0.0.0", NULL, NULL, false, "::1", 0, "127.0.0.1", "127.0.0.1"},
	{"any: over IPv6", "0.0.0.0", NULL, "192.0.2.44", false, "2001:db8::1", 0, "192.0.2.44", "192.0.2.44"},
	{"any: arrived nobody knows where", "0.0.0.0", NULL, "192.0.2.44", false, "0.0.0.0", 0, "192.0.2.44", "192.0.2.44"},
	{"any: over IPv6, no fallback", "0.0.0.0", NULL, NULL, false, "2001:db8::1", 440, NULL, NULL},
	{"wildcard", "0.0.0.0", "192.0.2.200", NULL, true, "10.0.0.7", 0, "0.0.0.0", "192.0.2.200"},
	{"wildcard, nothing advertised", "0.0.0.0", NULL, NULL, true, "10.0.0.7", 0, "0.0.0.0", "10.0.0.7"},
	{"not offered", NULL, NULL, NULL, false, "192.0.2.1", 440, NULL, NULL},
};

static const struct address_case *present_case;

static void edit_address(struct turn_config *config)
{
	struct relay_address *relay = &config->listeners[0].relay[RELAY_IPV4];
	*relay = (struct relay_address){.bind_wildcard = present_case->wildcard};
	if (present_case->bind != NULL)
		relay->bind = ip(present_case->bind);
	if (present_case->advertised != NULL)
		relay->advertised = ip(present_case->advertised);
	if (present_case->fallback != NULL)
		relay->fallback = ip(present_case->fallback);
}

Test(opening, chooses_the_address_to_bind_and_to_tell)
{
	for (size_t i = 0; i < sizeof address_cases / sizeof *address_cases; i++) {
		const struct address_case *c = present_case = &address_cases[i];
		struct rig *rig = rig_create_with(&(struct rig_options){.edit = edit_address});
		struct rig_client *client = rig_client(rig, 1);
		client->flow.local = addr_with_port(ip(c->local), 3478);
		cr_assert_eq(rig_allocate_family(rig, client, STUN_FAMILY_IPV4), c->expected, "%s", c->name);
		if (c->expected == 0) {
			struct addr bound = addr_with_port(ip(c->bound), client->relayed.port), told = ip(c->told);
			cr_assert(addr_ip_equal(&client->relayed, &told), "%s", c->name);
			cr_assert_not_null(rig_socket_at(rig, &bound), "%s", c->name);
		}
		rig_free(rig);
	}
}
