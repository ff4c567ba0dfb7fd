#include "fake_streams.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clients/identity.h"
#include "wire/classify.h"
#include "wire/framing.h"

enum { CLIENTS_MAX = 256, STREAM_MAX = 256 * 1024, POLL_MS = 10 };

struct fake_client {
	bool used;
	int fd; /* TCP, TLS */
	struct addr addr;
	SSL *ssl; /* NULL: plain TCP */
	bool open;
	unsigned frames;
	size_t size; /* of what has come of the stream and is no whole frame yet */
	uint8_t *stream;
};

struct fake_streams {
	struct fake_listener *l;
	SSL_CTX *tls;
	struct fake_client clients[CLIENTS_MAX];
};

static SSL_CTX *make_context(const struct fake_listener *l)
{
	char certificate[] = "/tmp/fake-cert-XXXXXX", key[] = "/tmp/fake-key-XXXXXX";
	struct failure failure;
	if (!transport_is_secure(l->transport))
		return NULL;
	close(mkstemp(certificate));
	close(mkstemp(key));
	cr_assert(identity_make(certificate, key, &failure), "%s", failure.text);
	SSL_CTX *tls = SSL_CTX_new(l->transport == TRANSPORT_DTLS ? DTLS_server_method() : TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate_file(tls, certificate, SSL_FILETYPE_PEM), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM), 1);
	cr_assert_eq(SSL_CTX_check_private_key(tls), 1);
	unlink(certificate);
	unlink(key);
	return tls;
}

static struct fake_client *client_add(struct fake_streams *s, int fd, const struct addr *addr)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct fake_client *c = &s->clients[i];
		if (c->used)
			continue;
		*c = (struct fake_client){.used = true, .fd = fd, .addr = *addr, .stream = malloc(STREAM_MAX)};
		s->l->connections++;
		if (s->tls != NULL) {
			c->ssl = SSL_new(s->tls);
			SSL_set_bio(c->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
			SSL_set_options(c->ssl, SSL_OP_NO_QUERY_MTU);
			SSL_set_mtu(c->ssl, 1400);
			SSL_set_accept_state(c->ssl);
		}
		return c;
	}
	cr_assert_fail("more connections than the listener has room for");
	return NULL;
}

static void client_drop(struct fake_client *c)
{
	SSL_free(c->ssl);
	free(c->stream);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct fake_client){0};
}

static void put(const struct fake_streams *s, const struct fake_client *c, const uint8_t *data, size_t size)
{
	struct sockaddr_storage sa;
	if (c->fd >= 0) {
		for (size_t sent = 0; sent < size;) {
			ssize_t count = send(c->fd, data + sent, size - sent, MSG_NOSIGNAL);
			if (count <= 0)
				return;
			sent += (size_t)count;
		}
		return;
	}
	socklen_t sa_size = addr_to_sockaddr(&c->addr, &sa);
	(void)!sendto(s->l->fd, data, size, 0, (struct sockaddr *)&sa, sa_size);
}

static void flush(const struct fake_streams *s, const struct fake_client *c)
{
	uint8_t out[20000];
	int size;
	while (c->ssl != NULL && (size = BIO_read(SSL_get_wbio(c->ssl), out, sizeof out)) > 0)
		put(s, c, out, (size_t)size);
}

static void write_plain(const struct fake_streams *s, const struct fake_client *c, const uint8_t *data, size_t size)
{
	size_t step = s->l->dribble && c->fd >= 0 ? 1 : size;
	for (size_t at = 0; at < size; at += step) {
		if (c->ssl != NULL)
			cr_assert_eq(SSL_write(c->ssl, data + at, (int)step), (int)step);
		else
			put(s, c, data + at, step);
		flush(s, c);
	}
}

static void take_frame(const struct fake_streams *s, struct fake_client *c, struct bytes frame)
{
	static const uint8_t garbage[] = "\xff\xff\xff\xff";
	struct fake_message request = {.size = frame.size};
	s->l->frames++;
	c->frames++;
	if (s->l->mute)
		return;
	if (s->l->garbage && c->frames > 1) {
		write_plain(s, c, garbage, sizeof garbage - 1);
		return;
	}
	if (wire_classify(frame) == WIRE_CHANNEL_DATA) {
		uint8_t back[66000] = {0};
		memcpy(back, frame.data, frame.size);
		write_plain(s, c, back, c->fd >= 0 ? (frame.size + 3) & ~(size_t)3 : frame.size);
		return;
	}
	cr_assert_leq(frame.size, sizeof request.data);
	memcpy(request.data, frame.data, frame.size);
	struct fake_message answer = fake_listener_answer(s->l, &request, c->addr.port);
	write_plain(s, c, answer.data, answer.size);
}

/* False: it is over. */
static bool take_plain(const struct fake_streams *s, struct fake_client *c, const uint8_t *data, size_t size)
{
	s->l->records++;
	if (c->fd < 0) {
		take_frame(s, c, bytes_of(data, size));
		return true;
	}
	cr_assert_leq(c->size + size, STREAM_MAX);
	memcpy(c->stream + c->size, data, size);
	c->size += size;
	struct bytes stream = bytes_of(c->stream, c->size), frame;
	size_t taken;
	while (stream.size > 0 && framing_next(stream, &frame, &taken) == FRAME_COMPLETE) {
		take_frame(s, c, frame);
		if (s->l->close_after != 0 && c->frames == s->l->close_after)
			return false;
		stream = bytes_of(stream.data + taken, stream.size - taken);
	}
	memmove(c->stream, stream.data, stream.size);
	c->size = stream.size;
	return true;
}

static bool take(const struct fake_streams *s, struct fake_client *c, const uint8_t *data, size_t size)
{
	uint8_t plain[17000];
	if (c->ssl == NULL)
		return take_plain(s, c, data, size);
	ERR_clear_error();
	BIO_write(SSL_get_rbio(c->ssl), data, (int)size);
	if (!c->open && SSL_do_handshake(c->ssl) == 1) {
		c->open = true;
		s->l->handshakes++;
		s->l->resumed += SSL_session_reused(c->ssl) == 1;
	}
	flush(s, c);
	bool good = true;
	int got;
	while (good && c->open && (got = SSL_read(c->ssl, plain, sizeof plain)) > 0)
		good = take_plain(s, c, plain, (size_t)got);
	flush(s, c);
	return good;
}

static void read_connection(const struct fake_streams *s, struct fake_client *c)
{
	uint8_t data[65536];
	ssize_t size = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
	if (size <= 0 || !take(s, c, data, (size_t)size))
		client_drop(c);
}

static void read_datagram(struct fake_streams *s)
{
	uint8_t data[20000];
	struct sockaddr_storage sa;
	socklen_t sa_size = sizeof sa;
	ssize_t size = recvfrom(s->l->fd, data, sizeof data, MSG_DONTWAIT, (struct sockaddr *)&sa, &sa_size);
	if (size < 0)
		return;
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	struct fake_client *c = NULL;
	for (unsigned i = 0; i < CLIENTS_MAX && c == NULL; i++)
		if (s->clients[i].used && addr_equal(&s->clients[i].addr, &from))
			c = &s->clients[i];
	take(s, c != NULL ? c : client_add(s, -1, &from), data, (size_t)size);
}

static void accept_one(struct fake_streams *s)
{
	struct sockaddr_storage sa;
	socklen_t sa_size = sizeof sa;
	int fd = accept4(s->l->fd, (struct sockaddr *)&sa, &sa_size, SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	client_add(s, fd, &from);
}

void fake_streams_run(struct fake_listener *l)
{
	struct fake_streams *s = calloc(1, sizeof *s);
	s->l = l;
	s->tls = make_context(l);
	while (!l->stop) {
		struct pollfd fds[CLIENTS_MAX + 1];
		for (unsigned i = 0; i < CLIENTS_MAX; i++)
			fds[i] = (struct pollfd){.fd = s->clients[i].used ? s->clients[i].fd : -1, .events = POLLIN};
		fds[CLIENTS_MAX] = (struct pollfd){.fd = l->fd, .events = POLLIN};
		poll(fds, CLIENTS_MAX + 1, POLL_MS);
		for (unsigned i = 0; i < CLIENTS_MAX; i++)
			if (fds[i].revents != 0)
				read_connection(s, &s->clients[i]);
		if (fds[CLIENTS_MAX].revents == 0)
			continue;
		if (transport_is_stream(l->transport))
			accept_one(s);
		else
			read_datagram(s);
	}
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->clients[i].used)
			client_drop(&s->clients[i]);
	SSL_CTX_free(s->tls);
	free(s);
}
