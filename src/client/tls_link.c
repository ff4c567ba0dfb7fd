#include "client/tls_link.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* What fits into a frame of 1500 bytes under IPv6 and UDP; of handshakes only, other records are as long as their frame. */
enum { DATAGRAM_MTU = 1452 };

struct tls_link {
	SSL *ssl;
	struct bytes in; /* what the library has not read yet of what arrived */
	tls_put_fn *put;
	void *owner;
	bool datagrams, open;
};

static int link_write(BIO *bio, const char *data, int size)
{
	struct tls_link *link = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (size > 0)
		link->put(link->owner, bytes_of((const uint8_t *)data, (size_t)size));
	return size;
}

/* A datagram is read as a whole: what the library has no room for is gone. */
static int link_read(BIO *bio, char *data, int size)
{
	struct tls_link *link = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (link->in.size == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	size_t count = link->in.size < (size_t)size ? link->in.size : (size_t)size;
	memcpy(data, link->in.data, count);
	size_t taken = link->datagrams ? link->in.size : count;
	link->in = bytes_of(link->in.data + taken, link->in.size - taken);
	return (int)count;
}

static long link_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "link");
	if (method == NULL)
		return;
	BIO_meth_set_write(method, link_write);
	BIO_meth_set_read(method, link_read);
	BIO_meth_set_ctrl(method, link_control);
}

static BIO *make_bio(struct tls_link *link)
{
	static pthread_once_t made = PTHREAD_ONCE_INIT;
	pthread_once(&made, make_method);
	BIO *bio = method != NULL ? BIO_new(method) : NULL;
	if (bio == NULL)
		return NULL;
	BIO_set_data(bio, link);
	BIO_set_init(bio, 1);
	return bio;
}

struct tls_link *tls_link_create(struct tls_context *context, tls_put_fn *put, void *owner)
{
	struct tls_link *link = calloc(1, sizeof *link);
	SSL *ssl = link != NULL ? tls_context_connection(context) : NULL;
	BIO *bio = ssl != NULL ? make_bio(link) : NULL;
	if (bio == NULL) {
		SSL_free(ssl);
		free(link);
		return NULL;
	}
	*link = (struct tls_link){.ssl = ssl, .put = put, .owner = owner, .datagrams = tls_context_is_datagrams(context)};
	SSL_set_bio(ssl, bio, bio);
	if (link->datagrams)
		SSL_set_mtu(ssl, DATAGRAM_MTU);
	return link;
}

void tls_link_free(struct tls_link *link)
{
	if (link == NULL)
		return;
	SSL_free(link->ssl);
	free(link);
}

bool tls_link_distrusts(const struct tls_link *link)
{
	return SSL_get_verify_mode(link->ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(link->ssl) != X509_V_OK;
}

/* True: it goes on, and `result` only says that more must arrive. */
static bool goes_on(struct tls_link *link, int result, const char **ret_why)
{
	if (result > 0)
		return true;
	int error = SSL_get_error(link->ssl, result);
	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return true;
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());
	if (tls_link_distrusts(link))
		*ret_why = X509_verify_cert_error_string(SSL_get_verify_result(link->ssl));
	else if (error == SSL_ERROR_ZERO_RETURN)
		*ret_why = "the server said that it closes it";
	else
		*ret_why = reason != NULL ? reason : "the library does not say why";
	ERR_clear_error();
	return false;
}

bool tls_link_shake(struct tls_link *link, const char **ret_why)
{
	ERR_clear_error();
	int result = SSL_do_handshake(link->ssl);
	link->open = result == 1;
	return goes_on(link, result, ret_why);
}

bool tls_link_is_open(const struct tls_link *link)
{
	return link->open;
}

bool tls_link_take(struct tls_link *link, struct bytes received, tls_plain_fn *plain, void *context, const char **ret_why)
{
	uint8_t text[TLS_PLAIN_MAX];
	link->in = received;
	if (!link->open && !tls_link_shake(link, ret_why))
		return false;
	bool good = true;
	ERR_clear_error();
	while (good && link->open) {
		int size = SSL_read(link->ssl, text, sizeof text);
		if (size <= 0) {
			good = goes_on(link, size, ret_why);
			/* A datagram that does not count (a replayed one) leaves others behind it in peace. */
			if (link->in.size == 0 || !good)
				break;
			continue;
		}
		good = plain(context, bytes_of(text, (size_t)size));
		if (!good)
			*ret_why = "what it sends is no TURN";
	}
	link->in = bytes_of(NULL, 0);
	return good;
}

bool tls_link_seal(struct tls_link *link, struct bytes plain)
{
	while (plain.size > 0) {
		int size = SSL_write(link->ssl, plain.data, (int)plain.size);
		if (size <= 0) {
			ERR_clear_error();
			return false;
		}
		plain = bytes_of(plain.data + size, plain.size - (size_t)size);
	}
	return true;
}

void tls_link_end(struct tls_link *link)
{
	if (link->open)
		SSL_shutdown(link->ssl);
	ERR_clear_error();
}

void tls_link_tick(struct tls_link *link)
{
	if (!link->datagrams || link->open)
		return;
	DTLSv1_handle_timeout(link->ssl);
	ERR_clear_error();
}

bool tls_link_resumed(const struct tls_link *link)
{
	return SSL_session_reused(link->ssl) == 1;
}

const char *tls_link_version(const struct tls_link *link)
{
	return SSL_version(link->ssl) == TLS1_3_VERSION ? "1.3" : "1.2";
}

const char *tls_link_cipher(const struct tls_link *link)
{
	return SSL_get_cipher_name(link->ssl);
}
