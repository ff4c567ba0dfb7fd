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

#define CLASSIC_ID "0123456789abcdef"

static int classic(struct rig *rig, struct rig_client *client, const char *bytes, size_t size)
{
	return rig_datagram(rig, client, bytes_of(bytes, size));
}

Test(on_binding, answers_a_client_of_rfc_3489_as_that_would_have_it)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(classic(rig, client, "\0\1\0\0" CLASSIC_ID, 20), STUN_OK);
	cr_assert_eq(rig->verdict, ANSWERED);
	static const char answer[] = "\x01\x01\x00\x0c" CLASSIC_ID "\x00\x01\x00\x08\x00\x01\x9c\x41\xcb\x00\x71\x01";
	cr_assert_eq(rig->reply_bytes.size, sizeof answer - 1);
	cr_assert_arr_eq(rig->reply_bytes.data, answer, sizeof answer - 1);
	cr_assert(flow_equal(&rig->reply_flow, &client->flow));
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->requests_classic), 1);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->requests[STUN_BINDING]), 0);

	client->flow.client = rig_peer_ipv6(1);
	cr_assert_eq(classic(rig, client, "\0\1\0\0" CLASSIC_ID, 20), STUN_OK);
	cr_assert_eq(rig->reply_bytes.size, 44);
	cr_assert_eq(rig->reply_bytes.data[25], STUN_FAMILY_IPV6);
	cr_assert_arr_eq(rig->reply_bytes.data + 28, client->flow.client.ip, 16);
	rig_free(rig);
}

Test(on_binding, answers_rfc_3489_from_no_other_address_and_to_no_other)
{
	static const struct {
		const char *name, *attributes;
		size_t size;
		const char *unknown; /* NULL: none; twice, since RFC 3489 has no padding */
	} cases[] = {
		{"change nothing", "\0\3\0\4\0\0\0\0", 8, NULL},
		{"change the address", "\0\3\0\4\0\0\0\4", 8, "\0\3\0\3"},
		{"change the port", "\0\3\0\4\0\0\0\2", 8, "\0\3\0\3"},
		{"change what", "\0\3\0\0", 4, "\0\3\0\3"},
		{"answer somebody else", "\0\2\0\x08\0\1\0\1\1\2\3\4", 12, "\0\2\0\2"},
		{"both", "\0\3\0\4\0\0\0\4\0\2\0\x08\0\1\0\1\1\2\3\4", 20, "\0\3\0\2"},
	};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char request[64] = "\0\1\0";
		request[3] = (char)cases[i].size;
		memcpy(request + 4, CLASSIC_ID, 16);
		memcpy(request + 20, cases[i].attributes, cases[i].size);
		int code = classic(rig, client, request, 20 + cases[i].size);
		cr_assert_eq(code, cases[i].unknown == NULL ? STUN_OK : STUN_UNKNOWN_ATTRIBUTE, "%s", cases[i].name);
		cr_assert(flow_equal(&rig->reply_flow, &client->flow), "%s", cases[i].name);
		cr_assert_arr_eq(rig->reply_bytes.data + 4, CLASSIC_ID, 16);
		cr_assert_leq(rig->reply_bytes.size, 36);
		if (cases[i].unknown == NULL)
			continue;
		const struct stun_attribute *unknown = stun_view_find(&rig->reply, STUN_ATTR_UNKNOWN_ATTRIBUTES);
		cr_assert_eq(unknown->size, 4, "%s", cases[i].name);
		cr_assert_arr_eq(stun_attribute_value(&rig->reply, unknown).data, cases[i].unknown, 4);
	}
	rig_free(rig);
}

Test(on_binding, knows_no_change_request_beside_the_cookie)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_BINDING);
	stun_build_u32(&message.builder, STUN_ATTR_CHANGE_REQUEST, 0);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNKNOWN_ATTRIBUTE);
	rig_free(rig);
}

static void few_refusals(struct turn_config *config)
{
	config->unauth.burst = 5;
	config->unauth.per_s = 1;
}

Test(on_binding, limits_refusals_of_rfc_3489_like_others)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = few_refusals});
	struct rig_client *client = rig_client(rig, 1);
	unsigned refused = 0;
	for (unsigned n = 0; n < 20; n++)
		refused += classic(rig, client, "\0\1\0\4" CLASSIC_ID "\x7f\0\0\0", 24) == STUN_UNKNOWN_ATTRIBUTE;
	cr_assert_eq(refused, 5);
	cr_assert_eq(rig->verdict, DROP_UNAUTH_LIMIT);
	rig_free(rig);
}

Test(on_binding, wants_the_cookie_over_connections)
{
	static const struct {
		enum transport transport;
		int code;
	} cases[] = {{TRANSPORT_TCP, RIG_NO_ANSWER}, {TRANSPORT_TLS, RIG_NO_ANSWER}, {TRANSPORT_DTLS, STUN_SERVER_ERROR}};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	client->flow.connection = 1;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		client->flow.transport = (uint16_t)cases[i].transport;
		cr_assert_eq(classic(rig, client, "\0\1\0\0" CLASSIC_ID, 20), cases[i].code);
	}
	cr_assert_arr_eq(rig->reply_bytes.data + 4, CLASSIC_ID, 16);
	rig_free(rig);
}
