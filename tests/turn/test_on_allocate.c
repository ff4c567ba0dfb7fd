#include <criterion/criterion.h>

#include "turn_rig.h"

Test(on_allocate, gives_a_relayed_address_out_of_the_range)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	struct addr relayed = rig_reply_addr(rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct addr expected = addr_ipv4(192, 0, 2, 1, relayed.port);
	cr_assert(addr_equal(&relayed, &expected));
	cr_assert(relayed.port >= 10000 && relayed.port <= 20000);
	struct addr mapped = rig_reply_addr(rig, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_assert(addr_equal(&mapped, &client->flow.client));
	cr_assert_eq(rig_reply_u32(rig, STUN_ATTR_LIFETIME), 600);
	cr_assert_not(rig_reply_has(rig, STUN_ATTR_RESERVATION_TOKEN));
	const struct rig_socket *socket = rig_socket_at(rig, &relayed);
	cr_assert_not_null(socket);
	cr_assert(socket->receiving);
	cr_assert_eq(turn_allocation_count(rig->cores[0]), 1);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations), 1);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_total), 1);
	rig_free(rig);
}

Test(on_allocate, bounds_the_lifetime)
{
	static const struct {
		uint32_t asked, given;
	} cases[] = {{0, 600}, {1, 600}, {600, 600}, {1200, 1200}, {3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};
	struct rig *rig = rig_create();
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig_client *client = rig_client(rig, i + 1);
		struct rig_message message;
		rig_begin(&message, client, STUN_ALLOCATE);
		rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
		stun_build_u32(&message.builder, STUN_ATTR_LIFETIME, cases[i].asked);
		cr_assert_eq(rig_request(rig, client, &message), STUN_OK);
		cr_assert_eq(rig_reply_u32(rig, STUN_ATTR_LIFETIME), cases[i].given, "asked %u", cases[i].asked);
	}
	rig_free(rig);
}

Test(on_allocate, answers_a_retransmission_alike)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	client->fingerprint = true;
	cr_assert_eq(rig_allocate_even(rig, client, true), STUN_OK);
	uint8_t first[TURN_REPLY_SIZE_MAX];
	size_t size = rig->reply_bytes.size;
	memcpy(first, rig->reply_bytes.data, size);
	rig_pass_s(rig, 40);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_retransmit(rig, client), STUN_OK);
	cr_assert_eq(rig->reply_bytes.size, size);
	cr_assert_arr_eq(rig->reply_bytes.data, first, size, "byte for byte, token included");
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_allocate(rig, client), STUN_ALLOCATION_MISMATCH, "another transaction");
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(on_allocate, says_nothing_twice_while_the_socket_opens)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	rig->hold = true;
	cr_assert_eq(rig_allocate(rig, client), RIG_NO_ANSWER);
	cr_assert_eq(rig->verdict, ANSWERED);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_retransmit(rig, client), RIG_NO_ANSWER);
	cr_assert_eq(rig->verdict, DROP_IN_PROGRESS);
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_ALLOCATION_MISMATCH, "there is none yet");
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_ALLOCATION_MISMATCH);
	cr_assert_eq(rig_allocate(rig, client), STUN_ALLOCATION_MISMATCH);
	cr_assert_eq(rig_digest(rig), before);
	rig->replies = 0;
	rig_report(rig);
	cr_assert_eq(rig->replies, 1);
	cr_assert(rig_reply_has(rig, STUN_ATTR_XOR_RELAYED_ADDRESS));
	rig_free(rig);
}

/* Attributes of an Allocate that is refused. Type 0 ends. */
struct refusal {
	const char *name;
	int expected;
	struct {
		uint16_t type;
		uint8_t size;
		uint8_t value[8];
	} attributes[4];
};

/* clang-format off */
#define UDP {STUN_ATTR_REQUESTED_TRANSPORT, 4, {17}}
static const struct refusal refusals[] = {
	{"no transport", 400, {{0}}},
	{"transport of one byte", 400, {{STUN_ATTR_REQUESTED_TRANSPORT, 1, {17}}}},
	{"TCP", 442, {{STUN_ATTR_REQUESTED_TRANSPORT, 4, {6}}}},
	{"transport before token", 442, {{STUN_ATTR_REQUESTED_TRANSPORT, 4, {6}}, {STUN_ATTR_RESERVATION_TOKEN, 3, {0}}}},
	{"token of three bytes", 400, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 3, {0}}}},
	{"token and EVEN-PORT", 400, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 8, {0}}, {STUN_ATTR_EVEN_PORT, 1, {0}}}},
	{"token and family", 400, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 8, {0}}, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 4, {1}}}},
	{"token and additional family", 400, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 8, {0}}, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {2}}}},
	{"token of nobody", 508, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 8, {0, 1, 2, 3, 4, 5, 6, 7}}}},
	{"token of a shard that does not exist", 508, {UDP, {STUN_ATTR_RESERVATION_TOKEN, 8, {200, 1, 2, 3, 4, 5, 6, 7}}}},
	{"family and additional family", 400, {UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 4, {1}}, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {2}}}},
	{"unknown family and additional family", 400, {UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 4, {3}}, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {2}}}},
	{"family of two bytes", 400, {UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2, {1}}}},
	{"family that does not exist", 440, {UDP, {STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 4, {3}}}},
	{"IPv4 as additional family", 400, {UDP, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {1}}}},
	{"additional family that does not exist", 400, {UDP, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {9}}}},
	{"EVEN-PORT of four bytes", 400, {UDP, {STUN_ATTR_EVEN_PORT, 4, {0x80}}}},
	{"pair and additional family", 400, {UDP, {STUN_ATTR_EVEN_PORT, 1, {0x80}}, {STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 4, {2}}}},
	{"lifetime of eight bytes", 400, {UDP, {STUN_ATTR_LIFETIME, 8, {0}}}},
	{"unknown attribute", 420, {UDP, {0x7777, 4, {0}}}},
};
/* clang-format on */

static int allocate_refused(struct rig *rig, struct rig_client *client, const struct refusal *refusal)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	for (unsigned i = 0; i < 4 && refusal->attributes[i].type != 0; i++)
		stun_build_bytes(&message.builder, refusal->attributes[i].type,
			bytes_of(refusal->attributes[i].value, refusal->attributes[i].size));
	return rig_request(rig, client, &message);
}

Test(on_allocate, refuses_what_the_rfc_refuses_and_leaves_no_trace)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 2)), STUN_OK);
	uint64_t before = rig_digest(rig);
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
		int code = allocate_refused(rig, client, &refusals[i]);
		cr_assert_eq(code, refusals[i].expected, "%s: %d", refusals[i].name, code);
		cr_assert(rig_reply_signed(rig, client), "%s", refusals[i].name);
		cr_assert_eq(rig_digest(rig), before, "%s", refusals[i].name);
	}
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_refused_capacity), 0);
	rig_free(rig);
}

Test(on_allocate, understands_dont_fragment_and_even_port)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	stun_build_bytes(&message.builder, STUN_ATTR_DONT_FRAGMENT, bytes_of(NULL, 0));
	stun_build_u32(&message.builder, STUN_ATTR_CHANNEL_NUMBER, 0); /* known, and nothing here */
	cr_assert_eq(rig_request(rig, client, &message), STUN_OK);
	for (unsigned n = 2; n < 10; n++) {
		cr_assert_eq(rig_allocate_even(rig, rig_client(rig, n), false), STUN_OK);
		cr_assert_eq(rig_client(rig, n)->relayed.port % 2, 0);
		cr_assert_not(rig_client(rig, n)->has_token);
	}
	cr_assert_eq(rig_sockets_open(rig), 9);
	rig_free(rig);
}

Test(on_allocate, gives_the_family_that_is_asked_for)
{
	struct rig *rig = rig_create();
	cr_assert_eq(rig_allocate_family(rig, rig_client(rig, 1), STUN_FAMILY_IPV4), STUN_OK);
	cr_assert_eq(rig_client(rig, 1)->relayed.family, ADDR_IPV4);
	cr_assert_eq(rig_allocate_family(rig, rig_client(rig, 2), STUN_FAMILY_IPV6), STUN_OK);
	cr_assert_eq(rig_client(rig, 2)->relayed.family, ADDR_IPV6);
	rig_free(rig);
}

static void ipv6_only(struct turn_config *config)
{
	config->listeners[0].relay[RELAY_IPV4].bind.family = ADDR_NONE;
}

static void ipv4_only(struct turn_config *config)
{
	config->listeners[0].relay[RELAY_IPV6].bind.family = ADDR_NONE;
}

Test(on_allocate, refuses_a_family_that_the_listener_does_not_offer)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = ipv6_only});
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate_family(rig, client, STUN_FAMILY_IPV4), STUN_ADDRESS_FAMILY_NOT_SUPPORTED);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_allocate_family(rig, client, STUN_FAMILY_IPV6), STUN_OK);
	rig_free(rig);
	rig = rig_create_with(&(struct rig_options){.edit = ipv4_only});
	cr_assert_eq(rig_allocate_family(rig, rig_client(rig, 1), STUN_FAMILY_IPV6), STUN_ADDRESS_FAMILY_NOT_SUPPORTED);
	rig_free(rig);
}

Test(on_allocate, gives_what_there_is_to_clients_that_name_no_family)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(client->relayed.family, ADDR_IPV4);
	rig_free(rig);
	rig = rig_create_with(&(struct rig_options){.edit = ipv6_only});
	client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(client->relayed.family, ADDR_IPV6);
	rig_free(rig);
}

static int allocate_additional(struct rig *rig, struct rig_client *client)
{
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	rig_add_u8_24(&message, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, STUN_FAMILY_IPV6);
	return rig_request(rig, client, &message);
}

Test(on_allocate, gives_one_family_of_two_and_says_which_it_does_not_give)
{
	static const uint8_t no_ipv6[4] = {STUN_FAMILY_IPV6, 0, 4, 40}, no_ipv4[4] = {STUN_FAMILY_IPV4, 0, 4, 40};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(allocate_additional(rig, client), STUN_OK);
	cr_assert_eq(client->relayed.family, ADDR_IPV4);
	const struct stun_attribute *error = stun_view_find(&rig->reply, STUN_ATTR_ADDRESS_ERROR_CODE);
	cr_assert_not_null(error);
	cr_assert_arr_eq(stun_attribute_value(&rig->reply, error).data, no_ipv6, 4);
	rig_free(rig);

	rig = rig_create_with(&(struct rig_options){.edit = ipv6_only});
	client = rig_client(rig, 1);
	cr_assert_eq(allocate_additional(rig, client), STUN_OK);
	cr_assert_eq(client->relayed.family, ADDR_IPV6);
	error = stun_view_find(&rig->reply, STUN_ATTR_ADDRESS_ERROR_CODE);
	cr_assert_arr_eq(stun_attribute_value(&rig->reply, error).data, no_ipv4, 4);
	rig_free(rig);
}

Test(on_allocate, counts_quotas_exactly)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.user_max = 2});
	for (unsigned n = 1; n <= 2; n++)
		cr_assert_eq(rig_allocate(rig, rig_client(rig, n)), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 3)), STUN_ALLOCATION_QUOTA_REACHED);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_refresh(rig, rig_client(rig, 1), 0), STUN_OK);
	rig_fail(rig, 0, 1, RELAY_NO_RESOURCES);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 3)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig->held_quota, 1);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 3)), STUN_OK);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 4)), STUN_ALLOCATION_QUOTA_REACHED);
	rig_pass_s(rig, 601);
	cr_assert_eq(rig->held_quota, 0);
	rig_free(rig);
}

Test(on_allocate, refuses_beyond_the_total_with_486_and_beyond_the_core_with_508)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.total_max = 1});
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_OK);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 2)), STUN_ALLOCATION_QUOTA_REACHED);
	rig_free(rig);
	rig = rig_create_with(&(struct rig_options){.allocations_max = 1});
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 1)), STUN_OK);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, rig_client(rig, 2)), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->allocations_refused_capacity), 1);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

static void ephemeral(struct turn_config *config)
{
	config->auth.type = AUTH_EPHEMERAL;
}

Test(on_allocate, counts_a_users_time_limited_names_together)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.user_max = 1, .edit = ephemeral});
	static const char *const names[] = {"1700001000:alice", "1700001001:alice", "1700001000:bob"};
	static const int expected[] = {STUN_OK, STUN_ALLOCATION_QUOTA_REACHED, STUN_OK};
	for (unsigned i = 0; i < 3; i++) {
		struct rig_client *client = rig_client(rig, i + 1);
		char password[EPHEMERAL_PASSWORD_SIZE];
		credentials_ephemeral_password(bytes_of_string(names[i]), bytes_of_string("secret"), password);
		client->username = names[i];
		client->password = password;
		cr_assert_eq(rig_allocate(rig, client), expected[i], "%s", names[i]);
	}
	rig_free(rig);
}

Test(on_allocate, refuses_new_allocations_while_draining)
{
	struct rig *rig = rig_create();
	struct rig_client *old = rig_client(rig, 1), *new = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, old), STUN_OK);
	turn_drain(rig->cores[0]);
	cr_assert_eq(rig_retransmit(rig, old), STUN_OK, "that one exists already");
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, new), STUN_INSUFFICIENT_CAPACITY);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_refresh(rig, old, 600), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, old, 0x4000, rig_peer(1)), STUN_OK);
	rig_free(rig);
}

static void alternate(struct turn_config *config)
{
	config->alternate_server = addr_ipv4(192, 0, 2, 99, 3479);
}

Test(on_allocate, names_the_alternate_server_while_draining)
{
	static const uint8_t value[8] = {0, STUN_FAMILY_IPV4, 3479 >> 8, 3479 & 255, 192, 0, 2, 99};
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = alternate});
	struct rig_client *client = rig_client(rig, 1), *ipv6 = rig_client(rig, 2);
	ipv6->flow.client = rig_peer_ipv6(9);
	turn_drain(rig->cores[0]);
	cr_assert_eq(rig_allocate(rig, client), STUN_TRY_ALTERNATE);
	cr_assert(rig_reply_signed(rig, client));
	const struct stun_attribute *server = stun_view_find(&rig->reply, STUN_ATTR_ALTERNATE_SERVER);
	cr_assert_not_null(server);
	cr_assert_eq(server->size, sizeof value);
	cr_assert_arr_eq(stun_attribute_value(&rig->reply, server).data, value, sizeof value);
	cr_assert_eq(rig_allocate(rig, ipv6), STUN_INSUFFICIENT_CAPACITY, "that server is no use to it");
	rig_free(rig);
}
