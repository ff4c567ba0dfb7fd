#include <criterion/criterion.h>
#include <openssl/err.h>

#include "exact_copy.h"
#include "tls_rig.h"

static struct rig_cert cert;
static struct tls_context *context;
static const struct rig_client_params plain = {.datagrams = true};

static void start_with(const char *kind)
{
	cert = rig_cert_make(&(struct rig_cert_params){.kind = kind});
	context = rig_context(true, NULL, &cert, 1);
}

static void setup(void)
{
	start_with("P-256");
}

static void teardown(void)
{
	tls_context_unref(context);
	rig_cert_free(&cert);
}

TestSuite(session_dtls, .init = setup, .fini = teardown);

static void expect_done(const struct rig_client_params *params, enum aead_kind aead)
{
	struct rig *rig = rig_new(context, params);
	struct tls_keys keys;
	rig_run(rig);
	cr_assert(rig_done(rig), "failure %s", tls_failure_name(rig->failure));
	cr_expect_eq(rig->verify_answers, 1, "the client had to show that its address is its own");
	cr_expect_leq(rig->largest_down, RIG_MTU);
	cr_assert(tls_session_keys(rig->server, &keys));
	cr_expect_eq(keys.version, TLS_VERSION_DTLS_1_2);
	cr_expect_eq(keys.aead, aead);
	rig_open_records(rig);
	cr_expect(rig_talks(rig), "aead %d", aead);
	rig_free(rig);
}

Test(session_dtls, agrees_with_every_cipher)
{
	struct rig_client_params params = plain;
	expect_done(&params, AEAD_AES_128_GCM);
	params.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
	expect_done(&params, AEAD_AES_256_GCM);
	params.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
	expect_done(&params, AEAD_CHACHA20_POLY1305);
	params.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
	expect_done(&params, AEAD_CHACHA20_POLY1305);
}

static void note_server_name(SSL *ssl, int from_server, int type, const unsigned char *data, int size, void *seen)
{
	(void)ssl, (void)data, (void)size;
	if (from_server && type == TLSEXT_TYPE_server_name)
		*(bool *)seen = true;
}

Test(session_dtls, does_not_say_that_the_name_was_heeded)
{
	struct rig_cert named = rig_cert_make(&(struct rig_cert_params){.names = "DNS:turn.example"});
	struct tls_context *with_name = rig_context(true, NULL, &named, 1);
	struct rig *rig = rig_new(with_name, &(struct rig_client_params){.datagrams = true, .host = "turn.example"});
	bool seen = false;
	SSL_set_tlsext_debug_callback(rig->client, note_server_name);
	SSL_set_tlsext_debug_arg(rig->client, &seen);
	rig_run(rig);
	cr_assert(rig_done(rig), "failure %s", tls_failure_name(rig->failure));
	cr_expect_not(seen, "pion/dtls takes an empty server_name for a mistake");
	rig_free(rig);
	tls_context_unref(with_name);
	rig_cert_free(&named);
}

Test(session_dtls, signs_with_an_rsa_key)
{
	teardown();
	start_with("RSA-4096");
	expect_done(&plain, AEAD_AES_128_GCM);
}

Test(session_dtls, takes_a_client_hello_in_fragments)
{
	struct rig_client_params params = plain;
	params.mtu = 256;
	params.host = "a-rather-long-host-name-that-makes-the-client-hello-larger-than-one-datagram-can-be.of-this-test.example";
	struct rig *rig = rig_new(context, &params);
	rig_client(rig);
	cr_assert_gt(rig->up.count, 1);
	rig_free(rig);
	expect_done(&params, AEAD_AES_128_GCM);
}

Test(session_dtls, takes_fragments_that_share_a_datagram)
{
	struct rig_client_params params = plain;
	params.mtu = 256;
	params.host = "a-rather-long-host-name-that-makes-the-client-hello-larger-than-one-datagram-can-be.of-this-test.example";
	struct rig *rig = rig_new(context, &params);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	cr_assert_gt(rig->up.count, 1);
	while (rig->up.count > 1) {
		size_t last = --rig->up.count;
		memcpy(rig->up.pieces[last - 1] + rig->up.sizes[last - 1], rig->up.pieces[last], rig->up.sizes[last]);
		rig->up.sizes[last - 1] += rig->up.sizes[last];
	}
	rig_run(rig);
	cr_expect(rig_done(rig));
	rig_free(rig);
}

Test(session_dtls, keeps_datagrams_of_a_long_chain_within_the_mtu)
{
	struct rig_cert root = rig_cert_make(&(struct rig_cert_params){.kind = "RSA-4096", .subject = "root", .authority = true});
	struct rig_cert leaf = rig_cert_make(&(struct rig_cert_params){.kind = "RSA-4096", .issuer = &root});
	char *text = rig_concat(leaf.certificate_text, root.certificate_text);
	free(leaf.certificate_text);
	leaf.certificate_text = text;
	struct tls_context *large = rig_context(true, NULL, &leaf, 1);
	struct rig *rig = rig_new(large, &plain);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	rig_server(rig);
	cr_expect_geq(rig->sends, 2);
	cr_expect_leq(rig->sends, 4, "records share datagrams");
	cr_expect_gt(rig->largest_down, RIG_MTU - 100);
	cr_expect_leq(rig->largest_down, RIG_MTU);
	rig_run(rig);
	cr_expect(rig_done(rig));
	rig_free(rig);
	tls_context_unref(large);
	rig_cert_free(&leaf);
	rig_cert_free(&root);
}

Test(session_dtls, keeps_every_datagram_within_every_mtu)
{
	/* The ticket and a Finished share a datagram, or just do not. */
	struct tls_tickets *tickets = tls_tickets_create(RIG_NOW_S);
	struct tls_context *with_tickets = rig_context(true, tickets, &cert, 1);
	struct rig_client_params params = plain;
	for (params.server_mtu = 280; params.server_mtu < 460; params.server_mtu += 2) {
		struct rig *rig = rig_new(with_tickets, &params);
		rig_run(rig);
		cr_expect(rig_done(rig), "mtu %u", params.server_mtu);
		cr_expect_leq(rig->largest_down, params.server_mtu);
		rig_free(rig);
	}
	tls_context_unref(with_tickets);
	tls_tickets_free(tickets);
}

Test(session_dtls, refuses_a_first_datagram_that_is_no_client_hello)
{
	static const char *const openings[] = {"", "x", "\x16\xfe\xff", "\x17\xfe\xfd hello there, this is not it"};
	for (size_t i = 0; i < sizeof openings / sizeof *openings; i++) {
		struct rig *rig = rig_new(context, &plain);
		rig->server = tls_session_create(context, RIG_MTU);
		rig_deliver_up(rig, bytes_of_string(openings[i]));
		cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
		cr_expect_eq(rig->failure, TLS_FAIL_MALFORMED);
		rig_free(rig);
	}
}

Test(session_dtls, refuses_dtls_1_0)
{
	struct rig_client_params params = plain;
	params.version = DTLS1_VERSION;
	params.ciphers = "DEFAULT@SECLEVEL=0";
	struct rig *rig = rig_new(context, &params);
	rig_run(rig);
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect_eq(rig->failure, TLS_FAIL_VERSION);
	rig_free(rig);
}

Test(session_dtls, drops_garbage_and_goes_on)
{
	struct rig *rig = rig_new(context, &plain);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	struct rig_row up = rig->up;
	rig_deliver_up(rig, bytes_of_string("garbage of no meaning"));
	for (size_t i = 0; i < up.count; i++)
		rig_deliver_up(rig, bytes_of(up.pieces[i], up.sizes[i] / 2));
	cr_expect_eq(rig->progress, TLS_SESSION_CONTINUES);
	rig_run(rig);
	cr_expect(rig_done(rig));
	rig_free(rig);
}

/* Anyone can send one in a client's name; libssl keeps it until there are keys. */
Test(session_dtls, drops_a_record_too_short_to_be_sealed)
{
	static const uint8_t alert[] = {21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 7, 0, 2, 2, 40};
	static const char *const ciphers[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"};
	for (size_t i = 0; i < 2; i++) {
		struct rig *rig = rig_new(context, &(struct rig_client_params){.datagrams = true, .ciphers = ciphers[i]});
		rig_client(rig);
		rig_server(rig);
		rig_client(rig);
		rig_server(rig);
		rig_deliver_up(rig, bytes_of(alert, sizeof alert));
		rig_run(rig);
		cr_expect(rig_done(rig), "failure %s", tls_failure_name(rig->failure));
		rig_free(rig);
	}
}

/* --- loss -------------------------------------------------------------------------------------------------------------------- */

/* Time passes until the next timer of the session, if it has one, and a second for the client's. */
static void let_time_pass(struct rig *rig)
{
	struct tls_sink sink = rig_sink(rig);
	uint64_t timeout_ns = rig->server ? tls_session_timeout_ns(rig->server) : UINT64_MAX;
	rig_pass_ms(timeout_ns == UINT64_MAX ? 1000 : (unsigned)(timeout_ns / 1000000) + 1);
	if (timeout_ns != UINT64_MAX && rig->progress == TLS_SESSION_CONTINUES)
		rig->progress = tls_session_timeout(rig->server, &sink, &rig->failure);
	DTLSv1_handle_timeout(rig->client);
	ERR_clear_error();
}

static void lose(unsigned lost_up, unsigned lost_down)
{
	struct rig *rig = rig_new(context, &plain);
	for (unsigned round = 0; round < 12 && !rig_done(rig); round++) {
		rig_client(rig);
		bool said = rig->up.count > 0;
		if (round == lost_up)
			rig_drop(&rig->up);
		rig_server(rig);
		said = said || rig->down.count > 0;
		if (round == lost_down)
			rig_drop(&rig->down);
		if (rig->progress == TLS_SESSION_DONE && !SSL_is_init_finished(rig->client))
			rig_client(rig);
		if (round == lost_up || round == lost_down || !said)
			let_time_pass(rig);
	}
	cr_expect(rig_done(rig), "lost up %u, down %u", lost_up, lost_down);
	rig_free(rig);
}

Test(session_dtls, survives_the_loss_of_each_flight)
{
	for (unsigned i = 0; i < 3; i++)
		lose(i, UINT32_MAX);
	for (unsigned i = 0; i < 2; i++)
		lose(UINT32_MAX, i);
}

Test(session_dtls, sends_its_flight_again_when_its_time_is_over_and_not_before)
{
	struct rig *rig = rig_new(context, &plain);
	struct tls_sink sink = rig_sink(rig);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	rig_server(rig);
	unsigned sends = rig->sends;
	cr_expect_gt(tls_session_timeout_ns(rig->server), UINT64_C(900000000));
	cr_expect_leq(tls_session_timeout_ns(rig->server), UINT64_C(1000000000));
	for (unsigned i = 0; i < 10; i++)
		cr_expect_eq(tls_session_timeout(rig->server, &sink, &rig->failure), TLS_SESSION_CONTINUES);
	cr_expect_eq(rig->sends, sends, "too early");
	rig_pass_ms(1000);
	cr_expect_eq(tls_session_timeout_ns(rig->server), 0);
	cr_expect_eq(tls_session_timeout(rig->server, &sink, &rig->failure), TLS_SESSION_CONTINUES);
	cr_expect_gt(rig->sends, sends);
	cr_expect_gt(tls_session_timeout_ns(rig->server), UINT64_C(1900000000), "twice as long");
	rig_free(rig);
}

Test(session_dtls, gives_a_silent_client_up_after_half_a_minute)
{
	struct rig *rig = rig_new(context, &plain);
	rig_client(rig);
	rig_server(rig);
	rig_client(rig);
	rig_server(rig);
	unsigned rounds = 0;
	uint64_t waited_ns = 0;
	for (; rig->progress == TLS_SESSION_CONTINUES && rounds < 20; rounds++) {
		rig_drop(&rig->down);
		waited_ns += tls_session_timeout_ns(rig->server);
		let_time_pass(rig);
	}
	cr_expect_eq(rig->progress, TLS_SESSION_FAILED);
	cr_expect_eq(rig->failure, TLS_FAIL_TIMEOUT);
	cr_expect_eq(rounds, 5);
	cr_expect_eq(waited_ns / 1000000000 / 2, 15, "about 31 s");
	rig_free(rig);
}

/* The client's last flight has come, ours is lost. */
static struct rig *last_flight_lost(void)
{
	struct rig *rig = rig_new(context, &plain);
	for (unsigned i = 0; i < 3; i++) {
		rig_client(rig);
		rig_server(rig);
	}
	cr_assert_eq(rig->progress, TLS_SESSION_DONE);
	rig_drop(&rig->down);
	cr_assert_not(SSL_is_init_finished(rig->client));
	rig_open_records(rig);
	return rig;
}

static void resend(struct rig *rig)
{
	struct tls_sink sink = rig_sink(rig);
	for (size_t i = 0; i < rig->up.count; i++) {
		struct bytes copy = exact_copy(rig->up.pieces[i], rig->up.sizes[i]);
		tls_session_resend(rig->server, copy, &sink);
		exact_copy_free(copy);
	}
	rig_drop(&rig->up);
}

Test(session_dtls, answers_the_last_flight_that_comes_again)
{
	struct rig *rig = last_flight_lost();
	cr_expect_eq(tls_session_timeout_ns(rig->server), UINT64_MAX, "it is the client's to ask");
	for (unsigned i = 0; i < 3; i++) {
		rig_pass_ms(10000);
		DTLSv1_handle_timeout(rig->client);
		cr_assert_gt(rig->up.count, 0);
		if (i == 2)
			break;
		resend(rig);
		cr_expect_gt(rig->down.count, 0, "round %u", i);
		rig_drop(&rig->down);
	}
	resend(rig);
	rig_client(rig);
	cr_assert(rig_done(rig));
	cr_expect(rig_talks(rig), "its numbers and ours do not meet");
	rig_free(rig);
}

Test(session_dtls, says_nothing_to_strangers_after_the_handshake)
{
	static const uint8_t hello[] = "\x16\xfe\xff\0\0\0\0\0\0\0\x09\0\x0c\x01\0\0\0\0\0\0\0\0\0\0";
	struct rig *rig = last_flight_lost();
	struct tls_sink sink = rig_sink(rig);
	tls_session_resend(rig->server, bytes_of(NULL, 0), &sink);
	tls_session_resend(rig->server, bytes_of_string("garbage"), &sink);
	tls_session_resend(rig->server, bytes_of(hello, sizeof hello - 1), &sink);
	cr_expect_eq(rig->down.count, 0);
	rig_free(rig);
}

Test(session_dtls, is_freed_in_every_state)
{
	for (unsigned rounds = 0; rounds < 4; rounds++) {
		struct rig *rig = rig_new(context, &plain);
		for (unsigned i = 0; i < rounds; i++) {
			rig_client(rig);
			rig_server(rig);
		}
		rig_free(rig);
	}
}
