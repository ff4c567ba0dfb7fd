/*
 * spec - the three ends of a tunnel as its user writes them: where clients arrive, which server, which peer.
 *
 *	client   udp:127.0.0.1:9000   tcp://[::1]:9000   unix:///run/tunnel.sock   -   file://stdin
 *	server   turn://user:password@host:port?transport=udp|tcp|tls|dtls   turns:host   k8s://namespace/gateway:listener
 *	peer     udp:host:port
 *
 * Both generations of STUNner's turncat are understood: "scheme:rest" and "scheme://rest". Pure: nothing is opened or resolved.
 */
#ifndef UTURN_TURNCAT_SPEC_H
#define UTURN_TURNCAT_SPEC_H

#include "base/addr.h"
#include "base/failure.h"
#include "client/transport.h"

enum {
	SPEC_HOST_SIZE = 256,     /* RFC 1035, section 2.3.4: 255 bytes */
	SPEC_USERNAME_SIZE = 509, /* RFC 8489, section 14.3: less than 509 bytes */
	SPEC_PASSWORD_SIZE = 764,
	SPEC_NAME_SIZE = 254, /* of Kubernetes objects */
	SPEC_PATH_SIZE = 108, /* sockaddr_un */
};

/* RFC 7065 for turn: and turns:; STUNner takes 443 for turn: with transport=tls or dtls. */
enum { SPEC_PORT_TURN = 3478, SPEC_PORT_TURNS = 5349, SPEC_PORT_SECURE = 443 };

enum spec_local_kind { SPEC_UDP, SPEC_TCP, SPEC_UNIX, SPEC_STDIO };

struct spec_local {
	enum spec_local_kind kind;
	struct addr addr;          /* SPEC_UDP, SPEC_TCP */
	char path[SPEC_PATH_SIZE]; /* SPEC_UNIX; one that begins with '@' is in the abstract namespace */
};

struct spec_host {
	char name[SPEC_HOST_SIZE]; /* a host name, or an IP address without brackets */
	uint16_t port;
};

struct spec_server {
	bool k8s; /* found by the config discovery service: namespace, gateway, listener; else host, transport, credentials */
	struct spec_host host;
	enum transport_kind transport;
	char username[SPEC_USERNAME_SIZE], password[SPEC_PASSWORD_SIZE]; /* empty: not given */
	char namespace[SPEC_NAME_SIZE];                                  /* empty: the current one */
	char gateway[SPEC_NAME_SIZE], listener[SPEC_NAME_SIZE];
};

/* False with one line, which never shows a password; the output is then undefined. */
bool spec_parse_local(const char *text, struct spec_local *ret_local, struct failure *failure);
bool spec_parse_server(const char *text, struct spec_server *ret_server, struct failure *failure);
bool spec_parse_peer(const char *text, struct spec_host *ret_peer, struct failure *failure);

/* "host:port", "[::1]:port", "host", or ":port"; without a port, the default. False: neither. */
bool spec_parse_host(const char *text, uint16_t default_port, struct spec_host *ret_host);

/* A name of Kubernetes: letters, digits, '-' and '.', short enough, not empty. */
bool spec_is_name(const char *text);

/* Go's form, as in "1h30m", "90s", or a number of seconds; from 1 s to 10 years. */
bool spec_parse_duration(const char *text, uint32_t *ret_seconds);

#endif
