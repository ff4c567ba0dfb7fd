#include <criterion/criterion.h>

#include "turn_rig.h"

static int binding(struct rig *rig, struct rig_client *client)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_BINDING);
	return rig_request_unsigned(rig, client, &message);
}

Test(on_binding, answers_a_bare_request_with_the_mapped_address_and_nothing_else)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(binding(rig, client), STUN_OK);
	cr_assert_eq(rig->verdict, ANSWERED);
	cr_assert_eq(rig->sent.size, 20);
	cr_assert_leq(rig->reply_bytes.size, 32);
	cr_assert_eq(rig->reply.attribute_count, 1);
	struct addr mapped = rig_reply_addr(rig, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_assert(addr_equal(&mapped, &client->flow.client));
	cr_assert(flow_equal(&rig->reply_flow, &client->flow));
	cr_assert_arr_eq(stun_view_transaction_id(&rig->reply), rig->sent.data + 8, STUN_TRANSACTION_ID_SIZE);
	rig_free(rig);
}

Test(on_binding, answers_over_ipv6)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	client->flow.client = rig_peer_ipv6(1);
	client->flow.local = rig_peer_ipv6(2);
	cr_assert_eq(binding(rig, client), STUN_OK);
	struct addr mapped = rig_reply_addr(rig, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_assert(addr_equal(&mapped, &client->flow.client));
	rig_free(rig);
}

Test(on_binding, has_a_fingerprint_if_and_only_if_the_request_has_one)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(binding(rig, client), STUN_OK);
	cr_assert_not(rig->reply.has_fingerprint);
	client->fingerprint = true;
	cr_assert_eq(binding(rig, client), STUN_OK);
	cr_assert(rig->reply.has_fingerprint);
	rig_free(rig);
}

static void no_authentication(struct turn_config *config)
{
	config->auth.type = AUTH_NONE;
}

Test(on_binding, works_without_credentials_and_ignores_a_signature)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = no_authentication});
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(binding(rig, client), STUN_OK);
	client->challenged = true;
	client->realm = "somewhere";
	struct rig_message message;
	rig_begin(&message, client, STUN_BINDING);
	cr_assert_eq(rig_request(rig, client, &message), STUN_OK);
	cr_assert_not(rig_reply_has(rig, STUN_ATTR_MESSAGE_INTEGRITY));
	cr_assert_not(rig_reply_has(rig, STUN_ATTR_SOFTWARE));
	rig_free(rig);
}

Test(on_binding, names_each_unknown_attribute_once_at_once)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_BINDING);
	stun_build_u32(&message.builder, 0x0024, 1); /* PRIORITY: of ICE, not of a server */
	stun_build_u32(&message.builder, 0x7777, 1);
	stun_build_u32(&message.builder, 0x0024, 2);
	stun_build_u32(&message.builder, 0x8777, 1); /* may be ignored */
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNKNOWN_ATTRIBUTE);
	const struct stun_attribute *unknown = stun_view_find(&rig->reply, STUN_ATTR_UNKNOWN_ATTRIBUTES);
	cr_assert_not_null(unknown);
	cr_assert_eq(unknown->size, 4);
	static const uint8_t types[4] = {0x00, 0x24, 0x77, 0x77};
	cr_assert_arr_eq(stun_attribute_value(&rig->reply, unknown).data, types, 4);
	rig_free(rig);
}

Test(on_binding, ignores_known_attributes_that_mean_nothing_here)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_BINDING);
	stun_build_u32(&message.builder, STUN_ATTR_CHANNEL_NUMBER, 0x40000000);
	stun_build_u32(&message.builder, STUN_ATTR_LIFETIME, 0);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_OK);
	rig_free(rig);
}
