#include <criterion/criterion.h>

#include "turn_rig.h"

Test(reservation, gives_the_next_port_to_whoever_brings_the_token)
{
	struct rig *rig = rig_create();
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2), *late = rig_client(rig, 3);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	cr_assert_eq(rig_allocate_reserved(rig, rtcp, rtp->token), STUN_OK);
	struct addr expected = addr_with_port(rtp->relayed, rtp->relayed.port + 1);
	cr_assert(addr_equal(&rtcp->relayed, &expected));
	cr_assert(rig_socket_at(rig, &expected)->receiving);
	cr_assert_eq(rig_sockets_open(rig), 2);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->reservations), 0);
	cr_assert_eq(rig_create_permission(rig, rtcp, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_from_peer_text(rig, rtcp, rig_peer(1), "x"), FORWARD_TO_CLIENT);

	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate_reserved(rig, late, rtp->token), STUN_INSUFFICIENT_CAPACITY, "once only");
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_refresh(rig, rtcp, 0), STUN_OK);
	cr_assert_eq(rig_ports_live(rig), 1);
	rig_free(rig);
}

Test(reservation, reaches_across_shards)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.cores = 2});
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2);
	cr_assert_neq(rtp->core, rtcp->core);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	cr_assert_eq(rtp->token[0], rtp->core);
	cr_assert_eq(rig_allocate_reserved(rig, rtcp, rtp->token), STUN_OK);
	cr_assert_eq(rtcp->relayed.port, rtp->relayed.port + 1);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[rtp->core])->reservations), 0);
	cr_assert_eq(turn_allocation_count(rig->cores[rtcp->core]), 1);

	cr_assert_eq(rig_refresh(rig, rtp, 0), STUN_OK);
	cr_assert_eq(rig_ports_live(rig), 1, "the claimed port is the other core's");
	cr_assert_eq(rig_create_permission(rig, rtcp, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_from_peer_text(rig, rtcp, rig_peer(1), "x"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig_refresh(rig, rtcp, 0), STUN_OK);
	cr_assert_eq(rig_ports_live(rig), 0);
	cr_assert_eq(rig_sockets_open(rig), 0);
	rig_free(rig);
}

static void behind_nat(struct turn_config *config)
{
	config->listeners[0].relay[RELAY_IPV4].bind = addr_ipv4(10, 0, 0, 7, 0);
	config->listeners[0].relay[RELAY_IPV4].advertised = addr_ipv4(192, 0, 2, 200, 0);
}

Test(reservation, is_known_by_the_advertised_address)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.cores = 2, .edit = behind_nat});
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	cr_assert_eq(rig_allocate_reserved(rig, rtcp, rtp->token), STUN_OK);
	struct addr expected = addr_ipv4(192, 0, 2, 200, (uint16_t)(rtp->relayed.port + 1));
	cr_assert(addr_equal(&rtcp->relayed, &expected));
	rig_free(rig);
}

Test(reservation, answers_a_retransmitted_claim_alike)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.cores = 2});
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	cr_assert_eq(rig_allocate_reserved(rig, rtcp, rtp->token), STUN_OK);
	struct addr relayed = rtcp->relayed;
	cr_assert_eq(rig_retransmit(rig, rtcp), STUN_OK);
	struct addr again = rig_reply_addr(rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	cr_assert(addr_equal(&again, &relayed));
	rig_free(rig);
}

Test(reservation, expires_after_30_seconds_and_outlives_its_allocation)
{
	struct rig *rig = rig_create();
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	cr_assert_eq(rig_refresh(rig, rtp, 0), STUN_OK);
	rig_pass_s(rig, RESERVATION_LIFETIME_S - 1);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->reservations), 1);
	cr_assert_eq(rig_sockets_open(rig), 1);
	rig_pass_ns(rig, NS_PER_S + 2 * NS_PER_MS * 16);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->reservations), 0);
	cr_assert_eq(rig_sockets_open(rig), 0);
	cr_assert_eq(rig_ports_live(rig), 0);
	cr_assert_eq(rig_allocate_reserved(rig, rtcp, rtp->token), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig->held_quota, 0);
	rig_free(rig);
}

Test(reservation, is_bounded)
{
	enum { ALLOCATIONS = 80, RESERVATIONS = ALLOCATIONS / LIMIT_ALLOCATIONS_PER_RESERVATION + 1 };
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = ALLOCATIONS});
	struct rig_client *client = rig_client(rig, 1);
	for (unsigned i = 0; i < RESERVATIONS; i++) {
		cr_assert_eq(rig_allocate_even(rig, client, true), STUN_OK);
		cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
	}
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate_even(rig, client, true), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_allocate_even(rig, client, false), STUN_OK);
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_OK);
	rig_pass_s(rig, RESERVATION_LIFETIME_S + 1);
	cr_assert_eq(rig_ports_live(rig), 0);
	cr_assert_eq(rig_sockets_open(rig), 0);
	rig_free(rig);
}

Test(reservation, closes_a_claimed_socket_that_comes_too_late)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.cores = 2});
	struct rig_client *rtp = rig_client(rig, 1), *rtcp = rig_client(rig, 2);
	cr_assert_eq(rig_allocate_even(rig, rtp, true), STUN_OK);
	rig_pass_s(rig, 1);
	rig->hold = true;
	rig_allocate_reserved(rig, rtcp, rtp->token);
	/* The claiming core's clock runs ahead: only its request times out. */
	struct moment later = {.mono_ns = rig->now.mono_ns + OPENING_LIFETIME_S * NS_PER_S + NS_PER_S, .wall_s = rig->now.wall_s};
	while (turn_expire(rig->cores[rtcp->core], &later, &rig->out))
		;
	rig->out.effect_count = 0;
	cr_assert_eq(turn_allocation_count(rig->cores[rtcp->core]), 0);
	rig->replies = 0;
	rig_report(rig);
	cr_assert_eq(rig->replies, 0);
	cr_assert_eq(rig_sockets_open(rig), 1);
	cr_assert_eq(rig_ports_live(rig), 1);
	turn_check(rig->cores[rtcp->core]);
	rig_free(rig);
}

Test(reservation, forgets_a_late_claim_that_fails)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	static const uint8_t token[RESERVATION_TOKEN_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7};
	rig->hold = true;
	rig_allocate_reserved(rig, client, token);
	rig_pass_s(rig, OPENING_LIFETIME_S + 1);
	rig->replies = 0;
	rig_report(rig);
	cr_assert_eq(rig->replies, 0);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}
