#include <criterion/criterion.h>

#include "turn_rig.h"

static struct rig *rig_with_allocation(struct rig_client **ret_client)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = 100});
	*ret_client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, *ret_client), STUN_OK);
	return rig;
}

Test(on_channel_bind, binds_and_permits)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	struct addr peer = rig_peer(1);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, peer), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "hi"), FORWARD_TO_PEER);
	cr_assert(addr_equal(&rig->forward.peer, &peer));
	cr_assert_eq(rig->forward.payload.size, 2);
	cr_assert_arr_eq(rig->payload, "hi", 2);
	cr_assert_eq(rig->bindings[BINDING_ADDED], 1);
	cr_assert_eq(rig->binding.channel, 0x4001);
	cr_assert(addr_equal(&rig->binding.peer, &peer));
	cr_assert(addr_equal(&rig->binding.relayed, &client->relayed));
	cr_assert(flow_equal(&rig->binding.flow, &client->flow));
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), FORWARD_TO_PEER);
	rig_free(rig);
}

Test(on_channel_bind, takes_every_number_of_the_range_and_no_other)
{
	static const struct {
		uint16_t number;
		int expected;
	} cases[] = {
		{0x0000, 400}, {0x3FFF, 400}, {0x4000, 0}, {0x4FFF, 0}, {0x5000, 0}, {0x7FFF, 0}, {0x8000, 400}, {0xFFFF, 400}};
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_assert_eq(rig_channel_bind(rig, client, cases[i].number, rig_peer(i)), cases[i].expected, "%x", cases[i].number);
	rig_free(rig);
}

Test(on_channel_bind, refuses_a_number_already_bound_to_another_peer)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	struct addr peer = rig_peer(1);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, peer), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(2)), STUN_BAD_REQUEST);
	cr_assert_eq(
		rig_channel_bind(rig, client, 0x4001, addr_with_port(peer, 9)), STUN_BAD_REQUEST, "same IP address, other port");
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "hi"), FORWARD_TO_PEER);
	cr_assert(addr_equal(&rig->forward.peer, &peer));
	rig_free(rig);
}

Test(on_channel_bind, refuses_a_peer_already_bound_to_another_number)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4002, rig_peer(2)), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4003, rig_peer(1)), STUN_BAD_REQUEST);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4002, rig_peer(1)), STUN_BAD_REQUEST, "both taken, apart");
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(
		rig_channel_bind(rig, client, 0x4003, addr_with_port(rig_peer(1), 9)), STUN_OK, "another port is another peer");
	rig_free(rig);
}

Test(on_channel_bind, refuses_what_is_missing_malformed_or_forbidden_and_leaves_no_trace)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	struct addr peer = rig_peer(1);
	struct rig_message message;
	uint64_t before = rig_digest(rig);
	rig_begin(&message, client, STUN_CHANNEL_BIND);
	stun_build_u32(&message.builder, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	cr_assert_eq(rig_request(rig, client, &message), STUN_BAD_REQUEST);
	rig_begin(&message, client, STUN_CHANNEL_BIND);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	cr_assert_eq(rig_request(rig, client, &message), STUN_BAD_REQUEST);
	rig_begin(&message, client, STUN_CHANNEL_BIND);
	stun_build_bytes(&message.builder, STUN_ATTR_CHANNEL_NUMBER, bytes_of("\x40\0", 2));
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	cr_assert_eq(rig_request(rig, client, &message), STUN_BAD_REQUEST);

	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, addr_with_port(peer, 0)), STUN_FORBIDDEN, "port 0");
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer_ipv6(1)), STUN_PEER_ADDRESS_FAMILY_MISMATCH);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, addr_ipv4(10, 0, 0, 1, 80)), STUN_FORBIDDEN);
	cr_assert_eq(
		rig_channel_bind(rig, client, 0x4000, addr_ipv4(198, 18, 0, 1, 4999)), STUN_FORBIDDEN, "beside the port range");
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, addr_ipv4(198, 18, 0, 1, 5000)), STUN_OK);
	rig_free(rig);
}

Test(on_channel_bind, needs_an_allocation)
{
	struct rig *rig = rig_create();
	cr_assert_eq(rig_channel_bind(rig, rig_client(rig, 1), 0x4000, rig_peer(1)), STUN_ALLOCATION_MISMATCH);
	rig_free(rig);
}

Test(on_channel_bind, refreshes_channel_and_permission)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
	rig_pass_s(rig, 250);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig->bindings[BINDING_REFRESHED], 1);
	rig_pass_s(rig, 299);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "x"), FORWARD_TO_PEER);
	rig_pass_s(rig, 1);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "x"), DROP_NO_PERMISSION, "the channel lives, its permission does not");
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "x"), FORWARD_TO_PEER);
	rig_free(rig);
}

Test(on_channel_bind, expires_to_the_second_and_frees_number_and_peer)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
	rig_pass_s(rig, 299);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_pass_s(rig, 200);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_pass_ns(rig, 101 * NS_PER_S - 1);
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "x"), FORWARD_TO_PEER);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header_size, 4);
	rig->now.mono_ns += 1; /* before the timer has a chance */
	cr_assert_eq(rig_channel_data(rig, client, 0x4001, "x"), DROP_NO_CHANNEL);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header_size, 36, "a Data indication now");
	cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(2)), STUN_OK, "the number is free");
	cr_assert_eq(rig->bindings[BINDING_REMOVED], 1);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4002, rig_peer(1)), STUN_OK, "so is the peer");
	rig_free(rig);
}

Test(on_channel_bind, announces_what_goes)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	for (uint16_t i = 0; i < 3; i++)
		cr_assert_eq(rig_channel_bind(rig, client, 0x4000 + i, rig_peer(i)), STUN_OK);
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
	cr_assert_eq(rig->bindings[BINDING_ADDED], 3);
	cr_assert_eq(rig->bindings[BINDING_REMOVED], 3);
	rig_free(rig);
}

Test(on_channel_bind, stops_at_the_limit_and_finds_every_channel)
{
	struct rig_client *client;
	struct rig *rig = rig_with_allocation(&client);
	for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ALLOCATION; i++)
		cr_assert_eq(rig_channel_bind(rig, client, (uint16_t)(0x4000 + i), rig_peer(i)), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4FFF, addr_with_port(rig_peer(1), 9)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	for (unsigned i = 0; i < LIMIT_CHANNELS_PER_ALLOCATION; i++) {
		struct addr peer = rig_peer(i);
		cr_assert_eq(rig_channel_data(rig, client, (uint16_t)(0x4000 + i), "x"), FORWARD_TO_PEER);
		cr_assert(addr_equal(&rig->forward.peer, &peer));
		cr_assert_eq(rig_from_peer_text(rig, client, peer, "x"), FORWARD_TO_CLIENT);
		cr_assert_eq(rig->forward.header[0] << 8 | rig->forward.header[1], 0x4000 + (int)i);
		cr_assert_eq(rig_channel_bind(rig, client, (uint16_t)(0x4000 + i), peer), STUN_OK);
	}
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->channels), 0);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->permissions), 0);
	rig_free(rig);
}
