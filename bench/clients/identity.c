#include "clients/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { LIFETIME_S = 86400, SKEW_S = 3600 };

static X509 *sign_itself(EVP_PKEY *key)
{
	static const unsigned char name[] = "uturn-bench";
	X509 *certificate = X509_new();
	if (certificate == NULL)
		return NULL;
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -SKEW_S);
	X509_gmtime_adj(X509_getm_notAfter(certificate), LIFETIME_S);
	if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
		X509_set_issuer_name(certificate, subject) == 1 && X509_set_pubkey(certificate, key) == 1 &&
		X509_sign(certificate, key, EVP_sha256()) > 0)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* The key is not for others to read. */
static FILE *create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return fd < 0 ? NULL : fdopen(fd, "w");
}

static bool write_certificate(const char *path, X509 *certificate)
{
	FILE *out = create(path);
	bool good = out != NULL && PEM_write_X509(out, certificate) == 1;
	return (out == NULL || fclose(out) == 0) && good;
}

static bool write_key(const char *path, EVP_PKEY *key)
{
	FILE *out = create(path);
	bool good = out != NULL && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
	return (out == NULL || fclose(out) == 0) && good;
}

bool identity_make(const char *certificate_path, const char *key_path, struct failure *failure)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = key != NULL ? sign_itself(key) : NULL;
	bool good = certificate != NULL || fail(failure, "a certificate cannot be made");
	if (good && !write_certificate(certificate_path, certificate))
		good = fail(failure, "cannot write %.200s: %s", certificate_path, strerror(errno));
	if (good && !write_key(key_path, key))
		good = fail(failure, "cannot write %.200s: %s", key_path, strerror(errno));
	X509_free(certificate);
	EVP_PKEY_free(key);
	return good;
}
