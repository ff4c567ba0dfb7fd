#include <criterion/criterion.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "io_rig.h"
#include "train_private.h"
#include "train_rig.h"

Test(train, grows_while_packets_are_of_one_size)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 1200);
	for (unsigned i = 0; i < 8; i++)
		append(t, &d);
	cr_expect_eq(trains_count(t), 1u);
	cr_expect_eq(trains_at(t, 0)->segments, 8);
	cr_expect_eq(trains_at(t, 0)->segment_size, 1200);
	cr_expect_eq(trains_at(t, 0)->bytes, 9600u);
	trains_free(t);
}

/* Sizes of packets to one destination, and the segments of the trains that they form. */
static const struct {
	const char *name;
	size_t sizes[8];
	uint16_t segments[8];
} size_cases[] = {
	{"a shorter packet joins and closes", {1200, 1200, 700, 1200}, {3, 1}},
	{"a longer packet starts a new one", {700, 1200, 1200}, {1, 2}},
	{"a packet as short as the tail does not join", {1200, 700, 700, 700}, {2, 2}},
	{"rising sizes never join", {1, 2, 3, 4}, {1, 1, 1, 1}},
	{"falling sizes join in pairs", {9, 8, 7, 6}, {2, 2}},
	{"an empty packet travels alone", {1200, 0, 1200, 1200}, {1, 1, 2}},
	{"empty packets do not join each other", {0, 0, 0}, {1, 1, 1}},
};

Test(train, closes_by_size)
{
	for (unsigned c = 0; c < sizeof size_cases / sizeof *size_cases; c++) {
		struct trains *t = trains_create();
		unsigned packets = 0, sum = 0, trains = 0;
		for (; trains < 8 && size_cases[c].segments[trains] > 0; trains++)
			sum += size_cases[c].segments[trains];
		for (; packets < sum; packets++) {
			struct departure d = packet(1, 1000, size_cases[c].sizes[packets]);
			append(t, &d);
		}
		cr_assert_eq(trains_count(t), trains, "%s", size_cases[c].name);
		for (unsigned i = 0; i < trains; i++)
			cr_expect_eq(trains_at(t, i)->segments, size_cases[c].segments[i], "%s: train %u", size_cases[c].name, i);
		trains_free(t);
	}
}

Test(train, keeps_flows_apart)
{
	struct trains *t = trains_create();
	struct departure variants[5];
	for (unsigned i = 0; i < 5; i++)
		variants[i] = packet(1, 1000, 100);
	variants[1].socket = 2;
	variants[2].to.port = 1001;
	variants[3].to.ip[3] = 9;
	variants[4].from = addr_ipv4(127, 0, 0, 2, 0);
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < 5; i++)
			append(t, &variants[i]);
	/* Flows may displace each other in the index, which costs trains and mixes nothing. */
	unsigned packets[5] = {0};
	for (unsigned i = 0; i < trains_count(t); i++) {
		const struct train *train = trains_at(t, i);
		for (unsigned v = 0; v < 5; v++)
			if (train->socket == variants[v].socket && addr_equal(&train->to, &variants[v].to) &&
				addr_ip_equal(&train->from, &variants[v].from))
				packets[v] += train->segments;
	}
	for (unsigned v = 0; v < 5; v++)
		cr_expect_eq(packets[v], 3u);
	trains_free(t);
}

Test(train, ignores_the_port_of_the_source_address)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 100);
	d.from = addr_ipv4(127, 0, 0, 2, 7);
	append(t, &d);
	d.from.port = 8;
	append(t, &d);
	cr_expect_eq(trains_count(t), 1u);
	trains_free(t);
}

/* After a packet with another TOS, one with the first TOS must not overtake it by joining the older train. */
Test(train, keeps_the_order_of_a_flow_whose_tos_or_df_changes)
{
	struct trains *t = trains_create();
	struct departure plain = packet(1, 1000, 100), marked = plain, whole = plain;
	marked.tos = 0xb8;
	whole.dont_fragment = true;
	const struct departure *order[] = {&plain, &plain, &marked, &plain, &whole, &whole, &plain};
	for (unsigned i = 0; i < 7; i++)
		append(t, order[i]);
	static const uint16_t segments[] = {2, 1, 1, 2, 1};
	cr_assert_eq(trains_count(t), 5u);
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(trains_at(t, i)->segments, segments[i]);
	cr_expect_eq(trains_at(t, 1)->tos, 0xb8);
	cr_expect(trains_at(t, 3)->dont_fragment);
	trains_free(t);
}

Test(train, holds_64_segments_at_most)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 10);
	for (unsigned i = 0; i < 130; i++)
		append(t, &d);
	cr_assert_eq(trains_count(t), 3u);
	cr_expect_eq(trains_at(t, 0)->segments, 64);
	cr_expect_eq(trains_at(t, 1)->segments, 64);
	cr_expect_eq(trains_at(t, 2)->segments, 2);
	trains_free(t);
}

Test(train, holds_65507_bytes_at_most)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 5000);
	for (unsigned i = 0; i < 14; i++)
		append(t, &d);
	cr_assert_eq(trains_count(t), 2u);
	cr_expect_eq(trains_at(t, 0)->segments, 13);
	cr_expect_eq(trains_at(t, 1)->segments, 1);
	trains_clear(t);
	/* Exactly full, in two ways. */
	d = packet(1, 1000, 65507);
	append(t, &d);
	d = packet(1, 1000, 32754);
	append(t, &d);
	d = packet(1, 1000, 32753);
	append(t, &d);
	d = packet(1, 1000, 1);
	append(t, &d);
	cr_assert_eq(trains_count(t), 3u);
	cr_expect_eq(trains_at(t, 0)->segments, 1);
	cr_expect_eq(trains_at(t, 1)->bytes, 65507u);
	cr_expect_eq(trains_at(t, 1)->segments, 2);
	trains_free(t);
}

Test(train, leaves_alone_when_told_to)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 100);
	append(t, &d);
	cr_assert_eq(trains_append_alone(t, &d, 0), 1u);
	append(t, &d);
	append(t, &d);
	cr_assert_eq(trains_count(t), 3u);
	cr_expect_eq(trains_at(t, 1)->segments, 1);
	cr_expect_eq(trains_at(t, 2)->segments, 2);
	trains_free(t);
}

Test(train, takes_nothing_more_once_closed)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 100);
	append(t, &d);
	trains_close_all(t);
	append(t, &d);
	cr_expect_eq(trains_count(t), 2u);
	trains_free(t);
}

Test(train, refuses_when_all_are_taken_and_accepts_after_clearing)
{
	struct trains *t = trains_create();
	for (unsigned i = 0; i < TRAINS_MAX; i++) {
		struct departure d = packet(i, 1000, 100);
		append(t, &d);
	}
	struct departure d = packet(TRAINS_MAX, 1000, 100);
	cr_expect_eq(trains_append(t, &d, 0), 0u);
	cr_expect_eq(trains_count(t), TRAINS_MAX);
	trains_clear(t);
	cr_expect_eq(trains_count(t), 0u);
	cr_expect_eq(trains_append(t, &d, 0), 1u);
	trains_free(t);
}

Test(train, refuses_when_the_headers_are_full_and_accepts_after_clearing)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 10);
	d.header = memory;
	d.header_size = 255;
	unsigned packets = 0;
	while (trains_append(t, &d, 0) == 1)
		cr_assert_lt(++packets, 100000u);
	cr_expect_gt(packets, 1000u);
	trains_clear(t);
	cr_expect_eq(trains_append(t, &d, 0), 1u);
	trains_free(t);
}

Test(train, copies_a_header_and_writes_one_in_place)
{
	struct trains *t = trains_create();
	uint8_t buffer[300], header[4] = {1, 2, 3, 4}, bytes[400];
	rig_fill(buffer, sizeof buffer, 1);
	struct departure d = packet(1, 1000, 0);
	d.header = header;
	d.header_size = 4;
	d.payload = bytes_of(buffer + 100, 50);
	d.padding = 2;
	append(t, &d);
	cr_expect_eq(trains_at(t, 0)->iov_count, 3);
	header[0] = 9;
	d.payload = bytes_of(buffer + 200, 50);
	d.headroom_end = buffer + 200;
	append(t, &d);
	cr_expect_eq(trains_at(t, 0)->iov_count, 5);
	cr_assert_eq(gather(trains_at(t, 0), bytes), 112u);
	cr_expect_eq(memcmp(bytes, "\1\2\3\4", 4), 0, "the header was copied, not borrowed");
	cr_expect_eq(memcmp(bytes + 4, buffer + 100, 50), 0);
	cr_expect_eq(memcmp(bytes + 54, "\0\0\11\2\3\4", 6), 0);
	cr_expect_eq(memcmp(bytes + 60, buffer + 200, 50), 0);
	trains_free(t);
}

Test(train, needs_one_vector_for_payloads_that_lie_back_to_back)
{
	struct trains *t = trains_create();
	for (unsigned i = 0; i < 8; i++) {
		struct departure d = packet(1, 1000, 0);
		d.payload = bytes_of(memory + i * 100, 100);
		append(t, &d);
	}
	cr_expect_eq(trains_at(t, 0)->iov_count, 1);
	cr_expect_eq(trains_at(t, 0)->segments, 8);
	trains_free(t);
}

/* ---- the message ---- */

static const struct cmsghdr *find_control(const struct train_message *message, int level, int type)
{
	struct msghdr header = message->header;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return c;
	return NULL;
}

Test(train_message, has_no_segment_size_for_a_single_packet)
{
	struct trains *t = trains_create();
	struct departure d = packet(1, 1000, 100);
	append(t, &d);
	struct train_message message;
	train_message(trains_at(t, 0), &message);
	cr_expect_eq(message.header.msg_controllen, 0u);
	cr_expect_eq(message.header.msg_control, NULL);
	struct addr to = addr_from_sockaddr(message.header.msg_name);
	cr_expect(addr_equal(&to, &d.to));
	trains_free(t);
}

Test(train_message, carries_segment_size_tos_and_source)
{
	static const enum addr_family families[] = {ADDR_IPV4, ADDR_IPV6};
	for (unsigned f = 0; f < 2; f++) {
		struct trains *t = trains_create();
		struct departure d = packet(1, 1000, 100);
		d.tos = 0x2e;
		d.from = addr_ipv4(127, 0, 0, 9, 0);
		if (families[f] == ADDR_IPV6) {
			d.to = addr_with_port(rig_loopback6, 1000);
			d.from = rig_loopback6;
		}
		append(t, &d);
		append(t, &d);
		struct train_message message;
		train_message(trains_at(t, 0), &message);
		const struct cmsghdr *segment = find_control(&message, IPPROTO_UDP, UDP_SEGMENT);
		cr_assert_neq(segment, NULL);
		cr_expect_eq(segment->cmsg_len, CMSG_LEN(sizeof(uint16_t)), "the kernel wants exactly this");
		uint16_t size;
		memcpy(&size, CMSG_DATA(segment), sizeof size);
		cr_expect_eq(size, 100);
		bool v4 = families[f] == ADDR_IPV4;
		const struct cmsghdr *tos = find_control(&message, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS);
		cr_assert_neq(tos, NULL);
		int value;
		memcpy(&value, CMSG_DATA(tos), sizeof value);
		cr_expect_eq(value, 0x2e);
		cr_expect_neq(find_control(&message, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_PKTINFO : IPV6_PKTINFO), NULL);
		trains_free(t);
	}
}

/* ---- walking the segments ---- */

Test(segments, come_out_of_a_train_as_they_went_in)
{
	struct trains *t = trains_create();
	uint8_t header[8], expected[64][600], bytes[600];
	for (unsigned i = 0; i < 64; i++) {
		size_t payload_size = i == 63 ? 17 : 501;
		struct departure d = packet(1, 1000, 0);
		rig_fill(header, sizeof header, i);
		d.header = header;
		d.header_size = 8;
		d.payload = bytes_of(memory + i * 1000, payload_size);
		d.padding = 3;
		rig_fill(memory + i * 1000, payload_size, 1000 + i);
		memset(expected[i], 0, sizeof expected[i]);
		memcpy(expected[i], header, 8);
		memcpy(expected[i] + 8, memory + i * 1000, payload_size);
		append(t, &d);
	}
	cr_assert_eq(trains_count(t), 1u);
	struct segment_walk walk = {.train = trains_at(t, 0)};
	struct iovec iov[SEGMENT_IOV_MAX];
	unsigned parts, segments = 0;
	while ((parts = segment_next(&walk, iov)) > 0) {
		size_t size = 0;
		for (unsigned i = 0; i < parts; size += iov[i++].iov_len)
			memcpy(bytes + size, iov[i].iov_base, iov[i].iov_len);
		cr_assert_eq(size, segments == 63 ? 28u : 512u);
		cr_assert_eq(memcmp(bytes, expected[segments], size), 0, "segment %u", segments);
		segments++;
	}
	cr_expect_eq(segments, 64u);
	trains_free(t);
}

/* ---- any packets at all ---- */

enum { MODEL_FLOWS = 12, MODEL_PACKETS = 3000, MODEL_SIZE_MAX = 300 };

struct model_packet {
	uint8_t flow, tos;
	bool dont_fragment;
	size_t size;
	uint8_t bytes[MODEL_SIZE_MAX];
};

static struct model_packet model[MODEL_PACKETS];

static void check_train(const struct train *train, unsigned next[static MODEL_FLOWS])
{
	unsigned flow = train->socket;
	static uint8_t bytes[65536 + 512];
	size_t size = gather(train, bytes), at = 0;
	cr_assert_eq(size, train->bytes);
	cr_assert_leq(size, TRAIN_BYTES_MAX);
	cr_assert_leq(train->segments, TRAIN_SEGMENTS_MAX);
	for (unsigned i = 0; i < train->segments; i++) {
		while (model[next[flow]].flow != flow)
			next[flow]++;
		const struct model_packet *p = &model[next[flow]++];
		cr_assert(i == train->segments - 1u ? p->size <= train->segment_size : p->size == train->segment_size);
		cr_assert_eq(p->tos, train->tos);
		cr_assert_eq(p->dont_fragment, train->dont_fragment);
		cr_assert_eq(memcmp(bytes + at, p->bytes, p->size), 0);
		at += p->size;
	}
	cr_assert_eq(at, size);
}

static void append_model_packet(struct trains *t, unsigned number, unsigned next[static MODEL_FLOWS])
{
	struct model_packet *p = &model[number];
	uint8_t *buffer = memory + number * 320u;
	p->flow = (uint8_t)(random() % MODEL_FLOWS);
	p->tos = random() % 20 == 0 ? 0xb8 : 0;
	p->dont_fragment = random() % 30 == 0;
	struct departure d = packet(p->flow, (uint16_t)(2000 + p->flow), 0);
	uint8_t header[48];
	rig_fill(header, sizeof header, number);
	size_t payload_size = random() % 3 != 0 ? 200 : (size_t)random() % 200;
	rig_fill(buffer + 64, payload_size, number + 77);
	d.header = header;
	d.header_size = (uint8_t)(random() % 2 != 0 ? 4 : random() % 49);
	d.padding = (uint8_t)(random() % 2 != 0 ? 0 : random() % 4);
	d.payload = bytes_of(buffer + 64, payload_size);
	d.headroom_end = random() % 2 != 0 ? buffer + 64 : NULL;
	d.tos = p->tos;
	d.dont_fragment = p->dont_fragment;
	p->size = d.header_size + payload_size + d.padding;
	memset(p->bytes, 0, sizeof p->bytes);
	memcpy(p->bytes, header, d.header_size);
	memcpy(p->bytes + d.header_size, buffer + 64, payload_size);
	if (trains_append(t, &d, 0) == 1)
		return;
	for (unsigned i = 0; i < trains_count(t); i++)
		check_train(trains_at(t, i), next);
	trains_clear(t);
	append(t, &d);
}

Test(train, holds_every_packet_once_and_in_order_whatever_comes)
{
	for (unsigned seed = 1; seed <= 30; seed++) {
		srandom(seed);
		struct trains *t = trains_create();
		unsigned next[MODEL_FLOWS] = {0};
		for (unsigned i = 0; i < MODEL_PACKETS; i++)
			append_model_packet(t, i, next);
		for (unsigned i = 0; i < trains_count(t); i++)
			check_train(trains_at(t, i), next);
		/* Nothing is missing: behind the last packet that a flow has shown, there is none of its own. */
		for (unsigned flow = 0; flow < MODEL_FLOWS; flow++)
			for (unsigned i = next[flow]; i < MODEL_PACKETS; i++)
				cr_assert_neq(model[i].flow, flow, "seed %u: packet %u was lost", seed, i);
		trains_free(t);
	}
}
