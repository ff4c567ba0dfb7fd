#include "tls/keys.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "wire/cursor.h"

/* struct HkdfLabel with the longest label that is used here and no context. */
enum { INFO_SIZE_MAX = 2 + 1 + 6 + 12 + 1 };

static size_t hash_size(enum tls_hash hash)
{
	return hash == TLS_HASH_SHA384 ? 48 : 32;
}

/* RFC 8446 Section 7.1, HKDF-Expand-Label with an empty context. */
static size_t hkdf_label(const char *label, size_t out_size, uint8_t info[static INFO_SIZE_MAX])
{
	static const char prefix[] = "tls13 ";
	struct bytes prefix_bytes = bytes_of_string(prefix), label_bytes = bytes_of_string(label);
	struct writer w = writer_of(info, INFO_SIZE_MAX);
	writer_u16(&w, (uint16_t)out_size);
	writer_u8(&w, (uint8_t)(prefix_bytes.size + label_bytes.size));
	writer_bytes(&w, prefix_bytes);
	writer_bytes(&w, label_bytes);
	writer_u8(&w, 0);
	assert(!w.failed);
	return writer_size(&w);
}

static bool expand(EVP_KDF_CTX *context, enum tls_hash hash, const uint8_t *secret, const char *label, uint8_t *out, size_t size)
{
	const char *digest = hash == TLS_HASH_SHA384 ? "SHA384" : "SHA256";
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	uint8_t info[INFO_SIZE_MAX];
	size_t info_size = hkdf_label(label, size, info);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (uint8_t *)secret, hash_size(hash)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, info_size),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF_CTX_reset(context); /* libcrypto appends one `info` to the other otherwise */
	return EVP_KDF_derive(context, out, size, params) == 1;
}

/* NULL: no memory. Freed with EVP_KDF_CTX_free. */
static EVP_KDF_CTX *hkdf(void)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	EVP_KDF_free(kdf);
	return context;
}

static bool key_and_iv(EVP_KDF_CTX *context, enum aead_kind aead, enum tls_hash hash, struct tls_direction_keys *d)
{
	return expand(context, hash, d->secret, "key", d->key, aead_key_size(aead)) &&
	       expand(context, hash, d->secret, "iv", d->iv, AEAD_NONCE_SIZE);
}

bool tls_keys_from_secret(enum aead_kind aead, enum tls_hash hash, struct tls_direction_keys *direction)
{
	EVP_KDF_CTX *context = hkdf();
	bool made = context && key_and_iv(context, aead, hash, direction);
	EVP_KDF_CTX_free(context);
	return made;
}

bool tls_keys_next_generation(enum aead_kind aead, enum tls_hash hash, struct tls_direction_keys *direction)
{
	struct tls_direction_keys next = {0};
	EVP_KDF_CTX *context = hkdf();
	bool made = context && expand(context, hash, direction->secret, "traffic upd", next.secret, hash_size(hash)) &&
		    key_and_iv(context, aead, hash, &next);
	EVP_KDF_CTX_free(context);
	if (made)
		*direction = next;
	bytes_wipe(&next, sizeof next);
	return made;
}
