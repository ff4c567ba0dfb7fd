/* Which flows a capture has, who is who in them, and what script comes of it. */
#include <criterion/criterion.h>

#include "call_rig.h"

enum { RTP = 0x80, DTLS = 0x2f, STUN = 0x00 }; /* DTLS: a unified header, which has no version */

#define EXPECT(c, expected)                                                                                                        \
	do {                                                                                                                       \
		cr_expect_str_eq(rig_text(&(c)->file), expected);                                                                  \
		rig_done(&(c)->file);                                                                                              \
	} while (0)

Test(capture, channel_data_alone_is_a_call)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 5, rig_channel_data(0x4000, RTP, 100));
	call_down(&c, 25, rig_channel_data(0x4000, RTP, 1001));
	call_up(&c, 45, rig_channel_data(0x4000, RTP, 0));
	EXPECT(&c, "0 | 0:0>100 20000:0<1001 40000:0>0");
}

Test(capture, what_is_set_up_is_not_replayed)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_stun(STUN_BINDING, STUN_REQUEST, 1, 0, NULL));
	call_up(&c, 1, rig_stun(STUN_ALLOCATE, STUN_REQUEST, 2, 0, NULL));
	call_down(&c, 2, rig_stun(STUN_ALLOCATE, STUN_ERROR_RESPONSE, 2, 0, NULL));
	call_up(&c, 3, rig_channel_data(0x4000, RTP, 10));
	call_down(&c, 4, rig_stun(STUN_REFRESH, STUN_SUCCESS, 3, 0, NULL));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_eq(capture.packets_read, 5);
	cr_expect_eq(capture.stun_packets, 4);
	cr_expect_eq(capture.media_packets, 1);
	cr_expect_eq(capture.left_out, 0);
	cr_expect_eq(capture.script.length_ns, 1000000000, "a lone packet repeats every second");
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, a_channel_and_the_indications_of_its_peer_are_one_path)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_indication(STUN_SEND, &c.peer, STUN, 20));
	call_down(&c, 1, rig_indication(STUN_DATA, &c.peer, DTLS, 301));
	call_up(&c, 2, rig_stun(STUN_CHANNEL_BIND, STUN_REQUEST, 7, 0x4001, &c.peer));
	call_up(&c, 3, rig_indication(STUN_SEND, &c.peer, DTLS, 33));
	call_down(&c, 4, rig_stun(STUN_CHANNEL_BIND, STUN_SUCCESS, 7, 0, NULL));
	call_up(&c, 5, rig_channel_data(0x4001, RTP, 99));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>20i 1000:0<301 3000:0>33i 5000:0>99");
	const struct capture_path *p = &capture.paths[0];
	cr_expect(addr_equal(&p->client, &c.client) && addr_equal(&p->server, &c.server) && addr_equal(&p->peer, &c.peer));
	cr_expect_eq(p->channel, 0x4001);
	cr_expect_eq(p->streams[UP].packets, 3);
	cr_expect_eq(p->streams[UP].indications, 2);
	cr_expect_eq(p->streams[DOWN].indications, 1);
	cr_expect_eq(p->streams[UP].payload_bytes, 152);
	cr_expect_eq(p->streams[UP].payloads[PAYLOAD_RTP], 1);
	cr_expect_eq(p->streams[UP].payloads[PAYLOAD_DTLS], 1);
	cr_expect_eq(p->streams[DOWN].payloads[PAYLOAD_DTLS], 1);
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, indications_alone_make_a_path_without_a_channel)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_indication(STUN_SEND, &c.peer, RTP, 50));
	call_down(&c, 1, rig_indication(STUN_DATA, &c.peer, RTP, 51));
	call_up(&c, 2, rig_indication_data_first(STUN_SEND, &c.peer, RTP, 52));
	EXPECT(&c, "0- | 0:0>50 1000:0<51 2000:0>52");
}

Test(capture, each_peer_of_a_client_is_a_path)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_indication(STUN_SEND, &c.other_peer, RTP, 1));
	call_up(&c, 1, rig_channel_data(0x4000, RTP, 2));
	call_up(&c, 2, rig_channel_data(0x4001, RTP, 3));
	call_up(&c, 3, rig_indication(STUN_SEND, &c.peer, RTP, 4));
	call_down(&c, 4, rig_indication(STUN_DATA, &c.other_peer, RTP, 5));
	EXPECT(&c, "0- 0 0 0- | 0:0>1 1000:1>2 2000:2>3 3000:3>4 4000:0<5");
}

Test(capture, each_client_is_an_allocation)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 1));
	rig_udp(&c.file, 1000000, &c.server, &c.other_client, rig_channel_data(0x4000, RTP, 2));
	call_down(&c, 2, rig_channel_data(0x4001, RTP, 3));
	EXPECT(&c, "0 1 0 | 0:0>1 1000:1<2 2000:2<3");
}

Test(capture, a_capture_may_begin_before_a_binding_is_seen)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 1));
	call_up(&c, 1, rig_stun(STUN_CHANNEL_BIND, STUN_REQUEST, 1, 0x4000, &c.peer));
	call_up(&c, 2, rig_indication(STUN_SEND, &c.peer, RTP, 2));
	/* The number leads to another peer later, after one attempt that was refused. */
	call_up(&c, 3, rig_stun(STUN_CHANNEL_BIND, STUN_REQUEST, 2, 0x4000, &c.client));
	call_down(&c, 4, rig_stun(STUN_CHANNEL_BIND, STUN_ERROR_RESPONSE, 2, 0, NULL));
	call_up(&c, 5, rig_channel_data(0x4000, RTP, 3));
	call_up(&c, 6, rig_stun(STUN_CHANNEL_BIND, STUN_REQUEST, 3, 0x4000, &c.other_peer));
	call_up(&c, 7, rig_channel_data(0x4000, RTP, 4));
	EXPECT(&c, "0 0 | 0:0>1 2000:0>2i 5000:0>3 7000:1>4");
}

static void expect_client(const struct rig *file, const struct addr *client)
{
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(file, &capture, &failure), "%s", failure.text);
	cr_expect(addr_equal(&capture.paths[0].client, client));
	capture_done(&capture);
}

Test(capture, the_server_shows_by_its_messages_whatever_its_port)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.server.port = 50000;
	call_down(&c, 0, rig_channel_data(0x4000, RTP, 1));
	call_down(&c, 1, rig_stun(STUN_REFRESH, STUN_SUCCESS, 1, 0, NULL));
	expect_client(&c.file, &c.client);
	rig_done(&c.file);
}

Test(capture, the_server_shows_by_its_port)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.client.port = 1000;
	call_down(&c, 0, rig_channel_data(0x4000, RTP, 1));
	expect_client(&c.file, &c.client);
	rig_done(&c.file);
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.server.port = 443;
	call_down(&c, 0, rig_channel_data(0x4000, RTP, 1));
	expect_client(&c.file, &c.client);
	rig_done(&c.file);
}

Test(capture, the_server_shows_by_its_keepalives_and_its_other_clients)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.server.port = 50000;
	call_down(&c, 0, rig_channel_data(0x4000, RTP, 1));
	call_up(&c, 1, rig_stun(STUN_BINDING, STUN_REQUEST, 1, 0, NULL));
	expect_client(&c.file, &c.client);
	rig_done(&c.file);
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.server.port = 50000;
	call_down(&c, 0, rig_channel_data(0x4000, RTP, 1));
	rig_udp(&c.file, 1000000, &c.other_client, &c.server, rig_channel_data(0x4000, RTP, 1));
	expect_client(&c.file, &c.client);
	rig_done(&c.file);
}

Test(capture, old_channel_numbers_need_a_length_that_fits)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x7fff, RTP, 100));
	call_up(&c, 1, rig_channel_data(0x5000, RTP, 101));
	EXPECT(&c, "0 0 | 0:0>100 1000:1>101");
	/* QUIC: a first byte like a channel's, and no length. */
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_plain(0x50, 100));
	call_up(&c, 1, rig_plain(0x41, 100));
	EXPECT(&c, "test.pcap: no media flow in 2 packets: 2 other UDP");
}

Test(capture, channel_data_may_be_padded_over_udp)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	struct bytes payload = rig_channel_data(0x4000, RTP, 101);
	call_up(&c, 0, bytes_of(payload.data, payload.size + 3));
	EXPECT(&c, "0 | 0:0>101");
}

Test(capture, plain_udp_is_a_path_with_a_channel)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.server.port = 9000;
	call_up(&c, 0, rig_stun(STUN_BINDING, STUN_REQUEST, 1, 0, NULL));
	call_down(&c, 1, rig_plain(RTP, 200));
	call_up(&c, 2, rig_plain(0xff, 1));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>20 1000:0<200 2000:0>1");
	cr_expect_eq(capture.paths[0].server.family, ADDR_NONE);
	cr_expect(addr_equal(&capture.paths[0].client, &c.client) && addr_equal(&capture.paths[0].peer, &c.server));
	cr_expect_eq(capture.paths[0].streams[UP].payloads[PAYLOAD_STUN], 1);
	cr_expect_eq(capture.paths[0].streams[UP].payloads[PAYLOAD_OTHER], 1);
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, the_other_leg_of_the_relay_is_left_out)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 100));
	struct addr relayed = addr_with_port(c.server, 50000);
	rig_udp(&c.file, 1000000, &relayed, &c.peer, rig_plain(RTP, 100));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>100");
	cr_expect_eq(capture.reasons[LEFT_RELAYED], 1);
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, so_it_is_from_a_relayed_address_that_is_not_the_servers_own)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	struct addr relayed = addr_ipv4(203, 0, 113, 200, 50000), other = addr_with_port(relayed, 50001);
	call_down(&c, 0, rig_stun(STUN_ALLOCATE, STUN_SUCCESS, 1, 0, &relayed));
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 100));
	rig_udp(&c.file, 1000000, &relayed, &c.peer, rig_plain(RTP, 100));
	rig_udp(&c.file, 2000000, &other, &c.peer, rig_plain(RTP, 90));
	EXPECT(&c, "0 1 | 0:0>100 2000:1>90");
}

Test(capture, what_else_there_is_is_left_out_and_counted)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	struct addr resolver = addr_ipv4(192, 0, 2, 53, 53), group = addr_ipv4(239, 1, 2, 3, 5004);
	struct addr stun_server = addr_ipv4(203, 0, 113, 9, 3478), clock = addr_ipv4(203, 0, 113, 10, 123);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 100));
	call_up(&c, 1, rig_plain(0xff, 30));
	rig_udp(&c.file, 2000000, &c.client, &resolver, rig_plain(0x80, 40));
	rig_udp(&c.file, 3000000, &c.client, &group, rig_plain(RTP, 40));
	rig_udp(&c.file, 4000000, &c.client, &stun_server, rig_stun(STUN_BINDING, STUN_REQUEST, 1, 0, NULL));
	rig_udp(&c.file, 5000000, &c.client, &clock, rig_plain(0x23, 48));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_eq(capture.script.packet_count, 1);
	cr_expect_eq(capture.reasons[LEFT_NOT_TURN], 1);
	cr_expect_eq(capture.reasons[LEFT_DNS], 1);
	cr_expect_eq(capture.reasons[LEFT_STUN], 1);
	cr_expect_eq(capture.reasons[LEFT_NO_MEDIA], 2);
	cr_expect_eq(capture.left_out, 5);
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, small_paths_are_left_out_on_request)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 1));
	call_up(&c, 1, rig_channel_data(0x4001, RTP, 2));
	call_down(&c, 2, rig_channel_data(0x4001, RTP, 3));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read_start(&c.file, c.file.size, 2, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>2 1000:0<3");
	cr_expect_eq(capture.reasons[LEFT_FEW], 1);
	capture_done(&capture);
	cr_assert_not(rig_read_start(&c.file, c.file.size, 3, &capture, &failure));
	cr_expect_str_eq(failure.text, "test.pcap: no media flow of at least 3 packets (--packets-min); the largest has 2");
	rig_done(&c.file);
}

Test(capture, packets_are_taken_in_the_order_of_time)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 7, rig_channel_data(0x4000, RTP, 3));
	call_up(&c, 5, rig_channel_data(0x4000, RTP, 1));
	call_up(&c, 5, rig_channel_data(0x4000, RTP, 2));
	call_up(&c, 9, rig_channel_data(0x4000, RTP, 4));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>1 0:0>2 2000:0>3 4000:0>4");
	cr_expect_eq(capture.disordered, 1);
	cr_expect_eq(capture.script.length_ns, 4000000 + 4000000 / 3, "from first to last, and the mean gap");
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture, media_over_more_than_a_day_are_refused)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	call_up(&c, 0, rig_channel_data(0x4000, RTP, 3));
	call_up(&c, 100 * 3600 * 1000, rig_channel_data(0x4000, RTP, 3));
	EXPECT(&c, "test.pcap: the media's time stamps span 100 hours; cut it to the call, for instance with editcap -A and -B");
}

Test(capture, datagrams_of_an_aggregate_count_one_by_one)
{
	static uint8_t payload[1000];
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	size_t size = 0;
	static const size_t sizes[] = {200, 200, 200, 101};
	for (size_t i = 0; i < 4; i++) {
		struct bytes one = rig_channel_data(0x4000, RTP, sizes[i]);
		memcpy(payload + size, one.data, one.size);
		size += one.size;
	}
	call_up(&c, 0, bytes_of(payload, size));
	cr_expect_str_eq(rig_text(&c.file), "0 | 0:0>200 0:0>200 0:0>200 0:0>101");
	rig_done(&c.file);
	/* The same where only the first header was captured. */
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.file.snap = 14 + 28 + 12;
	call_up(&c, 0, bytes_of(payload, size));
	EXPECT(&c, "0 | 0:0>200 0:0>200 0:0>200 0:0>101");
}

Test(capture, aggregates_of_indications_too)
{
	static uint8_t payload[1000];
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	size_t size = 0;
	for (size_t i = 0; i < 3; i++) {
		struct bytes one = rig_indication(STUN_DATA, &c.peer, RTP, 100);
		memcpy(payload + size, one.data, one.size);
		size += one.size;
	}
	call_down(&c, 0, bytes_of(payload, size));
	EXPECT(&c, "0- | 0:0<100 0:0<100 0:0<100");
}

Test(capture, a_capture_without_media_says_what_is_in_it)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	cr_expect_str_eq(rig_text(&c.file), "test.pcap: a capture without a packet");
	uint8_t tcp[54] = {[12] = 0x08, [14] = 0x45, [17] = 40, [23] = 6};
	rig_frame(&c.file, 0, bytes_of(tcp, sizeof tcp));
	rig_frame(&c.file, 0, bytes_of(tcp, sizeof tcp));
	cr_expect_str_eq(rig_text(&c.file), "test.pcap: no media flow in 2 packets: 2 TCP; TURN inside TCP is not read");
	call_up(&c, 0, rig_stun(STUN_ALLOCATE, STUN_REQUEST, 1, 0, NULL));
	EXPECT(&c, "test.pcap: no media flow in 3 packets: 1 STUN with a TURN server, 2 TCP; TURN inside TCP is not read");
}
