#include "measure/probe.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 0x1234abcd, SEED = 99 };

/* A buffer of exactly `size` bytes, so that the sanitizers see a read beyond. */
static uint8_t *packet_create(size_t size, uint32_t key, const struct probe *probe)
{
	uint8_t header[PROBE_SIZE] = {0};
	size_t header_size = probe_header_size(size);
	uint8_t *packet = malloc(size > 0 ? size : 1);
	cr_assert_not_null(packet);
	probe_write(header, size, key, probe);
	memcpy(packet, header, header_size);
	memcpy(packet + header_size, probe_body(probe->sequence), size - header_size);
	return packet;
}

static enum probe_verdict verdict_of(size_t size)
{
	return size >= PROBE_SIZE ? PROBE_GOOD : size >= PROBE_SHORT_SIZE ? PROBE_SHORT : PROBE_ANONYMOUS;
}

static void expect_good(size_t size, const struct probe *probe)
{
	uint8_t *packet = packet_create(size, KEY, probe);
	struct probe got = {0};
	cr_expect_eq(probe_check(packet, size, KEY, &got), verdict_of(size), "%zu bytes", size);
	if (size >= PROBE_SHORT_SIZE)
		cr_expect_eq(got.sequence, size >= PROBE_SIZE ? probe->sequence : probe->sequence & 0xffff, "%zu bytes", size);
	cr_expect_eq(got.sent_ns, size >= PROBE_SIZE ? probe->sent_ns : 0, "%zu bytes", size);
	free(packet);
}

Test(probe, every_size_is_read_back)
{
	probe_pattern_init(SEED);
	const struct probe probe = {.sequence = 0xfedcba98, .sent_ns = UINT64_C(1700000000123456789)};
	for (size_t size = 0; size <= 1500; size++)
		expect_good(size, &probe);
	expect_good(PROBE_PAYLOAD_MAX, &probe);
}

Test(probe, every_place_of_the_pattern_reaches_for_the_largest_body)
{
	probe_pattern_init(SEED);
	for (uint32_t sequence = 0; sequence < 0x10000; sequence += 61)
		expect_good(PROBE_PAYLOAD_MAX, &(struct probe){.sequence = sequence, .sent_ns = sequence});
	expect_good(PROBE_PAYLOAD_MAX, &(struct probe){.sequence = 0xffff});
	expect_good(PROBE_PAYLOAD_MAX, &(struct probe){.sequence = UINT32_MAX, .sent_ns = UINT64_MAX});
}

static void expect_flips_seen(size_t size, const struct probe *probe)
{
	uint8_t *packet = packet_create(size, KEY, probe);
	struct probe got;
	for (size_t bit = 0; bit < size * 8; bit++) {
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_assert_eq(probe_check(packet, size, KEY, &got), PROBE_CORRUPT, "%zu bytes, bit %zu", size, bit);
		packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(packet);
}

Test(probe, every_flipped_bit_is_seen)
{
	probe_pattern_init(SEED);
	for (size_t size = 1; size <= 200; size++)
		expect_flips_seen(
			size, &(struct probe){.sequence = (uint32_t)size * 77, .sent_ns = UINT64_C(1700000000000000000) + size});
	for (uint32_t sequence = 0; sequence < 2000; sequence++)
		expect_flips_seen(PROBE_SIZE, &(struct probe){.sequence = sequence, .sent_ns = sequence * UINT64_C(1000)});
	for (uint32_t sequence = 0; sequence < 0x10000; sequence += 7)
		expect_flips_seen(PROBE_SHORT_SIZE, &(struct probe){.sequence = sequence});
	expect_flips_seen(1200, &(struct probe){.sequence = 5, .sent_ns = 6});
}

Test(probe, every_changed_byte_of_the_largest_packet_is_seen)
{
	probe_pattern_init(SEED);
	uint8_t *packet = packet_create(PROBE_PAYLOAD_MAX, KEY, &(struct probe){.sequence = 3, .sent_ns = 4});
	struct probe got;
	for (size_t i = 0; i < PROBE_PAYLOAD_MAX; i++) {
		packet[i] ^= 0x10;
		cr_assert_eq(probe_check(packet, PROBE_PAYLOAD_MAX, KEY, &got), PROBE_CORRUPT, "byte %zu", i);
		packet[i] ^= 0x10;
	}
	cr_expect_eq(probe_check(packet, PROBE_PAYLOAD_MAX, KEY, &got), PROBE_GOOD);
	free(packet);
}

Test(probe, what_was_cut_is_seen)
{
	probe_pattern_init(SEED);
	struct probe got;
	for (size_t size = PROBE_SHORT_SIZE + 1; size <= 1400; size += size < 64 ? 1 : 67) {
		uint8_t *packet = packet_create(size, KEY, &(struct probe){.sequence = (uint32_t)size, .sent_ns = size});
		for (size_t left = PROBE_SHORT_SIZE; left < size; left++)
			cr_assert_eq(probe_check(packet, left, KEY, &got), PROBE_CORRUPT, "%zu of %zu", left, size);
		free(packet);
	}
}

Test(probe, what_was_added_is_seen)
{
	/* With the very bytes that a longer packet would have there. */
	probe_pattern_init(SEED);
	struct probe got;
	for (size_t size = PROBE_SHORT_SIZE; size <= 1400; size += size < 64 ? 1 : 67) {
		const struct probe probe = {.sequence = (uint32_t)size, .sent_ns = size};
		uint8_t *packet = packet_create(size, KEY, &probe), longer[1500];
		memcpy(longer, packet, size);
		memcpy(longer + size, probe_body(probe.sequence) + size - probe_header_size(size), sizeof longer - size);
		for (size_t more = size + 1; more <= sizeof longer; more++)
			cr_assert_eq(probe_check(longer, more, KEY, &got), PROBE_CORRUPT, "%zu to %zu", size, more);
		free(packet);
	}
	static uint8_t large[PROBE_PAYLOAD_MAX + 1];
	cr_expect_eq(probe_check(large, sizeof large, KEY, &got), PROBE_CORRUPT);
}

Test(probe, the_packet_of_another_stream_is_seen)
{
	probe_pattern_init(SEED);
	struct probe got;
	uint8_t *full = packet_create(PROBE_SIZE, KEY, &(struct probe){.sequence = 7, .sent_ns = 8});
	uint8_t *brief = packet_create(8, KEY, &(struct probe){.sequence = 7});
	unsigned brief_missed = 0;
	for (uint32_t key = 0; key < 100000; key++) {
		cr_assert_eq(probe_check(full, PROBE_SIZE, key, &got), PROBE_CORRUPT, "key %u", key);
		brief_missed += probe_check(brief, 8, key, &got) != PROBE_CORRUPT;
	}
	for (unsigned bit = 0; bit < 32; bit++)
		cr_expect_eq(probe_check(full, PROBE_SIZE, KEY ^ UINT32_C(1) << bit, &got), PROBE_CORRUPT);
	/* 16 bits of checksum: about one or two of a hundred thousand keys. */
	cr_expect_leq(brief_missed, 8);
	free(full);
	free(brief);
}

Test(probe, the_body_of_another_packet_is_seen)
{
	probe_pattern_init(SEED);
	struct probe got;
	enum { SIZE = 1200, PACKETS = 512 };
	for (uint32_t sequence = 1; sequence < PACKETS; sequence++) {
		uint8_t *packet = packet_create(SIZE, KEY, &(struct probe){.sequence = sequence, .sent_ns = 1});
		memcpy(packet + PROBE_SIZE, probe_body(0), SIZE - PROBE_SIZE);
		cr_expect_eq(probe_check(packet, SIZE, KEY, &got), PROBE_CORRUPT, "%u", sequence);
		free(packet);
	}
}

Test(probe, another_seed_makes_another_pattern)
{
	probe_pattern_init(1);
	struct probe got;
	uint8_t *packet = packet_create(1200, KEY, &(struct probe){.sequence = 7, .sent_ns = 8});
	cr_expect_eq(probe_check(packet, 1200, KEY, &got), PROBE_GOOD);
	probe_pattern_init(2);
	cr_expect_eq(probe_check(packet, 1200, KEY, &got), PROBE_CORRUPT);
	free(packet);
}

Test(probe, a_bad_packet_leaves_the_result_alone)
{
	probe_pattern_init(SEED);
	uint8_t zeroes[1200] = {0};
	struct probe got = {.sequence = 1, .sent_ns = 2};
	cr_expect_eq(probe_check(zeroes, sizeof zeroes, KEY, &got), PROBE_CORRUPT);
	cr_expect_eq(probe_check(zeroes, 8, KEY, &got), PROBE_CORRUPT);
	cr_expect_eq(probe_check(zeroes, 2, KEY, &got), PROBE_CORRUPT);
	cr_expect_eq(got.sequence, 1);
	cr_expect_eq(got.sent_ns, 2);
}
