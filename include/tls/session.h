/*
 * session - one handshake as a server, from the first ClientHello to the keys: libssl over bytes in memory. No socket; no
 * clock of its own (libssl reads the machine's for the life of tickets and for DTLS's timers).
 *
 * What the client sent goes in with tls_session_step, what is to be sent comes out through the sink. After TLS_SESSION_DONE the
 * keys are taken out, the record layer (tls/record.h) goes on, and the session is freed: at once for TLS, for DTLS when the first
 * record under the new keys has shown that the client has our last flight.
 *
 * Owns:     libssl's state of the handshake on the heap: some 40 KiB for TLS, 60 KiB for DTLS.
 * Threads:  one per session.
 */
#ifndef UTURN_TLS_SESSION_H
#define UTURN_TLS_SESSION_H

#include "base/addr.h"
#include "tls/context.h"
#include "tls/keys.h"

/* Why a handshake ended: counted by the caller. */
enum tls_failure {
	TLS_FAIL_NONE,
	TLS_FAIL_NOT_TLS,   /* the first bytes are no TLS record (plain HTTP or STUN, say) */
	TLS_FAIL_VERSION,   /* no common version */
	TLS_FAIL_CIPHER,    /* no common cipher, group or signature algorithm */
	TLS_FAIL_ALERT,     /* the client sent a fatal alert: it does not trust the certificate, for example */
	TLS_FAIL_CLOSED,    /* close_notify or the end of the stream in the middle */
	TLS_FAIL_MALFORMED, /* a message that breaks the protocol, a bad MAC, an oversized record */
	TLS_FAIL_INTERNAL,  /* no memory, or libssl at fault */
	TLS_FAIL_TIMEOUT,   /* DTLS: no answer to our last flight. TLS: the caller's to say */
	TLS_FAILURES
};
const char *tls_failure_name(enum tls_failure failure); /* "version": a metric's label */

enum tls_progress { TLS_SESSION_CONTINUES, TLS_SESSION_DONE, TLS_SESSION_FAILED };

/* Takes what the session sends: a piece of the stream (TLS), or one datagram of at most `mtu` bytes (DTLS). Called inside the
 * session's functions only; the bytes are borrowed for the call. */
struct tls_sink {
	void (*send)(void *context, struct bytes bytes);
	void *context;
};

struct tls_session;

/* A reference to the context is taken. NULL: no memory. `mtu`: DTLS: UDP payload bytes that a datagram may have, at least 280;
 * ignored for TLS. */
struct tls_session *tls_session_create(struct tls_context *context, unsigned mtu);
void tls_session_free(struct tls_session *session); /* NULL is fine */

/*
 * Goes on with what the client sent: *input is a piece of the stream (TLS) or one datagram (DTLS); what was read is cut off its
 * front, and bytes behind the handshake's last record stay in it (they are application data for the record layer). DTLS: the first
 * datagram is the ClientHello (or its first fragment) whose cookie dtls_cookie_check found valid. On TLS_SESSION_FAILED an
 * alert may have gone to the sink, and *ret_failure says why; the session is good for nothing but freeing. Costs up to a
 * key agreement and a signature (0.3 ms with ECDSA P-256, 0.7 ms with RSA 2048): bound how many are done in a turn.
 */
enum tls_progress tls_session_step(
	struct tls_session *session, struct bytes *input, const struct tls_sink *sink, enum tls_failure *ret_failure);

/* DTLS: how long from now until the last flight should be sent again, in ns; UINT64_MAX: no timer runs. */
uint64_t tls_session_timeout_ns(struct tls_session *session);
/* DTLS: that time is over (nothing happens if it is not: libssl looks at the clock itself). TLS_SESSION_FAILED with
 * TLS_FAIL_TIMEOUT: the client has not answered for half a minute. */
enum tls_progress tls_session_timeout(struct tls_session *session, const struct tls_sink *sink, enum tls_failure *ret_failure);

/* DTLS after TLS_SESSION_DONE: the client has sent (a part of) its last flight again, so it may not have ours: it is sent again.
 * Anything else in the datagram is ignored. */
void tls_session_resend(struct tls_session *session, struct bytes datagram, const struct tls_sink *sink);

/* After TLS_SESSION_DONE. False: no memory. The caller wipes *ret_keys. */
bool tls_session_keys(struct tls_session *session, struct tls_keys *ret_keys) __attribute__((warn_unused_result));

/* After TLS_SESSION_DONE, for a counter: was it resumed from a ticket? */
bool tls_session_resumed(const struct tls_session *session);

#endif
