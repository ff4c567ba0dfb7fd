/*
 * context - what the handshakes of one listener need: certificates with their keys, ciphers, versions, ALPN, tickets. An immutable,
 * reference-counted snapshot; changed certificates make a new one, and handshakes under way finish with the old one.
 *
 * Versions: TLS 1.2 and 1.3, or DTLS 1.2. Ciphers: ECDHE with AES-GCM or ChaCha20-Poly1305 only, so that every record is AEAD.
 * ALPN: stun.turn and stun.nat-discovery (RFC 7443); no answer to a client that offers none of them.
 *
 * Threads: create and free from the server's; handshakes from any (libssl locks what is shared).
 */
#ifndef UTURN_TLS_CONTEXT_H
#define UTURN_TLS_CONTEXT_H

#include "base/bytes.h"

enum { TLS_TEXT_SIZE = 256, TLS_IDENTITIES_MAX = 16 };

/* One certificate chain and its key, in PEM, the leaf first. `names` (for SNI) are taken from the leaf's subjectAltName. */
struct tls_identity_pem {
	struct bytes certificates;
	struct bytes key;
};

/* Keys of session tickets: shared by all contexts of a process, so that tickets survive a change of certificates and work on every
 * shard. Turned over by time: the newest issues, the two before are still accepted. Thread-safe. */
struct tls_tickets;
struct tls_tickets *tls_tickets_create(uint64_t now_s); /* NULL: no memory. now_s: seconds since 1970 */
/* To be called now and then (once an hour will do): makes a new key when the newest is eight hours old. True: it has. A new context
 * does it too. */
bool tls_tickets_renew(struct tls_tickets *tickets, uint64_t now_s);
void tls_tickets_free(struct tls_tickets *tickets);

struct tls_context_params {
	bool datagrams; /* DTLS */
	const struct tls_identity_pem *identities;
	size_t identity_count;       /* 1..TLS_IDENTITIES_MAX; the first answers clients that name no host, or an unknown one */
	struct tls_tickets *tickets; /* outlives the context; NULL: no resumption */
	bool accept_expired;         /* at the start of the process: a certificate out of its time is better than no relay at all */
};

struct tls_context;

/*
 * With one reference. NULL with one line in ret_error otherwise: why (no PEM certificate in it, the key does not match the
 * certificate, the key is encrypted, expired since DATE, not valid before DATE, weak or unsupported key, out of memory).
 * *ret_identity is the identity (0-based) at fault. A chain with a certificate that is out of its time is refused unless
 * accept_expired; a leaf weaker than RSA 2048 or P-256 always is. Certificates behind the leaf are sent in the order in which one
 * certifies the other, whatever theirs was; those that do not belong to the chain are not sent.
 *
 * Identities with the same names, one with an RSA key and one with an EC key, are offered together: a client gets the one that it
 * can verify. `now_s`: seconds since 1970.
 */
struct tls_context *tls_context_create(
	const struct tls_context_params *params, uint64_t now_s, size_t *ret_identity, char ret_error[static TLS_TEXT_SIZE]);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL is fine */

/* Of identity N: when the first certificate of its chain expires, in seconds since 1970; its leaf's first name
 * ("turn.example.com"), for logs and metrics. */
uint64_t tls_context_identity_expiry_s(const struct tls_context *context, size_t identity);
const char *tls_context_identity_name(const struct tls_context *context, size_t identity);
size_t tls_context_identity_count(const struct tls_context *context);

/*
 * A fresh self-signed P-256 certificate and its key as PEM texts, for a relay that was given none: subjectAltName has `name` (an IP
 * address or a host name), valid from a day before now_s for `days`. The caller frees both with free(). False: no memory.
 */
bool tls_self_signed(const char *name, uint64_t now_s, unsigned days, char **ret_certificate, char **ret_key);

#endif
