/*
 * cert_rig - certificates and keys of every kind, as PEM texts, for tests.
 */
#ifndef UTURN_TESTS_CERT_RIG_H
#define UTURN_TESTS_CERT_RIG_H

#include <openssl/x509.h>

#include "tls/context.h"

/* A day of the tests, in seconds since 1970. */
#define RIG_NOW_S (UINT64_C(1) << 31)

struct rig_cert {
	X509 *certificate;
	EVP_PKEY *key;
	char *certificate_text, *key_text;
};

struct rig_cert_params {
	const char *kind;              /* "P-256" (if NULL), "secp256k1"…, "RSA-2048", "ED25519" */
	const char *names;             /* "DNS:turn.example,IP:192.0.2.1"; NULL: no subjectAltName */
	const char *subject;           /* "uturn test" if NULL */
	const struct rig_cert *issuer; /* NULL: self-signed */
	bool authority;
	long from_days, until_days; /* from RIG_NOW_S; both 0: a day before to 30 days after the machine's own time */
};

struct rig_cert rig_cert_make(const struct rig_cert_params *params);
void rig_cert_free(struct rig_cert *cert);

/* The key under a password. To be freed. */
char *rig_key_encrypted(const struct rig_cert *cert);
/* One text behind the other. To be freed. */
char *rig_concat(const char *a, const char *b);

struct tls_identity_pem rig_pem(const struct rig_cert *cert);

#endif
