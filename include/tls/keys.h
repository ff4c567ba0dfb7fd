/*
 * keys - what a handshake leaves behind: all that the record layer needs to go on by itself.
 *
 * A value; whoever holds one wipes it (bytes_wipe) once the record layer has taken it.
 */
#ifndef UTURN_TLS_KEYS_H
#define UTURN_TLS_KEYS_H

#include "tls/aead.h"

enum tls_version { TLS_VERSION_1_2, TLS_VERSION_1_3, TLS_VERSION_DTLS_1_2, TLS_VERSIONS };
enum tls_hash { TLS_HASH_SHA256, TLS_HASH_SHA384 };
enum { TLS_SECRET_SIZE_MAX = 48 };

struct tls_direction_keys {
	uint8_t key[AEAD_KEY_SIZE_MAX];
	uint8_t iv[AEAD_NONCE_SIZE]; /* TLS 1.2 with AES-GCM: the first 4 bytes only (RFC 5288 Section 3) */
	/* TLS 1.3: the traffic secret, from which the next key is made (RFC 8446 Section 7.2). */
	uint8_t secret[TLS_SECRET_SIZE_MAX];
	/* Of the next record under this key. DTLS: without the epoch; of the write direction beyond what the handshake's own
	 * retransmissions reach. */
	uint64_t sequence;
};

struct tls_keys {
	enum tls_version version;
	enum aead_kind aead;
	enum tls_hash hash; /* TLS 1.3: of the cipher suite */
	uint16_t plain_max; /* bytes of a record that the client takes (RFC 6066 Section 4); 0: RECORD_PLAIN_MAX */
	struct tls_direction_keys read, write;
};

/* RFC 8446 Section 7.3: key and IV of `direction` from its secret. Also used after a key update. False: libcrypto had no memory. */
bool tls_keys_from_secret(enum aead_kind aead, enum tls_hash hash, struct tls_direction_keys *direction)
	__attribute__((warn_unused_result));
/* RFC 8446 Section 7.2: the next generation's secret, key and IV; the sequence starts at 0. */
bool tls_keys_next_generation(enum aead_kind aead, enum tls_hash hash, struct tls_direction_keys *direction)
	__attribute__((warn_unused_result));

#endif
