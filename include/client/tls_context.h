/*
 * tls_context - what all TLS or DTLS connections of one load share: versions, ciphers, and the session that the last one was given.
 *
 * Unless the transport is `verified`, any certificate is accepted, whoever signed it and whatever its name: servers that are
 * measured have made theirs themselves.
 *
 * Owns:    the library's context and the session. Threads: connections of several threads may use one, unless it resumes.
 */
#ifndef UTURN_CLIENT_TLS_CONTEXT_H
#define UTURN_CLIENT_TLS_CONTEXT_H

#include "base/failure.h"
#include "client/transport.h"

struct ssl_st;
struct tls_context;

/*
 * For TRANSPORT_TLS and TRANSPORT_DTLS. `sparing`: idle connections hold as little memory as the library can do with. `resumes`:
 * each connection offers the session of one before it; otherwise all handshakes are full ones. NULL with one line: a cipher that
 * the library does not have, or that the version does not, or authorities that cannot be read.
 */
struct tls_context *tls_context_create(const struct transport *transport, bool sparing, bool resumes, struct failure *failure);
void tls_context_free(struct tls_context *context);

/* The library's state of one connection, as a client; NULL: no memory. */
struct ssl_st *tls_context_connection(struct tls_context *context);
bool tls_context_is_datagrams(const struct tls_context *context);

#endif
