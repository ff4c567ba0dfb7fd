/*
 * session_private - what the files of a session share. Private to the layer.
 */
#ifndef UTURN_TLS_SESSION_PRIVATE_H
#define UTURN_TLS_SESSION_PRIVATE_H

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "tls/session.h"

struct tls_session {
	struct tls_context *context;
	SSL *ssl;
	bool begun;        /* the first bytes have been looked at */
	bool at_end;       /* TLS 1.3: the client's Finished was good: what is written now is under the application's key */
	unsigned timeouts; /* flights of this side that were sent again because of the time */

	/* While one of the session's functions runs. */
	struct bytes input;
	const struct tls_sink *sink;

	/* TLS: what libssl has written since the last step. */
	uint8_t *flight;
	size_t flight_size, flight_room;

	/* TLS 1.3 */
	uint8_t read_secret[TLS_SECRET_SIZE_MAX], write_secret[TLS_SECRET_SIZE_MAX];
	uint64_t written; /* records under the application's key */
};

/* session_bio.c: libssl's way to `input` and to the sink. NULL: no memory. Freed with BIO_meth_free. */
BIO_METHOD *session_bio_method(void);
/* Hands the flight to the sink. */
void session_flush(struct tls_session *session);

/* session_keys.c: a line of the NSS key log format, as SSL_CTX_set_keylog_callback gives it. */
void session_take_secret(const SSL *ssl, const char *line);

/* session_failure.c: of the oldest error that libssl has noted. */
enum tls_failure session_failure_of(unsigned long error);

#endif
