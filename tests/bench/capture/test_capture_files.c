/* File formats, link layers and IP headers; files that were cut; packets that were. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call_rig.h"

enum { RTP = 0x80 };

#define CALL_TEXT "0 | 0:0>100i 1234.57:0<700 2000:0>101"
#define CALL_TEXT_MICRO "0 | 0:0>100i 1234:0<700 2000:0>101"

/* An IPv6 call has an IPv6 peer. */
static void write_call(struct call_rig *c)
{
	rig_udp(&c->file, 0, &c->client, &c->server, rig_stun(STUN_CHANNEL_BIND, STUN_REQUEST, 1, 0x4000, &c->peer));
	rig_udp(&c->file, 1000000000, &c->client, &c->server, rig_indication(STUN_SEND, &c->peer, RTP, 100));
	rig_udp(&c->file, 1001234567, &c->server, &c->client, rig_channel_data(0x4000, RTP, 700));
	rig_udp(&c->file, 1002000000, &c->client, &c->server, rig_channel_data(0x4000, RTP, 101));
}

static void use_ipv6(struct call_rig *c)
{
	cr_assert(addr_parse_ip("2001:db8::1", &c->client) && addr_parse_ip("2001:db8::2", &c->server));
	cr_assert(addr_parse_ip("2001:db8::3", &c->peer));
	c->client.port = 40000;
	c->server.port = 3478;
	c->peer.port = 5000;
}

Test(capture_files, formats)
{
	struct call_rig c;
	for (enum rig_format format = RIG_MICRO; format <= RIG_NG; format++) {
		call_init(&c, format, RIG_ETHERNET);
		if (format == RIG_NG)
			rig_interface(&c.file, 6);
		write_call(&c);
		cr_expect_str_eq(rig_text(&c.file), format == RIG_NANO ? CALL_TEXT : CALL_TEXT_MICRO, "format %d: %s", format,
			rig_text(&c.file));
		rig_done(&c.file);
	}
}

Test(capture_files, interfaces_of_several_resolutions)
{
	static uint8_t frame[RIG_SIZE_MAX];
	struct call_rig c;
	call_init(&c, RIG_NG, RIG_ETHERNET);
	rig_interface(&c.file, 6);
	rig_interface(&c.file, 9);
	rig_interface(&c.file, 3);
	static const uint64_t stamps[] = {5000000, 5000000123, 5001};
	for (unsigned i = 0; i < 3; i++) {
		size_t size = rig_udp_frame(&c.file, &c.client, &c.server, rig_channel_data(0x4000, RTP, i), frame);
		rig_record(&c.file, i, stamps[i], bytes_of(frame, size));
	}
	cr_expect_str_eq(rig_text(&c.file), "0 | 0:0>0 0.123:0>1 1000:0>2");
	rig_done(&c.file);
}

Test(capture_files, link_layers)
{
	static const enum rig_link links[] = {
		RIG_ETHERNET, RIG_RAW, RIG_NULL, RIG_LOOP, RIG_COOKED, RIG_COOKED_2, RIG_IPV4, RIG_IPV6};
	for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
		for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
			struct call_rig c;
			call_init(&c, RIG_NANO, links[i]);
			if (ipv6)
				use_ipv6(&c);
			write_call(&c);
			cr_expect_str_eq(rig_text(&c.file), CALL_TEXT, "link %d: %s", links[i], rig_text(&c.file));
			rig_done(&c.file);
		}
	}
}

Test(capture_files, tags_options_and_extension_headers)
{
	for (unsigned variant = 0; variant < 12; variant++) {
		struct call_rig c;
		call_init(&c, RIG_NANO, RIG_ETHERNET);
		c.file.vlans = variant % 3;
		c.file.ip_options = variant / 3 * 8;
		write_call(&c);
		cr_expect_str_eq(rig_text(&c.file), CALL_TEXT, "IPv4 variant %u: %s", variant, rig_text(&c.file));
		rig_done(&c.file);
		call_init(&c, RIG_NANO, RIG_ETHERNET);
		use_ipv6(&c);
		c.file.vlans = variant % 3;
		c.file.ip_options = variant / 3 * 8 + 8;
		write_call(&c);
		cr_expect_str_eq(rig_text(&c.file), CALL_TEXT, "IPv6 variant %u: %s", variant, rig_text(&c.file));
		rig_done(&c.file);
	}
}

Test(capture_files, an_unknown_link_type_is_named)
{
	struct rig r;
	rig_init(&r, RIG_MICRO, (enum rig_link)105);
	cr_expect_str_eq(
		rig_text(&r), "test.pcap: link type IEEE802_11 (105) is not read; Ethernet, Linux cooked, raw IP and loopback are");
	rig_done(&r);
}

Test(capture_files, frames_without_a_whole_datagram_are_counted)
{
	static uint8_t frame[RIG_SIZE_MAX];
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	write_call(&c);
	size_t size = rig_udp_frame(&c.file, &c.client, &c.server, rig_channel_data(0x4000, RTP, 100), frame);
	struct bytes whole = bytes_of(frame, size);
	frame[14 + 6] = 0x20; /* more fragments */
	rig_frame(&c.file, 0, whole);
	frame[14 + 6] = 0;
	frame[14 + 7] = 1; /* an offset */
	rig_frame(&c.file, 0, whole);
	frame[14 + 7] = 0;
	frame[14 + 9] = 1; /* ICMP */
	rig_frame(&c.file, 0, whole);
	frame[14 + 9] = 17;
	frame[14 + 20 + 4] = 0xff; /* UDP length */
	rig_frame(&c.file, 0, whole);
	frame[13] = 6; /* ARP */
	rig_frame(&c.file, 0, whole);
	rig_frame(&c.file, 0, bytes_of(frame, 13));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_eq(capture.reasons[LEFT_FRAGMENT], 2);
	cr_expect_eq(capture.reasons[LEFT_OTHER_IP], 1);
	cr_expect_eq(capture.reasons[LEFT_MALFORMED], 1);
	cr_expect_eq(capture.reasons[LEFT_NOT_IP], 1);
	cr_expect_eq(capture.reasons[LEFT_CUT], 1);
	cr_expect_eq(capture.left_out, 6);
	cr_expect_eq(capture.script.packet_count, 3);
	capture_done(&capture);
	rig_done(&c.file);
}

Test(capture_files, a_fragment_header_tells_fragments_apart)
{
	static uint8_t frame[RIG_SIZE_MAX];
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	use_ipv6(&c);
	write_call(&c);
	c.file.ip_options = 32;
	size_t size = rig_udp_frame(&c.file, &c.client, &c.server, rig_channel_data(0x4000, RTP, 100), frame);
	frame[14 + 40 + 24 + 3] = 1;
	rig_frame(&c.file, 0, bytes_of(frame, size));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_eq(capture.reasons[LEFT_FRAGMENT], 1);
	capture_done(&capture);
	rig_done(&c.file);
}

/* What can be known, by how much of the UDP payload was captured. */
static const char *cut_text(size_t payload, bool ipv6)
{
	size_t peer_end = STUN_HEADER_SIZE + (ipv6 ? 24 : 12);
	if (payload == 0)
		return "test.pcap: no media flow in 4 packets: 4 UDP whose payload was not captured; capture at least 96 bytes of "
		       "each packet";
	if (payload == 1) /* the indication is no more than some STUN */
		return "0 | 0:0<700 765.433:0>101";
	/* The peer of the indication is known here, that of the channel not yet. */
	if (payload >= peer_end && payload < peer_end + 8)
		return "0- 0 | 0:0>100 1234.57:1<700 2000:1>101";
	return CALL_TEXT;
}

Test(capture_files, packets_cut_at_every_length)
{
	for (int ipv6 = 0; ipv6 <= 1; ipv6++) {
		size_t headers = 14 + (ipv6 ? 40 : 20) + 8;
		for (size_t snap = headers; snap < headers + 120; snap++) {
			struct call_rig c;
			call_init(&c, RIG_NANO, RIG_ETHERNET);
			if (ipv6)
				use_ipv6(&c);
			c.file.snap = snap;
			write_call(&c);
			cr_expect_str_eq(rig_text(&c.file), cut_text(snap - headers, ipv6), "%zu: %s", snap, rig_text(&c.file));
			rig_done(&c.file);
		}
	}
}

Test(capture_files, packets_cut_within_their_headers)
{
	for (size_t snap = 1; snap < 42; snap++) {
		struct call_rig c;
		call_init(&c, RIG_NANO, RIG_ETHERNET);
		c.file.snap = snap;
		write_call(&c);
		cr_expect_str_eq(rig_text(&c.file),
			"test.pcap: no media flow in 4 packets: 4 cut before the end of the UDP header"
			"; capture at least 96 bytes of each packet",
			"%zu", snap);
		rig_done(&c.file);
	}
}

Test(capture_files, estimated_sizes_are_counted)
{
	struct call_rig c;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	c.file.snap = 14 + 28 + 30;
	call_up(&c, 0, rig_indication(STUN_SEND, &c.peer, RTP, 99));
	call_up(&c, 1, rig_channel_data(0x4000, RTP, 99));
	struct capture capture;
	struct failure failure;
	cr_assert(rig_read(&c.file, &capture, &failure), "%s", failure.text);
	cr_expect_str_eq(rig_script(&capture.script), "0 | 0:0>100i 1000:0>99");
	cr_expect_eq(capture.estimated, 1);
	cr_expect_eq(capture.truncated, 2);
	capture_done(&capture);
	rig_done(&c.file);
}

static bool one_line(const struct failure *failure)
{
	return strncmp(failure->text, "test.pcap: ", 11) == 0 && strlen(failure->text) > 20 && strchr(failure->text, '\n') == NULL;
}

/* Cut at a record's end a file is whole, and shorter; cut elsewhere it is damaged. */
Test(capture_files, files_cut_at_every_byte)
{
	for (enum rig_format format = RIG_MICRO; format <= RIG_NG; format++) {
		struct call_rig c;
		call_init(&c, format, RIG_ETHERNET);
		if (format == RIG_NG)
			rig_interface(&c.file, 9);
		write_call(&c);
		unsigned scripts = 0, damaged = 0;
		for (size_t size = 1; size <= c.file.size; size++) {
			struct capture capture;
			struct failure failure = {0};
			if (rig_read_start(&c.file, size, 0, &capture, &failure)) {
				scripts++;
				cr_expect(rig_script(&capture.script) != NULL);
				capture_done(&capture);
			} else {
				cr_expect(one_line(&failure), "%zu: %s", size, failure.text);
				damaged += strstr(failure.text, "damaged after ") != NULL;
			}
		}
		cr_expect_eq(scripts, 3, "format %d: %u scripts", format, scripts);
		cr_expect_gt(damaged, c.file.size * 3 / 4);
		rig_done(&c.file);
	}
}

/* Any byte may be wrong: a script or one line comes of it. */
Test(capture_files, files_with_a_wrong_byte)
{
	for (enum rig_format format = RIG_MICRO; format <= RIG_NG; format++) {
		struct call_rig c;
		call_init(&c, format, RIG_ETHERNET);
		if (format == RIG_NG)
			rig_interface(&c.file, 9);
		c.file.snap = 120;
		write_call(&c);
		for (size_t i = 0; i < c.file.size * 4; i++) {
			static const uint8_t masks[] = {0x01, 0x80, 0xff, 0x10};
			struct capture capture;
			struct failure failure = {0};
			c.file.bytes[i / 4] ^= masks[i % 4];
			if (rig_read(&c.file, &capture, &failure)) {
				cr_expect(rig_script(&capture.script) != NULL);
				capture_done(&capture);
			} else {
				cr_expect(one_line(&failure), "%zu: %s", i, failure.text);
			}
			c.file.bytes[i / 4] ^= masks[i % 4];
		}
		rig_done(&c.file);
	}
}

Test(capture_files, damage_tells_how_far_it_was_read)
{
	struct call_rig c;
	struct capture capture;
	struct failure failure;
	call_init(&c, RIG_MICRO, RIG_ETHERNET);
	write_call(&c);
	cr_assert_not(rig_read_start(&c.file, c.file.size - 1, 0, &capture, &failure));
	char expected[80];
	snprintf(expected, sizeof expected, "test.pcap: damaged after 3 packets, before byte %zu: ", c.file.size - 1);
	cr_expect_eq(strncmp(failure.text, expected, strlen(expected)), 0, "%s", failure.text);
	rig_done(&c.file);
}

static void expect_failure(const char *path, const char *text)
{
	struct capture capture;
	struct failure failure;
	cr_assert_not(capture_read(path, 0, &capture, &failure), "%s", path);
	cr_expect(strstr(failure.text, path) == failure.text && strstr(failure.text, text) != NULL, "%s", failure.text);
}

Test(capture_files, what_is_no_capture)
{
	char directory[] = "/tmp/uturn-capture-XXXXXX", file[64];
	cr_assert(mkdtemp(directory) != NULL);
	snprintf(file, sizeof file, "%s/file", directory);
	expect_failure(file, "cannot be opened: No such file or directory");
	expect_failure(directory, "a directory, not a packet capture");
	FILE *f = fopen(file, "w");
	cr_assert(f != NULL);
	fclose(f);
	expect_failure(file, "an empty file, not a packet capture");
	f = fopen(file, "w");
	cr_assert(f != NULL);
	fputs("{\"this\": \"is something else\"}", f);
	fclose(f);
	expect_failure(file, "not a packet capture (pcap or pcapng)");
	cr_expect(unlink(file) == 0 && rmdir(directory) == 0);
}
