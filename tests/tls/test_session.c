#include "tls/session.h"

#include <criterion/criterion.h>
#include <openssl/err.h>

#include "exact_copy.h"
#include "tls_rig.h"

static struct rig_cert cert;
static struct tls_context *context;

static void start_with(const char *kind, struct tls_tickets *tickets)
{
	cert = rig_cert_make(&(struct rig_cert_params){.kind = kind, .names = "DNS:turn.example"});
	context = rig_context(false, tickets, &cert, 1);
}

static void setup(void)
{
	start_with("P-256", NULL);
}

static void teardown(void)
{
	tls_context_unref(context);
	rig_cert_free(&cert);
}

TestSuite(session, .init = setup, .fini = teardown);

static void expect_done(const struct rig_client_params *params, enum tls_version version, enum aead_kind aead)
{
	static const char *const names[] = {"TLSv1.2", "TLSv1.3", "DTLSv1.2"};
	struct rig *rig = rig_new(context, params);
	struct tls_keys keys;
	rig_run(rig);
	cr_assert(rig_done(rig), "failure %s", tls_failure_name(rig->failure));
	cr_assert(tls_session_keys(rig->server, &keys));
	cr_expect_eq(keys.version, version);
	cr_expect_eq(keys.aead, aead);
	cr_expect_not(tls_session_resumed(rig->server));
	rig_open_records(rig);
	cr_expect(rig_talks(rig), "%s, aead %d: the record layer does not understand the client", names[version], aead);
	rig_free(rig);
}

Test(session, agrees_on_tls_1_2_with_every_cipher)
{
	struct rig_client_params params = {.version = TLS1_2_VERSION};
	params.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
	expect_done(&params, TLS_VERSION_1_2, AEAD_AES_128_GCM);
	params.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
	expect_done(&params, TLS_VERSION_1_2, AEAD_AES_256_GCM);
	params.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
	expect_done(&params, TLS_VERSION_1_2, AEAD_CHACHA20_POLY1305);
}

Test(session, agrees_on_tls_1_3_with_every_cipher)
{
	struct rig_client_params params = {.version = TLS1_3_VERSION};
	params.ciphersuites = "TLS_AES_128_GCM_SHA256";
	expect_done(&params, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	params.ciphersuites = "TLS_AES_256_GCM_SHA384";
	expect_done(&params, TLS_VERSION_1_3, AEAD_AES_256_GCM);
	params.ciphersuites = "TLS_CHACHA20_POLY1305_SHA256";
	expect_done(&params, TLS_VERSION_1_3, AEAD_CHACHA20_POLY1305);
}

Test(session, prefers_tls_1_3_and_aes_128)
{
	expect_done(&(struct rig_client_params){0}, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	expect_done(&(struct rig_client_params){.version = TLS1_2_VERSION}, TLS_VERSION_1_2, AEAD_AES_128_GCM);
}

Test(session, gives_chacha20_to_a_client_that_puts_it_first)
{
	struct rig_client_params params = {
		.version = TLS1_3_VERSION, .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"};
	expect_done(&params, TLS_VERSION_1_3, AEAD_CHACHA20_POLY1305);
	params = (struct rig_client_params){
		.version = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"};
	expect_done(&params, TLS_VERSION_1_2, AEAD_CHACHA20_POLY1305);
}

Test(session, agrees_with_each_group_and_by_a_hello_retry_request)
{
	expect_done(&(struct rig_client_params){.version = TLS1_3_VERSION, .groups = "P-384"}, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	/* The key share is for the first, which the server does not know. */
	expect_done(
		&(struct rig_client_params){.version = TLS1_3_VERSION, .groups = "P-521:P-256"}, TLS_VERSION_1_3, AEAD_AES_128_GCM);
	expect_done(&(struct rig_client_params){.version = TLS1_2_VERSION, .groups = "P-256"}, TLS_VERSION_1_2, AEAD_AES_128_GCM);
}

Test(session, signs_with_an_rsa_key)
{
	teardown();
	start_with("RSA-2048", NULL);
	expect_done(&(struct rig_client_params){.version = TLS1_2_VERSION}, TLS_VERSION_1_2, AEAD_AES_128_GCM);
	expect_done(&(struct rig_client_params){.version = TLS1_3_VERSION}, TLS_VERSION_1_3, AEAD_AES_128_GCM);
}

Test(session, sends_a_flight_as_one_piece)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_2_VERSION});
	rig_client(rig);
	rig_server(rig);
	cr_expect_eq(rig->sends, 1);
	rig_client(rig);
	rig_server(rig);
	cr_expect_eq(rig->sends, 2);
	rig_free(rig);
}

static void deliver_slowly(int version)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = version});
	uint8_t held[RIG_PIECE_MAX];
	for (unsigned round = 0; round < 4; round++) {
		rig_client(rig);
		struct rig_row up = rig->up;
		size_t size = 0;
		rig_drop(&rig->up);
		for (size_t i = 0; i < up.count; i++)
			for (size_t k = 0; k < up.sizes[i] && rig->progress == TLS_SESSION_CONTINUES; k++) {
				held[size++] = up.pieces[i][k];
				size_t left = rig_deliver_up(rig, bytes_of(held, size));
				memmove(held, held + size - left, left);
				size = left;
			}
	}
	cr_expect_eq(rig->progress, TLS_SESSION_DONE);
	rig_client(rig);
	cr_assert(rig_done(rig));
	rig_open_records(rig);
	cr_expect(rig_talks(rig));
	rig_free(rig);
}

Test(session, takes_a_handshake_byte_by_byte)
{
	deliver_slowly(TLS1_2_VERSION);
	deliver_slowly(TLS1_3_VERSION);
}

Test(session, leaves_application_data_behind_the_handshake_in_the_input)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_3_VERSION});
	rig_client(rig);
	rig_server(rig);
	rig_client(rig); /* its Finished */
	cr_assert_eq(SSL_write(rig->client, "early bird", 10), 10);
	cr_assert_eq(SSL_write(rig->client, "second", 6), 6);
	rig_server(rig);
	cr_assert_eq(rig->progress, TLS_SESSION_DONE);
	cr_assert_eq(rig->up.count, 1, "what is left, in one piece");
	rig_open_records(rig);
	size_t first = 5 + 10 + 17;
	struct bytes rest = exact_copy(rig->up.pieces[0] + first, rig->up.sizes[0] - first);
	rig->up.sizes[0] = first;
	cr_expect(rig_hears(rig, "early bird"));
	rig_append(&rig->up, rest);
	cr_expect(rig_hears(rig, "second"));
	exact_copy_free(rest);
	rig_free(rig);
}

/* --- ALPN -------------------------------------------------------------------------------------------------------------------- */

static void expect_protocol(const char *offered, size_t size, const char *expected)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	for (size_t i = 0; i < 2; i++) {
		const unsigned char *chosen = NULL;
		unsigned chosen_size = 0;
		struct rig *rig =
			rig_new(context, &(struct rig_client_params){.version = versions[i], .protocols = bytes_of(offered, size)});
		rig_run(rig);
		cr_expect(rig_done(rig));
		SSL_get0_alpn_selected(rig->client, &chosen, &chosen_size);
		cr_expect(bytes_equal(bytes_of(chosen, chosen_size), bytes_of_string(expected)), "not '%s'", expected);
		rig_free(rig);
	}
}

Test(session, answers_alpn_with_what_is_offered_of_stun_and_never_refuses)
{
	expect_protocol("\x09stun.turn", 10, "stun.turn");
	expect_protocol("\x12stun.nat-discovery", 19, "stun.nat-discovery");
	expect_protocol("\x12stun.nat-discovery\x09stun.turn", 29, "stun.turn");
	expect_protocol("\x02h2\x08http/1.1", 12, "");
	expect_protocol("\x02h2\x09stun.turn", 13, "stun.turn");
	expect_protocol("", 0, "");
}

/* --- what goes wrong --------------------------------------------------------------------------------------------------------- */

static enum tls_failure failure_with(const struct rig_client_params *params)
{
	struct rig *rig = rig_new(context, params);
	rig_run(rig);
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect(rig->client_failed, "an alert has told the client");
	enum tls_failure failure = rig->failure;
	rig_free(rig);
	return failure;
}

Test(session, refuses_versions_before_tls_1_2)
{
	/* RFC 8996 Section 2. */
	cr_expect_eq(failure_with(&(struct rig_client_params){.version = TLS1_1_VERSION, .ciphers = "DEFAULT@SECLEVEL=0"}),
		TLS_FAIL_VERSION);
	cr_expect_eq(failure_with(&(struct rig_client_params){.version = TLS1_VERSION, .ciphers = "DEFAULT@SECLEVEL=0"}),
		TLS_FAIL_VERSION);
}

Test(session, refuses_ciphers_without_forward_secrecy_or_aead)
{
	struct rig_client_params params = {.version = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"};
	cr_expect_eq(failure_with(&params), TLS_FAIL_CIPHER);
	params.ciphers = "ECDHE-ECDSA-AES128-SHA256";
	cr_expect_eq(failure_with(&params), TLS_FAIL_CIPHER);
	/* For a key of the other kind. */
	params.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
	cr_expect_eq(failure_with(&params), TLS_FAIL_CIPHER);
	cr_expect_eq(failure_with(&(struct rig_client_params){.version = TLS1_3_VERSION, .groups = "P-521"}), TLS_FAIL_CIPHER);
	cr_expect_eq(
		failure_with(&(struct rig_client_params){.version = TLS1_3_VERSION, .signatures = "RSA+SHA256"}), TLS_FAIL_CIPHER);
}

static enum tls_failure failure_of(const char *opening, size_t size)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){0});
	rig_deliver_up(rig, bytes_of(opening, size));
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	enum tls_failure failure = rig->failure;
	rig_free(rig);
	return failure;
}

Test(session, tells_other_protocols_from_tls)
{
	cr_expect_eq(failure_of("GET / HTTP/1.1\r\n\r\n", 18), TLS_FAIL_NOT_TLS);
	cr_expect_eq(failure_of("\x00\x03\x00\x08\x21\x12\xa4\x42", 8), TLS_FAIL_NOT_TLS);
	cr_expect_eq(failure_of("\x80\x2e\x01\x00\x02", 5), TLS_FAIL_NOT_TLS);
	cr_expect_eq(failure_of("\x17\x03\x03\x00\x10", 5), TLS_FAIL_NOT_TLS);
	cr_expect_eq(failure_of("\x16\x07", 2), TLS_FAIL_NOT_TLS);
}

Test(session, refuses_a_first_message_that_is_none)
{
	cr_expect_eq(failure_of("\x16\x03\x01\x00\x10\x02\x00\x00\x0c", 9), TLS_FAIL_MALFORMED, "a ServerHello");
	cr_expect_eq(failure_of("\x16\x03\x01\x40\x00\x01\x00\x40\x01", 9), TLS_FAIL_MALFORMED, "too large a ClientHello");
	cr_expect_eq(failure_of("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10), TLS_FAIL_MALFORMED, "too short a ClientHello");
	cr_expect_eq(failure_of("\x16\x03\x01\x00\x02\x01\x00\x16\x03", 9), TLS_FAIL_MALFORMED, "a header in pieces");
}

Test(session, waits_for_the_rest_of_what_was_cut)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){0});
	rig_client(rig);
	struct bytes hello = bytes_of(rig->up.pieces[0], rig->up.sizes[0]);
	rig_deliver_up(rig, bytes_of(NULL, 0));
	cr_expect_eq(rig->progress, TLS_SESSION_CONTINUES);
	cr_expect_eq(rig_deliver_up(rig, bytes_of(hello.data, 8)), 8, "nothing is read of it before it can be judged");
	cr_expect_eq(rig->progress, TLS_SESSION_CONTINUES);
	cr_expect_eq(rig_deliver_up(rig, bytes_of(hello.data, hello.size - 1)), 0);
	cr_expect_eq(rig->progress, TLS_SESSION_CONTINUES);
	cr_expect_eq(rig->sends, 0);
	rig_deliver_up(rig, bytes_of(hello.data + hello.size - 1, 1));
	cr_expect_eq(rig->sends, 1);
	rig_free(rig);
}

static struct rig *before_finished(int version)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = version});
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	cr_assert_gt(rig->up.count, 0);
	return rig;
}

Test(session, refuses_a_finished_that_was_tampered_with)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	for (size_t i = 0; i < 2; i++) {
		struct rig *rig = before_finished(versions[i]);
		size_t last = rig->up.count - 1;
		rig->up.pieces[last][rig->up.sizes[last] - 1] ^= 1;
		rig_server(rig);
		cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
		cr_expect_eq(rig->failure, TLS_FAIL_MALFORMED);
		rig_free(rig);
	}
}

Test(session, refuses_an_oversized_record)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_2_VERSION});
	rig_client(rig);
	rig_server(rig);
	rig_deliver_up(rig, bytes_of("\x16\x03\x03\xff\xff", 5));
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect_eq(rig->failure, TLS_FAIL_MALFORMED);
	rig_free(rig);
}

Test(session, ends_with_a_fatal_alert_of_the_client)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_2_VERSION});
	rig_client(rig);
	rig_server(rig);
	rig_deliver_up(rig, bytes_of("\x15\x03\x03\x00\x02\x02\x30", 7)); /* unknown_ca */
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect_eq(rig->failure, TLS_FAIL_ALERT);
	rig_free(rig);
}

Test(session, ends_when_the_client_closes_in_the_middle)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_2_VERSION});
	rig_client(rig);
	rig_server(rig);
	rig_deliver_up(rig, bytes_of("\x15\x03\x03\x00\x02\x01\x00", 7)); /* close_notify */
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect_eq(rig->failure, TLS_FAIL_CLOSED);
	rig_free(rig);
}

Test(session, is_freed_in_every_state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	for (unsigned rounds = 0; rounds < 4; rounds++)
		for (size_t i = 0; i < 2; i++) {
			struct rig *rig = rig_new(context, &(struct rig_client_params){.version = versions[i]});
			for (unsigned k = 0; k < rounds; k++) {
				rig_client(rig);
				rig_server(rig);
			}
			rig_free(rig);
		}
	tls_session_free(NULL);
}

Test(session, holds_its_context)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){.version = TLS1_3_VERSION});
	tls_context_unref(rig->context);
	tls_context_unref(context);
	rig->context = context = NULL;
	rig_run(rig);
	cr_expect(rig_done(rig));
	rig_free(rig);
}

Test(session, names_every_failure)
{
	for (unsigned i = 0; i < TLS_FAILURES; i++)
		cr_expect_not_null(tls_failure_name(i));
}
