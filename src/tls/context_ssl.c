/*
 * One SSL_CTX as all are: what is negotiated, and what is not. A session may move from one to another of its context's when the
 * client has named a host, so they differ in their certificates only.
 */
#include <openssl/err.h>

#include "context_private.h"
#include "session_private.h"
#include "tickets.h"

/* AES-128-GCM is the fastest on machines with AES instructions; a client that has none puts ChaCha20 first and gets it. */
static const char CIPHERS[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
			      "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
			      "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
static const char CIPHERS_1_3[] = "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

/* The hybrid is unknown to OpenSSL before 3.5. */
static const char GROUPS_HYBRID[] = "X25519MLKEM768:X25519:P-256:P-384", GROUPS[] = "X25519:P-256:P-384";

enum {
	MESSAGE_SIZE_MAX = 16384, /* a browser's ClientHello has 2 KiB; nothing else of a client without a certificate is large */
	DTLS_FRAGMENT_MAX = 2048, /* more than a datagram takes; libssl keeps a buffer of this size instead of 16 KiB */
};

/* Resumption works between contexts with the same: all of a process. */
static const unsigned char SESSION_CONTEXT[] = "uturn";

/* RFC 7443: what the client offers of these, in this order. A client that offers others only gets no answer, and no refusal. */
static int choose_protocol(
	SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in, unsigned in_size, void *unused)
{
	static const unsigned char ours[] = "\x09stun.turn\x12stun.nat-discovery";
	unsigned char *chosen;
	(void)ssl, (void)unused;
	if (SSL_select_next_proto(&chosen, out_size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static const struct tls_group *find_group(const struct tls_context *context, const char *host)
{
	for (unsigned wildcards = 0; wildcards < 2; wildcards++)
		for (size_t i = 0; i < context->group_count; i++)
			if (tls_identity_matches(&context->identities[context->groups[i].first], host, wildcards))
				return &context->groups[i];
	return NULL;
}

/*
 * RFC 6066 Section 3: to go on for an unknown name is as good as to refuse, and TURN clients often know an address only. That the
 * name was heeded is not said over DTLS: to pion/dtls an empty server_name in a ServerHello is a mistake, and nobody asks for it.
 */
static int choose_identity(SSL *ssl, int *alert, void *argument)
{
	const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_group *group = host != NULL ? find_group(argument, host) : NULL;
	if (group == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	if (SSL_set_SSL_CTX(ssl, group->ssl) != NULL)
		return SSL_is_dtls(ssl) ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int ticket_key(SSL *ssl, unsigned char name[TICKETS_NAME_SIZE], unsigned char iv[EVP_MAX_IV_LENGTH], EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int seal)
{
	const struct tls_session *session = SSL_get_app_data(ssl);
	return tls_tickets_key(session->context->tickets, name, iv, cipher, mac, seal != 0);
}

/* dtls_cookie_check has found it valid. */
static int accept_cookie(SSL *ssl, const unsigned char *cookie, unsigned size)
{
	(void)ssl, (void)cookie, (void)size;
	return 1;
}

static void set_tickets(SSL_CTX *ssl, const struct tls_context *context)
{
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ssl, 0);
	if (context->tickets == NULL) {
		SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ssl, 0);
		return;
	}
	/* One: a relay's client comes with one connection at a time, unlike a browser that loads a page. */
	SSL_CTX_set_num_tickets(ssl, 1);
	SSL_CTX_set_timeout(ssl, TICKETS_LIFETIME_S);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, ticket_key);
}

static bool set_negotiation(SSL_CTX *ssl, bool datagrams)
{
	bool hybrid = SSL_CTX_set1_groups_list(ssl, GROUPS_HYBRID) == 1;
	ERR_clear_error();
	return SSL_CTX_set_min_proto_version(ssl, datagrams ? DTLS1_2_VERSION : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ssl, datagrams ? DTLS1_2_VERSION : TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_cipher_list(ssl, CIPHERS) == 1 && SSL_CTX_set_ciphersuites(ssl, CIPHERS_1_3) == 1 &&
	       (hybrid || SSL_CTX_set1_groups_list(ssl, GROUPS) == 1) &&
	       SSL_CTX_set_session_id_context(ssl, SESSION_CONTEXT, sizeof SESSION_CONTEXT - 1) == 1;
}

SSL_CTX *tls_context_new_ssl(struct tls_context *context)
{
	SSL_CTX *ssl = SSL_CTX_new(context->datagrams ? DTLS_server_method() : TLS_server_method());
	if (ssl == NULL || !set_negotiation(ssl, context->datagrams)) {
		SSL_CTX_free(ssl);
		return NULL;
	}
	SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_NO_QUERY_MTU);
	/* Keys are checked when they are read; 1 is what ciphers and signatures of clients have to reach. */
	SSL_CTX_set_security_level(ssl, 1);
	SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(ssl, 0); /* what follows the handshake belongs to the record layer */
	SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_max_cert_list(ssl, MESSAGE_SIZE_MAX);
	if (context->datagrams)
		SSL_CTX_set_max_send_fragment(ssl, DTLS_FRAGMENT_MAX);
	SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
	SSL_CTX_set_tlsext_servername_callback(ssl, choose_identity);
	SSL_CTX_set_tlsext_servername_arg(ssl, context);
	SSL_CTX_set_keylog_callback(ssl, session_take_secret);
	SSL_CTX_set_cookie_verify_cb(ssl, accept_cookie);
	set_tickets(ssl, context);
	return ssl;
}
