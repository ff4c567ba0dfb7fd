#include "control.h"

#include <criterion/criterion.h>
#include <netinet/udp.h>
#include <stdlib.h>

struct builder {
	size_t used;
	_Alignas(struct cmsghdr) uint8_t bytes[256];
};

static void put(struct builder *b, int level, int type, const void *data, size_t size)
{
	struct cmsghdr *cmsg = (struct cmsghdr *)(void *)(b->bytes + b->used);
	cmsg->cmsg_level = level;
	cmsg->cmsg_type = type;
	cmsg->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(cmsg), data, size);
	b->used += CMSG_SPACE(size);
}

/* Through a heap copy of exactly this size, so that reading past it is seen. */
static struct control parse(const struct builder *b, size_t size)
{
	uint8_t *copy = calloc(1, size ? size : 1);
	memcpy(copy, b->bytes, size);
	struct control control;
	control_parse(copy, size, &control);
	free(copy);
	return control;
}

static void put_everything(struct builder *b)
{
	uint8_t tos = 0xb9;
	struct in_pktinfo info = {.ipi_addr.s_addr = htonl(0x7f000002), .ipi_spec_dst.s_addr = htonl(0x7f000009), .ipi_ifindex = 1};
	uint32_t drops = 4000000000u;
	int segment_size = 1200;
	put(b, SOL_SOCKET, SO_RXQ_OVFL, &drops, sizeof drops);
	put(b, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
	put(b, IPPROTO_IP, IP_TOS, &tos, 1);
	put(b, IPPROTO_UDP, UDP_GRO, &segment_size, sizeof segment_size);
}

Test(control, reads_everything_that_a_listener_reports)
{
	struct builder b = {0};
	put_everything(&b);
	struct control control = parse(&b, b.used);
	struct addr to = addr_ipv4(127, 0, 0, 2, 0);
	cr_expect(addr_equal(&control.to, &to));
	cr_expect_eq(control.tos, 0xb9);
	cr_expect_eq(control.drops, 4000000000u);
	cr_expect_eq(control.segment_size, 1200);
}

Test(control, reads_ipv6)
{
	struct builder b = {0};
	int traffic_class = 0x2e;
	struct in6_pktinfo info = {.ipi6_addr.s6_addr = {0xfd, [15] = 7}, .ipi6_ifindex = 3};
	put(&b, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
	put(&b, IPPROTO_IPV6, IPV6_TCLASS, &traffic_class, sizeof traffic_class);
	struct control control = parse(&b, b.used);
	cr_expect_eq(control.to.family, ADDR_IPV6);
	cr_expect_eq(memcmp(control.to.ip, info.ipi6_addr.s6_addr, 16), 0);
	cr_expect_eq(control.tos, 0x2e);
	cr_expect_eq(control.segment_size, 0);
}

Test(control, of_nothing_says_nothing)
{
	struct builder b = {0};
	struct control control = parse(&b, 0);
	cr_expect_eq(control.to.family, ADDR_NONE);
	cr_expect_eq(control.tos, 0);
	cr_expect_eq(control.segment_size, 0);
	cr_expect_eq(control.drops, 0u);
}

Test(control, skips_what_it_does_not_know)
{
	struct builder b = {0};
	uint8_t stamp[16] = {0}, tos = 4;
	put(&b, SOL_SOCKET, SO_TIMESTAMP, stamp, sizeof stamp);
	put(&b, 12345, 1, stamp, 3);
	put(&b, IPPROTO_IP, IP_TTL, stamp, 4);
	put(&b, IPPROTO_IP, IP_TOS, &tos, 1);
	cr_expect_eq(parse(&b, b.used).tos, 4);
}

Test(control, refuses_segment_sizes_that_cannot_be)
{
	static const int sizes[] = {0, -1, 65536, INT32_MIN};
	for (unsigned i = 0; i < 4; i++) {
		struct builder b = {0};
		put(&b, IPPROTO_UDP, UDP_GRO, &sizes[i], sizeof sizes[i]);
		cr_expect_eq(parse(&b, b.used).segment_size, 0);
	}
}

/* Every truncation, and every value of every byte: nothing is read outside, and it comes to an end. */
Test(control, survives_any_bytes)
{
	struct builder whole = {0};
	put_everything(&whole);
	for (size_t size = 0; size <= whole.used; size++)
		parse(&whole, size);
	for (size_t at = 0; at < whole.used; at++)
		for (unsigned value = 0; value < 256; value++) {
			struct builder b = whole;
			b.bytes[at] = (uint8_t)value;
			parse(&b, b.used);
		}
	srandom(1);
	for (unsigned i = 0; i < 20000; i++) {
		struct builder b;
		for (unsigned j = 0; j < sizeof b.bytes; j++)
			b.bytes[j] = random() % 3 ? 0 : (uint8_t)random();
		parse(&b, (size_t)random() % sizeof b.bytes);
	}
}
