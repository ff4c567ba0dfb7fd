/*
 * libssl would find most of these faults too, but late, or in words of its own. What decides about a key's strength is here and not
 * in the system's configuration of OpenSSL.
 */
#include "identity.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { RSA_BITS_MIN = 2048, GROUP_NAME_SIZE = 32 };

static bool fail(char ret_error[static TLS_TEXT_SIZE], const char *text)
{
	snprintf(ret_error, TLS_TEXT_SIZE, "%s", text);
	return false;
}

static BIO *reader_on(struct bytes text)
{
	return text.size > INT_MAX ? NULL : BIO_new_mem_buf(text.size > 0 ? (const void *)text.data : "", (int)text.size);
}

/* --- the chain --------------------------------------------------------------------------------------------------------------- */

static bool read_certificates(struct bytes text, STACK_OF(X509) * all, char ret_error[static TLS_TEXT_SIZE])
{
	BIO *in = reader_on(text);
	if (in == NULL)
		return fail(ret_error, "out of memory");
	X509 *certificate;
	bool pushed = true;
	while (pushed && sk_X509_num(all) < TLS_CHAIN_MAX && (certificate = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {
		pushed = sk_X509_push(all, certificate) > 0;
		if (!pushed)
			X509_free(certificate);
	}
	unsigned long error = ERR_peek_last_error();
	bool at_end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
	BIO_free(in);
	int count = sk_X509_num(all);
	if (!pushed)
		return fail(ret_error, "out of memory");
	if (count == TLS_CHAIN_MAX) {
		snprintf(ret_error, TLS_TEXT_SIZE, "more than %d certificates", TLS_CHAIN_MAX - 1);
		return false;
	}
	if (!at_end) {
		snprintf(ret_error, TLS_TEXT_SIZE, "certificate %d cannot be read", count + 1);
		return false;
	}
	return count > 0 ? true : fail(ret_error, "no PEM certificate in it");
}

static X509 *take_issuer(STACK_OF(X509) * from, X509 *of)
{
	for (int i = 0; i < sk_X509_num(from); i++)
		if (X509_check_issued(sk_X509_value(from, i), of) == X509_V_OK)
			return sk_X509_delete(from, i);
	return NULL;
}

/* RFC 5246 Section 7.4.2 wants each certificate to certify the one before it, and clients that know no better need it. Others in
 * the file are not sent. */
static bool sort_chain(struct tls_identity *identity, STACK_OF(X509) * all)
{
	X509 *next, *last = identity->leaf = sk_X509_shift(all);
	identity->issuers = sk_X509_new_null();
	if (identity->issuers == NULL)
		return false;
	while (X509_check_issued(last, last) != X509_V_OK && (next = take_issuer(all, last)) != NULL) {
		if (sk_X509_push(identity->issuers, next) <= 0) {
			X509_free(next);
			return false;
		}
		last = next;
	}
	return true;
}

static bool read_chain(struct tls_identity *identity, struct bytes text, char ret_error[static TLS_TEXT_SIZE])
{
	STACK_OF(X509) *all = sk_X509_new_null();
	if (all == NULL)
		return fail(ret_error, "out of memory");
	bool good = read_certificates(text, all, ret_error);
	if (good && (!sort_chain(identity, all) || !tls_identity_read_names(identity)))
		good = fail(ret_error, "out of memory");
	sk_X509_pop_free(all, X509_free);
	return good;
}

/* --- the key ----------------------------------------------------------------------------------------------------------------- */

/* Without it libcrypto would ask at the terminal. */
static int no_password(char *buffer, int size, int writing, void *asked)
{
	(void)buffer, (void)size, (void)writing;
	*(bool *)asked = true;
	return -1;
}

static bool read_key(struct tls_identity *identity, struct bytes text, char ret_error[static TLS_TEXT_SIZE])
{
	bool asked = false;
	BIO *in = reader_on(text);
	if (in == NULL)
		return fail(ret_error, "out of memory");
	identity->key = PEM_read_bio_PrivateKey(in, NULL, no_password, &asked);
	BIO_free(in);
	if (identity->key != NULL)
		return true;
	return fail(ret_error, asked ? "the key is encrypted: one without a password is needed" : "no PEM private key in it");
}

static bool is_supported_curve(const char *name)
{
	static const char *const names[] = {"prime256v1", "P-256", "secp384r1", "P-384", "secp521r1", "P-521"};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool check_key(EVP_PKEY *key, char ret_error[static TLS_TEXT_SIZE])
{
	char group[GROUP_NAME_SIZE] = "";
	int type = key != NULL ? EVP_PKEY_get_base_id(key) : EVP_PKEY_NONE;
	if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN) {
		snprintf(ret_error, TLS_TEXT_SIZE, "weak key: RSA with %d bits, %d are needed", EVP_PKEY_get_bits(key),
			RSA_BITS_MIN);
		return false;
	}
	if (type == EVP_PKEY_RSA)
		return true;
	if (type != EVP_PKEY_EC)
		return fail(ret_error, "unsupported key: neither RSA nor one on P-256, P-384 or P-521");
	EVP_PKEY_get_group_name(key, group, sizeof group, NULL);
	if (is_supported_curve(group))
		return true;
	snprintf(ret_error, TLS_TEXT_SIZE, "%s key: the curve is %s; P-256, P-384 or P-521 is needed",
		EVP_PKEY_get_bits(key) < 256 ? "weak" : "unsupported", group[0] != 0 ? group : "none with a name");
	return false;
}

/* --- dates ------------------------------------------------------------------------------------------------------------------- */

/* 0 for what cannot be read: long ago. */
static uint64_t seconds_of(const ASN1_TIME *time)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return 0;
	time_t seconds = timegm(&tm);
	return seconds > 0 ? (uint64_t)seconds : 0;
}

static void describe_date(uint64_t time_s, const char *what, int place, char ret_error[static TLS_TEXT_SIZE])
{
	time_t seconds = (time_t)time_s;
	struct tm tm;
	char date[32] = "", which[48] = "";
	if (gmtime_r(&seconds, &tm) != NULL)
		strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S UTC", &tm);
	if (place > 0)
		snprintf(which, sizeof which, "issuer %d in the chain is ", place);
	snprintf(ret_error, TLS_TEXT_SIZE, "%s%s %s", which, what, date);
}

static bool check_dates(struct tls_identity *identity, uint64_t now_s, bool accept_expired, char ret_error[static TLS_TEXT_SIZE])
{
	identity->expiry_s = UINT64_MAX;
	for (int i = 0; i <= sk_X509_num(identity->issuers); i++) {
		const X509 *certificate = i == 0 ? identity->leaf : sk_X509_value(identity->issuers, i - 1);
		uint64_t from_s = seconds_of(X509_get0_notBefore(certificate));
		uint64_t until_s = seconds_of(X509_get0_notAfter(certificate));
		if (until_s < identity->expiry_s)
			identity->expiry_s = until_s;
		if (accept_expired || (from_s <= now_s && now_s <= until_s))
			continue;
		if (now_s < from_s)
			describe_date(from_s, "not valid before", i, ret_error);
		else
			describe_date(until_s, "expired since", i, ret_error);
		return false;
	}
	return true;
}

/* ----------------------------------------------------------------------------------------------------------------------------- */

static bool key_fits(const struct tls_identity *identity, char ret_error[static TLS_TEXT_SIZE])
{
	if (EVP_PKEY_eq(X509_get0_pubkey(identity->leaf), identity->key) == 1)
		return true;
	for (int i = 0; i < sk_X509_num(identity->issuers); i++)
		if (EVP_PKEY_eq(X509_get0_pubkey(sk_X509_value(identity->issuers, i)), identity->key) == 1)
			return fail(ret_error, "the key matches another certificate than the first: the first must be its own");
	return fail(ret_error, "the key does not match the certificate");
}

bool tls_identity_init(struct tls_identity *identity, const struct tls_identity_pem *pem, uint64_t now_s, bool accept_expired,
	char ret_error[static TLS_TEXT_SIZE])
{
	*identity = (struct tls_identity){0};
	ERR_clear_error();
	bool good = read_chain(identity, pem->certificates, ret_error) && read_key(identity, pem->key, ret_error) &&
		    key_fits(identity, ret_error) && check_key(identity->key, ret_error) &&
		    check_dates(identity, now_s, accept_expired, ret_error);
	ERR_clear_error();
	if (!good)
		tls_identity_done(identity);
	return good;
}

void tls_identity_done(struct tls_identity *identity)
{
	X509_free(identity->leaf);
	sk_X509_pop_free(identity->issuers, X509_free);
	EVP_PKEY_free(identity->key);
	free(identity->names);
	*identity = (struct tls_identity){0};
}
