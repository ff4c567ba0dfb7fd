#include "client/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

struct tls_context {
	SSL_CTX *ssl;
	SSL_SESSION *session; /* owned; the one that is offered next */
	char *name;           /* owned; NULL: none */
	bool resumes, datagrams, verified;
};

/* The same bulk cipher whichever version is spoken, and whichever key the server's certificate has. */
static const char ciphers_1_2[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
static const char ciphers_1_3[] = "TLS_AES_128_GCM_SHA256";
/* Without it what a handshake costs would depend on which group each server likes best. */
static const char groups[] = "X25519:P-256";

/* A copy: the library marks a session that it has used or whose connection ended without a word as not to be resumed. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION *copy = SSL_SESSION_dup(session);
	if (copy == NULL)
		return 0;
	SSL_SESSION_free(context->session);
	context->session = copy;
	return 0;
}

/* The names of 1.3's suites begin in a way of their own. */
static bool is_1_3_suite(const char *cipher)
{
	return strncmp(cipher, "TLS_", 4) == 0;
}

static bool set_versions(SSL_CTX *ssl, const struct transport *t, struct failure *failure)
{
	bool datagrams = t->kind == TRANSPORT_DTLS;
	bool named = t->cipher != NULL && !t->any_cipher;
	bool only_1_3 = named && is_1_3_suite(t->cipher), only_1_2 = named && !only_1_3;
	if (only_1_3 && (datagrams || t->version == TLS_VERSION_1_2))
		return fail(failure, "the cipher %.100s is one of TLS 1.3: use one of 1.2", t->cipher);
	if (datagrams && t->version == TLS_VERSION_1_3)
		return fail(failure, "there is no DTLS 1.3 here: use 1.2");
	if (only_1_2 && t->version == TLS_VERSION_1_3)
		return fail(failure, "the cipher %.100s is not one of TLS 1.3", t->cipher);
	int least = t->version == TLS_VERSION_1_3 || only_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
	int most = t->version == TLS_VERSION_1_2 || only_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
	if (datagrams)
		least = most = DTLS1_2_VERSION;
	return (SSL_CTX_set_min_proto_version(ssl, least) == 1 && SSL_CTX_set_max_proto_version(ssl, most) == 1) ||
	       fail(failure, "this OpenSSL does not speak that version of TLS");
}

static bool set_ciphers(SSL_CTX *ssl, const struct transport *t, struct failure *failure)
{
	if (t->any_cipher)
		return true;
	const char *old = t->cipher != NULL && !is_1_3_suite(t->cipher) ? t->cipher : ciphers_1_2;
	const char *new = t->cipher != NULL &&is_1_3_suite(t->cipher) ? t->cipher : ciphers_1_3;
	if (SSL_CTX_set_cipher_list(ssl, old) == 1 && SSL_CTX_set_ciphersuites(ssl, new) == 1 &&
		SSL_CTX_set1_groups_list(ssl, groups) == 1)
		return true;
	return fail(
		failure, "the cipher %.100s is not known: `openssl ciphers` lists the names", t->cipher != NULL ? t->cipher : old);
}

static bool set_trust(SSL_CTX *ssl, const struct transport *t, struct failure *failure)
{
	SSL_CTX_set_verify(ssl, t->verified ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (!t->verified)
		return true;
	if (t->name == NULL)
		return fail(failure, "a certificate cannot be verified without the server's name");
	if (t->authorities == NULL)
		return SSL_CTX_set_default_verify_paths(ssl) == 1 ||
		       fail(failure, "the system's certificate authorities cannot be read");
	return SSL_CTX_load_verify_file(ssl, t->authorities) == 1 ||
	       fail(failure, "no certificates can be read from %.200s: it must be a PEM file", t->authorities);
}

struct tls_context *tls_context_create(const struct transport *t, bool sparing, bool resumes, struct failure *failure)
{
	struct tls_context *context = calloc(1, sizeof *context);
	SSL_CTX *ssl = SSL_CTX_new(t->kind == TRANSPORT_DTLS ? DTLS_client_method() : TLS_client_method());
	char *name = t->name != NULL ? strdup(t->name) : NULL;
	bool good =
		context != NULL && ssl != NULL && (name != NULL || t->name == NULL) ? true : fail(failure, "out of memory for TLS");
	if (!good || !set_versions(ssl, t, failure) || !set_ciphers(ssl, t, failure) || !set_trust(ssl, t, failure)) {
		ERR_clear_error();
		SSL_CTX_free(ssl);
		free(context);
		free(name);
		return NULL;
	}
	*context = (struct tls_context){
		.ssl = ssl, .name = name, .resumes = resumes, .datagrams = t->kind == TRANSPORT_DTLS, .verified = t->verified};
	SSL_CTX_set_app_data(ssl, context);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | (sparing ? SSL_MODE_RELEASE_BUFFERS : 0));
	SSL_CTX_set_session_cache_mode(ssl, resumes ? SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL : SSL_SESS_CACHE_OFF);
	if (resumes)
		SSL_CTX_sess_set_new_cb(ssl, keep_session);
	/* The sockets' buffers are not asked for the size of a packet. */
	SSL_CTX_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	return context;
}

void tls_context_free(struct tls_context *context)
{
	if (context == NULL)
		return;
	SSL_SESSION_free(context->session);
	SSL_CTX_free(context->ssl);
	free(context->name);
	free(context);
}

/* RFC 6066, section 3: an address is not told as a name. */
static bool set_name(SSL *ssl, const struct tls_context *context)
{
	struct addr ip;
	bool is_ip = addr_parse_ip(context->name, &ip);
	if (!is_ip && SSL_set_tlsext_host_name(ssl, context->name) != 1)
		return false;
	if (!context->verified)
		return true;
	return is_ip ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), context->name) == 1
		     : SSL_set1_host(ssl, context->name) == 1;
}

struct ssl_st *tls_context_connection(struct tls_context *context)
{
	SSL *ssl = SSL_new(context->ssl);
	if (ssl == NULL)
		return NULL;
	SSL_set_connect_state(ssl);
	if (context->name != NULL && !set_name(ssl, context)) {
		SSL_free(ssl);
		return NULL;
	}
	SSL_SESSION *offered = context->resumes && context->session != NULL ? SSL_SESSION_dup(context->session) : NULL;
	if (offered != NULL)
		SSL_set_session(ssl, offered);
	SSL_SESSION_free(offered);
	return ssl;
}

bool tls_context_is_datagrams(const struct tls_context *context)
{
	return context->datagrams;
}
