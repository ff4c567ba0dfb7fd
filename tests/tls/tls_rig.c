#include "tls_rig.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include "exact_copy.h"

#define MUST(condition)                                                                                                            \
	do {                                                                                                                       \
		if (!(condition)) {                                                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                            \
			abort();                                                                                                   \
		}                                                                                                                  \
	} while (0)

static const uint8_t cookie_key[DTLS_COOKIE_KEY_SIZE] = "a key that all tests of DTLS use";

/* --- time -------------------------------------------------------------------------------------------------------------------- */

static unsigned passed_ms;

void rig_pass_ms(unsigned ms)
{
	passed_ms += ms;
}

/* In place of the C library's: libssl's timers of DTLS ask it. */
__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec now;
	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + UINT64_C(1000) * passed_ms;
	*tv = (struct timeval){.tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000)};
	return 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------------------- */

void rig_append(struct rig_row *row, struct bytes piece)
{
	MUST(row->count < RIG_PIECES_MAX && piece.size <= RIG_PIECE_MAX);
	memcpy(row->pieces[row->count], piece.data, piece.size);
	row->sizes[row->count++] = piece.size;
}

void rig_drop(struct rig_row *row)
{
	row->count = 0;
}

static void drop_first(struct rig_row *row)
{
	row->count--;
	memmove(row->sizes, row->sizes + 1, row->count * sizeof *row->sizes);
	memmove(row->pieces, row->pieces + 1, row->count * sizeof *row->pieces);
}

/* --- the client -------------------------------------------------------------------------------------------------------------- */

static int client_read(BIO *bio, char *out, int room)
{
	struct rig *rig = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	if (rig->down.count == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	uint8_t *piece = rig->down.pieces[0];
	size_t size = rig->down.sizes[0], copied = size < (size_t)room ? size : (size_t)room;
	memcpy(out, piece, copied);
	if (rig->datagrams || copied == size) {
		drop_first(&rig->down);
	} else {
		memmove(piece, piece + copied, size - copied);
		rig->down.sizes[0] -= copied;
	}
	return (int)copied;
}

static int client_write(BIO *bio, const char *data, int size)
{
	struct rig *rig = BIO_get_data(bio);
	rig_append(&rig->up, bytes_of(data, (size_t)size));
	return size;
}

static long client_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *client_method;

static BIO *client_bio(struct rig *rig)
{
	if (client_method == NULL) {
		client_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "client");
		BIO_meth_set_read(client_method, client_read);
		BIO_meth_set_write(client_method, client_write);
		BIO_meth_set_ctrl(client_method, client_control);
	}
	BIO *bio = BIO_new(client_method);
	MUST(bio != NULL);
	BIO_set_data(bio, rig);
	BIO_set_init(bio, 1);
	return bio;
}

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct rig *rig = SSL_get_app_data(ssl);
	SSL_SESSION_free(rig->ticket);
	rig->ticket = session;
	rig->tickets++;
	return 1;
}

static SSL_CTX *client_context(const struct rig_client_params *params)
{
	SSL_CTX *context = SSL_CTX_new(params->datagrams ? DTLS_client_method() : TLS_client_method());
	MUST(context != NULL);
	SSL_CTX_set_security_level(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_ticket);
	if (params->version != 0) {
		MUST(SSL_CTX_set_min_proto_version(context, params->version) == 1);
		MUST(SSL_CTX_set_max_proto_version(context, params->version) == 1);
	}
	MUST(params->ciphers == NULL || SSL_CTX_set_cipher_list(context, params->ciphers) == 1);
	MUST(params->ciphersuites == NULL || SSL_CTX_set_ciphersuites(context, params->ciphersuites) == 1);
	MUST(params->groups == NULL || SSL_CTX_set1_groups_list(context, params->groups) == 1);
	MUST(params->signatures == NULL || SSL_CTX_set1_sigalgs_list(context, params->signatures) == 1);
	return context;
}

static void make_client(struct rig *rig, const struct rig_client_params *params)
{
	rig->client_context = client_context(params);
	rig->client = SSL_new(rig->client_context);
	MUST(rig->client != NULL);
	SSL_set_app_data(rig->client, rig);
	BIO *bio = client_bio(rig);
	SSL_set_bio(rig->client, bio, bio);
	SSL_set_connect_state(rig->client);
	if (params->datagrams) {
		SSL_set_options(rig->client, SSL_OP_NO_QUERY_MTU);
		SSL_set_mtu(rig->client, params->mtu != 0 ? params->mtu : RIG_MTU);
	}
	MUST(params->host == NULL || SSL_set_tlsext_host_name(rig->client, params->host) == 1);
	MUST(params->protocols.size == 0 ||
		SSL_set_alpn_protos(rig->client, params->protocols.data, (unsigned)params->protocols.size) == 0);
	MUST(params->session == NULL || SSL_set_session(rig->client, params->session) == 1);
}

/* --- both -------------------------------------------------------------------------------------------------------------------- */

struct tls_context *rig_context(bool datagrams, struct tls_tickets *tickets, const struct rig_cert *certs, size_t count)
{
	struct tls_identity_pem pems[TLS_IDENTITIES_MAX];
	char error[TLS_TEXT_SIZE];
	size_t place;
	for (size_t i = 0; i < count; i++)
		pems[i] = rig_pem(&certs[i]);
	const struct tls_context_params params = {
		.datagrams = datagrams, .identities = pems, .identity_count = count, .tickets = tickets};
	struct tls_context *context = tls_context_create(&params, (uint64_t)time(NULL), &place, error);
	if (context == NULL)
		fprintf(stderr, "identity %zu: %s\n", place, error);
	MUST(context != NULL);
	return context;
}

struct rig *rig_new(struct tls_context *context, const struct rig_client_params *params)
{
	struct rig *rig = calloc(1, sizeof *rig);
	MUST(rig != NULL);
	rig->context = tls_context_ref(context);
	rig->datagrams = params->datagrams;
	rig->mtu = params->server_mtu != 0 ? params->server_mtu : RIG_MTU;
	rig->address = addr_ipv4(192, 0, 2, 1, 5000);
	make_client(rig, params);
	if (!rig->datagrams)
		rig->server = tls_session_create(context, rig->mtu);
	MUST(rig->datagrams || rig->server != NULL);
	return rig;
}

void rig_free(struct rig *rig)
{
	SSL_SESSION_free(rig->ticket);
	/* A session that was not closed in order is not resumed by libssl. */
	SSL_set_shutdown(rig->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(rig->client);
	SSL_CTX_free(rig->client_context);
	tls_session_free(rig->server);
	tls_context_unref(rig->context);
	record_done(&rig->records);
	ERR_clear_error();
	free(rig);
}

static void take_from_session(void *context, struct bytes bytes)
{
	struct rig *rig = context;
	rig->sends++;
	if (bytes.size > rig->largest_down)
		rig->largest_down = bytes.size;
	rig_append(&rig->down, bytes);
}

struct tls_sink rig_sink(struct rig *rig)
{
	return (struct tls_sink){.send = take_from_session, .context = rig};
}

void rig_client(struct rig *rig)
{
	char text[64];
	ERR_clear_error();
	int result = SSL_is_init_finished(rig->client) ? SSL_read(rig->client, text, sizeof text) : SSL_do_handshake(rig->client);
	if (result == 1 && rig->down.count > 0) /* tickets of TLS 1.3 */
		result = SSL_read(rig->client, text, sizeof text);
	int error = SSL_get_error(rig->client, result);
	if (result <= 0 && error != SSL_ERROR_WANT_READ)
		rig->client_failed = true;
	ERR_clear_error();
}

static bool has_session(struct rig *rig, struct bytes datagram)
{
	uint8_t answer[DTLS_HELLO_VERIFY_SIZE_MAX];
	size_t size;
	if (rig->server != NULL)
		return true;
	switch (dtls_cookie_check(cookie_key, &rig->address, datagram, RIG_NOW_S, answer, &size)) {
	case DTLS_HELLO_VERIFY:
		rig->verify_answers++;
		rig_append(&rig->down, bytes_of(answer, size));
		return false;
	case DTLS_HELLO_VALID:
		rig->server = tls_session_create(rig->context, rig->mtu);
		MUST(rig->server != NULL);
		return true;
	default:
		return false;
	}
}

size_t rig_deliver_up(struct rig *rig, struct bytes piece)
{
	struct bytes copy = exact_copy(piece.data, piece.size), input = copy;
	struct tls_sink sink = rig_sink(rig);
	rig->progress = tls_session_step(rig->server, &input, &sink, &rig->failure);
	MUST(input.data == NULL || (input.data >= copy.data && input.data + input.size <= copy.data + copy.size));
	size_t left = input.size;
	exact_copy_free(copy);
	MUST(ERR_peek_error() == 0);
	return left;
}

/* Puts what was left in front of the others. */
static void server_stream(struct rig *rig)
{
	static uint8_t all[RIG_PIECES_MAX * RIG_PIECE_MAX];
	size_t size = 0;
	for (size_t i = 0; i < rig->up.count; i++) {
		memcpy(all + size, rig->up.pieces[i], rig->up.sizes[i]);
		size += rig->up.sizes[i];
	}
	rig_drop(&rig->up);
	size_t left = rig_deliver_up(rig, bytes_of(all, size));
	if (left > 0)
		rig_append(&rig->up, bytes_of(all + size - left, left));
}

void rig_server(struct rig *rig)
{
	if (rig->up.count > 0 && !rig->datagrams && rig->progress == TLS_SESSION_CONTINUES)
		server_stream(rig);
	while (rig->datagrams && rig->up.count > 0 && rig->progress == TLS_SESSION_CONTINUES) {
		static uint8_t datagram[RIG_PIECE_MAX];
		size_t size = rig->up.sizes[0];
		memcpy(datagram, rig->up.pieces[0], size);
		drop_first(&rig->up);
		/* What is behind the last record of a handshake, or the one that ended it, is not libssl's. */
		if (has_session(rig, bytes_of(datagram, size)))
			MUST(rig_deliver_up(rig, bytes_of(datagram, size)) == 0 || rig->progress != TLS_SESSION_CONTINUES);
	}
}

void rig_run(struct rig *rig)
{
	for (unsigned i = 0; i < 10 && !rig->client_failed; i++) {
		rig_client(rig);
		if (rig->up.count == 0 && rig->down.count == 0)
			return;
		rig_server(rig);
	}
}

bool rig_done(const struct rig *rig)
{
	return rig->progress == TLS_SESSION_DONE && SSL_is_init_finished(rig->client);
}

/* --- records ----------------------------------------------------------------------------------------------------------------- */

void rig_open_records(struct rig *rig)
{
	struct tls_keys keys;
	MUST(tls_session_keys(rig->server, &keys));
	MUST(record_init(&rig->records, &keys));
	bytes_wipe(&keys, sizeof keys);
}

bool rig_hears(struct rig *rig, const char *text)
{
	struct bytes plain;
	enum record_reason reason;
	size_t size;
	if (rig->up.count == 0)
		return false;
	struct bytes copy = exact_copy(rig->up.pieces[0], rig->up.sizes[0]);
	enum record_verdict verdict = record_open(&rig->records, (uint8_t *)copy.data, copy.size, &plain, &size, &reason);
	bool heard = verdict == RECORD_DATA && bytes_equal(plain, bytes_of_string(text)) && size == copy.size;
	exact_copy_free(copy);
	drop_first(&rig->up);
	return heard;
}

bool rig_talks(struct rig *rig)
{
	uint8_t memory[256];
	char heard[64];
	for (unsigned i = 0; i < 3; i++) {
		rig_drop(&rig->up);
		if (SSL_write(rig->client, "question", 8) != 8 || !rig_hears(rig, "question"))
			return false;
		uint8_t *plain = memory + rig->records.head_size;
		memcpy(plain, "the answer", 10);
		rig_append(&rig->down, bytes_of(memory, record_seal(&rig->records, plain, 10)));
		if (SSL_read(rig->client, heard, sizeof heard) != 10 || memcmp(heard, "the answer", 10) != 0)
			return false;
	}
	return true;
}
