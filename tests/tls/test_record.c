#include "tls/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "record_rig.h"

enum { VARIANTS = TLS_VERSIONS * AEAD_KINDS };

static uint8_t payload[RECORD_PLAIN_MAX + 300];

static void set_up(void)
{
	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
}

TestSuite(record, .init = set_up);

static void variant_init(struct rig_peer *p, unsigned variant)
{
	rig_peer_init(p, (enum tls_version)(variant / AEAD_KINDS), (enum aead_kind)(variant % AEAD_KINDS));
}

static const size_t sizes[] = {0, 1, 15, 16, 17, 160, 1200, 16383, 16384};

Test(record, opens_what_a_peer_seals_in_every_version_with_every_cipher)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			struct bytes record = rig_send(&p, DATA, payload, sizes[i]);
			size_t record_size = record.size;
			struct rig_opened o = rig_open(&p, record);
			cr_assert_eq(o.verdict, RECORD_DATA, "variant %u, %zu bytes", variant, sizes[i]);
			cr_assert(bytes_equal(o.plain, bytes_of(payload, sizes[i])));
			cr_assert_eq(o.size, record_size);
		}
		cr_expect(!record_has_control(&p.server));
		rig_peer_done(&p);
	}
}

Test(record, seals_what_a_peer_opens_in_every_version_with_every_cipher)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			uint8_t type;
			struct bytes content, record = rig_seal(&p, payload, sizes[i]);
			cr_assert(rig_read(&p, record, &type, &content), "variant %u, %zu bytes", variant, sizes[i]);
			cr_assert_eq(type, DATA);
			cr_assert(bytes_equal(content, bytes_of(payload, sizes[i])));
			exact_copy_free(record);
		}
		rig_peer_done(&p);
	}
}

Test(record, never_uses_a_nonce_twice)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		struct bytes first = rig_seal(&p, payload, 16), second = rig_seal(&p, payload, 16);
		const size_t body = p.server.head_size;
		cr_expect(!bytes_equal(bytes_of(first.data + body, 16), bytes_of(second.data + body, 16)));
		exact_copy_free(first);
		exact_copy_free(second);
		rig_peer_done(&p);
	}
}

Test(record, refuses_a_record_with_any_changed_byte)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		size_t size = 1;
		for (size_t at = 0; at < size; at++) {
			struct rig_peer p;
			variant_init(&p, variant);
			struct bytes record = rig_send(&p, DATA, payload, 20);
			size = record.size;
			((uint8_t *)record.data)[at] ^= 0x01;
			struct rig_opened o = rig_open(&p, record);
			cr_expect(o.verdict != RECORD_DATA && o.verdict != RECORD_CLOSED, "variant %u, byte %zu", variant, at);
			rig_peer_done(&p);
		}
	}
}

/* Streams: a record that is there in part is asked for, byte by byte, and nothing is touched. */
Test(record, says_how_much_of_a_stream_is_missing)
{
	for (unsigned variant = 0; variant < TLS_VERSION_DTLS_1_2 * AEAD_KINDS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		struct bytes record = rig_send(&p, DATA, payload, 40);
		for (size_t there = 0; there < record.size; there++) {
			struct rig_opened o = rig_open(&p, exact_copy(record.data, there));
			cr_assert_eq(o.verdict, RECORD_INCOMPLETE);
			cr_assert_eq(o.size, there < 5 ? 5 : record.size);
		}
		cr_assert_eq(rig_open(&p, record).verdict, RECORD_DATA);
		rig_peer_done(&p);
	}
}

/* The header alone; what it announces has not come. */
static enum record_reason reason_of_header(struct rig_peer *p, uint8_t type, unsigned version, size_t length)
{
	uint8_t header[5] = {type, (uint8_t)(version >> 8), (uint8_t)version, (uint8_t)(length >> 8), (uint8_t)length};
	struct rig_opened o = rig_open(p, exact_copy(header, sizeof header));
	return o.verdict == RECORD_REFUSED ? o.reason : RECORD_FINE;
}

Test(record, refuses_by_the_header_alone)
{
	for (unsigned variant = 0; variant < TLS_VERSION_DTLS_1_2 * AEAD_KINDS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		size_t overhead = p.server.head_size - 5u + p.server.tail_size;
		size_t longest = RECORD_PLAIN_MAX + overhead;
		cr_assert_leq(5 + longest, RECORD_SIZE_MAX);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, longest), RECORD_FINE);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, longest + 1), RECORD_OVERSIZED);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, 0xffff), RECORD_OVERSIZED);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, overhead), RECORD_FINE);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, overhead - 1), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0303, 0), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, DATA, 0x0301, 100), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, DATA, 0xfefd, 100), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, 19, 0x0303, 100), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, 24, 0x0303, 100), RECORD_MALFORMED);
		cr_expect_eq(reason_of_header(&p, CCS, 0x0303, 1), RECORD_UNEXPECTED);
		rig_peer_done(&p);
	}
}

Test(record, refuses_records_out_of_order_on_a_stream)
{
	for (unsigned variant = 0; variant < TLS_VERSION_DTLS_1_2 * AEAD_KINDS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		cr_expect_eq(rig_open(&p, rig_forge(&p.client, 2, DATA, payload, 9, 0)).reason, RECORD_BAD_MAC);
		cr_expect_eq(rig_deliver(&p, DATA, payload, 9).verdict, RECORD_DATA);
		cr_expect_eq(rig_open(&p, rig_forge(&p.client, 1, DATA, payload, 9, 0)).reason, RECORD_BAD_MAC);
		rig_peer_done(&p);
	}
}

Test(record, takes_one_record_of_a_stream_at_a_time)
{
	struct rig_peer p;
	rig_peer_init(&p, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	struct bytes first = rig_send(&p, DATA, "one", 3), second = rig_send(&p, DATA, "two", 3);
	uint8_t both[128];
	memcpy(both, first.data, first.size);
	memcpy(both + first.size, second.data, second.size);
	struct rig_opened o = rig_open(&p, exact_copy(both, first.size + second.size));
	cr_expect(bytes_equal(o.plain, bytes_of_string("one")));
	cr_expect_eq(o.size, first.size);
	o = rig_open(&p, exact_copy(both + first.size, second.size));
	cr_expect(bytes_equal(o.plain, bytes_of_string("two")));
	exact_copy_free(first);
	exact_copy_free(second);
	rig_peer_done(&p);
}

Test(record, bounds_empty_records_in_a_row_on_a_stream)
{
	for (unsigned variant = 0; variant < TLS_VERSION_DTLS_1_2 * AEAD_KINDS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		for (unsigned i = 0; i < 100; i++) { /* few among data are fine, however many they become */
			cr_assert_eq(rig_deliver(&p, DATA, NULL, 0).verdict, RECORD_DATA);
			cr_assert_eq(rig_deliver(&p, DATA, payload, 1).verdict, RECORD_DATA);
			cr_assert_eq(rig_deliver(&p, DATA, payload, 1).verdict, RECORD_DATA);
		}
		for (unsigned i = 0; i < 32; i++)
			cr_assert_eq(rig_deliver(&p, DATA, NULL, 0).verdict, RECORD_DATA);
		cr_expect_eq(rig_deliver(&p, DATA, NULL, 0).reason, RECORD_UNEXPECTED);
		rig_peer_done(&p);
	}
}

static struct rig_opened deliver_alert(struct rig_peer *p, uint8_t level, uint8_t description)
{
	return rig_deliver(p, ALERT, (uint8_t[]){level, description}, 2);
}

Test(record, closes_at_close_notify_and_refuses_at_a_fatal_alert)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		cr_expect_eq(deliver_alert(&p, 1, 0).verdict, RECORD_CLOSED);
		cr_expect_eq(deliver_alert(&p, 2, 0).verdict, RECORD_CLOSED);
		cr_expect_eq(deliver_alert(&p, 2, 20).reason, RECORD_PEER_ALERT);
		cr_expect_eq(deliver_alert(&p, 1, 90).verdict, RECORD_CONTROL);
		rig_peer_done(&p);
	}
}

Test(record, refuses_alerts_of_another_shape)
{
	static const uint8_t alerts[3][3] = {{1, 0, 0}, {0, 0, 0}, {3, 0, 0}};
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		cr_expect_eq(rig_deliver(&p, ALERT, alerts[0], 0).reason, RECORD_MALFORMED);
		cr_expect_eq(rig_deliver(&p, ALERT, alerts[0], 1).reason, RECORD_MALFORMED);
		cr_expect_eq(rig_deliver(&p, ALERT, alerts[0], 3).reason, RECORD_MALFORMED);
		cr_expect_eq(rig_deliver(&p, ALERT, alerts[1], 2).reason, RECORD_MALFORMED);
		cr_expect_eq(rig_deliver(&p, ALERT, alerts[2], 2).reason, RECORD_MALFORMED);
		rig_peer_done(&p);
	}
}

Test(record, bounds_warnings_of_tls_1_2_and_knows_none_in_tls_1_3)
{
	struct rig_peer p;
	rig_peer_init(&p, TLS_VERSION_1_2, AEAD_AES_128_GCM);
	for (unsigned i = 0; i < 32; i++)
		cr_assert_eq(deliver_alert(&p, 1, 100).verdict, RECORD_CONTROL);
	cr_expect_eq(deliver_alert(&p, 1, 100).reason, RECORD_UNEXPECTED);
	rig_peer_done(&p);
	rig_peer_init(&p, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	cr_expect_eq(deliver_alert(&p, 1, 100).reason, RECORD_PEER_ALERT);
	rig_peer_done(&p);
}

static void expect_alert(struct rig_peer *p, const uint8_t *out, size_t size, uint8_t level, uint8_t description)
{
	uint8_t type;
	struct bytes content, record = exact_copy(out, size);
	cr_assert_leq(size, RECORD_CONTROL_SIZE_MAX);
	cr_assert(rig_read(p, record, &type, &content));
	cr_expect_eq(type, ALERT);
	cr_expect(bytes_equal(content, bytes_of((uint8_t[]){level, description}, 2)), "%u %u, not %u %u", content.data[0],
		content.data[1], level, description);
	exact_copy_free(record);
}

Test(record, refuses_three_renegotiations_with_a_warning_and_ends_at_the_fourth)
{
	static const uint8_t client_hello[60] = {1, 0, 0, 56, 3, 3};
	struct rig_peer p;
	uint8_t out[RECORD_CONTROL_SIZE_MAX];
	rig_peer_init(&p, TLS_VERSION_1_2, AEAD_AES_256_GCM);
	for (unsigned i = 0; i < 3; i++) {
		struct rig_opened o = rig_deliver(&p, HANDSHAKE, client_hello, sizeof client_hello);
		cr_assert_eq(o.verdict, RECORD_CONTROL);
		cr_assert_eq(o.reason, RECORD_RENEGOTIATION, "it is counted even though the connection goes on");
		cr_assert(record_has_control(&p.server));
		expect_alert(&p, out, record_control(&p.server, out), 1, 100);
		cr_assert(!record_has_control(&p.server));
		cr_assert_eq(record_control(&p.server, out), 0);
		cr_assert_eq(rig_deliver(&p, DATA, payload, 10).verdict, RECORD_DATA);
	}
	struct rig_opened fourth = rig_deliver(&p, HANDSHAKE, client_hello, sizeof client_hello);
	cr_expect_eq(fourth.verdict, RECORD_REFUSED);
	cr_expect_eq(fourth.reason, RECORD_RENEGOTIATION);
	cr_expect(!record_has_control(&p.server));
	rig_peer_done(&p);
}

Test(record, refuses_other_handshake_messages_of_tls_1_2)
{
	struct rig_peer p;
	rig_peer_init(&p, TLS_VERSION_1_2, AEAD_AES_128_GCM);
	for (unsigned message = 0; message < 256; message++) {
		if (message != 1)
			cr_expect_eq(
				rig_deliver(&p, HANDSHAKE, (uint8_t[]){(uint8_t)message, 0, 0, 0}, 4).reason, RECORD_UNEXPECTED);
	}
	cr_expect_eq(rig_deliver(&p, HANDSHAKE, NULL, 0).reason, RECORD_MALFORMED);
	rig_peer_done(&p);
}

Test(record, says_goodbye_once_and_seals_nothing_after_it)
{
	static const struct {
		enum record_reason reason;
		uint8_t level, description;
	} goodbyes[] = {
		{RECORD_FINE, 1, 0},
		{RECORD_BAD_MAC, 2, 20},
		{RECORD_OVERSIZED, 2, 22},
		{RECORD_MALFORMED, 2, 50},
		{RECORD_UNEXPECTED, 2, 10},
		{RECORD_RENEGOTIATION, 2, 40},
		{RECORD_KEY_LIMIT, 1, 0},
		{RECORD_NO_MEMORY, 2, 80},
	};
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		for (size_t i = 0; i < sizeof goodbyes / sizeof *goodbyes; i++) {
			struct rig_peer p;
			uint8_t out[RECORD_CONTROL_SIZE_MAX], space[64];
			variant_init(&p, variant);
			size_t size = record_close(&p.server, goodbyes[i].reason, out);
			expect_alert(&p, out, size, goodbyes[i].level, goodbyes[i].description);
			cr_expect_eq(record_seal(&p.server, space + p.server.head_size, 1), 0);
			cr_expect_eq(record_close(&p.server, RECORD_FINE, out), 0);
			cr_expect_eq(rig_deliver(&p, DATA, payload, 10).verdict, RECORD_DATA, "the other direction goes on");
			rig_peer_done(&p);
		}
	}
}

Test(record, says_nothing_after_a_fatal_alert_of_the_peer)
{
	struct rig_peer p;
	uint8_t out[RECORD_CONTROL_SIZE_MAX], space[64];
	rig_peer_init(&p, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	cr_expect_eq(record_close(&p.server, RECORD_PEER_ALERT, out), 0);
	cr_expect_eq(record_seal(&p.server, space + p.server.head_size, 1), 0);
	rig_peer_done(&p);
}

/* TLS 1.2 and DTLS 1.2 cannot change the key: the connection must end. */
Test(record, seals_no_more_than_a_key_may_and_still_says_goodbye)
{
	static const enum tls_version versions[] = {TLS_VERSION_1_2, TLS_VERSION_DTLS_1_2};
	for (unsigned i = 0; i < 2; i++) {
		struct rig_peer p;
		uint8_t out[RECORD_CONTROL_SIZE_MAX], space[64];
		rig_peer_init(&p, versions[i], AEAD_AES_128_GCM);
		p.server.sealed = (UINT64_C(1) << 36) - 1;
		cr_expect_neq(record_seal(&p.server, space + p.server.head_size, 1), 0);
		p.client.read.sequence++;
		cr_expect_eq(record_seal(&p.server, space + p.server.head_size, 1), 0);
		expect_alert(&p, out, record_close(&p.server, RECORD_KEY_LIMIT, out), 1, 0);
		rig_peer_done(&p);
	}
}

Test(record, lets_no_sequence_number_wrap)
{
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		uint8_t out[RECORD_CONTROL_SIZE_MAX], space[64];
		variant_init(&p, variant);
		bool dtls = p.server.keys.version == TLS_VERSION_DTLS_1_2;
		p.server.keys.write.sequence = dtls ? (UINT64_C(1) << 48) - 1 : UINT64_MAX - 1;
		cr_expect_neq(record_seal(&p.server, space + p.server.head_size, 1), 0);
		cr_expect_eq(record_seal(&p.server, space + p.server.head_size, 1), 0);
		cr_expect_eq(record_close(&p.server, RECORD_KEY_LIMIT, out), 0);
		p.server.keys.read.sequence = UINT64_MAX;
		p.client.write.sequence = UINT64_MAX;
		if (!dtls)
			cr_expect_eq(rig_deliver(&p, DATA, payload, 1).reason, RECORD_KEY_LIMIT);
		rig_peer_done(&p);
	}
}

Test(record, keeps_no_key_and_no_secret_that_it_does_not_need)
{
	static const uint8_t zeros[TLS_SECRET_SIZE_MAX];
	for (unsigned variant = 0; variant < VARIANTS; variant++) {
		struct rig_peer p;
		variant_init(&p, variant);
		const struct tls_direction_keys *directions[] = {&p.server.keys.read, &p.server.keys.write};
		for (unsigned i = 0; i < 2; i++) {
			cr_expect_eq(memcmp(directions[i]->key, zeros, AEAD_KEY_SIZE_MAX), 0);
			cr_expect_eq(memcmp(directions[i]->secret, zeros, TLS_SECRET_SIZE_MAX) == 0,
				p.server.keys.version != TLS_VERSION_1_3);
		}
		rig_peer_done(&p);
		rig_peer_done(&p); /* harmless on a zeroed one */
	}
}

Test(record, names_every_reason)
{
	for (enum record_reason reason = 0; reason < RECORD_REASONS; reason++) {
		cr_assert_not_null(record_reason_name(reason));
		for (enum record_reason other = 0; other < reason; other++)
			cr_expect_str_neq(record_reason_name(reason), record_reason_name(other));
	}
	cr_expect_str_eq(record_reason_name(RECORD_BAD_MAC), "bad_mac");
}
