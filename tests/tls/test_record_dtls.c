#include "tls/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "record_rig.h"

static struct rig_peer peer;

static void set_up(void)
{
	rig_peer_init(&peer, TLS_VERSION_DTLS_1_2, AEAD_AES_128_GCM);
}

static void tear_down(void)
{
	rig_peer_done(&peer);
}

TestSuite(record_dtls, .init = set_up, .fini = tear_down);

static struct rig_opened deliver_number(uint64_t number)
{
	return rig_open(&peer, rig_forge(&peer.client, number, DATA, "data", 4, 0));
}

Test(record_dtls, opens_reordered_records_and_each_only_once)
{
	static const uint64_t order[] = {5, 3, 4, 1, 2, 70, 68, 7, 69, 134, 71};
	for (size_t i = 0; i < sizeof order / sizeof *order; i++)
		cr_expect_eq(deliver_number(order[i]).verdict, RECORD_DATA, "number %u", (unsigned)order[i]);
	for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
		struct rig_opened o = deliver_number(order[i]);
		cr_expect_eq(o.verdict, RECORD_REFUSED);
		cr_expect_eq(o.reason, order[i] + 64 <= 134 ? RECORD_TOO_OLD : RECORD_REPLAYED, "number %u", (unsigned)order[i]);
	}
}

/* 64 numbers: the newest one and the 63 below it. */
Test(record_dtls, remembers_exactly_64_numbers)
{
	cr_assert_eq(deliver_number(1000).verdict, RECORD_DATA);
	cr_expect_eq(deliver_number(936).reason, RECORD_TOO_OLD);
	cr_expect_eq(deliver_number(937).verdict, RECORD_DATA);
	cr_expect_eq(deliver_number(937).reason, RECORD_REPLAYED);
	for (uint64_t number = 938; number < 1000; number++)
		cr_expect_eq(deliver_number(number).verdict, RECORD_DATA);
	for (uint64_t number = 937; number <= 1000; number++)
		cr_expect_eq(deliver_number(number).reason, RECORD_REPLAYED);
}

Test(record_dtls, remembers_across_steps_of_any_width)
{
	uint64_t newest = 100;
	cr_assert_eq(deliver_number(newest).verdict, RECORD_DATA);
	for (uint64_t step = 1; step < 70; step++) {
		cr_assert_eq(deliver_number(newest + step).verdict, RECORD_DATA);
		cr_expect_eq(
			deliver_number(newest).reason, step < 64 ? RECORD_REPLAYED : RECORD_TOO_OLD, "step %u", (unsigned)step);
		if (step > 1)
			cr_expect_eq(deliver_number(newest + step - 1).verdict, RECORD_DATA, "step %u", (unsigned)step);
		newest += step;
	}
}

Test(record_dtls, takes_the_numbers_of_the_handshake_as_seen)
{
	cr_assert_eq(peer.server.keys.read.sequence, 1);
	cr_expect_eq(deliver_number(0).reason, RECORD_REPLAYED);
	cr_expect_eq(deliver_number(1).verdict, RECORD_DATA);
}

Test(record_dtls, opens_up_to_the_last_number)
{
	uint64_t last = (UINT64_C(1) << 48) - 1;
	cr_expect_eq(deliver_number(last - 1).verdict, RECORD_DATA);
	cr_expect_eq(deliver_number(last).verdict, RECORD_DATA);
	cr_expect_eq(deliver_number(last).reason, RECORD_REPLAYED);
	cr_expect_eq(deliver_number(last - 63).verdict, RECORD_DATA);
	cr_expect_eq(deliver_number(last - 64).reason, RECORD_TOO_OLD);
}

Test(record_dtls, lets_no_forgery_move_the_window)
{
	struct bytes forged = rig_forge(&peer.client, 5000, DATA, "data", 4, 0);
	((uint8_t *)forged.data)[forged.size - 1] ^= 1;
	cr_expect_eq(rig_open(&peer, forged).reason, RECORD_BAD_MAC);
	cr_expect_eq(deliver_number(1).verdict, RECORD_DATA);
	forged = rig_forge(&peer.client, 2, DATA, "data", 4, 0);
	((uint8_t *)forged.data)[forged.size - 1] ^= 1;
	cr_expect_eq(rig_open(&peer, forged).reason, RECORD_BAD_MAC);
	cr_expect_eq(deliver_number(2).verdict, RECORD_DATA);
	cr_expect_eq(peer.server.refused, 2);
}

Test(record_dtls, opens_nothing_under_a_key_that_has_refused_too_much)
{
	peer.server.refused = (UINT64_C(1) << 36) - 1;
	cr_expect_eq(deliver_number(1).verdict, RECORD_DATA);
	struct bytes forged = rig_forge(&peer.client, 2, DATA, "data", 4, 0);
	((uint8_t *)forged.data)[forged.size - 1] ^= 1;
	cr_expect_eq(rig_open(&peer, forged).reason, RECORD_BAD_MAC);
	cr_expect_eq(deliver_number(2).reason, RECORD_KEY_LIMIT);
}

static struct rig_opened deliver_changed(size_t at, uint8_t value)
{
	struct bytes record = rig_forge(&peer.client, 9, DATA, "data", 4, 0);
	((uint8_t *)record.data)[at] = value;
	return rig_open(&peer, record);
}

Test(record_dtls, refuses_headers_that_cannot_be_right)
{
	cr_expect_eq(deliver_changed(0, 19).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(0, 24).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(0, 0x40).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(1, 3).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(2, 0xff).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(4, 0).reason, RECORD_OTHER_EPOCH);
	cr_expect_eq(deliver_changed(4, 2).reason, RECORD_OTHER_EPOCH);
	cr_expect_eq(deliver_changed(3, 1).reason, RECORD_OTHER_EPOCH);
	cr_expect_eq(deliver_changed(12, 23).reason, RECORD_MALFORMED, "shorter than nonce and tag");
	cr_expect_eq(deliver_changed(12, 0).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_changed(12, 29).reason, RECORD_MALFORMED, "longer than the datagram");
	cr_expect_eq(deliver_number(9).verdict, RECORD_DATA);
}

Test(record_dtls, refuses_datagrams_that_end_in_a_record)
{
	struct bytes record = rig_forge(&peer.client, 9, DATA, "data", 4, 0);
	for (size_t size = 1; size < record.size; size++) {
		struct rig_opened o = rig_open(&peer, exact_copy(record.data, size));
		cr_expect_eq(o.reason, RECORD_MALFORMED);
		cr_expect_eq(o.size, size, "the rest of the datagram is of no use");
	}
	exact_copy_free(record);
}

Test(record_dtls, refuses_oversized_records)
{
	static const uint8_t zeros[RECORD_PLAIN_MAX + 1];
	cr_expect_eq(rig_open(&peer, rig_forge(&peer.client, 1, DATA, zeros, sizeof zeros, 0)).reason, RECORD_OVERSIZED);
	cr_expect_eq(rig_open(&peer, rig_forge(&peer.client, 1, DATA, zeros, sizeof zeros - 1, 0)).verdict, RECORD_DATA);
}

Test(record_dtls, leaves_handshake_records_of_any_epoch_to_the_session)
{
	static const uint8_t client_hello[] = {HANDSHAKE, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3};
	static const uint8_t ccs[] = {CCS, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1};
	struct rig_opened o = rig_open(&peer, exact_copy(client_hello, sizeof client_hello));
	cr_expect(o.verdict == RECORD_HANDSHAKE && o.size == sizeof client_hello && o.reason == RECORD_FINE);
	cr_expect_eq(rig_open(&peer, exact_copy(ccs, sizeof ccs)).verdict, RECORD_HANDSHAKE);
	struct bytes finished = rig_forge(&peer.client, 0, HANDSHAKE, "finished", 8, 0),
		     before = exact_copy(finished.data, finished.size);
	struct bytes plain;
	size_t size;
	enum record_reason reason;
	cr_expect_eq(record_open(&peer.server, (uint8_t *)finished.data, finished.size, &plain, &size, &reason), RECORD_HANDSHAKE);
	cr_expect(bytes_equal(finished, before), "it is not opened");
	exact_copy_free(finished);
	exact_copy_free(before);
}

/* The records of a datagram in their order; what became of each. */
static size_t walk(const uint8_t *datagram, size_t size, enum record_verdict *ret_verdicts)
{
	struct bytes copy = exact_copy(datagram, size), plain;
	size_t count = 0, record_size;
	for (size_t at = 0; at < size; at += record_size) {
		enum record_reason reason;
		ret_verdicts[count++] =
			record_open(&peer.server, (uint8_t *)copy.data + at, size - at, &plain, &record_size, &reason);
		cr_assert(record_size > 0 && record_size <= size - at);
	}
	exact_copy_free(copy);
	return count;
}

Test(record_dtls, goes_on_with_the_next_record_of_a_datagram_after_a_bad_one)
{
	uint8_t datagram[512];
	size_t size = 0;
	for (unsigned i = 1; i <= 4; i++) {
		struct bytes record = rig_forge(&peer.client, i == 4 ? 1 : i, DATA, "data", i, 0);
		memcpy(datagram + size, record.data, record.size);
		size += record.size;
		if (i == 2)
			datagram[size - 1] ^= 1;
		exact_copy_free(record);
	}
	memset(datagram + size, 0x55, 7);
	enum record_verdict verdicts[8];
	cr_assert_eq(walk(datagram, size + 7, verdicts), 5);
	cr_expect_eq(verdicts[0], RECORD_DATA);
	cr_expect_eq(verdicts[1], RECORD_REFUSED, "forged");
	cr_expect_eq(verdicts[2], RECORD_DATA);
	cr_expect_eq(verdicts[3], RECORD_REFUSED, "replayed");
	cr_expect_eq(verdicts[4], RECORD_REFUSED, "no record at all");
}

Test(record_dtls, takes_any_number_of_empty_records)
{
	for (unsigned i = 0; i < 200; i++)
		cr_assert_eq(rig_deliver(&peer, DATA, NULL, 0).verdict, RECORD_DATA);
}
