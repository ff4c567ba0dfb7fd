#include <criterion/criterion.h>

#include "base/wheel.h"
#include "turn_rig.h"

static const struct turn_counters *counters(const struct rig *rig)
{
	return turn_counters(rig->cores[0]);
}

/* --- expiry --- */

Test(turn, ends_an_allocation_to_the_second)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t empty = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	rig_pass_s(rig, 400);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	rig_pass_ns(rig, 200 * NS_PER_S - 1);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), FORWARD_TO_CLIENT);
	cr_assert_leq(turn_deadline_ns(rig->cores[0]), rig->now.mono_ns + 1 + WHEEL_TICK_NS);
	rig->now.mono_ns += 1; /* before the timer has a chance */
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_ALLOCATION);
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), DROP_NO_ALLOCATION);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), DROP_NO_ALLOCATION);
	rig->closes = 0;
	rig_pass_ns(rig, 20 * NS_PER_MS);
	cr_assert_eq(rig->closes, 1);
	cr_assert_eq(rig_sockets_open(rig), 0);
	cr_assert_eq(rig_digest(rig), empty);
	cr_assert_eq(counter_read(&counters(rig)->allocations_expired), 1);
	cr_assert_eq(counter_read(&counters(rig)->allocations), 0);
	cr_assert_eq(turn_deadline_ns(rig->cores[0]), WHEEL_NEVER, "nothing to wait for");
	rig_free(rig);
}

Test(turn, gives_the_5_tuple_to_a_client_that_comes_back_the_moment_it_expires)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig->now.mono_ns += 600 * NS_PER_S; /* no timer has fired */
	rig->closes = 0;
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig->closes, 1);
	cr_assert_eq(rig_sockets_open(rig), 1);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 1);
	cr_assert_eq(counter_read(&counters(rig)->allocations_expired), 1);
	cr_assert_eq(rig_send(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	rig_free(rig);
}

Test(turn, expires_many_in_rounds_that_fit_the_effects)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.allocations_max = RIG_CLIENTS});
	for (unsigned n = 1; n < RIG_CLIENTS; n++) {
		cr_assert_eq(rig_allocate(rig, rig_client(rig, n)), STUN_OK);
		cr_assert_eq(rig_channel_bind(rig, rig_client(rig, n), 0x4000, rig_peer(n)), STUN_OK);
	}
	rig->now.mono_ns += 601 * NS_PER_S;
	unsigned rounds = 0;
	while (turn_expire(rig->cores[0], &rig->now, &rig->out)) {
		turn_check(rig->cores[0]);
		cr_assert_leq(rig->out.effect_count, TURN_EFFECTS_MAX);
		rounds++;
	}
	cr_assert_gt(rounds, 1);
	rig->out.effect_count = 0;
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 0);
	cr_assert_eq(rig_ports_live(rig), 0);
	cr_assert_eq(rig->held_quota, 0);
	rig_free(rig);
}

/* --- flows --- */

Test(turn, tells_flows_apart_by_every_part_of_the_5_tuple)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	struct flow own = client->flow;
	for (unsigned part = 0; part < 5; part++) {
		client->flow = own;
		if (part == 0)
			client->flow.client.port++;
		else if (part == 1)
			client->flow.client.ip[3]++;
		else if (part == 2)
			client->flow.local.port++;
		else if (part == 3)
			client->flow.local.ip[3]++;
		else
			client->flow.listener++;
		cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_ALLOCATION, "part %u", part);
	}
	client->flow = own;
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER);
	rig_free(rig);
}

Test(turn, keeps_flows_apart_however_their_packets_interleave)
{
	struct rig *rig = rig_create();
	for (unsigned n = 1; n <= 8; n++) {
		cr_assert_eq(rig_allocate(rig, rig_client(rig, n)), STUN_OK);
		cr_assert_eq(rig_channel_bind(rig, rig_client(rig, n), 0x4000, rig_peer(n)), STUN_OK);
	}
	for (unsigned i = 0; i < 100; i++) {
		unsigned n = i * i % 8 + 1;
		struct addr peer = rig_peer(n);
		cr_assert_eq(rig_channel_data(rig, rig_client(rig, n), 0x4000, "x"), FORWARD_TO_PEER);
		cr_assert(addr_equal(&rig->forward.peer, &peer));
		cr_assert_eq(rig_from_peer_text(rig, rig_client(rig, n), peer, "x"), FORWARD_TO_CLIENT);
		cr_assert(flow_equal(rig->forward.flow, &rig_client(rig, n)->flow));
	}
	rig_free(rig);
}

/* --- configuration --- */

static void set_password(struct turn_config *config, const char *realm, const char *password)
{
	strcpy(config->auth.realm, realm);
	credentials_key(
		bytes_of_string(config->auth.username), bytes_of_string(realm), bytes_of_string(password), config->auth.key);
}

Test(turn, keeps_calls_through_a_change_of_credentials)
{
	struct rig *rig = rig_create();
	struct rig_client *old = rig_client(rig, 1), *new = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, old), STUN_OK);
	struct turn_config *config = rig_config_copy(rig);
	set_password(config, "stunner.l7mp.io", "changed");
	rig_configure(rig, config, false);
	rig_pass_s(rig, 1);
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	cr_assert(rig_reply_signed(rig, old), "with the key that it was made with");
	cr_assert_eq(rig_channel_bind(rig, old, 0x4000, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_allocate(rig, new), STUN_UNAUTHENTICATED);
	new->password = "changed";
	cr_assert_eq(rig_allocate(rig, new), STUN_OK);
	old->password = "changed";
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK, "the new password is the same user's");
	cr_assert(rig_reply_signed(rig, old));
	rig_free(rig);
}

Test(turn, keeps_calls_through_a_change_of_realm)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	struct turn_config *config = rig_config_copy(rig);
	set_password(config, "example.org", "pass");
	rig_configure(rig, config, false);
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_OK, "with the realm that it was made with");
	client->realm = "example.org";
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_OK, "with the new one");
	client->realm = "example.net";
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_UNAUTHENTICATED);
	rig_free(rig);
}

Test(turn, keeps_calls_when_authentication_is_switched_off)
{
	struct rig *rig = rig_create();
	struct rig_client *old = rig_client(rig, 1), *new = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, old), STUN_OK);
	struct turn_config *config = rig_config_copy(rig);
	config->auth.type = AUTH_NONE;
	rig_configure(rig, config, false);
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	cr_assert_eq(rig_allocate(rig, new), STUN_FORBIDDEN);
	old->password = "guess";
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_FORBIDDEN);
	rig_free(rig);
}

static struct turn_config *without_ipv4_route(const struct rig *rig)
{
	struct turn_config *config = rig_config_copy(rig);
	peer_policy_unref(config->listeners[0].policy);
	config->listeners[0].policy = rig_policy(true);
	return config;
}

Test(turn, lets_a_removed_route_run_out_with_its_permissions)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	rig_configure(rig, without_ipv4_route(rig), false);
	rig_pass_s(rig, 100);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER);
	cr_assert_eq(rig_send(rig, client, addr_with_port(rig_peer(1), 1), "x"), FORWARD_TO_PEER, "asked again: the old routes");
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_FORBIDDEN);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_FORBIDDEN);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(2)), STUN_FORBIDDEN);
	cr_assert_eq(rig_digest(rig), before);
	rig_pass_s(rig, 199);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER);
	rig_pass_s(rig, 1);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_PERMISSION);
	rig_free(rig);
}

Test(turn, takes_new_routes_at_once)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	rig_configure(rig, without_ipv4_route(rig), false);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_FORBIDDEN);
	struct turn_config *config = rig_config_copy(rig);
	peer_policy_unref(config->listeners[0].policy);
	config->listeners[0].policy = rig_policy(false);
	rig_configure(rig, config, false);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_free(rig);
}

Test(turn, cuts_removed_routes_when_told_to_revoke)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, addr_ipv4(198, 18, 0, 1, 0)), STUN_OK);
	rig_configure(rig, without_ipv4_route(rig), true);
	rig_pass_ns(rig, 0);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_PERMISSION);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	cr_assert_eq(rig_send(rig, client, addr_ipv4(198, 18, 0, 1, 5000), "x"), FORWARD_TO_PEER, "what is still allowed stays");
	cr_assert_eq(counter_read(&counters(rig)->allocations), 1);
	rig_free(rig);
}

static struct turn_config *with_port_7000_only(const struct rig *rig)
{
	struct turn_config *config = rig_config_copy(rig);
	struct addr peers = addr_ipv4(198, 18, 0, 0, 0);
	peer_policy_unref(config->listeners[0].policy);
	config->listeners[0].policy = peer_policy_create();
	cr_assert_eq(peer_policy_allow(config->listeners[0].policy, &peers, 16, 7000, 7000, 9), 0);
	peer_policy_seal(config->listeners[0].policy);
	return config;
}

Test(turn, holds_what_stays_to_the_new_ports_when_told_to_revoke)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct addr peer = addr_ipv4(198, 18, 0, 1, 5000);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, peer), STUN_OK);
	rig_configure(rig, with_port_7000_only(rig), false);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER);
	rig_configure(rig, with_port_7000_only(rig), true);
	rig_pass_ns(rig, 0);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_PEER_REFUSED);
	cr_assert_eq(rig_send(rig, client, addr_with_port(peer, 7000), "x"), FORWARD_TO_PEER);
	rig_free(rig);
}

Test(turn, cuts_allocations_whose_credentials_are_revoked)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t empty = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_OK);
	rig_configure(rig, rig_config_copy(rig), true);
	rig_pass_ns(rig, 0);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), FORWARD_TO_PEER, "nothing changed for it");
	struct turn_config *config = rig_config_copy(rig);
	set_password(config, "stunner.l7mp.io", "changed");
	rig_configure(rig, config, true);
	cr_assert_leq(turn_deadline_ns(rig->cores[0]), rig->now.mono_ns + WHEEL_TICK_NS);
	cr_assert_eq(rig_channel_data(rig, client, 0x4000, "x"), DROP_NO_ALLOCATION);
	rig_pass_ns(rig, 20 * NS_PER_MS);
	cr_assert_eq(rig_digest(rig), empty);
	rig_free(rig);
}

Test(turn, does_not_open_what_was_revoked_while_it_opened)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t empty = rig_digest(rig);
	rig->hold = true;
	rig_allocate(rig, client);
	struct turn_config *config = rig_config_copy(rig);
	set_password(config, "stunner.l7mp.io", "changed");
	rig_configure(rig, config, true);
	rig->replies = 0;
	rig_report(rig);
	cr_assert_eq(rig->replies, 0);
	cr_assert_eq(rig_digest(rig), empty);
	rig_free(rig);
}

static void ephemeral(struct turn_config *config)
{
	config->auth.type = AUTH_EPHEMERAL;
}

Test(turn, judges_time_limited_credentials_by_their_secret_when_told_to_revoke)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = ephemeral});
	struct rig_client *client = rig_client(rig, 1);
	char password[EPHEMERAL_PASSWORD_SIZE];
	credentials_ephemeral_password(bytes_of_string("1700000001:alice"), bytes_of_string("secret"), password);
	client->username = "1700000001:alice";
	client->password = password;
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	rig_pass_s(rig, 60);
	rig_configure(rig, rig_config_copy(rig), true);
	rig_pass_s(rig, 1);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 1, "its age does not matter");
	struct turn_config *config = rig_config_copy(rig);
	strcpy(config->auth.secrets[0], "another");
	strcpy(config->auth.secrets[1], "secret");
	rig_configure(rig, config, true);
	rig_pass_s(rig, 1);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 1, "the secret is accepted still");
	config = rig_config_copy(rig);
	memset(config->auth.secrets[1], 0, sizeof config->auth.secrets[1]);
	rig_configure(rig, config, true);
	rig_pass_s(rig, 1);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 0);
	rig_free(rig);
}

/* --- looking inside --- */

Test(turn, finds_allocations_by_user_and_by_client)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = ephemeral});
	static const char *const names[] = {"1700001000:alice", "1700002000:alice", "1700001000:bob"};
	for (unsigned i = 0; i < 3; i++) {
		char password[EPHEMERAL_PASSWORD_SIZE];
		credentials_ephemeral_password(bytes_of_string(names[i]), bytes_of_string("secret"), password);
		rig_client(rig, i + 1)->username = names[i];
		rig_client(rig, i + 1)->password = password;
		cr_assert_eq(rig_allocate(rig, rig_client(rig, i + 1)), STUN_OK);
	}
	rig_pass_s(rig, 7);
	struct allocation_info infos[3];
	const struct turn *t = rig->cores[0];
	cr_assert_eq(turn_find_allocations(t, NULL, NULL, &rig->now, infos, 3), 3);
	cr_assert_eq(turn_find_allocations(t, NULL, NULL, &rig->now, infos, 1), 3, "how many there are, not how many fit");
	cr_assert_eq(turn_find_allocations(t, "alice", NULL, &rig->now, infos, 3), 2);
	cr_assert_eq(turn_find_allocations(t, "carol", NULL, &rig->now, infos, 3), 0);
	cr_assert_eq(turn_find_allocations(t, names[1], NULL, &rig->now, infos, 3), 1);
	cr_assert_str_eq(infos[0].username, names[1]);
	cr_assert_eq(infos[0].age_s, 7);
	cr_assert_eq(infos[0].lifetime_left_s, 593);
	cr_assert(addr_equal(&infos[0].relayed, &rig_client(rig, 2)->relayed));

	struct addr client = rig_client(rig, 3)->flow.client, none = {.family = ADDR_NONE};
	cr_assert_eq(turn_find_allocations(t, NULL, &client, &rig->now, infos, 3), 1);
	client.port = 0;
	cr_assert_eq(turn_find_allocations(t, NULL, &client, &rig->now, infos, 3), 1);
	cr_assert_str_eq(infos[0].username, names[2]);
	client.port = 1;
	cr_assert_eq(turn_find_allocations(t, NULL, &client, &rig->now, infos, 3), 0);
	cr_assert_eq(turn_find_allocations(t, "bob", &none, &rig->now, infos, 3), 1);
	rig_free(rig);
}

static unsigned error_place(int code)
{
	unsigned i = 0;
	while (turn_error_codes[i] != 0 && turn_error_codes[i] != code)
		i++;
	cr_assert_eq(turn_error_codes[i], code, "%d is not counted", code);
	return i;
}

Test(turn, counts_requests_verdicts_and_errors_once)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_ALLOCATION_MISMATCH);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(counter_read(&counters(rig)->requests[STUN_ALLOCATE]), 2, "the challenge and the request");
	cr_assert_eq(counter_read(&counters(rig)->requests[STUN_REFRESH]), 1);
	cr_assert_eq(counter_read(&counters(rig)->errors[error_place(401)]), 1);
	cr_assert_eq(counter_read(&counters(rig)->errors[error_place(437)]), 1);
	cr_assert_eq(counter_read(&counters(rig)->verdicts[ANSWERED]), 3);
	uint64_t all = 0;
	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		all += counter_read(&counters(rig)->verdicts[v]);
	cr_assert_eq(all, 3);
	rig_free(rig);
}

Test(turn, counts_every_error_code_it_can_answer)
{
	static const uint16_t codes[] = {300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 486, 500, 508};
	for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++)
		error_place(codes[i]);
	cr_assert_eq(turn_error_codes[sizeof codes / sizeof *codes], 0);
}

Test(turn, gives_everything_back_when_it_is_freed)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.cores = 2});
	for (unsigned n = 1; n <= 4; n++) {
		cr_assert_eq(rig_allocate_even(rig, rig_client(rig, n), true), STUN_OK);
		cr_assert_eq(rig_channel_bind(rig, rig_client(rig, n), 0x4000, rig_peer(n)), STUN_OK);
	}
	rig->hold = true;
	rig_allocate(rig, rig_client(rig, 5));
	cr_assert_eq(rig_ports_live(rig), 9);
	cr_assert_eq(rig->held_quota, 5);
	rig_free(rig); /* asserts that ports and quota came back */
}
