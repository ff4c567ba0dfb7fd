/*
 * identity - a certificate chain and its key, read from PEM and checked.
 *
 * Private to the layer. Owns what it points to, on the heap.
 */
#ifndef UTURN_TLS_IDENTITY_H
#define UTURN_TLS_IDENTITY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tls/context.h"

enum { TLS_NAME_SIZE = 256, TLS_CHAIN_MAX = 16 };

struct tls_identity {
	X509 *leaf;
	STACK_OF(X509) * issuers; /* each has signed the one before it; the first has signed the leaf */
	EVP_PKEY *key;
	char (*names)[TLS_NAME_SIZE]; /* host names in small letters, for SNI */
	size_t name_count;
	char name[TLS_NAME_SIZE]; /* for people; an IP address if there is no host name */
	uint64_t expiry_s;        /* of the first in the chain that expires */
};

/* False, and one line in ret_error, without trace otherwise: see tls_context_create. */
bool tls_identity_init(struct tls_identity *identity, const struct tls_identity_pem *pem, uint64_t now_s, bool accept_expired,
	char ret_error[static TLS_TEXT_SIZE]);
void tls_identity_done(struct tls_identity *identity); /* harmless on a zeroed one */

/* Takes names out of the leaf. False: no memory. */
bool tls_identity_read_names(struct tls_identity *identity);
bool tls_identity_has_same_names(const struct tls_identity *a, const struct tls_identity *b);
/* RFC 6125 Section 6.4: letters of either case, and, with `wildcards`, a whole left-most label that is '*'. Without, exact names
 * only. */
bool tls_identity_matches(const struct tls_identity *identity, const char *host, bool wildcards);

#endif
