/* What a tunnel needs of the client beyond what the loader does. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "client/turn_client.h"
#include "fake_server.h"
#include "wire/stun_build.h"

static const uint64_t START_NS = 1000 * NS_PER_S;

static struct turn_client client_with_a_channel(void)
{
	struct turn_client client;
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	cr_assert_not_null(peer);
	*peer = (struct turn_client_peer){.addr = addr_ipv4(192, 0, 2, 10, 7000), .channel = TURN_CLIENT_CHANNEL_MIN};
	turn_client_init(&client, FAKE_USER, FAKE_PASSWORD, peer, 1);
	return client;
}

static struct fake_message poll(struct turn_client *client, uint64_t now_ns, uint64_t *ret_wake_ns)
{
	struct fake_message message;
	message.size = turn_client_poll(client, now_ns, message.data, ret_wake_ns);
	return message;
}

static void make_ready(struct turn_client *client)
{
	uint64_t wake_ns;
	for (int i = 0; client->state != TURN_CLIENT_READY; i++) {
		struct fake_message request = poll(client, START_NS, &wake_ns);
		cr_assert_gt(request.size, 0);
		struct fake_message answer =
			i == 0 ? fake_error(&request, 401, "nonce") : fake_success(&request, FAKE_PASSWORD, 600);
		turn_client_receive(client, fake_bytes(&answer), START_NS);
		cr_assert_lt(i, 4);
	}
}

Test(turn_client_tunnel, sends_a_request_once_over_a_stream)
{
	struct turn_client client = client_with_a_channel();
	uint64_t wake_ns;
	client.reliable = true;
	cr_assert_gt(poll(&client, START_NS, &wake_ns).size, 0);
	cr_assert_eq(wake_ns, START_NS + 39500 * NS_PER_MS);
	cr_assert_eq(poll(&client, START_NS + 39 * NS_PER_S, &wake_ns).size, 0);
	cr_assert_eq(client.state, TURN_CLIENT_WORKING);
	cr_assert_eq(poll(&client, START_NS + 40 * NS_PER_S, &wake_ns).size, 0);
	cr_assert_eq(client.state, TURN_CLIENT_FAILED);
	cr_assert_eq(client.refusal, 0);
	turn_client_restart(&client);
	cr_assert(client.reliable);
	turn_client_done(&client);
}

Test(turn_client_tunnel, tells_how_long_a_request_has_been_unanswered)
{
	struct turn_client client = client_with_a_channel();
	uint64_t wake_ns;
	cr_assert_eq(turn_client_silence_ns(&client, START_NS), 0);
	poll(&client, START_NS, &wake_ns);
	cr_assert_eq(turn_client_silence_ns(&client, START_NS + 3 * NS_PER_S), 3 * NS_PER_S);
	turn_client_give_up(&client, START_NS + 4 * NS_PER_S);
	cr_assert_eq(turn_client_silence_ns(&client, START_NS + 9 * NS_PER_S), 0);
	turn_client_done(&client);
}

Test(turn_client_tunnel, checks_whether_the_server_still_knows_the_allocation)
{
	struct turn_client client = client_with_a_channel();
	uint64_t wake_ns;
	make_ready(&client);
	cr_assert_eq(poll(&client, START_NS, &wake_ns).size, 0);
	turn_client_check(&client);
	struct fake_message refresh = poll(&client, START_NS, &wake_ns);
	cr_assert_gt(refresh.size, 0);
	cr_assert_eq(fake_method(&refresh), STUN_REFRESH);
	struct fake_message unknown = fake_error(&refresh, 437, NULL);
	turn_client_receive(&client, fake_bytes(&unknown), START_NS);
	cr_assert_eq(client.state, TURN_CLIENT_FAILED);
	cr_assert_eq(client.refusal, 437);
	cr_assert_not(client.port_taken);
	turn_client_done(&client);
}

Test(turn_client_tunnel, keeps_the_number_of_the_error_that_ended_it)
{
	static const unsigned codes[] = {400, 403, 486, 500, 508};
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct turn_client client = client_with_a_channel();
		uint64_t wake_ns;
		struct fake_message request = poll(&client, START_NS, &wake_ns);
		struct fake_message answer = fake_error(&request, codes[i], NULL);
		turn_client_receive(&client, fake_bytes(&answer), START_NS);
		cr_expect_eq(client.refusal, codes[i]);
		cr_expect_eq(client.alternate.family, ADDR_NONE);
		turn_client_done(&client);
	}
}

/* RFC 8489, section 14.15: a plain address. */
static struct fake_message sent_elsewhere(const struct fake_message *request, const void *value, size_t size)
{
	struct fake_message answer;
	struct stun_builder b = stun_build(
		answer.data, sizeof answer.data, (enum stun_method)fake_method(request), STUN_ERROR_RESPONSE, request->data + 8);
	stun_build_error_code(&b, STUN_TRY_ALTERNATE, bytes_of_string("elsewhere"));
	stun_build_bytes(&b, STUN_ATTR_ALTERNATE_SERVER, bytes_of(value, size));
	answer.size = stun_build_end(&b).size;
	return answer;
}

static struct addr alternate_of(const void *value, size_t size)
{
	struct turn_client client = client_with_a_channel();
	uint64_t wake_ns;
	struct fake_message request = poll(&client, START_NS, &wake_ns);
	struct fake_message answer = sent_elsewhere(&request, value, size);
	turn_client_receive(&client, fake_bytes(&answer), START_NS);
	cr_assert_eq(client.state, TURN_CLIENT_FAILED);
	cr_assert_eq(client.refusal, 300);
	turn_client_done(&client);
	return client.alternate;
}

Test(turn_client_tunnel, tells_where_it_was_sent)
{
	static const uint8_t ipv4[] = {0, 1, 0x0d, 0x96, 192, 0, 2, 7};
	static const uint8_t ipv6[20] = {0, 2, 0x0d, 0x96, 0x20, 0x01, 0x0d, 0xb8, [19] = 7};
	struct addr addr = alternate_of(ipv4, sizeof ipv4), expected = addr_ipv4(192, 0, 2, 7, 3478);
	cr_expect(addr_equal(&addr, &expected));
	addr = alternate_of(ipv6, sizeof ipv6);
	expected = (struct addr){.family = ADDR_IPV6, .port = 3478, .ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 7}};
	cr_expect(addr_equal(&addr, &expected));
	cr_expect_eq(alternate_of(ipv4, 7).family, ADDR_NONE);
	cr_expect_eq(alternate_of(ipv6, 8).family, ADDR_NONE);
	cr_expect_eq(alternate_of(ipv6, 0).family, ADDR_NONE);
}
