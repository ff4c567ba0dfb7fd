/*
 * tls_rig - a handshake between libssl as the client and a session of ours, in memory: what each has sent lies in a row until it is
 * delivered, lost or tampered with.
 */
#ifndef UTURN_TESTS_TLS_RIG_H
#define UTURN_TESTS_TLS_RIG_H

#include <openssl/ssl.h>

#include "cert_rig.h"
#include "tls/dtls_cookie.h"
#include "tls/record.h"
#include "tls/session.h"

enum { RIG_PIECE_MAX = 20000, RIG_PIECES_MAX = 32, RIG_MTU = 1200 };

/* Pieces of a stream, or datagrams. */
struct rig_row {
	size_t count;
	size_t sizes[RIG_PIECES_MAX];
	uint8_t pieces[RIG_PIECES_MAX][RIG_PIECE_MAX];
};

struct rig_client_params {
	bool datagrams;
	int version;              /* TLS1_2_VERSION…; 0: any */
	const char *host;         /* for SNI */
	struct bytes protocols;   /* for ALPN, as it is on the wire */
	const char *ciphers;      /* up to TLS 1.2 */
	const char *ciphersuites; /* of TLS 1.3 */
	const char *groups;       /* key shares */
	const char *signatures;
	SSL_SESSION *session; /* to be resumed */
	unsigned mtu;         /* 0: RIG_MTU */
	unsigned server_mtu;  /* 0: RIG_MTU */
};

struct rig {
	struct tls_context *context;
	struct tls_session *server;
	SSL_CTX *client_context;
	SSL *client;
	bool datagrams;
	struct rig_row up, down;
	enum tls_progress progress;
	enum tls_failure failure;
	bool client_failed;
	size_t largest_down;     /* datagram or piece that the session has sent */
	unsigned sends;          /* of the session */
	unsigned mtu;            /* the session's */
	struct addr address;     /* the client's */
	unsigned verify_answers; /* HelloVerifyRequests */
	struct record_layer records;
	SSL_SESSION *ticket; /* the last that the client was given */
	unsigned tickets;    /* how many it was given */
};

/* The context of one identity; aborts when it is refused. */
struct tls_context *rig_context(bool datagrams, struct tls_tickets *tickets, const struct rig_cert *certs, size_t count);

/* A client, and a session under this context. */
struct rig *rig_new(struct tls_context *context, const struct rig_client_params *params);
void rig_free(struct rig *rig);

/* Lets the client do what it can, and say it: `up` grows. */
void rig_client(struct rig *rig);
/* Delivers all of `up`; DTLS: a session is made by a ClientHello with a valid cookie. */
void rig_server(struct rig *rig);
/* Both, until nobody has anything to say. */
void rig_run(struct rig *rig);
bool rig_done(const struct rig *rig);
void rig_drop(struct rig_row *row);
void rig_append(struct rig_row *row, struct bytes piece);
/* One piece or datagram to the session; returns what it left. */
size_t rig_deliver_up(struct rig *rig, struct bytes piece);
struct tls_sink rig_sink(struct rig *rig);

/* After the handshake: takes the keys into a record layer. */
void rig_open_records(struct rig *rig);
/* Text there and back; false if a side cannot read the other. */
bool rig_talks(struct rig *rig);
/* The text from the client as the record layer has it; false: not that. */
bool rig_hears(struct rig *rig, const char *text);

/* Moves the clock that libssl sees. */
void rig_pass_ms(unsigned ms);

#endif
