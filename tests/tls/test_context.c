#include "tls/context.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "exact_copy.h"
#include "tls_rig.h"

/* What tls_context_create says of one identity; "" if it takes it. Texts go in without a NUL behind them. */
static const char *verdict_on(const char *certificates, const char *key, bool accept_expired)
{
	static char error[TLS_TEXT_SIZE];
	struct bytes a = exact_copy(certificates, strlen(certificates)), b = exact_copy(key, strlen(key));
	const struct tls_identity_pem pem = {a, b};
	size_t place = 99;
	struct tls_context *context = tls_context_create(
		&(struct tls_context_params){.identities = &pem, .identity_count = 1, .accept_expired = accept_expired}, RIG_NOW_S,
		&place, error);
	if (context == NULL)
		cr_expect_eq(place, 0);
	else
		error[0] = 0;
	tls_context_unref(context);
	exact_copy_free(a);
	exact_copy_free(b);
	cr_expect_eq(ERR_peek_error(), 0, "libcrypto's queue of errors is empty");
	cr_expect_null(strchr(error, '\n'));
	return error;
}

static const char *verdict_on_made(const struct rig_cert_params *params)
{
	struct rig_cert_params dated = *params;
	if (dated.until_days == 0) {
		dated.from_days = -1;
		dated.until_days = 30;
	}
	struct rig_cert cert = rig_cert_make(&dated);
	const char *verdict = verdict_on(cert.certificate_text, cert.key_text, false);
	rig_cert_free(&cert);
	return verdict;
}

Test(context, takes_rsa_2048_and_the_nist_curves)
{
	static const char *const kinds[] = {"RSA-2048", "RSA-3072", "P-256", "P-384", "P-521"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.kind = kinds[i]}), "", "%s", kinds[i]);
}

Test(context, refuses_weak_and_unsupported_keys)
{
	cr_expect_str_eq(
		verdict_on_made(&(struct rig_cert_params){.kind = "RSA-1024"}), "weak key: RSA with 1024 bits, 2048 are needed");
	cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.kind = "P-224"}),
		"weak key: the curve is secp224r1; P-256, P-384 or P-521 is needed");
	cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.kind = "secp256k1"}),
		"unsupported key: the curve is secp256k1; P-256, P-384 or P-521 is needed");
	cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.kind = "ED25519"}),
		"unsupported key: neither RSA nor one on P-256, P-384 or P-521");
}

Test(context, refuses_certificates_out_of_their_time)
{
	cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.from_days = -20, .until_days = -10}),
		"expired since 2038-01-09 03:14:08 UTC");
	cr_expect_str_eq(verdict_on_made(&(struct rig_cert_params){.from_days = 1, .until_days = 10}),
		"not valid before 2038-01-20 03:14:08 UTC");
}

Test(context, takes_an_expired_certificate_if_that_is_better_than_none)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -20, .until_days = -10});
	cr_expect_str_eq(verdict_on(cert.certificate_text, cert.key_text, true), "");
	rig_cert_free(&cert);
}

Test(context, refuses_what_is_no_certificate_or_key)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	struct rig_cert other = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	char *encrypted = rig_key_encrypted(&cert), *broken = rig_concat(cert.certificate_text, cert.certificate_text);
	memset(strstr(broken + strlen(cert.certificate_text), "\nMII") + 5, 'A', 20);
	cr_expect_str_eq(verdict_on("", cert.key_text, false), "no PEM certificate in it");
	cr_expect_str_eq(verdict_on("garbage", cert.key_text, false), "no PEM certificate in it");
	cr_expect_str_eq(verdict_on(cert.key_text, cert.key_text, false), "no PEM certificate in it");
	cr_expect_str_eq(verdict_on(broken, cert.key_text, false), "certificate 2 cannot be read");
	cr_expect_str_eq(verdict_on(cert.certificate_text, "", false), "no PEM private key in it");
	cr_expect_str_eq(verdict_on(cert.certificate_text, "garbage", false), "no PEM private key in it");
	cr_expect_str_eq(verdict_on(cert.certificate_text, cert.certificate_text, false), "no PEM private key in it");
	cr_expect_str_eq(verdict_on(cert.certificate_text, other.key_text, false), "the key does not match the certificate");
	cr_expect_str_eq(
		verdict_on(cert.certificate_text, encrypted, false), "the key is encrypted: one without a password is needed");
	free(broken);
	free(encrypted);
	rig_cert_free(&cert);
	rig_cert_free(&other);
}

Test(context, refuses_cut_texts_without_a_trace)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	for (size_t size = 0; size < strlen(cert.certificate_text) - 30; size += 37) {
		char *cut = strndup(cert.certificate_text, size);
		cr_expect_str_neq(verdict_on(cut, cert.key_text, false), "");
		free(cut);
	}
	for (size_t size = 0; size < strlen(cert.key_text) - 30; size += 17) {
		char *cut = strndup(cert.key_text, size);
		cr_expect_str_neq(verdict_on(cert.certificate_text, cut, false), "");
		free(cut);
	}
	rig_cert_free(&cert);
}

Test(context, takes_key_and_certificate_from_one_text_and_behind_curve_parameters)
{
	static const char parameters[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	char *both = rig_concat(cert.key_text, cert.certificate_text), *key = rig_concat(parameters, cert.key_text);
	cr_expect_str_eq(verdict_on(both, both, false), "");
	cr_expect_str_eq(verdict_on(cert.certificate_text, key, false), "");
	free(both);
	free(key);
	rig_cert_free(&cert);
}

/* --- chains ------------------------------------------------------------------------------------------------------------------ */

struct family {
	struct rig_cert root, middle, leaf;
};

static struct family make_family(long middle_until_days)
{
	struct family f;
	f.root = rig_cert_make(&(struct rig_cert_params){.subject = "root", .authority = true, .from_days = -9, .until_days = 90});
	f.middle = rig_cert_make(&(struct rig_cert_params){
		.subject = "middle", .authority = true, .issuer = &f.root, .from_days = -9, .until_days = middle_until_days});
	f.leaf = rig_cert_make(&(struct rig_cert_params){
		.subject = "leaf", .names = "DNS:turn.example", .issuer = &f.middle, .from_days = -9, .until_days = 60});
	return f;
}

static void family_free(struct family *f)
{
	rig_cert_free(&f->root);
	rig_cert_free(&f->middle);
	rig_cert_free(&f->leaf);
}

static struct tls_context *create(const struct tls_identity_pem *pems, size_t count)
{
	char error[TLS_TEXT_SIZE];
	size_t place;
	struct tls_context *context = tls_context_create(
		&(struct tls_context_params){.identities = pems, .identity_count = count}, RIG_NOW_S, &place, error);
	cr_assert_not_null(context, "%s", error);
	return context;
}

static void expect_chain(struct tls_context *context, const struct family *f, int count)
{
	struct rig *rig = rig_new(context, &(struct rig_client_params){0});
	rig_run(rig);
	cr_assert(rig_done(rig));
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(rig->client);
	cr_assert_eq(sk_X509_num(chain), count);
	cr_expect_eq(X509_cmp(sk_X509_value(chain, 0), f->leaf.certificate), 0);
	cr_expect_eq(X509_cmp(sk_X509_value(chain, 1), f->middle.certificate), 0);
	rig_free(rig);
}

Test(context, serves_the_chain_in_order_without_what_does_not_belong_to_it)
{
	struct family f = make_family(40), strangers = make_family(40);
	char *text = rig_concat(f.leaf.certificate_text, f.middle.certificate_text);
	struct tls_identity_pem pem = {bytes_of_string(text), bytes_of_string(f.leaf.key_text)};
	struct tls_context *context = create(&pem, 1);
	expect_chain(context, &f, 2);
	cr_expect_eq(tls_context_identity_expiry_s(context, 0), RIG_NOW_S + 40 * 86400, "the intermediate expires first");
	tls_context_unref(context);
	free(text);

	char *shuffled = rig_concat(f.leaf.certificate_text, f.root.certificate_text);
	text = rig_concat(shuffled, f.middle.certificate_text);
	free(shuffled);
	shuffled = rig_concat(text, strangers.leaf.certificate_text);
	pem.certificates = bytes_of_string(shuffled);
	context = create(&pem, 1);
	expect_chain(context, &f, 3);
	tls_context_unref(context);
	free(text);
	free(shuffled);
	family_free(&f);
	family_free(&strangers);
}

Test(context, looks_at_the_dates_of_the_whole_chain)
{
	struct family f = make_family(-2);
	char *text = rig_concat(f.leaf.certificate_text, f.middle.certificate_text);
	cr_expect_str_eq(
		verdict_on(text, f.leaf.key_text, false), "issuer 1 in the chain is expired since 2038-01-17 03:14:08 UTC");
	free(text);
	family_free(&f);
}

Test(context, says_when_the_leaf_is_not_the_first)
{
	struct family f = make_family(40);
	/* Whose issuer the leaf is not, but which is in the leaf's chain the other way round. */
	char *text = rig_concat(f.middle.certificate_text, f.root.certificate_text);
	cr_expect_str_eq(verdict_on(text, f.root.key_text, false),
		"the key matches another certificate than the first: the first must be its own");
	free(text);
	family_free(&f);
}

Test(context, bounds_the_number_of_certificates)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	char *text = strdup(cert.certificate_text);
	for (unsigned i = 0; i < 4; i++) {
		char *twice = rig_concat(text, text);
		free(text);
		text = twice;
	}
	cr_expect_str_eq(verdict_on(text, cert.key_text, false), "more than 15 certificates");
	free(text);
	rig_cert_free(&cert);
}

Test(context, names_the_identity_at_fault)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){.from_days = -1, .until_days = 1});
	struct tls_identity_pem pems[] = {rig_pem(&cert), rig_pem(&cert)};
	char error[TLS_TEXT_SIZE];
	size_t place = 99;
	pems[1].key = bytes_of_string("");
	cr_expect_null(tls_context_create(
		&(struct tls_context_params){.identities = pems, .identity_count = 2}, RIG_NOW_S, &place, error));
	cr_expect_eq(place, 1);
	rig_cert_free(&cert);
}

/* --- SNI --------------------------------------------------------------------------------------------------------------------- */

static void expect_choice(struct tls_context *context, const char *host, const char *signatures, const struct rig_cert *expected)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	for (size_t i = 0; i < 2; i++) {
		struct rig *rig = rig_new(
			context, &(struct rig_client_params){.host = host, .version = versions[i], .signatures = signatures});
		rig_run(rig);
		cr_assert(rig_done(rig), "%s", host);
		X509 *served = SSL_get1_peer_certificate(rig->client);
		cr_expect_eq(X509_cmp(served, expected->certificate), 0, "%s", host ? host : "no name");
		X509_free(served);
		rig_free(rig);
	}
}

Test(context, chooses_the_identity_by_the_host_that_the_client_names)
{
	struct rig_cert certs[] = {rig_cert_make(&(struct rig_cert_params){.names = "DNS:first.example,IP:192.0.2.1"}),
		rig_cert_make(&(struct rig_cert_params){.names = "DNS:*.wild.example"}),
		rig_cert_make(&(struct rig_cert_params){.names = "DNS:Exact.Wild.Example,DNS:second.example"})};
	struct tls_context *context = rig_context(false, NULL, certs, 3);
	expect_choice(context, NULL, NULL, &certs[0]);
	expect_choice(context, "first.example", NULL, &certs[0]);
	expect_choice(context, "second.example", NULL, &certs[2]);
	expect_choice(context, "SECOND.example", NULL, &certs[2]);
	expect_choice(context, "a.wild.example", NULL, &certs[1]);
	expect_choice(context, "exact.wild.example", NULL, &certs[2]);
	expect_choice(context, "a.b.wild.example", NULL, &certs[0]);
	expect_choice(context, "wild.example", NULL, &certs[0]);
	expect_choice(context, "unknown.example", NULL, &certs[0]);
	cr_expect_eq(tls_context_identity_count(context), 3);
	cr_expect_str_eq(tls_context_identity_name(context, 0), "first.example");
	cr_expect_str_eq(tls_context_identity_name(context, 1), "*.wild.example");
	cr_expect_str_eq(tls_context_identity_name(context, 2), "exact.wild.example");
	tls_context_unref(context);
	for (size_t i = 0; i < 3; i++)
		rig_cert_free(&certs[i]);
}

Test(context, offers_keys_of_both_kinds_for_the_same_names)
{
	struct rig_cert certs[] = {rig_cert_make(&(struct rig_cert_params){.names = "DNS:B.example,DNS:a.example"}),
		rig_cert_make(&(struct rig_cert_params){.names = "DNS:a.example,DNS:b.example", .subject = "too late"}),
		rig_cert_make(&(struct rig_cert_params){.kind = "RSA-2048", .names = "DNS:a.example,DNS:b.example"})};
	struct tls_context *context = rig_context(false, NULL, certs, 3);
	expect_choice(context, "a.example", "ECDSA+SHA256:rsa_pss_rsae_sha256", &certs[0]);
	expect_choice(context, "a.example", "ECDSA+SHA256", &certs[0]);
	expect_choice(context, "a.example", "rsa_pss_rsae_sha256", &certs[2]);
	tls_context_unref(context);
	for (size_t i = 0; i < 3; i++)
		rig_cert_free(&certs[i]);
}

Test(context, names_an_identity_without_a_host_name_by_its_address_or_its_subject)
{
	struct rig_cert certs[] = {rig_cert_make(&(struct rig_cert_params){.names = "IP:2001:db8::1,IP:192.0.2.1"}),
		rig_cert_make(&(struct rig_cert_params){.subject = "Old.Example"}),
		rig_cert_make(&(struct rig_cert_params){.subject = "two words\n"})};
	struct tls_context *context = rig_context(false, NULL, certs, 3);
	cr_expect_str_eq(tls_context_identity_name(context, 0), "2001:db8::1");
	cr_expect_str_eq(tls_context_identity_name(context, 1), "old.example");
	cr_expect_str_eq(tls_context_identity_name(context, 2), "", "what cannot stand in a log is not taken");
	tls_context_unref(context);
	for (size_t i = 0; i < 3; i++)
		rig_cert_free(&certs[i]);
}

/* --- self-signed ------------------------------------------------------------------------------------------------------------- */

static void expect_self_signed(const char *name, const char *host, const char *ip)
{
	char *certificate, *key, error[TLS_TEXT_SIZE];
	size_t place;
	cr_assert(tls_self_signed(name, RIG_NOW_S, 30, &certificate, &key));
	struct tls_identity_pem pem = {bytes_of_string(certificate), bytes_of_string(key)};
	struct tls_context *context =
		tls_context_create(&(struct tls_context_params){.identities = &pem, .identity_count = 1}, RIG_NOW_S, &place, error);
	cr_assert_not_null(context, "%s", error);
	cr_expect_str_eq(tls_context_identity_name(context, 0), name);
	cr_expect_eq(tls_context_identity_expiry_s(context, 0), RIG_NOW_S + 30 * 86400);
	struct rig *rig = rig_new(context, &(struct rig_client_params){0});
	rig_run(rig);
	cr_assert(rig_done(rig));
	X509 *served = SSL_get1_peer_certificate(rig->client);
	cr_expect(host == NULL || X509_check_host(served, host, 0, 0, NULL) == 1);
	cr_expect(ip == NULL || X509_check_ip_asc(served, ip, 0) == 1);
	cr_expect_eq(X509_verify(served, X509_get0_pubkey(served)), 1);
	X509_free(served);
	rig_free(rig);
	tls_context_unref(context);
	free(certificate);
	free(key);
}

Test(context, makes_self_signed_certificates_for_hosts_and_addresses)
{
	char longest[200];
	memset(longest, 'a', sizeof longest);
	memcpy(longest + 150, ".example", 9);
	expect_self_signed("turn.example.com", "turn.example.com", NULL);
	expect_self_signed("192.0.2.7", NULL, "192.0.2.7");
	expect_self_signed("2001:db8::7", NULL, "2001:db8::7");
	expect_self_signed(longest, NULL, NULL);
}

Test(context, is_freed_with_the_last_reference)
{
	struct rig_cert cert = rig_cert_make(&(struct rig_cert_params){0});
	struct tls_context *context = rig_context(false, NULL, &cert, 1);
	cr_expect_eq(tls_context_ref(context), context);
	tls_context_unref(context);
	cr_expect_eq(tls_context_identity_count(context), 1);
	tls_context_unref(context);
	tls_context_unref(NULL);
	rig_cert_free(&cert);
}
