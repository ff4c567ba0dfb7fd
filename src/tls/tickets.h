/*
 * tickets - what libssl asks when it seals or opens a session ticket. Private to the layer; the rest is in tls/context.h.
 */
#ifndef UTURN_TLS_TICKETS_H
#define UTURN_TLS_TICKETS_H

#include <openssl/evp.h>
#include <openssl/ssl.h>

#include "tls/context.h"

enum {
	TICKETS_TURN_S = 8 * 3600, /* a key issues tickets for so long */
	TICKETS_KEYS = 3,          /* the newest issues, the ones before are accepted still */
	/* No ticket outlives its key, however late it was issued. */
	TICKETS_LIFETIME_S = (TICKETS_KEYS - 1) * TICKETS_TURN_S,
	TICKETS_NAME_SIZE = 16,
};

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb wants it: 1: sealed, or can be opened; 2: can be opened, and is to be renewed; 0: of no
 * key that is left; -1: failed. */
int tls_tickets_key(struct tls_tickets *tickets, unsigned char name[static TICKETS_NAME_SIZE], unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool seal);

#endif
