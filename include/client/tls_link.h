/*
 * tls_link - one client's end of TLS or DTLS, without I/O: what arrived goes in, plain text comes out, and what is to be sent is
 * handed over record by record.
 *
 * Owns:    the library's state. Threads: one at a time.
 */
#ifndef UTURN_CLIENT_TLS_LINK_H
#define UTURN_CLIENT_TLS_LINK_H

#include "base/bytes.h"
#include "client/tls_context.h"

enum { TLS_PLAIN_MAX = 16384 /* RFC 8446, section 5.1: what one record holds */ };

struct tls_link;

/* Something to be sent: of DTLS one datagram, of TLS a part of the stream. */
typedef void tls_put_fn(void *owner, struct bytes bytes);

/* The plain text of one record. False: it cannot be what it should be, and the connection is over. */
typedef bool tls_plain_fn(void *context, struct bytes plain);

/* NULL: no memory. */
struct tls_link *tls_link_create(struct tls_context *context, tls_put_fn *put, void *owner);
void tls_link_free(struct tls_link *link);

/* Begins or continues the handshake. False: it failed; *ret_why says why. */
bool tls_link_shake(struct tls_link *link, const char **ret_why);
bool tls_link_is_open(const struct tls_link *link);

/*
 * One datagram, or a piece of the stream; all of it is taken. Continues the handshake where that is not over. False: the connection
 * is over, ended by the server or by an error; *ret_why says which.
 */
bool tls_link_take(struct tls_link *link, struct bytes received, tls_plain_fn *plain, void *context, const char **ret_why);

/* One record, of up to TLS_PLAIN_MAX bytes; what is longer becomes several (TLS only). */
bool tls_link_seal(struct tls_link *link, struct bytes plain);

/* Tells the server that it ends (close_notify). */
void tls_link_end(struct tls_link *link);

/* Sends a DTLS handshake's flight again where its time has come. */
void tls_link_tick(struct tls_link *link);

/* Whether it failed because of the server's certificate. */
bool tls_link_distrusts(const struct tls_link *link);

/* Whether the handshake resumed a session; what was agreed upon ("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"), once it is open. */
bool tls_link_resumed(const struct tls_link *link);
const char *tls_link_version(const struct tls_link *link);
const char *tls_link_cipher(const struct tls_link *link);

#endif
