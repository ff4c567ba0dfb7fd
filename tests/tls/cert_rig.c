#include "cert_rig.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DAY_S = 86400 };

#define MUST(condition)                                                                                                            \
	do {                                                                                                                       \
		if (!(condition)) {                                                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
			abort();                                                                                                   \
		}                                                                                                                  \
	} while (0)

static EVP_PKEY *make_key(const char *kind)
{
	EVP_PKEY *key;
	if (strncmp(kind, "RSA-", 4) == 0)
		key = EVP_RSA_gen((unsigned)strtoul(kind + 4, NULL, 10));
	else if (strcmp(kind, "ED25519") == 0)
		key = EVP_PKEY_Q_keygen(NULL, NULL, kind);
	else
		key = EVP_EC_gen(kind);
	MUST(key != NULL);
	return key;
}

static char *text_of(BIO *out)
{
	char *data;
	long size = BIO_get_mem_data(out, &data);
	char *text = strndup(data, (size_t)size);
	BIO_free(out);
	MUST(text != NULL);
	return text;
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	MUST(extension != NULL && X509_add_ext(certificate, extension, -1) == 1);
	X509_EXTENSION_free(extension);
}

struct rig_cert rig_cert_make(const struct rig_cert_params *params)
{
	static long serial = 1;
	const char *subject = params->subject ? params->subject : "uturn test";
	bool dated = params->from_days != 0 || params->until_days != 0;
	time_t now = dated ? (time_t)RIG_NOW_S : time(NULL);
	struct rig_cert cert = {.certificate = X509_new(), .key = make_key(params->kind ? params->kind : "P-256")};
	X509 *x = cert.certificate;
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	ASN1_TIME_set(X509_getm_notBefore(x), now + (dated ? params->from_days : -1) * DAY_S);
	ASN1_TIME_set(X509_getm_notAfter(x), now + (dated ? params->until_days : 30) * DAY_S);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_UTF8, (const unsigned char *)subject, -1, -1, 0);
	const struct rig_cert *issuer = params->issuer ? params->issuer : &cert;
	X509_set_issuer_name(x, X509_get_subject_name(issuer->certificate));
	X509_set_pubkey(x, cert.key);
	add_extension(x, NID_basic_constraints, params->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
	if (params->names)
		add_extension(x, NID_subject_alt_name, params->names);
	bool edwards = EVP_PKEY_get_base_id(issuer->key) == EVP_PKEY_ED25519;
	MUST(X509_sign(x, issuer->key, edwards ? NULL : EVP_sha256()) > 0);
	BIO *out = BIO_new(BIO_s_mem());
	MUST(PEM_write_bio_X509(out, x) == 1);
	cert.certificate_text = text_of(out);
	out = BIO_new(BIO_s_mem());
	MUST(PEM_write_bio_PrivateKey(out, cert.key, NULL, NULL, 0, NULL, NULL) == 1);
	cert.key_text = text_of(out);
	return cert;
}

void rig_cert_free(struct rig_cert *cert)
{
	X509_free(cert->certificate);
	EVP_PKEY_free(cert->key);
	free(cert->certificate_text);
	free(cert->key_text);
}

char *rig_key_encrypted(const struct rig_cert *cert)
{
	BIO *out = BIO_new(BIO_s_mem());
	MUST(PEM_write_bio_PKCS8PrivateKey(out, cert->key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL) == 1);
	return text_of(out);
}

char *rig_concat(const char *a, const char *b)
{
	size_t size = strlen(a) + strlen(b) + 1;
	char *text = malloc(size);
	MUST(text != NULL);
	snprintf(text, size, "%s%s", a, b);
	return text;
}

struct tls_identity_pem rig_pem(const struct rig_cert *cert)
{
	return (struct tls_identity_pem){bytes_of_string(cert->certificate_text), bytes_of_string(cert->key_text)};
}
