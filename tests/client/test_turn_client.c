#include "client/turn_client.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fake_server.h"

enum { START_S = 1000 };

struct bench {
	struct turn_client client;
	uint64_t now_ns, wake_ns;
};

static uint64_t seconds(double s)
{
	return (uint64_t)(s * (double)NS_PER_S);
}

static struct addr peer_addr(unsigned index)
{
	return addr_ipv4(192, 0, 2, (uint8_t)(10 + index), 7000);
}

/* Bit i of `channels`: the peer with that index wants one. */
static struct bench bench_with(unsigned peers, unsigned channels)
{
	struct bench b = {.now_ns = seconds(START_S)};
	struct turn_client_peer *list = peers > 0 ? calloc(peers, sizeof *list) : NULL;
	for (unsigned i = 0; i < peers; i++)
		list[i] = (struct turn_client_peer){
			.addr = peer_addr(i), .channel = (channels >> i & 1) != 0 ? turn_client_channel(i) : 0};
	turn_client_init(&b.client, FAKE_USER, FAKE_PASSWORD, list, peers);
	return b;
}

static struct fake_message poll(struct bench *b)
{
	struct fake_message message;
	message.size = turn_client_poll(&b->client, b->now_ns, message.data, &b->wake_ns);
	return message;
}

static struct fake_message must_send(struct bench *b, unsigned method)
{
	struct fake_message message = poll(b);
	cr_assert_gt(message.size, 0);
	cr_assert_eq(fake_method(&message), method, "%u", fake_method(&message));
	return message;
}

static void must_be_quiet(struct bench *b)
{
	struct fake_message message = poll(b);
	cr_assert_eq(message.size, 0);
}

static void receive(struct bench *b, const struct fake_message *answer)
{
	cr_assert(turn_client_takes(fake_bytes(answer)));
	turn_client_receive(&b->client, fake_bytes(answer), b->now_ns);
}

static void receive_success(struct bench *b, const struct fake_message *request, uint32_t lifetime_s)
{
	struct fake_message answer = fake_success(request, FAKE_PASSWORD, lifetime_s);
	receive(b, &answer);
}

static void receive_error(struct bench *b, const struct fake_message *request, unsigned code, const char *nonce)
{
	struct fake_message answer = fake_error(request, code, nonce);
	receive(b, &answer);
}

static struct fake_message must_ask_with_credentials(struct bench *b)
{
	struct fake_message request = must_send(b, STUN_ALLOCATE);
	receive_error(b, &request, 401, "nonce-1");
	return must_send(b, STUN_ALLOCATE);
}

static void must_allocate(struct bench *b, uint32_t lifetime_s)
{
	struct fake_message request = must_ask_with_credentials(b);
	receive_success(b, &request, lifetime_s);
	cr_assert(b->client.allocated);
}

static void must_make_peers(struct bench *b)
{
	for (unsigned i = 0; i < b->client.peer_count; i++) {
		struct fake_message request = poll(b);
		cr_assert_gt(request.size, 0);
		receive_success(b, &request, 0);
	}
	cr_assert_eq(b->client.state, TURN_CLIENT_READY);
}

static void must_have_failed(const struct bench *b, const char *text)
{
	cr_assert_eq(b->client.state, TURN_CLIENT_FAILED);
	cr_assert_not_null(strstr(b->client.failure.text, text), "%s", b->client.failure.text);
}

Test(turn_client, asks_without_credentials_and_then_with_them)
{
	struct bench b = bench_with(0, 0);
	struct fake_message first = must_send(&b, STUN_ALLOCATE);
	cr_assert(fake_has(&first, STUN_ATTR_REQUESTED_TRANSPORT));
	cr_assert_not(fake_has(&first, STUN_ATTR_USERNAME));
	cr_assert_not(fake_has(&first, STUN_ATTR_MESSAGE_INTEGRITY));
	must_be_quiet(&b);
	receive_error(&b, &first, 401, "nonce-1");
	struct fake_message second = must_send(&b, STUN_ALLOCATE);
	cr_assert(fake_has(&second, STUN_ATTR_REQUESTED_TRANSPORT));
	cr_assert(fake_signed(&second, FAKE_PASSWORD));
	cr_assert_str_eq(fake_text(&second, STUN_ATTR_NONCE), "nonce-1");
	cr_assert_arr_neq(first.data + 8, second.data + 8, STUN_TRANSACTION_ID_SIZE);
	cr_assert_eq(b.client.state, TURN_CLIENT_WORKING);
	receive_success(&b, &second, 600);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	struct addr relayed = addr_ipv4(192, 0, 2, 9, 50000);
	cr_assert(addr_equal(&b.client.relayed, &relayed));
	turn_client_done(&b.client);
}

Test(turn_client, makes_its_peers_in_their_order)
{
	struct bench b = bench_with(3, 5);
	must_allocate(&b, 600);
	static const unsigned methods[] = {STUN_CHANNEL_BIND, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND};
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(b.client.state, TURN_CLIENT_WORKING);
		struct fake_message request = must_send(&b, methods[i]);
		cr_assert(fake_signed(&request, FAKE_PASSWORD));
		struct stun_view view;
		struct addr peer, expected = peer_addr(i);
		uint16_t channel = 0;
		cr_assert_eq(stun_view_parse(fake_bytes(&request), &view), STUN_PARSED);
		cr_assert(stun_attribute_xor_addr(&view, stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS), &peer));
		cr_assert(addr_equal(&peer, &expected));
		if (methods[i] == STUN_CHANNEL_BIND)
			cr_assert(stun_attribute_channel(&view, stun_view_find(&view, STUN_ATTR_CHANNEL_NUMBER), &channel));
		cr_assert_eq(channel, methods[i] == STUN_CHANNEL_BIND ? 0x4000 + i : 0);
		cr_assert_not(b.client.peers[i].made);
		receive_success(&b, &request, 0);
		cr_assert(b.client.peers[i].made);
	}
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	must_be_quiet(&b);
	turn_client_done(&b.client);
}

Test(turn_client, may_be_given_its_peers_later)
{
	struct bench b = bench_with(0, 0);
	must_allocate(&b, 600);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	*peer = (struct turn_client_peer){.addr = peer_addr(0), .channel = turn_client_channel(0)};
	turn_client_set_peers(&b.client, peer, 1);
	cr_assert_eq(b.client.state, TURN_CLIENT_WORKING);
	must_make_peers(&b);
	must_be_quiet(&b);
	turn_client_done(&b.client);
}

Test(turn_client, asks_for_a_relayed_address_of_its_peers_family)
{
	struct turn_client_peer *peer = calloc(1, sizeof *peer);
	cr_assert(addr_parse_ip("2001:db8::1", &peer->addr));
	struct bench b = {.now_ns = seconds(START_S)};
	turn_client_init(&b.client, FAKE_USER, FAKE_PASSWORD, peer, 1);
	struct fake_message request = must_ask_with_credentials(&b);
	cr_assert(fake_has(&request, STUN_ATTR_REQUESTED_ADDRESS_FAMILY));
	receive_success(&b, &request, 600);
	cr_assert_eq(b.client.relayed.family, ADDR_IPV6);
	turn_client_done(&b.client);
}

Test(turn_client, needs_no_credentials_where_none_are_asked_for)
{
	struct bench b = bench_with(1, 1);
	struct fake_message request = must_send(&b, STUN_ALLOCATE), answer = fake_success(&request, NULL, 600);
	receive(&b, &answer);
	request = must_send(&b, STUN_CHANNEL_BIND);
	cr_assert_not(fake_has(&request, STUN_ATTR_MESSAGE_INTEGRITY));
	answer = fake_success(&request, NULL, 0);
	receive(&b, &answer);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	turn_client_done(&b.client);
}

Test(turn_client, takes_up_a_new_nonce_but_not_for_ever)
{
	struct bench b = bench_with(1, 1);
	must_allocate(&b, 600);
	struct fake_message request = must_send(&b, STUN_CHANNEL_BIND);
	receive_error(&b, &request, 438, "nonce-2");
	request = must_send(&b, STUN_CHANNEL_BIND);
	cr_assert(fake_signed(&request, FAKE_PASSWORD));
	cr_assert_str_eq(fake_text(&request, STUN_ATTR_NONCE), "nonce-2");
	receive_success(&b, &request, 0);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);

	b.now_ns = b.client.peers[0].refresh_ns;
	for (int i = 0; i < 3; i++) {
		request = must_send(&b, STUN_CHANNEL_BIND);
		receive_error(&b, &request, 438, "nonce-3");
		cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	}
	request = must_send(&b, STUN_CHANNEL_BIND);
	receive_error(&b, &request, 438, "nonce-4");
	must_have_failed(&b, "stale (ChannelBind: 438)");
	must_be_quiet(&b);
	turn_client_done(&b.client);
}

Test(turn_client, ends_when_its_credentials_are_refused)
{
	struct bench b = bench_with(1, 1);
	b.client.server = addr_ipv4(192, 0, 2, 1, 3478);
	struct fake_message request = must_ask_with_credentials(&b);
	receive_error(&b, &request, 401, "nonce-2");
	must_have_failed(&b, "the server at 192.0.2.1:3478 refuses the credentials of user 'user' (Allocate: 401)");
	must_be_quiet(&b);
	cr_assert_eq(b.wake_ns, UINT64_MAX);
	turn_client_done(&b.client);
}

Test(turn_client, says_what_a_refused_allocate_means)
{
	static const struct {
		unsigned code;
		const char *text;
	} cases[] = {
		{300, "the server sends its clients to another server (Allocate: 300)"},
		{400, "the server answers Allocate requests with the error 400 (be?cause)"},
		{403, "the server answers Allocate requests with the error 403"},
		{437, "still holds an allocation of an earlier run"},
		{440, "relays from no IPv4 address"},
		{441, "refuses the credentials of user 'user' (Allocate: 441)"},
		{486, "gives user 'user' no more allocations (486)"},
		{500, "with the error 500"},
		{508, "has no room for more (Allocate: 508)"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct bench b = bench_with(0, 0);
		struct fake_message request = must_ask_with_credentials(&b);
		receive_error(&b, &request, cases[i].code, NULL);
		must_have_failed(&b, cases[i].text);
		turn_client_done(&b.client);
	}
}

Test(turn_client, says_what_a_refused_peer_means)
{
	for (unsigned channels = 0; channels < 2; channels++) {
		struct bench b = bench_with(1, channels);
		must_allocate(&b, 600);
		struct fake_message request = must_send(&b, channels != 0 ? STUN_CHANNEL_BIND : STUN_CREATE_PERMISSION);
		receive_error(&b, &request, 403, NULL);
		must_have_failed(&b, "refuses the peer address 192.0.2.10 (");
		turn_client_done(&b.client);
	}
	struct bench b = bench_with(1, 1);
	must_allocate(&b, 600);
	struct fake_message request = must_send(&b, STUN_CHANNEL_BIND);
	receive_error(&b, &request, 437, NULL);
	must_have_failed(&b, "knows nothing of an allocation that it made");
	turn_client_done(&b.client);
}

Test(turn_client, sends_again_at_the_times_of_the_rfc_and_then_gives_up)
{
	static const double times_s[] = {0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5};
	struct bench b = bench_with(0, 0);
	struct fake_message first = {.size = 0};
	for (size_t i = 0; i < sizeof times_s / sizeof *times_s; i++) {
		if (i > 0) {
			cr_assert_eq(b.wake_ns, seconds(START_S) + seconds(times_s[i]));
			b.now_ns = b.wake_ns - 1;
			must_be_quiet(&b);
		}
		b.now_ns = seconds(START_S) + seconds(times_s[i]);
		struct fake_message message = must_send(&b, STUN_ALLOCATE);
		if (i == 0)
			first = message;
		cr_assert_eq(message.size, first.size);
		cr_assert_arr_eq(message.data, first.data, first.size);
		must_be_quiet(&b);
	}
	cr_assert_eq(b.wake_ns, seconds(START_S) + seconds(39.5));
	b.now_ns = b.wake_ns;
	must_be_quiet(&b);
	must_have_failed(&b, "the server does not answer Allocate requests (7 tries in 39.5 s)");
	turn_client_done(&b.client);
}

Test(turn_client, survives_lost_answers_and_late_duplicates)
{
	struct bench b = bench_with(1, 1);
	struct fake_message request = must_ask_with_credentials(&b), lost = fake_success(&request, FAKE_PASSWORD, 600);
	b.now_ns = b.wake_ns;
	struct fake_message again = must_send(&b, STUN_ALLOCATE);
	cr_assert_arr_eq(request.data, again.data, request.size);
	receive_success(&b, &again, 600);
	struct fake_message bind = must_send(&b, STUN_CHANNEL_BIND);
	receive(&b, &lost);
	cr_assert(b.client.request.pending);
	receive_success(&b, &bind, 0);
	receive_success(&b, &bind, 0);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	turn_client_done(&b.client);
}

Test(turn_client, ignores_what_is_no_answer_to_its_request)
{
	struct bench b = bench_with(0, 0);
	struct fake_message request = must_ask_with_credentials(&b);
	struct fake_message other = request, answer;
	other.data[8] ^= 1;
	answer = fake_success(&other, FAKE_PASSWORD, 600);
	receive(&b, &answer);
	/* Another method: Refresh's success has the transaction ID of the Allocate. */
	other = request;
	other.data[1] = STUN_REFRESH;
	answer = fake_success(&other, FAKE_PASSWORD, 600);
	receive(&b, &answer);
	answer = fake_success(&request, "another password", 600);
	receive(&b, &answer);
	answer = fake_success(&request, NULL, 600);
	receive(&b, &answer);
	answer = fake_success(&request, FAKE_PASSWORD, 600);
	answer.size -= 4;
	turn_client_receive(&b.client, fake_bytes(&answer), b.now_ns);
	turn_client_receive(&b.client, fake_bytes(&request), b.now_ns);
	turn_client_receive(&b.client, bytes_of("garbage", 7), b.now_ns);
	turn_client_receive(&b.client, bytes_of(NULL, 0), b.now_ns);
	cr_assert(b.client.request.pending);
	cr_assert_not(b.client.allocated);
	receive_success(&b, &request, 600);
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	turn_client_done(&b.client);
}

Test(turn_client, survives_answers_with_any_byte_changed)
{
	struct bench pristine = bench_with(0, 0);
	struct fake_message request = must_ask_with_credentials(&pristine);
	const struct fake_message answers[] = {
		fake_success(&request, FAKE_PASSWORD, 600), fake_error(&request, 401, "nonce"), fake_error(&request, 438, "nonce")};
	for (size_t kind = 0; kind < sizeof answers / sizeof *answers; kind++)
		for (size_t at = 0; at < answers[kind].size; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				struct turn_client c = pristine.client;
				uint8_t *exact = malloc(answers[kind].size);
				memcpy(exact, answers[kind].data, answers[kind].size);
				exact[at] ^= (uint8_t)(1u << bit);
				turn_client_receive(&c, bytes_of(exact, answers[kind].size), pristine.now_ns);
				cr_assert_not(c.allocated);
				free(exact);
			}
	turn_client_done(&pristine.client);
}

Test(turn_client, wants_a_realm_and_a_nonce_that_it_can_repeat)
{
	char long_nonce[300];
	memset(long_nonce, 'n', sizeof long_nonce - 1);
	long_nonce[sizeof long_nonce - 1] = '\0';
	const char *const nonces[] = {long_nonce, NULL};
	for (int i = 0; i < 2; i++) {
		struct bench b = bench_with(0, 0);
		struct fake_message request = must_send(&b, STUN_ALLOCATE);
		receive_error(&b, &request, 401, nonces[i]);
		must_have_failed(&b, "without a usable realm");
		turn_client_done(&b.client);
	}
}

Test(turn_client, cannot_send_a_user_name_that_does_not_fit)
{
	char name[1100];
	memset(name, 'u', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	struct bench b = bench_with(0, 0);
	b.client.username = name;
	struct fake_message request = must_send(&b, STUN_ALLOCATE);
	receive_error(&b, &request, 401, "nonce-1");
	must_be_quiet(&b);
	must_have_failed(&b, "the user name is too long");
	turn_client_done(&b.client);
}

Test(turn_client, refreshes_all_it_has_at_two_thirds_of_its_life)
{
	struct bench b = bench_with(2, 1);
	must_allocate(&b, 900);
	must_make_peers(&b);
	must_be_quiet(&b);
	cr_assert_eq(b.wake_ns, seconds(START_S) + seconds(200));
	for (int round = 1; round <= 2; round++) {
		b.now_ns = b.wake_ns - 1;
		must_be_quiet(&b);
		b.now_ns = b.wake_ns;
		struct fake_message request = must_send(&b, STUN_CHANNEL_BIND);
		cr_assert(fake_signed(&request, FAKE_PASSWORD));
		receive_success(&b, &request, 0);
		request = must_send(&b, STUN_CREATE_PERMISSION);
		receive_success(&b, &request, 0);
		must_be_quiet(&b);
		cr_assert_eq(b.wake_ns, seconds(START_S) + seconds(200 * (round + 1)));
	}
	b.now_ns = seconds(START_S) + seconds(600);
	struct fake_message request = must_send(&b, STUN_REFRESH);
	cr_assert(fake_signed(&request, FAKE_PASSWORD));
	cr_assert_eq(b.client.state, TURN_CLIENT_READY);
	receive_success(&b, &request, 300);
	cr_assert_eq(b.client.refresh_ns, seconds(START_S) + seconds(800));
	turn_client_done(&b.client);
}

Test(turn_client, takes_ten_minutes_where_no_lifetime_is_told)
{
	struct bench b = bench_with(0, 0);
	must_allocate(&b, 0);
	must_be_quiet(&b);
	cr_assert_eq(b.wake_ns, seconds(START_S) + seconds(400));
	turn_client_done(&b.client);
}

Test(turn_client, ends_where_an_allocation_is_given_no_lifetime)
{
	struct bench b = bench_with(0, 0);
	must_allocate(&b, 600);
	b.now_ns += seconds(500);
	struct fake_message request = must_send(&b, STUN_REFRESH);
	receive_success(&b, &request, 0);
	cr_assert_eq(b.client.state, TURN_CLIENT_FAILED);
	cr_assert_not_null(strstr(b.client.failure.text, "no lifetime (Refresh)"), "%s", b.client.failure.text);
	turn_client_done(&b.client);
}

Test(turn_client, says_farewell_once_there_can_be_an_allocation)
{
	struct fake_message message;
	struct bench b = bench_with(1, 1);
	struct fake_message request = must_send(&b, STUN_ALLOCATE);
	cr_assert_eq(turn_client_farewell(&b.client, message.data), 0);
	receive_error(&b, &request, 401, "nonce-1");
	request = must_send(&b, STUN_ALLOCATE);
	receive_success(&b, &request, 600);
	must_make_peers(&b);
	message.size = turn_client_farewell(&b.client, message.data);
	cr_assert_gt(message.size, 0);
	cr_assert_eq(fake_method(&message), STUN_REFRESH);
	cr_assert(fake_signed(&message, FAKE_PASSWORD));
	struct stun_view view;
	uint32_t lifetime_s = 1;
	cr_assert_eq(stun_view_parse(fake_bytes(&message), &view), STUN_PARSED);
	cr_assert(stun_attribute_u32(&view, stun_view_find(&view, STUN_ATTR_LIFETIME), &lifetime_s));
	cr_assert_eq(lifetime_s, 0);
	b.now_ns += seconds(3600);
	must_be_quiet(&b);
	turn_client_done(&b.client);
}

Test(turn_client, takes_answers_only)
{
	uint8_t datagram[STUN_HEADER_SIZE] = {0};
	static const struct {
		uint8_t first, second;
		bool taken;
	} cases[] = {
		{0x01, 0x03, true}, {0x01, 0x13, true}, {0x01, 0x09, true},                         /* successes, an error */
		{0x00, 0x17, false}, {0x00, 0x03, false}, {0x40, 0x00, false}, {0x41, 0x01, false}, /* Data, a request, channels */
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		datagram[0] = cases[i].first;
		datagram[1] = cases[i].second;
		cr_assert_eq(turn_client_takes(bytes_of(datagram, sizeof datagram)), cases[i].taken, "%zu", i);
	}
	datagram[0] = 0x01;
	cr_assert_not(turn_client_takes(bytes_of(datagram, sizeof datagram - 1)));
}
