#include <criterion/criterion.h>

#include "turn_rig.h"

Test(on_refresh, prolongs_within_the_bounds)
{
	static const struct {
		uint32_t asked, given;
	} cases[] = {{1, 600}, {600, 600}, {601, 601}, {3600, 3600}, {UINT32_MAX, 3600}};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(rig_refresh(rig, client, cases[i].asked), STUN_OK);
		cr_assert_eq(rig_reply_u32(rig, STUN_ATTR_LIFETIME), cases[i].given);
		struct allocation_info info;
		cr_assert_eq(turn_find_allocations(rig->cores[0], NULL, NULL, &rig->now, &info, 1), 1);
		cr_assert_eq(info.lifetime_left_s, cases[i].given);
	}
	struct rig_message message;
	rig_begin(&message, client, STUN_REFRESH);
	cr_assert_eq(rig_request(rig, client, &message), STUN_OK);
	cr_assert_eq(rig_reply_u32(rig, STUN_ATTR_LIFETIME), 600, "without LIFETIME");
	rig_free(rig);
}

Test(on_refresh, to_zero_frees_the_5_tuple_at_once)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t empty = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
	cr_assert_eq(rig_reply_u32(rig, STUN_ATTR_LIFETIME), 0);
	cr_assert_eq(rig->closes, 1);
	cr_assert_eq(rig_digest(rig), empty);
	cr_assert_eq(rig_retransmit(rig, client), STUN_ALLOCATION_MISMATCH);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_ALLOCATION);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_CHANNEL, "nothing is left of the first");
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_expired), 0);
	rig_free(rig);
}

static int refresh_family(struct rig *rig, struct rig_client *client, struct bytes family, uint32_t lifetime_s)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_REFRESH);
	stun_build_u32(&message.builder, STUN_ATTR_LIFETIME, lifetime_s);
	stun_build_bytes(&message.builder, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, family);
	return rig_request(rig, client, &message);
}

Test(on_refresh, refuses_another_family_and_leaves_no_trace)
{
	static const uint8_t ipv4[4] = {1}, ipv6[4] = {2}, none[4] = {3};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	rig_pass_s(rig, 10);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(refresh_family(rig, client, bytes_of(ipv6, 4), 0), STUN_PEER_ADDRESS_FAMILY_MISMATCH);
	cr_assert_eq(refresh_family(rig, client, bytes_of(none, 4), 0), STUN_PEER_ADDRESS_FAMILY_MISMATCH);
	cr_assert_eq(refresh_family(rig, client, bytes_of(ipv4, 3), 0), STUN_BAD_REQUEST);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(refresh_family(rig, client, bytes_of(ipv4, 4), 0), STUN_OK);
	rig_free(rig);
}

Test(on_refresh, refuses_a_malformed_lifetime)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	uint64_t before = rig_digest(rig);
	struct rig_message message;
	rig_begin(&message, client, STUN_REFRESH);
	stun_build_bytes(&message.builder, STUN_ATTR_LIFETIME, bytes_of("\0\0", 2));
	cr_assert_eq(rig_request(rig, client, &message), STUN_BAD_REQUEST);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(on_refresh, needs_an_allocation)
{
	struct rig *rig = rig_create();
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_refresh(rig, rig_client(rig, 2), 600), STUN_ALLOCATION_MISMATCH);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}
