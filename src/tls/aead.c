/*
 * HOT: twice per relayed packet of a TLS or DTLS client. No heap in libcrypto either once a key is set.
 *
 * One call sets nonce (and the tag to compare), one the additional data, one the data; the tag is fetched by a parameter, because
 * EVP_CIPHER_CTX_ctrl translates to the same by way of two tables. The calls that libcrypto has for records of TLS 1.2
 * (EVP_CTRL_AEAD_TLS1_AAD) are no cheaper with OpenSSL 3.5 and cannot do TLS 1.3 at all.
 */
#include "tls/aead.h"

#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

/* A `struct aead` is libcrypto's context and nothing else: two of them are what a connection holds longest. */
static EVP_CIPHER_CTX *context_of(struct aead *aead)
{
	return (EVP_CIPHER_CTX *)aead;
}

static const struct {
	const char *name;
	size_t key_size;
} kinds[AEAD_KINDS] = {
	[AEAD_AES_128_GCM] = {"AES-128-GCM", 16},
	[AEAD_AES_256_GCM] = {"AES-256-GCM", 32},
	[AEAD_CHACHA20_POLY1305] = {"ChaCha20-Poly1305", 32},
};

size_t aead_key_size(enum aead_kind kind)
{
	return kinds[kind].key_size;
}

struct aead *aead_create(enum aead_kind kind, enum aead_direction direction, const uint8_t *key)
{
	/* The fetch takes 0.3 us; the context keeps a reference of its own. */
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, kinds[kind].name, NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	bool made = cipher && context && EVP_CipherInit_ex2(context, cipher, key, NULL, direction == AEAD_SEAL, NULL) == 1;
	EVP_CIPHER_free(cipher);
	if (made)
		return (struct aead *)context;
	EVP_CIPHER_CTX_free(context);
	return NULL;
}

void aead_free(struct aead *aead)
{
	EVP_CIPHER_CTX_free(context_of(aead)); /* cleanses the key schedule */
}

/* libcrypto refuses none of the calls that go through here unless it is called wrongly. */
static bool feed(EVP_CIPHER_CTX *context, struct bytes additional, uint8_t *data, size_t size)
{
	int count;
	return (additional.size == 0 || EVP_CipherUpdate(context, NULL, &count, additional.data, (int)additional.size) == 1) &&
	       (size == 0 || EVP_CipherUpdate(context, data, &count, data, (int)size) == 1);
}

void aead_seal(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE], struct bytes additional, uint8_t *data, size_t size,
	uint8_t tag[static AEAD_TAG_SIZE])
{
	EVP_CIPHER_CTX *context = context_of(aead);
	OSSL_PARAM get_tag[] = {
		OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, AEAD_TAG_SIZE), OSSL_PARAM_construct_end()};
	int count;
	assert(size <= INT32_MAX && additional.size <= INT32_MAX);
	bool sealed = EVP_EncryptInit_ex2(context, NULL, NULL, nonce, NULL) == 1 && feed(context, additional, data, size) &&
		      EVP_EncryptFinal_ex(context, tag, &count) == 1 && EVP_CIPHER_CTX_get_params(context, get_tag) == 1;
	assert(sealed);
}

bool aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_SIZE], struct bytes additional, uint8_t *data, size_t size,
	const uint8_t tag[static AEAD_TAG_SIZE])
{
	EVP_CIPHER_CTX *context = context_of(aead);
	OSSL_PARAM set_tag[] = {OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, (uint8_t *)tag, AEAD_TAG_SIZE),
		OSSL_PARAM_construct_end()};
	uint8_t rest[AEAD_TAG_SIZE];
	int count;
	assert(size <= INT32_MAX && additional.size <= INT32_MAX);
	bool fed = EVP_DecryptInit_ex2(context, NULL, NULL, nonce, set_tag) == 1 && feed(context, additional, data, size);
	assert(fed);
	return EVP_DecryptFinal_ex(context, rest, &count) == 1;
}
