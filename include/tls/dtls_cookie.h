/*
 * dtls_cookie - the stateless first half of a DTLS handshake (RFC 6347 Section 4.2.1): a ClientHello without a valid cookie is
 * answered with a HelloVerifyRequest, and nothing about it is kept.
 *
 * A cookie is a MAC over the client's address and its ClientHello's version, random and session under a secret of the process; the
 * time, in steps of a minute, is in it: it lasts one to two minutes. The answer is never larger than the question (RFC 6347
 * Section 4.2.1 against amplification).
 *
 * A ClientHello that is larger than a datagram (hybrid key shares) comes in fragments. All that a cookie needs stands in front: the
 * first fragment is answered, and begins a session if its cookie is valid; the others belong to that session.
 *
 * Threads: a key is read by any. Cheap for the hostile: one parse, two MACs at most, no allocation.
 */
#ifndef UTURN_TLS_DTLS_COOKIE_H
#define UTURN_TLS_DTLS_COOKIE_H

#include "base/addr.h"
#include "base/bytes.h"

enum { DTLS_COOKIE_KEY_SIZE = 32, DTLS_COOKIE_SIZE = 20, DTLS_HELLO_VERIFY_SIZE_MAX = 64 };

enum dtls_hello {
	DTLS_HELLO_NONE,   /* no ClientHello in epoch 0, or not its beginning up to the cookie: drop it */
	DTLS_HELLO_VERIFY, /* without a cookie, or with one that is wrong or old: send `answer` */
	DTLS_HELLO_VALID,  /* a session may be made for it */
};

/* `now_s`: seconds since 1970. *ret_size is set with DTLS_HELLO_VERIFY. */
enum dtls_hello dtls_cookie_check(const uint8_t key[static DTLS_COOKIE_KEY_SIZE], const struct addr *client, struct bytes datagram,
	uint64_t now_s, uint8_t ret_answer[static DTLS_HELLO_VERIFY_SIZE_MAX], size_t *ret_size);

#endif
