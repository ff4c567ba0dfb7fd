#include "tls/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "record_rig.h"

static struct rig_peer peer;

static void set_up(void)
{
	rig_peer_init(&peer, TLS_VERSION_1_3, AEAD_AES_128_GCM);
}

static void tear_down(void)
{
	rig_peer_done(&peer);
}

TestSuite(record_tls13, .init = set_up, .fini = tear_down);

/* RFC 8448 Section 3: the server's and the client's application traffic secrets of that trace. */
static void init_from_trace(struct record_layer *r, bool server, uint64_t read_sequence, uint64_t write_sequence)
{
	struct tls_keys keys = {.version = TLS_VERSION_1_3, .aead = AEAD_AES_128_GCM, .hash = TLS_HASH_SHA256};
	struct tls_direction_keys *client_keys = server ? &keys.read : &keys.write;
	struct tls_direction_keys *server_keys = server ? &keys.write : &keys.read;
	rig_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5", client_keys->secret, TLS_SECRET_SIZE_MAX);
	rig_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643", server_keys->secret, TLS_SECRET_SIZE_MAX);
	cr_assert(tls_keys_from_secret(keys.aead, keys.hash, client_keys));
	cr_assert(tls_keys_from_secret(keys.aead, keys.hash, server_keys));
	keys.read.sequence = read_sequence;
	keys.write.sequence = write_sequence;
	cr_assert(record_init(r, &keys));
}

static const char client_data[] =
	"1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62"
	"974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";
static const char server_data[] =
	"17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fc"
	"c49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d";
static const char client_alert[] = "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3";
static const char server_alert[] = "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9";

static void open_trace(struct record_layer *r, const char *data, const char *alert)
{
	uint8_t record[128], expected[50];
	struct bytes plain;
	size_t size, consumed;
	enum record_reason reason;
	for (unsigned i = 0; i < sizeof expected; i++)
		expected[i] = (uint8_t)i;
	size = rig_hex(data, record, sizeof record);
	cr_assert_eq(record_open(r, record, size, &plain, &consumed, &reason), RECORD_DATA);
	cr_expect(bytes_equal(plain, bytes_of(expected, sizeof expected)));
	size = rig_hex(alert, record, sizeof record);
	cr_expect_eq(record_open(r, record, size, &plain, &consumed, &reason), RECORD_CLOSED);
}

static void seal_trace(struct record_layer *r, const char *data, const char *alert)
{
	uint8_t record[128], expected[128];
	for (unsigned i = 0; i < 50; i++)
		record[5 + i] = (uint8_t)i;
	size_t size = rig_hex(data, expected, sizeof expected);
	cr_assert_eq(record_seal(r, record + 5, 50), size);
	cr_expect(bytes_equal(bytes_of(record, size), bytes_of(expected, size)));
	size = rig_hex(alert, expected, sizeof expected);
	cr_assert_eq(record_close(r, RECORD_FINE, record), size);
	cr_expect(bytes_equal(bytes_of(record, size), bytes_of(expected, size)));
}

/* The server's first record under these keys was a NewSessionTicket. */
Test(record_tls13, opens_and_seals_the_records_of_rfc_8448_section_3)
{
	struct record_layer server, client;
	init_from_trace(&server, true, 0, 1);
	init_from_trace(&client, false, 1, 0);
	open_trace(&server, client_data, client_alert);
	open_trace(&client, server_data, server_alert);
	seal_trace(&server, server_data, server_alert);
	seal_trace(&client, client_data, client_alert);
	record_done(&server);
	record_done(&client);
}

static struct rig_opened deliver_padded(uint8_t type, const void *content, size_t size, size_t padding)
{
	return rig_open(&peer, rig_forge(&peer.client, peer.client.write.sequence++, type, content, size, padding));
}

Test(record_tls13, strips_padding_up_to_a_full_record)
{
	static const size_t paddings[] = {1, 15, 16, 255, 1000, RECORD_PLAIN_MAX - 4};
	for (size_t i = 0; i < sizeof paddings / sizeof *paddings; i++) {
		struct rig_opened o = deliver_padded(DATA, "a\0b\0", 4, paddings[i]);
		cr_assert_eq(o.verdict, RECORD_DATA);
		cr_expect(bytes_equal(o.plain, bytes_of("a\0b\0", 4)), "zeros of the content are no padding");
	}
	cr_expect_eq(deliver_padded(DATA, "a\0b\0", 4, RECORD_PLAIN_MAX - 3).reason, RECORD_OVERSIZED);
}

Test(record_tls13, refuses_padding_without_a_type)
{
	cr_expect_eq(deliver_padded(0, NULL, 0, 0).reason, RECORD_MALFORMED);
	cr_expect_eq(deliver_padded(0, NULL, 0, RECORD_PLAIN_MAX).reason, RECORD_MALFORMED);
}

Test(record_tls13, refuses_other_types_inside)
{
	for (unsigned type = 1; type < 256; type++) {
		if (type != ALERT && type != HANDSHAKE && type != DATA)
			cr_expect_eq(deliver_padded((uint8_t)type, "abc", 3, 0).reason, RECORD_UNEXPECTED, "type %u", type);
	}
}

Test(record_tls13, refuses_whatever_is_not_encrypted)
{
	static const uint8_t ccs[] = {CCS, 3, 3, 0, 1, 1}, alert[] = {ALERT, 3, 3, 0, 2, 1, 0},
			     handshake[] = {HANDSHAKE, 3, 3, 0, 5, 24, 0, 0, 1, 0};
	cr_expect_eq(rig_open(&peer, exact_copy(ccs, sizeof ccs)).reason, RECORD_UNEXPECTED);
	cr_expect_eq(rig_open(&peer, exact_copy(alert, sizeof alert)).reason, RECORD_UNEXPECTED);
	cr_expect_eq(rig_open(&peer, exact_copy(handshake, sizeof handshake)).reason, RECORD_UNEXPECTED);
}

static struct rig_opened update_client_key(uint8_t requested)
{
	struct rig_opened o = rig_deliver(&peer, HANDSHAKE, (uint8_t[]){24, 0, 0, 1, requested}, 5);
	cr_assert(tls_keys_next_generation(peer.client.aead, peer.client.hash, &peer.client.write));
	return o;
}

/* The server's next record is a key update that asks for none in return. */
static void expect_key_update(void)
{
	uint8_t out[RECORD_CONTROL_SIZE_MAX], type;
	size_t size = record_control(&peer.server, out);
	struct bytes content, record = exact_copy(out, size);
	cr_assert(rig_read(&peer, record, &type, &content));
	cr_expect_eq(type, HANDSHAKE);
	cr_expect(bytes_equal(content, bytes_of((uint8_t[]){24, 0, 0, 1, 0}, 5)));
	exact_copy_free(record);
	cr_assert(tls_keys_next_generation(peer.client.aead, peer.client.hash, &peer.client.read));
	cr_expect(!record_has_control(&peer.server));
}

static void expect_data_both_ways(void)
{
	uint8_t type;
	struct bytes content, record = rig_seal(&peer, "to the client", 13);
	cr_assert(rig_read(&peer, record, &type, &content));
	cr_expect(bytes_equal(content, bytes_of_string("to the client")));
	exact_copy_free(record);
	struct rig_opened o = rig_deliver(&peer, DATA, "to the server", 13);
	cr_expect(o.verdict == RECORD_DATA && bytes_equal(o.plain, bytes_of_string("to the server")));
}

Test(record_tls13, follows_the_peers_key_updates)
{
	for (enum aead_kind aead = 0; aead < AEAD_KINDS; aead++) {
		rig_peer_done(&peer);
		rig_peer_init(&peer, TLS_VERSION_1_3, aead);
		for (unsigned i = 0; i < 5; i++) {
			cr_assert_eq(update_client_key(0).verdict, RECORD_CONTROL);
			cr_expect(!record_has_control(&peer.server), "nothing was asked for");
			expect_data_both_ways();
		}
	}
}

Test(record_tls13, answers_requests_for_a_key_update_once_per_batch)
{
	for (unsigned batch = 1; batch < 4; batch++) {
		for (unsigned i = 0; i < batch; i++)
			cr_assert_eq(update_client_key(1).verdict, RECORD_CONTROL);
		cr_assert(record_has_control(&peer.server));
		expect_key_update();
		expect_data_both_ways();
	}
}

Test(record_tls13, refuses_the_old_key_after_an_update)
{
	struct tls_keys old = peer.client;
	update_client_key(0);
	cr_expect_eq(rig_open(&peer, rig_forge(&old, 0, DATA, "x", 1, 0)).reason, RECORD_BAD_MAC);
}

Test(record_tls13, refuses_a_flood_of_key_updates)
{
	for (unsigned i = 0; i < 16; i++)
		cr_assert_eq(update_client_key(0).verdict, RECORD_CONTROL);
	cr_expect_eq(update_client_key(0).reason, RECORD_UNEXPECTED);
}

Test(record_tls13, refuses_a_flood_of_key_updates_with_a_little_data_between_them)
{
	unsigned updates = 0;
	while (updates < 100 && update_client_key(0).verdict == RECORD_CONTROL) {
		updates++;
		cr_assert_eq(rig_deliver(&peer, DATA, "x", 1).verdict, RECORD_DATA);
	}
	cr_expect_lt(updates, 30);
}

Test(record_tls13, takes_key_updates_among_data_without_end)
{
	for (unsigned i = 0; i < 100; i++) {
		cr_assert_eq(update_client_key(0).verdict, RECORD_CONTROL);
		for (unsigned data = 0; data < 4; data++)
			cr_assert_eq(rig_deliver(&peer, DATA, "x", 1).verdict, RECORD_DATA);
	}
}

Test(record_tls13, refuses_key_updates_of_another_shape)
{
	static const struct {
		uint8_t message[10];
		size_t size;
		enum record_reason reason;
	} cases[] = {
		{{0}, 0, RECORD_MALFORMED},
		{{24}, 1, RECORD_MALFORMED},
		{{24, 0, 0, 1}, 4, RECORD_MALFORMED},
		{{24, 0, 0, 1, 2}, 5, RECORD_MALFORMED},
		{{24, 0, 0, 0}, 4, RECORD_MALFORMED},
		{{24, 0, 0, 2, 0, 0}, 6, RECORD_MALFORMED},
		{{24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, 10, RECORD_MALFORMED}, /* data under the old key would follow the update */
		{{1, 0, 0, 1, 0}, 5, RECORD_UNEXPECTED},                  /* ClientHello: there is no renegotiation */
		{{4, 0, 0, 1, 0}, 5, RECORD_UNEXPECTED},                  /* NewSessionTicket is a server's */
		{{11, 0, 0, 1, 0}, 5, RECORD_UNEXPECTED},                 /* Certificate: none was asked for */
		{{20, 0, 0, 1, 0}, 5, RECORD_UNEXPECTED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig_opened o = rig_deliver(&peer, HANDSHAKE, cases[i].message, cases[i].size);
		cr_expect_eq(o.verdict, RECORD_REFUSED);
		cr_expect_eq(o.reason, cases[i].reason, "case %zu", i);
	}
}

Test(record_tls13, updates_its_own_key_before_two_to_the_24_records)
{
	peer.server.sealed = (1u << 24) - (1u << 16) - 2;
	expect_data_both_ways();
	cr_expect(!record_has_control(&peer.server));
	expect_data_both_ways();
	cr_assert(record_has_control(&peer.server));
	expect_key_update();
	cr_expect_eq(peer.server.sealed, 0);
	expect_data_both_ways();
}

Test(record_tls13, seals_no_more_than_a_key_may_when_nobody_sends_its_key_update)
{
	uint8_t space[64];
	peer.server.sealed = (1u << 24) - 1;
	peer.server.keys.write.sequence = peer.client.read.sequence = (1u << 24) - 1;
	expect_data_both_ways();
	cr_expect_eq(record_seal(&peer.server, space + peer.server.head_size, 1), 0);
	expect_key_update();
	expect_data_both_ways();
}

Test(record_tls13, answers_no_key_update_after_its_goodbye)
{
	uint8_t out[RECORD_CONTROL_SIZE_MAX];
	cr_assert_neq(record_close(&peer.server, RECORD_FINE, out), 0);
	cr_assert_eq(update_client_key(1).verdict, RECORD_CONTROL);
	cr_expect_eq(record_control(&peer.server, out), 0);
	cr_expect(!record_has_control(&peer.server));
	cr_expect_eq(rig_deliver(&peer, DATA, "x", 1).verdict, RECORD_DATA);
}
