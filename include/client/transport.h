/*
 * transport - over what clients reach a server, and how: UDP, TCP, TLS over TCP, or DTLS over UDP. Peers are always on UDP.
 */
#ifndef UTURN_CLIENT_TRANSPORT_H
#define UTURN_CLIENT_TRANSPORT_H

#include <stdbool.h>

enum transport_kind { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS, TRANSPORT_KINDS };

enum tls_version { TLS_VERSION_ANY /* the newest that both have */, TLS_VERSION_1_2, TLS_VERSION_1_3 };

struct transport {
	enum transport_kind kind;
	enum tls_version version; /* TLS; DTLS is 1.2 */
	const char *cipher;       /* as OpenSSL names it; NULL: AES-128-GCM with the key exchange that the certificate wants */
	bool any_cipher;          /* whatever the library and the server agree upon; `cipher` does not count then */
	bool verified;    /* TLS, DTLS: the server's certificate must be for `name`, and from an authority that is trusted */
	const char *name; /* TLS, DTLS: the server's, for its choice of a certificate (SNI); may be an IP address; NULL: untold */
	const char *authorities; /* `verified`: a PEM file with those that are trusted; NULL: the system's */
	bool separate_writes;    /* TCP, TLS: each frame leaves in a send of its own; otherwise all of a burst leave in one */
};

/* "udp", "tcp", "tls", "dtls" */
const char *transport_name(enum transport_kind kind);
bool transport_find(const char *name, enum transport_kind *ret_kind);

static inline bool transport_is_stream(enum transport_kind kind)
{
	return kind == TRANSPORT_TCP || kind == TRANSPORT_TLS;
}

static inline bool transport_is_secure(enum transport_kind kind)
{
	return kind == TRANSPORT_TLS || kind == TRANSPORT_DTLS;
}

#endif
