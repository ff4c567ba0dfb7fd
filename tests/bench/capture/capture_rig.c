#include "capture_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/read.h"
#include "exact_copy.h"
#include "wire/channel_data.h"
#include "wire/cursor.h"
#include "wire/stun_build.h"

static void put(struct rig *r, const void *bytes, size_t size)
{
	cr_assert(r->size + size <= RIG_SIZE_MAX);
	if (size > 0)
		memcpy(r->bytes + r->size, bytes, size);
	r->size += size;
}

static void put_u32(struct rig *r, uint32_t value)
{
	uint32_t ordered = r->format == RIG_MICRO_BIG_ENDIAN ? htobe32(value) : htole32(value);
	put(r, &ordered, sizeof ordered);
}

static void put_u16(struct rig *r, uint16_t value)
{
	uint16_t ordered = r->format == RIG_MICRO_BIG_ENDIAN ? htobe16(value) : htole16(value);
	put(r, &ordered, sizeof ordered);
}

void rig_init(struct rig *r, enum rig_format format, enum rig_link link)
{
	*r = (struct rig){.format = format, .link = link, .bytes = malloc(RIG_SIZE_MAX)};
	if (format == RIG_NG) {
		static const uint32_t section[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX, 28};
		for (size_t i = 0; i < sizeof section / sizeof section[0]; i++)
			put_u32(r, section[i]);
		return;
	}
	put_u32(r, format == RIG_NANO ? 0xa1b23c4d : 0xa1b2c3d4);
	put_u16(r, 2);
	put_u16(r, 4);
	put_u32(r, 0);
	put_u32(r, 0);
	put_u32(r, 262144);
	put_u32(r, link);
}

void rig_done(struct rig *r)
{
	free(r->bytes);
	*r = (struct rig){0};
}

void rig_interface(struct rig *r, unsigned decimals)
{
	const uint8_t resolution[8] = {9, 0, 1, 0, (uint8_t)decimals, 0, 0, 0}; /* if_tsresol */
	put_u32(r, 1);
	put_u32(r, 32);
	put_u16(r, (uint16_t)r->link);
	put_u16(r, 0);
	put_u32(r, 0);
	put(r, resolution, sizeof resolution);
	put_u32(r, 0);
	put_u32(r, 32);
}

void rig_record(struct rig *r, unsigned interface, uint64_t stamp, struct bytes frame)
{
	uint32_t captured = (uint32_t)(r->snap != 0 && r->snap < frame.size ? r->snap : frame.size);
	uint32_t padding = (4 - captured % 4) % 4, total = 32 + captured + padding;
	put_u32(r, 6);
	put_u32(r, total);
	put_u32(r, interface);
	put_u32(r, (uint32_t)(stamp >> 32));
	put_u32(r, (uint32_t)stamp);
	put_u32(r, captured);
	put_u32(r, (uint32_t)frame.size);
	put(r, frame.data, captured);
	put(r, "\0\0\0", padding);
	put_u32(r, total);
}

void rig_frame(struct rig *r, uint64_t at_ns, struct bytes frame)
{
	if (r->format == RIG_NG) {
		rig_record(r, 0, at_ns / 1000, frame);
		return;
	}
	uint32_t captured = (uint32_t)(r->snap != 0 && r->snap < frame.size ? r->snap : frame.size);
	put_u32(r, (uint32_t)(at_ns / 1000000000));
	put_u32(r, (uint32_t)(at_ns % 1000000000 / (r->format == RIG_NANO ? 1 : 1000)));
	put_u32(r, captured);
	put_u32(r, (uint32_t)frame.size);
	put(r, frame.data, captured);
}

static void write_link(const struct rig *r, struct writer *w, bool ipv6)
{
	uint16_t type = ipv6 ? 0x86dd : 0x0800;
	switch (r->link) {
	case RIG_ETHERNET:
		writer_zeros(w, 12);
		for (unsigned i = 0; i < r->vlans; i++) {
			writer_u16(w, i + 1 < r->vlans ? 0x88a8 : 0x8100);
			writer_u16(w, 42);
		}
		writer_u16(w, type);
		break;
	case RIG_COOKED:
		writer_zeros(w, 14);
		writer_u16(w, type);
		break;
	case RIG_COOKED_2:
		writer_u16(w, type);
		writer_zeros(w, 18);
		break;
	case RIG_NULL:
		writer_bytes(w, bytes_of(ipv6 ? "\x0a\0\0\0" : "\x02\0\0\0", 4));
		break;
	case RIG_LOOP:
		writer_u32(w, ipv6 ? 24 : 2);
		break;
	case RIG_RAW:
	case RIG_IPV4:
	case RIG_IPV6:
		break;
	}
}

static void write_ip(const struct rig *r, struct writer *w, const struct addr *from, const struct addr *to, size_t size)
{
	if (from->family == ADDR_IPV4) {
		writer_u8(w, (uint8_t)(0x40 | (20 + r->ip_options) / 4));
		writer_u8(w, 0);
		writer_u16(w, (uint16_t)(20 + r->ip_options + size));
		writer_u32(w, 0);
		writer_u16(w, 64 << 8 | 17);
		writer_u16(w, 0);
		writer_bytes(w, bytes_of(from->ip, 4));
		writer_bytes(w, bytes_of(to->ip, 4));
		for (unsigned i = 0; i < r->ip_options; i++)
			writer_u8(w, 1);
		return;
	}
	static const uint8_t kinds[] = {0, 60, 43, 44}; /* hop-by-hop, destination, routing, an atomic fragment */
	unsigned headers = r->ip_options / 8;
	writer_u32(w, 0x60000000);
	writer_u16(w, (uint16_t)(r->ip_options + size));
	writer_u8(w, headers > 0 ? kinds[0] : 17);
	writer_u8(w, 64);
	writer_bytes(w, bytes_of(from->ip, 16));
	writer_bytes(w, bytes_of(to->ip, 16));
	for (unsigned i = 0; i < headers; i++) {
		writer_u8(w, i + 1 < headers ? kinds[i + 1] : 17);
		writer_zeros(w, 7);
	}
}

size_t rig_udp_frame(const struct rig *r, const struct addr *from, const struct addr *to, struct bytes payload, uint8_t *frame)
{
	struct writer w = writer_of(frame, RIG_SIZE_MAX);
	write_link(r, &w, from->family == ADDR_IPV6);
	write_ip(r, &w, from, to, 8 + payload.size);
	writer_u16(&w, from->port);
	writer_u16(&w, to->port);
	writer_u16(&w, (uint16_t)(8 + payload.size));
	writer_u16(&w, 0);
	writer_bytes(&w, payload);
	return writer_size(&w);
}

void rig_udp(struct rig *r, uint64_t at_ns, const struct addr *from, const struct addr *to, struct bytes payload)
{
	static uint8_t frame[RIG_SIZE_MAX];
	rig_frame(r, at_ns, bytes_of(frame, rig_udp_frame(r, from, to, payload, frame)));
}

struct bytes rig_plain(uint8_t first, size_t size)
{
	static uint8_t bytes[UINT16_MAX];
	memset(bytes, 0, size);
	bytes[0] = first;
	return bytes_of(bytes, size);
}

struct bytes rig_channel_data(uint16_t channel, uint8_t first, size_t size)
{
	static uint8_t bytes[UINT16_MAX + 4];
	channel_data_write(bytes, channel, (uint16_t)size);
	memset(bytes + 4, 0, size);
	bytes[4] = first;
	return bytes_of(bytes, 4 + size);
}

static struct bytes indication(enum stun_method method, const struct addr *peer, uint8_t first, size_t size, bool data_first)
{
	static uint8_t bytes[UINT16_MAX];
	const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = {first};
	struct stun_builder b = stun_build(bytes, sizeof bytes, method, STUN_INDICATION, transaction_id);
	if (!data_first)
		stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	stun_build_bytes(&b, STUN_ATTR_DATA, rig_plain(first, size));
	if (data_first)
		stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	return stun_build_end(&b);
}

struct bytes rig_indication(enum stun_method method, const struct addr *peer, uint8_t first, size_t size)
{
	return indication(method, peer, first, size, false);
}

struct bytes rig_indication_data_first(enum stun_method method, const struct addr *peer, uint8_t first, size_t size)
{
	return indication(method, peer, first, size, true);
}

struct bytes rig_stun(
	enum stun_method method, enum stun_class class, uint8_t transaction, uint16_t channel, const struct addr *peer)
{
	static uint8_t bytes[128];
	const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = {transaction};
	struct stun_builder b = stun_build(bytes, sizeof bytes, method, class, transaction_id);
	if (channel != 0)
		stun_build_u32(&b, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)channel << 16);
	if (peer != NULL)
		stun_build_xor_addr(&b, method == STUN_ALLOCATE ? STUN_ATTR_XOR_RELAYED_ADDRESS : STUN_ATTR_XOR_PEER_ADDRESS, peer);
	if (class == STUN_ERROR_RESPONSE)
		stun_build_error_code(&b, STUN_FORBIDDEN, bytes_of_string(""));
	return stun_build_end(&b);
}

bool rig_read_start(const struct rig *r, size_t size, uint64_t packets_min, struct capture *ret_capture, struct failure *failure)
{
	/* A copy of just its size: a read beyond its end is then seen. */
	struct bytes copy = exact_copy(r->bytes, size);
	FILE *file = fmemopen((void *)(uintptr_t)copy.data, size, "rb");
	cr_assert(file != NULL);
	bool done = capture_read_file(file, "test.pcap", packets_min, ret_capture, failure);
	exact_copy_free(copy);
	return done;
}

bool rig_read(const struct rig *r, struct capture *ret_capture, struct failure *failure)
{
	return rig_read_start(r, r->size, 0, ret_capture, failure);
}

const char *rig_script(const struct script *s)
{
	static char text[1 << 16];
	size_t used = 0;
	unsigned allocations = 0;
	uint64_t before_ns = 0;
	for (size_t i = 0; i < s->path_count; i++) {
		const struct script_path *p = &s->paths[i];
		cr_assert(p->allocation <= allocations, "allocations are numbered without a gap");
		allocations += p->allocation == allocations;
		used += (size_t)snprintf(text + used, sizeof text - used, "%u%s ", p->allocation, p->channel ? "" : "-");
	}
	cr_assert_eq(s->allocations, allocations);
	used += (size_t)snprintf(text + used, sizeof text - used, "|");
	for (size_t i = 0; i < s->packet_count; i++) {
		const struct script_packet *p = &s->packets[i];
		cr_assert(p->path < s->path_count && p->at_ns >= before_ns && p->direction < DIRECTIONS);
		cr_assert(!p->indication || (p->direction == UP && s->paths[p->path].channel));
		before_ns = p->at_ns;
		used += (size_t)snprintf(text + used, sizeof text - used, " %g:%u%c%u%s", (double)p->at_ns / 1e3, p->path,
			p->direction == UP ? '>' : '<', p->size, p->indication ? "i" : "");
		cr_assert(used < sizeof text);
	}
	cr_assert(s->packet_count > 0 && s->length_ns > before_ns);
	return text;
}

const char *rig_text(const struct rig *r)
{
	static struct failure failure;
	struct capture c;
	if (!rig_read(r, &c, &failure))
		return failure.text;
	const char *text = rig_script(&c.script);
	uint64_t sum = 0;
	for (int i = 0; i < CAPTURE_REASONS; i++)
		sum += c.reasons[i];
	cr_assert_eq(c.left_out, sum);
	cr_assert_eq(c.media_packets, c.script.packet_count);
	cr_assert(c.aggregates > 0 || c.packets_read == c.media_packets + c.stun_packets + c.left_out);
	capture_done(&c);
	return text;
}
