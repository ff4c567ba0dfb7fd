/*
 * context_private - what sessions take from a context, and what is done once per process. Private to the layer.
 */
#ifndef UTURN_TLS_CONTEXT_PRIVATE_H
#define UTURN_TLS_CONTEXT_PRIVATE_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "identity.h"

/* Identities with the same names and keys of different kinds: libssl chooses among them by what the client can verify. */
struct tls_group {
	SSL_CTX *ssl;
	size_t first; /* identity: its names are the group's */
	int key_types[2];
	size_t key_count;
};

struct tls_context {
	atomic_uint references;
	bool datagrams;
	struct tls_tickets *tickets;
	BIO_METHOD *bio;
	struct tls_identity identities[TLS_IDENTITIES_MAX]; /* their names stay; leaf and key are libssl's */
	size_t identity_count;
	struct tls_group groups[TLS_IDENTITIES_MAX]; /* the first answers those who name none, or an unknown one */
	size_t group_count;
};

/* To be called before anything else of OpenSSL's: the system's openssl.cnf shall not decide about a relay, and exit() shall not
 * take libcrypto from under threads that still run. */
void tls_library_init(void);

/* context_ssl.c: versions, ciphers, groups, ALPN, SNI and tickets of one SSL_CTX. NULL: no memory. */
SSL_CTX *tls_context_new_ssl(struct tls_context *context);

#endif
