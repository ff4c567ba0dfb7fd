#include <criterion/criterion.h>

#include "turn_rig.h"
#include "wire/channel_data.h"

static struct rig *rig_with_channel(struct rig_client **ret_client)
{
	struct rig *rig = rig_create();
	*ret_client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, *ret_client), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, *ret_client, 0x4001, rig_peer(1)), STUN_OK);
	return rig;
}

static enum verdict verdict_of(struct rig *rig, struct rig_client *client, const char *bytes, size_t size)
{
	rig_datagram(rig, client, bytes_of(bytes, size));
	return rig->verdict;
}

Test(relay, relays_channel_data_with_and_without_padding)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	static const struct {
		const char *bytes;
		size_t size, payload;
	} cases[] = {
		{"\x40\x01\x00\x03"
		 "abc",
			7, 3},
		{"\x40\x01\x00\x03"
		 "abc\0",
			8, 3},
		{"\x40\x01\x00\x00", 4, 0},
		{"\x40\x01\x00\x01"
		 "abcdefgh",
			12, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_assert_eq(verdict_of(rig, client, cases[i].bytes, cases[i].size), FORWARD_TO_PEER);
		cr_assert_eq(rig->forward.payload.size, cases[i].payload);
		cr_assert_arr_eq(rig->payload, cases[i].bytes + 4, cases[i].payload);
		cr_assert_eq(rig->forward.header_size, 0);
		cr_assert_eq(rig->forward.padding, 0);
		cr_assert_not(rig->forward.dont_fragment);
		cr_assert_eq(rig->out.effect_count, 0);
	}
	rig_free(rig);
}

#define COOKIE_AND_ID                                                                                                              \
	"\x21\x12\xA4"                                                                                                             \
	"BmessageID123"

Test(relay, names_every_way_to_drop_a_clients_packet)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct rig_client *stranger = rig_client(rig, 2);
	const struct {
		const char *name;
		struct rig_client *from;
		const char *bytes;
		size_t size;
		enum verdict expected;
	} cases[] = {
		{"nothing", client, "", 0, DROP_EMPTY},
		{"noise", client, "\xFF\xFF", 2, DROP_NOT_STUN},
		{"RTP", client, "\x80\x60\0\0", 4, DROP_NOT_STUN},
		{"DTLS", client, "\x16\xFE\xFD\0", 4, DROP_DTLS},
		{"a byte of STUN", client, "\0", 1, DROP_NOT_STUN},
		{"RFC 3489's other request", client, "\0\2\0\0aaaabbbbccccdddd", 20, DROP_NOT_STUN},
		{"RFC 3489's answer", client, "\1\1\0\0aaaabbbbccccdddd", 20, DROP_NOT_STUN},
		{"Binding of RFC 3489, cut", client, "\0\1\0\4aaaabbbbccccdddd", 20, DROP_NOT_STUN},
		{"... of a length that is no length", client, "\0\1\0\2aaaabbbbccccddddxy", 22, DROP_NOT_STUN},
		{"... that does not parse", client, "\0\1\0\4aaaabbbbccccdddd\x80\x22\x00\x05", 24, DROP_NOT_STUN},
		{"Allocate without the cookie", client, "\0\3\0\0aaaabbbbccccdddd", 20, DROP_NOT_STUN},
		{"a Send indication without the cookie", client, "\0\x16\0\0aaaabbbbccccdddd", 20, DROP_NOT_STUN},
		{"half a header", client, "\x40\x01\x00", 3, DROP_MALFORMED},
		{"a length beyond the end", client, "\x40\x01\x00\x03xy", 6, DROP_MALFORMED},
		{"an unbound number", client, "\x40\x02\x00\x00", 4, DROP_NO_CHANNEL},
		{"an impossible number", client, "\x4F\xFF\x00\x00", 4, DROP_NO_CHANNEL},
		{"a stranger's ChannelData", stranger, "\x40\x01\x00\x00", 4, DROP_NO_ALLOCATION},
		{"a stranger's Send indication", stranger, "\x00\x16\x00\x00" COOKIE_AND_ID, 20, DROP_NO_ALLOCATION},
		{"an empty Send indication", client, "\x00\x16\x00\x00" COOKIE_AND_ID, 20, DROP_MALFORMED},
		{"an indication with what must be understood", client, "\x00\x11\x00\x04" COOKIE_AND_ID "\x7f\0\0\0", 24,
			DROP_UNKNOWN_ATTRIBUTE},
		{"an Allocate indication", client, "\x00\x13\x00\x00" COOKIE_AND_ID, 20, DROP_UNEXPECTED_CLASS},
		{"a Binding success", client, "\x01\x01\x00\x00" COOKIE_AND_ID, 20, DROP_UNEXPECTED_CLASS},
		{"a Binding error", client, "\x01\x11\x00\x00" COOKIE_AND_ID, 20, DROP_UNEXPECTED_CLASS},
		{"a Data indication", client, "\x00\x17\x00\x00" COOKIE_AND_ID, 20, DROP_UNEXPECTED_CLASS},
		{"STUN of another length", client, "\x00\x11\x00\x04" COOKIE_AND_ID, 20, DROP_NOT_STUN},
		{"a malformed indication", client, "\x00\x11\x00\x04" COOKIE_AND_ID "\x80\x22\x00\x05", 24, DROP_MALFORMED},
		{"a malformed response", client, "\x01\x01\x00\x04" COOKIE_AND_ID "\x80\x22\x00\x05", 24, DROP_MALFORMED},
		{"an unknown method", client, "\x00\x02\x00\x00" COOKIE_AND_ID, 20, DROP_UNKNOWN_METHOD},
		{"a Send request", client, "\x00\x06\x00\x00" COOKIE_AND_ID, 20, DROP_UNKNOWN_METHOD},
		{"a method beyond the table", client, "\x02\x02\x00\x00" COOKIE_AND_ID, 20, DROP_UNKNOWN_METHOD},
		{"a wrong fingerprint", client, "\x00\x01\x00\x08" COOKIE_AND_ID "\x80\x28\x00\x04zzzz", 28, DROP_FINGERPRINT},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t counted = counter_read(&turn_counters(rig->cores[0])->verdicts[cases[i].expected]);
		uint64_t before = rig_digest(rig);
		enum verdict verdict = verdict_of(rig, cases[i].from, cases[i].bytes, cases[i].size);
		cr_assert_eq(verdict, cases[i].expected, "%s: %s", cases[i].name, verdict_label(verdict));
		cr_assert_eq(counter_read(&turn_counters(rig->cores[0])->verdicts[cases[i].expected]), counted + 1);
		cr_assert_eq(rig->replies, 0, "%s", cases[i].name);
		cr_assert_eq(rig_digest(rig), before, "%s", cases[i].name);
	}
	rig_free(rig);
}

Test(relay, takes_binding_indications_as_keep_alives)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{"\x00\x11\x00\x00" COOKIE_AND_ID, 20},
		{"\x00\x11\x00\x04" COOKIE_AND_ID "\xff\0\0\0", 24},
		{"\x00\x11\x00\x08" COOKIE_AND_ID "\x80\x28\x00\x04\xde\x33\x57\xde", 28},
	};
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct rig_client *clients[] = {client, rig_client(rig, 2)};
	for (size_t i = 0; i < sizeof cases / sizeof *cases * 2; i++) {
		uint64_t before = rig_digest(rig);
		enum verdict verdict = verdict_of(rig, clients[i % 2], cases[i / 2].bytes, cases[i / 2].size);
		cr_assert_eq(verdict, KEEP_ALIVE, "%zu: %s", i, verdict_label(verdict));
		cr_assert_eq(rig->out.effect_count, 0);
		cr_assert_eq(rig->replies, 0);
		cr_assert_eq(rig_digest(rig), before);
	}
	rig_free(rig);
}

Test(relay, answers_a_malformed_request_of_a_known_method_with_a_small_400)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	static const uint8_t methods[] = {STUN_BINDING, STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND};
	uint8_t datagram[24] = {0, 0, 0, 4, 0x21, 0x12, 0xA4, 0x42, [20] = 0x80, [21] = 0x22, [23] = 5};
	uint64_t before = rig_digest(rig);
	for (unsigned i = 0; i < sizeof methods; i++) {
		datagram[1] = methods[i];
		cr_assert_eq(rig_datagram(rig, client, bytes_of(datagram, sizeof datagram)), STUN_BAD_REQUEST);
		cr_assert_eq(rig->reply_bytes.size, 28);
		cr_assert_eq(rig_digest(rig), before);
	}
	datagram[1] = 2;
	cr_assert_eq(rig_datagram(rig, client, bytes_of(datagram, sizeof datagram)), RIG_NO_ANSWER);
	cr_assert_eq(rig->verdict, DROP_UNKNOWN_METHOD);
	rig_free(rig);
}

static void send_indication(
	struct rig *rig, struct rig_client *client, const struct addr *peer, size_t size, uint16_t extra, bool fingerprint)
{
	static uint8_t data[1500];
	struct rig_message message;
	uint8_t id[STUN_TRANSACTION_ID_SIZE] = {9};
	message.builder = stun_build(message.bytes, sizeof message.bytes, STUN_SEND, STUN_INDICATION, id);
	stun_build_xor_addr(&message.builder, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	if (extra != 0)
		stun_build_bytes(&message.builder, extra, bytes_of(NULL, 0));
	stun_build_bytes(&message.builder, STUN_ATTR_DATA, bytes_of(data, size));
	if (fingerprint)
		stun_build_fingerprint(&message.builder);
	rig_datagram(rig, client, stun_build_end(&message.builder));
}

Test(relay, relays_send_indications)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct addr peer = addr_with_port(rig_peer(1), 9999);
	for (size_t size = 0; size < 8; size++) {
		send_indication(rig, client, &peer, size, size == 5 ? STUN_ATTR_DONT_FRAGMENT : 0, size % 2);
		cr_assert_eq(rig->verdict, FORWARD_TO_PEER);
		cr_assert_eq(rig->forward.payload.size, size);
		cr_assert(addr_equal(&rig->forward.peer, &peer));
		cr_assert_eq(rig->forward.dont_fragment, size == 5);
		cr_assert_eq(rig->forward.cluster, 7);
	}
	rig_free(rig);
}

Test(relay, heeds_dont_fragment_between_ipv4_and_from_streams)
{
	static const struct {
		enum transport transport;
		bool client_ipv6, peer_ipv6, heeded;
	} cases[] = {
		{TRANSPORT_UDP, false, false, true},
		{TRANSPORT_UDP, false, true, false},
		{TRANSPORT_UDP, true, false, false},
		{TRANSPORT_UDP, true, true, false},
		{TRANSPORT_DTLS, false, false, true},
		{TRANSPORT_DTLS, true, true, false},
		{TRANSPORT_TCP, true, true, true},
		{TRANSPORT_TLS, false, true, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig *rig = rig_create();
		struct rig_client *client = rig_client(rig, 1);
		struct addr peer = cases[i].peer_ipv6 ? rig_peer_ipv6(1) : rig_peer(1);
		client->flow.transport = (uint16_t)cases[i].transport;
		client->flow.connection = cases[i].transport != TRANSPORT_UDP;
		if (cases[i].client_ipv6)
			client->flow.client = rig_peer_ipv6(99);
		cr_assert_eq(rig_allocate_family(rig, client, cases[i].peer_ipv6 ? STUN_FAMILY_IPV6 : STUN_FAMILY_IPV4), STUN_OK);
		cr_assert_eq(rig_create_permission(rig, client, peer), STUN_OK);
		send_indication(rig, client, &peer, 3, STUN_ATTR_DONT_FRAGMENT, false);
		cr_assert_eq(rig->verdict, FORWARD_TO_PEER, "%zu", i);
		cr_assert_eq(rig->forward.dont_fragment, cases[i].heeded, "%zu", i);
		rig_free(rig);
	}
}

Test(relay, names_every_way_to_drop_a_send_indication)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct addr admitted = rig_peer(1), unknown = rig_peer(2), ipv6 = rig_peer_ipv6(1), nowhere = addr_with_port(admitted, 0);
	send_indication(rig, client, &unknown, 1, 0, false);
	cr_assert_eq(rig->verdict, DROP_NO_PERMISSION);
	send_indication(rig, client, &ipv6, 1, 0, false);
	cr_assert_eq(rig->verdict, DROP_PEER_FAMILY);
	send_indication(rig, client, &nowhere, 1, 0, false);
	cr_assert_eq(rig->verdict, DROP_PEER_REFUSED);
	send_indication(rig, client, &admitted, 1, 0x7777, false);
	cr_assert_eq(rig->verdict, DROP_UNKNOWN_ATTRIBUTE);
	struct allocation_info info;
	cr_assert_eq(turn_find_allocations(rig->cores[0], NULL, NULL, &rig->now, &info, 1), 1);
	cr_assert_eq(info.refused_packets, 3);
	rig_free(rig);
}

Test(relay, follows_a_peer_that_changes_its_port_under_one_permission)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct addr moved = addr_with_port(rig_peer(1), 1234);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "a"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header_size, CHANNEL_DATA_HEADER_SIZE);
	cr_assert_eq(rig_from_peer_text(rig, client, moved, "b"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header_size, 36, "the channel is another endpoint's");
	cr_assert_eq(rig_send(rig, client, moved, "c"), FORWARD_TO_PEER);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4002, moved), STUN_OK);
	cr_assert_eq(rig_from_peer_text(rig, client, moved, "d"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header[1], 2);
	rig_free(rig);
}

Test(relay, holds_every_packet_to_the_ports_of_its_route)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct addr peer = addr_ipv4(198, 18, 0, 1, 0);
	static const struct {
		uint16_t port;
		bool admitted;
	} cases[] = {{5000, true}, {6000, true}, {4999, false}, {6001, false}, {5500, true}, {1, false}, {65535, false}};
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, peer), STUN_OK);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr endpoint = addr_with_port(peer, cases[i].port);
		cr_assert_eq(
			rig_send(rig, client, endpoint, "x"), cases[i].admitted ? FORWARD_TO_PEER : DROP_PEER_REFUSED, "%zu", i);
		cr_assert_eq(rig_from_peer_text(rig, client, endpoint, "x"),
			cases[i].admitted ? FORWARD_TO_CLIENT : DROP_PEER_REFUSED, "%zu", i);
	}
	rig_free(rig);
}

Test(relay, counts_each_packet_for_the_cluster_that_admits_its_port)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct addr peer = addr_ipv4(198, 18, 0, 1, 5000);
	static const uint16_t ports[] = {5000, 7000, 6000, 7000, 5000};
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, peer), STUN_OK);
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) {
		unsigned cluster = ports[i] == 7000 ? 9 : 8;
		cr_assert_eq(rig_send(rig, client, addr_with_port(peer, ports[i]), "x"), FORWARD_TO_PEER);
		cr_assert_eq(rig->forward.cluster, cluster);
		cr_assert_eq(rig_from_peer_text(rig, client, addr_with_port(peer, ports[i]), "x"), FORWARD_TO_CLIENT);
		cr_assert_eq(rig->forward.cluster, cluster);
	}
	rig_free(rig);
}

Test(relay, writes_channel_data_to_the_client)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "hello"), FORWARD_TO_CLIENT);
	static const uint8_t header[4] = {0x40, 0x01, 0x00, 0x05};
	cr_assert_eq(rig->forward.header_size, 4);
	cr_assert_arr_eq(rig->forward.header, header, 4);
	cr_assert_eq(rig->forward.padding, 0, "none over UDP");
	cr_assert(flow_equal(rig->forward.flow, &client->flow));
	cr_assert_eq(rig->forward.payload.size, 5);
	cr_assert_arr_eq(rig->payload, "hello", 5);
	cr_assert_eq(rig->forward.cluster, 7);
	rig_free(rig);
}

/* What the client would receive, parsed again. */
static void check_indication(struct rig *rig, const struct addr *peer, size_t size)
{
	static uint8_t datagram[66000];
	size_t at = 0;
	memcpy(datagram, rig->forward.header, rig->forward.header_size);
	at += rig->forward.header_size;
	memcpy(datagram + at, rig->payload, rig->forward.payload.size);
	at += rig->forward.payload.size;
	memset(datagram + at, 0, rig->forward.padding);
	at += rig->forward.padding;
	struct stun_view view;
	cr_assert_eq(stun_view_parse(bytes_of(datagram, at), &view), STUN_PARSED);
	cr_assert_eq(view.method, STUN_DATA);
	cr_assert_eq(view.class, STUN_INDICATION);
	struct addr from;
	cr_assert(stun_attribute_xor_addr(&view, stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS), &from));
	cr_assert(addr_equal(&from, peer));
	struct bytes data = stun_attribute_value(&view, stun_view_find(&view, STUN_ATTR_DATA));
	cr_assert_eq(data.size, size);
	cr_assert_eq(memcmp(data.data, rig->payload, size), 0);
}

Test(relay, writes_data_indications_to_the_client)
{
	struct rig *rig = rig_create();
	struct rig_client *ipv4 = rig_client(rig, 1), *ipv6 = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, ipv4), STUN_OK);
	cr_assert_eq(rig_allocate_family(rig, ipv6, STUN_FAMILY_IPV6), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, ipv4, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, ipv6, rig_peer_ipv6(1)), STUN_OK);
	struct addr peer4 = rig_peer(1), peer6 = rig_peer_ipv6(1);
	for (size_t size = 0; size < 9; size++) {
		cr_assert_eq(rig_from_peer(rig, ipv4, peer4, bytes_of("abcdefghi", size)), FORWARD_TO_CLIENT);
		cr_assert_eq(rig->forward.header_size, 36);
		check_indication(rig, &peer4, size);
		cr_assert_eq(rig_from_peer(rig, ipv6, peer6, bytes_of("abcdefghi", size)), FORWARD_TO_CLIENT);
		cr_assert_eq(rig->forward.header_size, 48);
		check_indication(rig, &peer6, size);
	}
	rig_free(rig);
}

Test(relay, gives_each_data_indication_another_transaction_id)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint8_t ids[64][STUN_TRANSACTION_ID_SIZE];
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	for (unsigned i = 0; i < 64; i++) {
		cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), FORWARD_TO_CLIENT);
		memcpy(ids[i], rig->forward.header + 8, STUN_TRANSACTION_ID_SIZE);
		for (unsigned j = 0; j < i; j++)
			cr_assert_neq(memcmp(ids[i], ids[j], STUN_TRANSACTION_ID_SIZE), 0);
	}
	rig_free(rig);
}

Test(relay, drops_what_does_not_fit_once_its_header_is_added)
{
	static uint8_t big[65536];
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	struct addr indicated = addr_with_port(rig_peer(1), 9);
	cr_assert_eq(rig_from_peer(rig, client, rig_peer(1), bytes_of(big, 65507 - 4)), FORWARD_TO_CLIENT);
	cr_assert_eq(rig_from_peer(rig, client, rig_peer(1), bytes_of(big, 65507 - 3)), DROP_TOO_LARGE);
	cr_assert_eq(rig_from_peer(rig, client, indicated, bytes_of(big, 65507 - 36 - 3)), FORWARD_TO_CLIENT);
	check_indication(rig, &indicated, 65507 - 36 - 3);
	cr_assert_eq(rig_from_peer(rig, client, indicated, bytes_of(big, 65507 - 36 - 2)), DROP_TOO_LARGE);
	cr_assert_eq(rig_from_peer(rig, client, indicated, bytes_of(big, 65507)), DROP_TOO_LARGE);
	rig_free(rig);
}

Test(relay, names_every_way_to_drop_a_peers_packet)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(2), "x"), DROP_NO_PERMISSION);
	cr_assert_eq(rig_from_peer_text(rig, rig_client(rig, 2), rig_peer(1), "x"), DROP_NO_ALLOCATION, "no such socket");
	struct rig_client *pair = rig_client(rig, 3), half = *pair;
	cr_assert_eq(rig_allocate_even(rig, pair, true), STUN_OK);
	half.relayed = addr_with_port(pair->relayed, pair->relayed.port + 1);
	half.core = 0;
	cr_assert_eq(rig_from_peer_text(rig, &half, rig_peer(1), "x"), DROP_NO_ALLOCATION, "only reserved");
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	rig_pass_s(rig, 100);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), ""), FORWARD_TO_CLIENT, "no bytes are a packet too");
	rig_pass_s(rig, 200);
	cr_assert_eq(rig_from_peer_text(rig, client, rig_peer(1), "x"), DROP_NO_PERMISSION);
	rig_free(rig);
}

Test(relay, counts_for_each_allocation)
{
	struct rig_client *client;
	struct rig *rig = rig_with_channel(&client);
	rig_channel_data(rig, client, 0x4001, "123");
	rig_send(rig, client, rig_peer(1), "4567");
	rig_send(rig, client, rig_peer(2), "refused");
	rig_from_peer_text(rig, client, rig_peer(1), "12345");
	rig_from_peer_text(rig, client, rig_peer(2), "refused");
	struct allocation_info info;
	cr_assert_eq(turn_find_allocations(rig->cores[0], NULL, NULL, &rig->now, &info, 1), 1);
	cr_assert_eq(info.from_client_packets, 2);
	cr_assert_eq(info.from_client_bytes, 7);
	cr_assert_eq(info.to_client_packets, 1);
	cr_assert_eq(info.to_client_bytes, 5);
	cr_assert_eq(info.refused_packets, 2);
	rig_free(rig);
}

/* --- two clients that both relay here --- */

static void behind_nat(struct turn_config *config)
{
	config->listeners[0].relay[RELAY_IPV4].bind = addr_ipv4(10, 0, 0, 7, 0);
	config->listeners[0].relay[RELAY_IPV4].advertised = addr_ipv4(192, 0, 2, 200, 0);
}

static void hairpin(void (*edit)(struct turn_config *config), unsigned cores)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = edit, .cores = cores});
	struct rig_client *alice = rig_client(rig, 1), *bob = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, alice), STUN_OK);
	cr_assert_eq(rig_allocate(rig, bob), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, alice, 0x4000, bob->relayed), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, alice, 0x4000, "x"), FORWARD_TO_PEER);
	const struct rig_socket *to = rig_socket_at(rig, &rig->forward.peer);
	cr_assert_not_null(to, "it goes to where the socket is bound");
	cr_assert_eq(to->bound.port, bob->relayed.port);

	/* It leaves alice's relay socket, from where that is bound, and arrives at bob's. */
	struct addr from = addr_with_port(rig->config->listeners[0].relay[RELAY_IPV4].bind, alice->relayed.port);
	cr_assert_eq(rig_from_peer_text(rig, bob, from, "x"), DROP_NO_PERMISSION, "bob has not asked for her");
	cr_assert_eq(rig_create_permission(rig, bob, alice->relayed), STUN_OK);
	cr_assert_eq(rig_from_peer_text(rig, bob, from, "x"), FORWARD_TO_CLIENT);
	check_indication(rig, &alice->relayed, 1);
	cr_assert_eq(rig_channel_bind(rig, bob, 0x4005, alice->relayed), STUN_OK);
	cr_assert_eq(rig_from_peer_text(rig, bob, from, "x"), FORWARD_TO_CLIENT);
	cr_assert_eq(rig->forward.header_size, 4, "the channel is known by the advertised address");

	/* Other ports of the relay's address are no way in. */
	cr_assert_eq(rig_send(rig, alice, addr_with_port(bob->relayed, 22), "x"), DROP_PEER_REFUSED);
	cr_assert_eq(rig_channel_bind(rig, alice, 0x4001, addr_with_port(bob->relayed, 22)), STUN_FORBIDDEN);
	cr_assert_eq(rig_refresh(rig, bob, 0), STUN_OK);
	cr_assert_eq(rig_channel_data(rig, alice, 0x4000, "x"), DROP_PEER_REFUSED, "his relayed address is gone");
	rig_free(rig);
}

Test(relay, lets_two_clients_reach_each_other_by_their_relayed_addresses)
{
	hairpin(NULL, 1);
	hairpin(NULL, 2);
}

Test(relay, lets_two_clients_reach_each_other_by_their_advertised_addresses)
{
	hairpin(behind_nat, 1);
	hairpin(behind_nat, 2);
}
