#include <openssl/err.h>
#include <stdlib.h>

#include "base/clock.h"
#include "context_private.h"
#include "session_private.h"
#include "wire/cursor.h"

enum {
	TLS_HANDSHAKE = 22,
	TLS_MAJOR = 3,
	TLS_HEADER_SIZE = 5,
	MESSAGE_HEADER_SIZE = 4,
	CLIENT_HELLO = 1,
	/* libssl would take 128 KiB for one as soon as it is announced. */
	CLIENT_HELLO_SIZE_MAX = 16384,
	/* At 1, 3, 7 and 15 s the last flight is sent again, at 31 s the client is given up. */
	TIMEOUTS_MAX = 5,
	/* What libssl does not count when it fills a datagram: explicit nonce and tag. */
	DTLS_AEAD_OVERHEAD = 24,
	/* Where libssl's buffer would break a datagram in two. */
	DTLS_MTU_MAX = 4096,
};

struct tls_session *tls_session_create(struct tls_context *context, unsigned mtu)
{
	struct tls_session *session = calloc(1, sizeof *session);
	BIO *bio = BIO_new(context->bio);
	SSL *ssl = SSL_new(context->groups[0].ssl);
	ERR_clear_error();
	if (session == NULL || bio == NULL || ssl == NULL || SSL_set_app_data(ssl, session) != 1) {
		free(session);
		BIO_free(bio);
		SSL_free(ssl);
		return NULL;
	}
	*session = (struct tls_session){.context = tls_context_ref(context), .ssl = ssl};
	BIO_set_data(bio, session);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	if (context->datagrams)
		SSL_set_mtu(ssl, (mtu < DTLS_MTU_MAX ? mtu : DTLS_MTU_MAX) - DTLS_AEAD_OVERHEAD);
	return session;
}

void tls_session_free(struct tls_session *session)
{
	if (session == NULL)
		return;
	SSL_free(session->ssl);
	ERR_clear_error();
	tls_context_unref(session->context);
	free(session->flight);
	bytes_wipe(session, sizeof *session);
	free(session);
}

/* --- steps ------------------------------------------------------------------------------------------------------------------- */

enum opening { OPENING_SHORT, OPENING_GOOD, OPENING_BAD };

/* What a stranger sends first decides whether libssl hears of it at all. */
static enum opening look_at_opening(struct bytes input, enum tls_failure *ret_failure)
{
	struct reader r = reader_of(input);
	uint8_t type = reader_u8(&r), major = reader_u8(&r);
	if ((input.size >= 1 && type != TLS_HANDSHAKE) || (input.size >= 2 && major != TLS_MAJOR)) {
		*ret_failure = TLS_FAIL_NOT_TLS;
		return OPENING_BAD;
	}
	reader_u8(&r);
	uint16_t record_size = reader_u16(&r);
	uint32_t message = reader_u32(&r);
	if (r.failed)
		return OPENING_SHORT;
	if (record_size >= MESSAGE_HEADER_SIZE && message >> 24 == CLIENT_HELLO && (message & 0xffffff) <= CLIENT_HELLO_SIZE_MAX)
		return OPENING_GOOD;
	*ret_failure = TLS_FAIL_MALFORMED;
	return OPENING_BAD;
}

/* Takes the ClientHello with a cookie that is known to be valid; libssl then goes on from there. */
static int listen_to(struct tls_session *session)
{
	BIO_ADDR *unused = BIO_ADDR_new();
	if (unused == NULL)
		return -1;
	int result = DTLSv1_listen(session->ssl, unused);
	BIO_ADDR_free(unused);
	return result;
}

static enum tls_failure failure_of(const SSL *ssl, int result)
{
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_FAIL_NONE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_FAIL_CLOSED;
	case SSL_ERROR_SSL:
		return session_failure_of(ERR_peek_error());
	default:
		return TLS_FAIL_INTERNAL;
	}
}

static enum tls_progress advance(struct tls_session *session, enum tls_failure *ret_failure)
{
	bool first = !session->begun;
	session->begun = true;
	if (first && session->context->datagrams && listen_to(session) != 1) {
		*ret_failure = ERR_peek_error() != 0 ? session_failure_of(ERR_peek_error()) : TLS_FAIL_MALFORMED;
		return TLS_SESSION_FAILED;
	}
	size_t before;
	/* Over DTLS libssl asks for more input when it has dropped a record that it did not expect, whatever is behind it. */
	do {
		before = session->input.size;
		int result = SSL_do_handshake(session->ssl);
		if (result == 1)
			return TLS_SESSION_DONE;
		enum tls_failure failure = failure_of(session->ssl, result);
		if (failure != TLS_FAIL_NONE) {
			*ret_failure = failure;
			return TLS_SESSION_FAILED;
		}
	} while (session->input.size > 0 && session->input.size < before);
	return TLS_SESSION_CONTINUES;
}

static void enter(struct tls_session *session, struct bytes input, const struct tls_sink *sink)
{
	ERR_clear_error();
	session->input = input;
	session->sink = sink;
}

/* Returns what was not read. */
static struct bytes leave(struct tls_session *session)
{
	struct bytes rest = session->input;
	session_flush(session);
	session->input = bytes_of(NULL, 0);
	session->sink = NULL;
	ERR_clear_error();
	return rest;
}

enum tls_progress tls_session_step(
	struct tls_session *session, struct bytes *input, const struct tls_sink *sink, enum tls_failure *ret_failure)
{
	bool datagrams = session->context->datagrams;
	if (!session->begun && !datagrams) {
		enum opening opening = look_at_opening(*input, ret_failure);
		if (opening != OPENING_GOOD)
			return opening == OPENING_BAD ? TLS_SESSION_FAILED : TLS_SESSION_CONTINUES;
	}
	enter(session, *input, sink);
	enum tls_progress progress = advance(session, ret_failure);
	*input = leave(session);
	return progress;
}

/* --- DTLS: time, and lost flights -------------------------------------------------------------------------------------------- */

uint64_t tls_session_timeout_ns(struct tls_session *session)
{
	struct timeval left;
	if (DTLSv1_get_timeout(session->ssl, &left) != 1)
		return UINT64_MAX;
	return (uint64_t)left.tv_sec * NS_PER_S + (uint64_t)left.tv_usec * 1000;
}

enum tls_progress tls_session_timeout(struct tls_session *session, const struct tls_sink *sink, enum tls_failure *ret_failure)
{
	if (tls_session_timeout_ns(session) > 0)
		return TLS_SESSION_CONTINUES;
	session->timeouts++;
	enter(session, bytes_of(NULL, 0), sink);
	long result = session->timeouts < TIMEOUTS_MAX ? DTLSv1_handle_timeout(session->ssl) : -1;
	leave(session);
	if (result >= 0)
		return TLS_SESSION_CONTINUES;
	*ret_failure = TLS_FAIL_TIMEOUT;
	return TLS_SESSION_FAILED;
}

void tls_session_resend(struct tls_session *session, struct bytes datagram, const struct tls_sink *sink)
{
	uint8_t unused[64];
	enter(session, datagram, sink);
	/* libssl answers a Finished that comes again by itself. */
	while (session->input.size > 0 && SSL_read(session->ssl, unused, sizeof unused) > 0)
		bytes_wipe(unused, sizeof unused);
	leave(session);
}

/* ----------------------------------------------------------------------------------------------------------------------------- */

bool tls_session_resumed(const struct tls_session *session)
{
	return SSL_session_reused(session->ssl) == 1;
}
