#include <criterion/criterion.h>

#include "turn_rig.h"

static int permit(struct rig *rig, struct rig_client *client, const struct addr *peers, size_t count)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_CREATE_PERMISSION);
	for (size_t i = 0; i < count; i++)
		stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peers[i]);
	return rig_request(rig, client, &message);
}

static uint64_t permissions(const struct rig *rig)
{
	return counter_read(&turn_counters(rig->cores[0])->permissions);
}

static struct rig *rig_with_allocation(struct rig_client **ret_client)
{
	struct rig *rig = rig_create();
	*ret_client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, *ret_client), STUN_OK);
	return rig;
}

Test(on_create_permission, admits_all_peers_of_one_request)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	struct addr peers[LIMIT_PEERS_PER_REQUEST];
	for (unsigned i = 0; i < LIMIT_PEERS_PER_REQUEST; i++)
		peers[i] = rig_peer(i + 1);
	cr_assert_eq(rig_send(rig, client, peers[0], "x"), DROP_NO_PERMISSION);
	cr_assert_eq(permit(rig, client, peers, LIMIT_PEERS_PER_REQUEST), STUN_OK);
	cr_assert_eq(permissions(rig), LIMIT_PEERS_PER_REQUEST);
	for (unsigned i = 0; i < LIMIT_PEERS_PER_REQUEST; i++) {
		cr_assert_eq(rig_send(rig, client, peers[i], "x"), FORWARD_TO_PEER);
		cr_assert(addr_equal(&rig->forward.peer, &peers[i]));
		cr_assert_eq(rig->forward.cluster, 7);
		cr_assert_eq(rig_from_peer_text(rig, client, peers[i], "x"), FORWARD_TO_CLIENT);
	}
	rig_free(rig);
}

Test(on_create_permission, counts_a_peer_once_whatever_its_port)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	struct addr peers[3] = {rig_peer(1), addr_with_port(rig_peer(1), 9), rig_peer(1)};
	cr_assert_eq(permit(rig, client, peers, 3), STUN_OK);
	cr_assert_eq(permissions(rig), 1);
	cr_assert_eq(permit(rig, client, peers, 1), STUN_OK);
	cr_assert_eq(permissions(rig), 1);
	rig_free(rig);
}

Test(on_create_permission, admits_all_or_none)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	const struct {
		const char *name;
		struct addr bad;
		int expected;
	} cases[] = {
		{"no route", addr_ipv4(10, 0, 0, 1, 7000), STUN_FORBIDDEN},
		{"the server's loopback", addr_ipv4(127, 0, 0, 1, 7000), STUN_FORBIDDEN},
		{"another family", rig_peer_ipv6(1), STUN_PEER_ADDRESS_FAMILY_MISMATCH},
	};
	uint64_t before = rig_digest(rig);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (unsigned place = 0; place < 3; place++) {
			struct addr peers[3] = {rig_peer(1), rig_peer(2), rig_peer(3)};
			peers[place] = cases[i].bad;
			cr_assert_eq(permit(rig, client, peers, 3), cases[i].expected, "%s", cases[i].name);
			cr_assert_eq(rig_digest(rig), before, "%s", cases[i].name);
		}
	}
	rig_free(rig);
}

Test(on_create_permission, refuses_none_malformed_and_too_many)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(permit(rig, client, NULL, 0), STUN_BAD_REQUEST);
	struct addr peers[LIMIT_PEERS_PER_REQUEST + 1];
	for (unsigned i = 0; i <= LIMIT_PEERS_PER_REQUEST; i++)
		peers[i] = rig_peer(i);
	cr_assert_eq(permit(rig, client, peers, LIMIT_PEERS_PER_REQUEST + 1), STUN_INSUFFICIENT_CAPACITY);
	struct rig_message message;
	rig_begin(&message, client, STUN_CREATE_PERMISSION);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peers[0]);
	stun_build_bytes(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, bytes_of("\0\1\0\0\0\0", 6));
	cr_assert_eq(rig_request(rig, client, &message), STUN_BAD_REQUEST);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

/* 198.51.100.0/24 has 256 addresses: just as many as an allocation may have permissions. */
Test(on_create_permission, stops_at_the_limit_and_still_refreshes_what_there_is)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = 100});
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	for (unsigned i = 1; i < LIMIT_PERMISSIONS_PER_ALLOCATION; i++)
		cr_assert_eq(rig_create_permission(rig, client, rig_peer(i)), STUN_OK, "%u", i);
	struct addr twice[2] = {rig_peer(0), addr_with_port(rig_peer(0), 9)};
	cr_assert_eq(permit(rig, client, twice, 2), STUN_OK, "one more, named twice");
	cr_assert_eq(permissions(rig), LIMIT_PERMISSIONS_PER_ALLOCATION);
	uint64_t before = rig_digest(rig);
	struct addr peers[2] = {rig_peer(3), addr_ipv4(198, 18, 0, 1, 0)};
	cr_assert_eq(permit(rig, client, peers, 2), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, addr_ipv4(198, 18, 0, 1, 5000)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	rig_pass_s(rig, 100);
	for (unsigned i = 0; i < LIMIT_PERMISSIONS_PER_ALLOCATION; i++)
		cr_assert_eq(rig_create_permission(rig, client, rig_peer(i)), STUN_OK, "%u", i);
	rig_pass_s(rig, PERMISSION_LIFETIME_S - 1);
	cr_assert_eq(permissions(rig), LIMIT_PERMISSIONS_PER_ALLOCATION);
	rig_pass_s(rig, 2);
	cr_assert_eq(permissions(rig), 0);
	rig_free(rig);
}

Test(on_create_permission, is_bounded_by_what_the_core_has_for_all)
{
	enum { GREEDY = LIMIT_TABLE_MIN / LIMIT_PERMISSIONS_PER_ALLOCATION };
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = GREEDY + 1});
	for (unsigned c = 0; c < GREEDY; c++) {
		struct rig_client *client = rig_client(rig, c + 1);
		cr_assert_eq(rig_allocate(rig, client), STUN_OK);
		for (unsigned i = 0; i < LIMIT_PERMISSIONS_PER_ALLOCATION; i += LIMIT_PEERS_PER_REQUEST) {
			struct addr peers[LIMIT_PEERS_PER_REQUEST];
			for (unsigned p = 0; p < LIMIT_PEERS_PER_REQUEST; p++)
				peers[p] = rig_peer(i + p);
			cr_assert_eq(permit(rig, client, peers, LIMIT_PEERS_PER_REQUEST), STUN_OK);
		}
	}
	struct rig_client *other = rig_client(rig, GREEDY + 1);
	cr_assert_eq(rig_allocate(rig, other), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_create_permission(rig, other, rig_peer(1)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(on_create_permission, of_one_client_cannot_take_all_that_a_small_relay_has)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = 2});
	struct rig_client *greedy = rig_client(rig, 1), *other = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, greedy), STUN_OK);
	cr_assert_eq(rig_allocate(rig, other), STUN_OK);
	for (unsigned i = 0; i < LIMIT_PERMISSIONS_PER_ALLOCATION; i++)
		cr_assert_eq(rig_create_permission(rig, greedy, rig_peer(i)), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, other, rig_peer(1)), STUN_OK);
	rig_free(rig);
}

Test(on_create_permission, expires_to_the_second)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_pass_s(rig, 200);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_pass_ns(rig, PERMISSION_LIFETIME_S * NS_PER_S - 1);
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), FORWARD_TO_PEER);
	rig->now.mono_ns += 1; /* before the timer has a chance */
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	rig_pass_ns(rig, 20 * NS_PER_MS);
	cr_assert_eq(permissions(rig), 0);
	rig_free(rig);
}

Test(on_create_permission, sending_does_not_prolong)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	for (unsigned i = 0; i < 3; i++) {
		rig_pass_s(rig, 99);
		cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), FORWARD_TO_PEER);
	}
	rig_pass_s(rig, 4);
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	rig_free(rig);
}

Test(on_create_permission, works_over_ipv6)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = 100});
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate_family(rig, client, STUN_FAMILY_IPV6), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_PEER_ADDRESS_FAMILY_MISMATCH);
	for (unsigned n = 0; n < 20; n++)
		cr_assert_eq(rig_create_permission(rig, client, rig_peer_ipv6(n)), STUN_OK);
	for (unsigned n = 0; n < 20; n++)
		cr_assert_eq(rig_send(rig, client, rig_peer_ipv6(n), "x"), FORWARD_TO_PEER);
	cr_assert_eq(rig_send(rig, client, rig_peer_ipv6(20), "x"), DROP_NO_PERMISSION);
	rig_free(rig);
}

Test(on_create_permission, sees_through_ipv6_forms_of_forbidden_addresses)
{
	static const char *const forms[] = {"::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1", "::1", "::"};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate_family(rig, client, STUN_FAMILY_IPV6), STUN_OK);
	uint64_t before = rig_digest(rig);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		struct addr peer;
		cr_assert(addr_parse_ip(forms[i], &peer));
		int code = rig_create_permission(rig, client, addr_with_port(peer, 80));
		cr_assert(code == STUN_FORBIDDEN || code == STUN_PEER_ADDRESS_FAMILY_MISMATCH, "%s: %d", forms[i], code);
		code = rig_channel_bind(rig, client, 0x4000, addr_with_port(peer, 80));
		cr_assert(code == STUN_FORBIDDEN || code == STUN_PEER_ADDRESS_FAMILY_MISMATCH, "%s: %d", forms[i], code);
		cr_assert_eq(rig_digest(rig), before);
	}
	rig_free(rig);
}
