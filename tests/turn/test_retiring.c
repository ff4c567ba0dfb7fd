/*
 * What a reload takes away goes slowly: listeners that retire, realms that change.
 */
#include <criterion/criterion.h>

#include "turn_rig.h"
#include "turn_state.h"

static struct rig *rig;
static struct rig_client *old, *new;

static void open_rig(void)
{
	rig = rig_create();
	old = rig_client(rig, 1);
	new = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, old), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, old, 0x4000, rig_peer(1)), STUN_OK);
}

static void close_rig(void)
{
	turn_check(rig->cores[0]);
	rig_free(rig);
}

TestSuite(retiring, .init = open_rig, .fini = close_rig);

static uint64_t held(void)
{
	return counter_read(&turn_counters(rig->cores[0])->listener_allocations[0]);
}

static void retire(bool removed, bool revoke)
{
	struct turn_config *config = rig_config_copy(rig);
	config->listeners[0].retiring = true;
	if (removed) {
		peer_policy_unref(config->listeners[0].policy);
		config->listeners[0].policy = NULL;
	}
	rig_configure(rig, config, revoke);
	rig_pass_ns(rig, 0);
}

Test(retiring, a_replaced_listener_serves_what_it_has_and_takes_nothing_new)
{
	retire(false, false);
	cr_assert_eq(rig_allocate(rig, new), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, old, 0x4000, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, old, rig_peer(2)), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, old, 0x4000, "x"), FORWARD_TO_PEER);
}

Test(retiring, sends_new_clients_to_the_alternate_server)
{
	struct turn_config *config = rig_config_copy(rig);
	config->listeners[0].retiring = true;
	config->alternate_server = addr_ipv4(192, 0, 2, 77, 3478);
	rig_configure(rig, config, false);
	cr_assert_eq(rig_allocate(rig, new), STUN_TRY_ALTERNATE);
}

Test(retiring, answers_a_repeated_allocate_as_before)
{
	struct rig_client *client = rig_client(rig, 3);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	retire(false, false);
	cr_assert_eq(rig_retransmit(rig, client), STUN_OK);
}

Test(retiring, a_removed_listener_runs_out_with_its_permissions)
{
	retire(true, false);
	cr_assert_eq(rig_create_permission(rig, old, rig_peer(1)), STUN_FORBIDDEN);
	cr_assert_eq(rig_channel_bind(rig, old, 0x4000, rig_peer(1)), STUN_FORBIDDEN);
	cr_assert_eq(rig_channel_data(rig, old, 0x4000, "x"), FORWARD_TO_PEER);
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	rig_pass_s(rig, PERMISSION_LIFETIME_S);
	cr_assert_eq(rig_channel_data(rig, old, 0x4000, "x"), DROP_NO_PERMISSION);
}

Test(retiring, revoke_ends_the_calls_of_a_removed_listener)
{
	retire(true, true);
	cr_assert_eq(held(), 0);
}

Test(retiring, revoke_leaves_those_of_a_replaced_one)
{
	retire(false, true);
	cr_assert_eq(held(), 1);
	cr_assert_eq(rig_channel_data(rig, old, 0x4000, "x"), FORWARD_TO_PEER);
}

Test(retiring, counts_who_is_left)
{
	cr_assert_eq(held(), 1);
	rig->hold = true;
	(void)rig_allocate(rig, new);
	cr_assert_eq(held(), 2, "one is being opened");
	rig->hold = false;
	rig_report(rig);
	cr_assert_eq(rig_refresh(rig, new, 0), STUN_OK);
	cr_assert_eq(held(), 1);
	cr_assert_eq(rig_refresh(rig, old, 0), STUN_OK);
	cr_assert_eq(held(), 0);
}

/* --- realms --- */

static void change_realm(const char *realm)
{
	struct turn_config *config = rig_config_copy(rig);
	strcpy(config->auth.realm, realm);
	credentials_key(bytes_of_string(config->auth.username), bytes_of_string(realm), bytes_of_string("other"), config->auth.key);
	rig_configure(rig, config, false);
}

/* The realm that a client is told to compute its key with. */
static void is_told(struct rig_client *client, enum stun_method method, const char *realm)
{
	struct rig_message message;
	rig_begin(&message, client, method);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNAUTHENTICATED);
	const struct stun_attribute *attribute = stun_view_find(&rig->reply, STUN_ATTR_REALM);
	cr_assert_not_null(attribute);
	struct bytes told = stun_attribute_value(&rig->reply, attribute);
	cr_assert(bytes_equal(told, bytes_of_string(realm)), "%.*s, not %s", (int)told.size, (const char *)told.data, realm);
}

Test(retiring, a_call_is_challenged_with_the_realm_that_it_was_made_with)
{
	change_realm("one");
	is_told(old, STUN_REFRESH, "stunner.l7mp.io");
	is_told(new, STUN_ALLOCATE, "one");
	change_realm("two");
	is_told(old, STUN_REFRESH, "stunner.l7mp.io");
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	new->realm = "two";
	new->password = "other";
	cr_assert_eq(rig_allocate(rig, new), STUN_OK);
	change_realm("three");
	is_told(new, STUN_REFRESH, "two");
	is_told(old, STUN_REFRESH, "stunner.l7mp.io");
}

Test(retiring, remembers_as_many_realms_as_there_is_room_for)
{
	static const char *const realms[] = {"one", "two", "three", "four"};
	for (unsigned i = 0; i < EARLIER_REALMS; i++)
		change_realm(realms[i]);
	is_told(old, STUN_REFRESH, "stunner.l7mp.io");
	change_realm("five");
	is_told(old, STUN_REFRESH, "five");
}
