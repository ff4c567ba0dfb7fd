#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "base/addr.h"
#include "context_private.h"
#include "crypto/random.h"

enum { DAY_S = 86400, COMMON_NAME_MAX = 64 }; /* RFC 5280 Appendix A.1, ub-common-name */

static GENERAL_NAME *alternative_name(const char *name)
{
	struct addr addr;
	bool is_ip = addr_parse_ip(name, &addr);
	GENERAL_NAME *general = GENERAL_NAME_new();
	ASN1_STRING *value = ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
	bool good = general != NULL && value != NULL &&
		    (is_ip ? ASN1_STRING_set(value, addr.ip, (int)addr_ip_size(&addr)) : ASN1_STRING_set(value, name, -1)) == 1;
	if (!good) {
		GENERAL_NAME_free(general);
		ASN1_STRING_free(value);
		return NULL;
	}
	GENERAL_NAME_set0_value(general, is_ip ? GEN_IPADD : GEN_DNS, value);
	return general;
}

static bool add_alternative_name(X509 *certificate, const char *name)
{
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *general = alternative_name(name);
	bool pushed = names != NULL && general != NULL && sk_GENERAL_NAME_push(names, general) > 0;
	bool added = pushed && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
	if (!pushed)
		GENERAL_NAME_free(general);
	GENERAL_NAMES_free(names);
	return added;
}

static bool add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	bool added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return added;
}

static bool fill(X509 *certificate, EVP_PKEY *key, const char *name, uint64_t now_s, unsigned days)
{
	struct random_source random = {.left = 0};
	uint64_t serial;
	random_bytes(&random, &serial, sizeof serial);
	X509_NAME *subject = X509_get_subject_name(certificate);
	const unsigned char *common = (const unsigned char *)(strlen(name) <= COMMON_NAME_MAX ? name : "uturn");
	time_t from = (time_t)now_s - DAY_S, until = (time_t)now_s + (time_t)days * DAY_S;
	/* RFC 5280 Section 4.1.2.2: the serial number is positive. */
	return X509_set_version(certificate, X509_VERSION_3) == 1 &&
	       ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
	       ASN1_TIME_set(X509_getm_notBefore(certificate), from) != NULL &&
	       ASN1_TIME_set(X509_getm_notAfter(certificate), until) != NULL &&
	       X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, common, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
	       add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
	       add_extension(certificate, NID_ext_key_usage, "serverAuth") && add_alternative_name(certificate, name) &&
	       X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* Takes what was written out of the BIO; a secret does not stay in it. */
static char *take_text(BIO *out)
{
	char *data;
	long size = BIO_get_mem_data(out, &data);
	char *text = strndup(data, (size_t)size);
	bytes_wipe(data, (size_t)size);
	return text;
}

static char *certificate_text(X509 *certificate)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *text = out != NULL && PEM_write_bio_X509(out, certificate) == 1 ? take_text(out) : NULL;
	BIO_free(out);
	return text;
}

static char *key_text(const EVP_PKEY *key)
{
	BIO *out = BIO_new(BIO_s_secmem());
	char *text = out != NULL && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 ? take_text(out) : NULL;
	BIO_free(out);
	return text;
}

bool tls_self_signed(const char *name, uint64_t now_s, unsigned days, char **ret_certificate, char **ret_key)
{
	tls_library_init();
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	bool made = key != NULL && certificate != NULL && fill(certificate, key, name, now_s, days);
	char *text = made ? certificate_text(certificate) : NULL, *secret = made ? key_text(key) : NULL;
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (text == NULL || secret == NULL) {
		free(text);
		if (secret != NULL)
			bytes_wipe(secret, strlen(secret));
		free(secret);
		return false;
	}
	*ret_certificate = text;
	*ret_key = secret;
	return true;
}
