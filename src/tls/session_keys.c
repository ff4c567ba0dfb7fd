/*
 * The keys that libssl has agreed on: of TLS 1.3 from the traffic secrets that it logs, of the others from the master secret.
 *
 * libssl seals its Finished of TLS 1.2 and DTLS 1.2 with AES-GCM under an explicit nonce that starts at a random number of 64 bits,
 * the record layer counts from the sequence number: that they meet within the 2^36 records of a key has a chance of 2^-28 for who
 * sends so many, and of less than 2^-40 for a million.
 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "session_private.h"
#include "tls/record.h"
#include "wire/cursor.h"

/* DTLS: libssl's own retransmissions of its last flight are far from reaching it. */
enum { DTLS_WRITE_SEQUENCE = 65536 };
enum { RANDOM_SIZE = 32, MASTER_SIZE = 48, GCM_SALT_SIZE = 4, KEY_BLOCK_MAX = 2 * (AEAD_KEY_SIZE_MAX + AEAD_NONCE_SIZE) };

/* --- secrets of TLS 1.3 ------------------------------------------------------------------------------------------------------ */

static unsigned hex_digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 0xf;
}

static void copy_secret(const char *hex, uint8_t ret_secret[static TLS_SECRET_SIZE_MAX])
{
	size_t size = strlen(hex) / 2;
	for (size_t i = 0; i < size && i < TLS_SECRET_SIZE_MAX; i++)
		ret_secret[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
}

void session_take_secret(const SSL *ssl, const char *line)
{
	static const char client[] = "CLIENT_TRAFFIC_SECRET_0 ", server[] = "SERVER_TRAFFIC_SECRET_0 ";
	struct tls_session *session = SSL_get_app_data(ssl);
	const char *secret = strrchr(line, ' ');
	if (secret == NULL)
		return;
	if (strncmp(line, client, sizeof client - 1) == 0) {
		copy_secret(secret + 1, session->read_secret);
		/* It is made when the client's Finished was found good, and nothing was written since that came. */
		session->at_end = true;
	} else if (strncmp(line, server, sizeof server - 1) == 0) {
		copy_secret(secret + 1, session->write_secret);
	}
}

static bool keys_of_1_3(const struct tls_session *session, struct tls_keys *keys)
{
	memcpy(keys->read.secret, session->read_secret, TLS_SECRET_SIZE_MAX);
	memcpy(keys->write.secret, session->write_secret, TLS_SECRET_SIZE_MAX);
	keys->write.sequence = session->written;
	return tls_keys_from_secret(keys->aead, keys->hash, &keys->read) &&
	       tls_keys_from_secret(keys->aead, keys->hash, &keys->write);
}

/* --- the key block of TLS 1.2 ------------------------------------------------------------------------------------------------ */

/* RFC 5246 Section 6.3. */
static bool derive(const SSL *ssl, enum tls_hash hash, uint8_t *block, size_t size)
{
	uint8_t master[MASTER_SIZE], client[RANDOM_SIZE], server[RANDOM_SIZE];
	char digest[] = "SHA256", digest_384[] = "SHA384", label[] = "key expansion";
	size_t master_size = SSL_SESSION_get_master_key(SSL_get0_session(ssl), master, sizeof master);
	SSL_get_client_random(ssl, client, sizeof client);
	SSL_get_server_random(ssl, server, sizeof server);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash == TLS_HASH_SHA384 ? digest_384 : digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, master_size),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, label, sizeof label - 1),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, server, sizeof server),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, client, sizeof client),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *context = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	bool derived = context != NULL && EVP_KDF_derive(context, block, size, params) == 1;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	bytes_wipe(master, sizeof master);
	return derived;
}

static void take(struct reader *block, uint8_t *to, size_t size)
{
	struct bytes bytes = reader_bytes(block, size);
	memcpy(to, bytes.data, bytes.size);
}

static bool keys_of_1_2(const struct tls_session *session, struct tls_keys *keys)
{
	uint8_t memory[KEY_BLOCK_MAX];
	size_t key_size = aead_key_size(keys->aead);
	size_t iv_size = keys->aead == AEAD_CHACHA20_POLY1305 ? AEAD_NONCE_SIZE : GCM_SALT_SIZE;
	size_t size = 2 * (key_size + iv_size);
	bool derived = derive(session->ssl, keys->hash, memory, size);
	if (derived) {
		struct reader block = reader_of(bytes_of(memory, size));
		take(&block, keys->read.key, key_size);
		take(&block, keys->write.key, key_size);
		take(&block, keys->read.iv, iv_size);
		take(&block, keys->write.iv, iv_size);
	}
	bytes_wipe(memory, sizeof memory);
	/* Each side has sent its Finished. */
	bool datagrams = keys->version == TLS_VERSION_DTLS_1_2;
	keys->read.sequence = datagrams ? 0 : 1;
	keys->write.sequence = datagrams ? DTLS_WRITE_SEQUENCE : 1;
	return derived;
}

/* ----------------------------------------------------------------------------------------------------------------------------- */

static enum tls_version version_of(const SSL *ssl)
{
	if (SSL_is_dtls(ssl))
		return TLS_VERSION_DTLS_1_2;
	return SSL_version(ssl) == TLS1_3_VERSION ? TLS_VERSION_1_3 : TLS_VERSION_1_2;
}

static enum aead_kind aead_of(const SSL_CIPHER *cipher)
{
	int nid = SSL_CIPHER_get_cipher_nid(cipher);
	return nid == NID_chacha20_poly1305 ? AEAD_CHACHA20_POLY1305 : nid == NID_aes_256_gcm ? AEAD_AES_256_GCM : AEAD_AES_128_GCM;
}

/* RFC 6066 Section 4. libssl agrees to whatever a client with little memory asks for. */
static uint16_t plain_max_of(const SSL *ssl)
{
	uint8_t asked = SSL_SESSION_get_max_fragment_length(SSL_get0_session(ssl));
	return asked == TLSEXT_max_fragment_length_DISABLED ? 0 : (uint16_t)(RECORD_PLAIN_MIN << (asked - 1));
}

bool tls_session_keys(struct tls_session *session, struct tls_keys *ret_keys)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(session->ssl);
	struct tls_keys keys = {
		.version = version_of(session->ssl),
		.aead = aead_of(cipher),
		.hash = EVP_MD_get_type(SSL_CIPHER_get_handshake_digest(cipher)) == NID_sha384 ? TLS_HASH_SHA384 : TLS_HASH_SHA256,
		.plain_max = plain_max_of(session->ssl),
	};
	bool made = keys.version == TLS_VERSION_1_3 ? keys_of_1_3(session, &keys) : keys_of_1_2(session, &keys);
	if (made)
		*ret_keys = keys;
	bytes_wipe(&keys, sizeof keys);
	return made;
}
