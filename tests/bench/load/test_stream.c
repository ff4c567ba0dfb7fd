#include "load/stream.h"

#include <criterion/criterion.h>

static struct tally *tally;
static struct stream stream;

static void set_up(void)
{
	static struct tally counts;
	tally = &counts;
	tally_reset(tally);
	probe_pattern_init(1);
	stream_init(&stream, 5, 3, 1);
}

TestSuite(stream, .init = set_up);

enum { SIZE = 100 };

static void write_payload(uint8_t *payload, size_t size, uint32_t sequence, uint64_t sent_ns)
{
	uint8_t header[PROBE_SIZE];
	struct probe probe = {.sequence = sequence, .sent_ns = sent_ns};
	size_t header_size = probe_header_size(size);
	probe_write(header, size, stream.key, &probe);
	memcpy(payload, header, header_size);
	memcpy(payload + header_size, probe_body(sequence), size - header_size);
}

/* Sends and does not deliver. The window is from 100 to 200. */
static uint32_t send_at(uint64_t now_ns)
{
	uint32_t sequence = stream.next++;
	stream_mark(&stream, sequence, now_ns, 100, 200);
	return sequence;
}

static bool arrive(uint32_t sequence, uint64_t latency_ns)
{
	uint8_t payload[SIZE];
	write_payload(payload, SIZE, sequence, 1000);
	return stream_arrive(&stream, payload, SIZE, 1000 + latency_ns, tally);
}

Test(stream, counts_what_was_sent_inside_the_window_whenever_it_arrives)
{
	uint32_t before = send_at(99), first = send_at(100), last = send_at(199), after = send_at(200), later = send_at(300);
	cr_expect(arrive(before, 5));
	cr_expect(arrive(first, 5));
	cr_expect(arrive(after, 5));
	cr_expect(arrive(later, 5));
	cr_expect_eq(tally->delivered, 1);
	cr_expect(arrive(last, 5));
	cr_expect_eq(tally->delivered, 2);
	cr_expect_eq(tally->delivered_bytes, 2 * SIZE);
	cr_expect_eq(tally->reordered, 1);
}

Test(stream, that_sends_nothing_inside_the_window_measures_nothing)
{
	uint32_t before = send_at(50), after = send_at(250);
	cr_expect(arrive(before, 5));
	cr_expect(arrive(after, 5));
	cr_expect_eq(tally->delivered, 0);
}

Test(stream, works_across_the_wrap_of_its_numbers)
{
	stream.next = UINT32_MAX - 1;
	stream.done = stream.next;
	stream.tracker.next = stream.next;
	uint32_t sequences[4];
	for (unsigned i = 0; i < 4; i++)
		sequences[i] = send_at(150);
	send_at(200);
	for (unsigned i = 0; i < 4; i++)
		cr_expect(arrive(sequences[i], 5));
	cr_expect_eq(tally->delivered, 4);
	cr_expect_eq(stream_under_way(&stream), 1);
}

Test(stream, tells_duplicates_from_new_packets)
{
	uint32_t first = send_at(150), second = send_at(150);
	cr_expect(arrive(first, 5));
	cr_expect_not(arrive(first, 5));
	cr_expect(arrive(second, 5));
	cr_expect_not(arrive(first, 5));
	cr_expect_eq(tally->delivered, 2);
	cr_expect_eq(tally->duplicated, 2);
	cr_expect_eq(tally->reordered, 0);
}

Test(stream, counts_what_falls_behind_the_tracker_as_stale)
{
	uint32_t first = send_at(150);
	for (unsigned i = 0; i < TRACKER_WINDOW; i++)
		send_at(150);
	cr_expect(arrive(stream.next - 1, 5));
	cr_expect(arrive(first + 1, 5));
	cr_expect_not(arrive(first, 5));
	cr_expect_eq(tally->stale, 1);
	cr_expect_eq(tally->delivered, 2);
}

Test(stream, counts_damage_while_the_window_lasts)
{
	uint8_t payload[SIZE];
	write_payload(payload, SIZE, send_at(150), 1000);
	payload[50] ^= 1;
	cr_expect_not(stream_arrive(&stream, payload, SIZE, 1001, tally));
	cr_expect_eq(tally->corrupted, 1);
	cr_expect_eq(tally->delivered, 0);
	send_at(200);
	cr_expect_not(stream_arrive(&stream, payload, SIZE, 1001, tally));
	cr_expect_eq(tally->corrupted, 1);
}

Test(stream, of_another_key_is_damage)
{
	uint8_t payload[SIZE];
	struct stream other = {0};
	stream_init(&other, 5, 3, 0);
	cr_expect_neq(other.key, stream.key);
	write_payload(payload, SIZE, send_at(150), 1000);
	stream_mark(&other, other.next++, 150, 100, 200);
	cr_expect_not(stream_arrive(&other, payload, SIZE, 1001, tally));
	cr_expect_eq(tally->corrupted, 1);
}

Test(stream, measures_latency_and_its_changes)
{
	uint32_t sequences[4];
	for (unsigned i = 0; i < 4; i++)
		sequences[i] = send_at(150);
	cr_expect(arrive(sequences[0], 10));
	cr_expect(arrive(sequences[1], 30));
	cr_expect(arrive(sequences[3], 25));
	cr_expect(arrive(sequences[2], 60));
	cr_expect_eq(tally->latency.count, 4);
	cr_expect_eq(tally->latency.max_ns, 60);
	/* 20, 5, 35: in the order of arrival, whatever was sent first. */
	cr_expect_eq(tally->jitter.count, 3);
	cr_expect_eq(tally->jitter.sum_ns, 60);
}

Test(stream, takes_a_clock_that_was_set_back_for_no_latency)
{
	uint8_t payload[SIZE];
	write_payload(payload, SIZE, send_at(150), 1000);
	cr_expect(stream_arrive(&stream, payload, SIZE, 900, tally));
	cr_expect_eq(tally->latency.max_ns, 0);
}

Test(stream, extends_short_numbers_to_the_newest_that_was_sent)
{
	cr_expect_eq(stream_extend(0, 1), 0);
	cr_expect_eq(stream_extend(0xffff, 0x10000), 0xffff);
	cr_expect_eq(stream_extend(0xffff, 0x10001), 0xffff);
	cr_expect_eq(stream_extend(0, 0x10001), 0x10000);
	cr_expect_eq(stream_extend(5, 0x30006), 0x30005);
	cr_expect_eq(stream_extend(6, 0x30006), 0x20006);
	cr_expect_eq(stream_extend(0xfffe, 2), 0xfffffffe, "across the wrap");
}

Test(stream, counts_short_packets_beyond_sixteen_bits)
{
	uint8_t payload[8];
	for (unsigned i = 0; i < 70000; i++) {
		write_payload(payload, sizeof payload, send_at(150), 0);
		cr_assert(stream_arrive(&stream, payload, sizeof payload, 1000, tally));
	}
	cr_expect_eq(tally->delivered, 70000);
	cr_expect_eq(tally->latency.count, 0);
	cr_expect_eq(stream_under_way(&stream), 0);
}

Test(stream, counts_anonymous_packets_by_their_number)
{
	uint8_t payload[2];
	write_payload(payload, sizeof payload, 0, 0);
	for (uint64_t now_ns = 80; now_ns < 220; now_ns += 10) {
		send_at(now_ns);
		stream.anonymous_sent++;
	}
	for (unsigned i = 0; i < 14; i++)
		cr_expect(stream_arrive(&stream, payload, sizeof payload, 1000, tally));
	cr_expect_eq(tally->delivered, 10);
	cr_expect_eq(stream_under_way(&stream), 0);
}

Test(stream, waits_for_nothing_that_was_overtaken)
{
	for (unsigned i = 0; i < 10; i++)
		send_at(150);
	cr_expect_eq(stream_under_way(&stream), 10);
	cr_expect(arrive(6, 5));
	cr_expect_eq(stream_under_way(&stream), 3);
	cr_expect(arrive(2, 5));
	cr_expect_eq(stream_under_way(&stream), 3);
	stream.done = stream.next;
	cr_expect(arrive(8, 5));
	cr_expect_eq(stream_under_way(&stream), 0, "what was given up and comes after all makes no room");
}
