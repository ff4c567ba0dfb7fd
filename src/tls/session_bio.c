/*
 * libssl reads exactly what it wants, and so nothing beyond the handshake's last record is taken from the input. What it
 * writes has gone through a buffer of its own, which makes datagrams of a flight's records within the MTU that it was told.
 */
#include <assert.h>
#include <stdlib.h>

#include "session_private.h"
#include "wire/cursor.h"

enum { FLIGHT_ROOM_MIN = 2048, TLS_HEADER_SIZE = 5, DTLS_HEADER_SIZE = 13, DTLS_EPOCH_OFFSET = 3, DTLS_LENGTH_OFFSET = 11 };
enum { EXPLICIT_NONCE_SIZE = 8 };

static bool is_datagram(const struct tls_session *session)
{
	return SSL_is_dtls(session->ssl) == 1;
}

/* One record at a time, as if each had come alone: DTLSv1_listen forgets what follows the first record that it reads, and what
 * follows the handshake's last record belongs to the record layer. */
static size_t first_record_size(struct bytes datagram)
{
	struct reader r = reader_of(datagram);
	reader_bytes(&r, DTLS_LENGTH_OFFSET);
	size_t size = DTLS_HEADER_SIZE + (size_t)reader_u16(&r);
	return r.failed || size > datagram.size ? datagram.size : size;
}

/* RFC 6347 Section 4.1.2.7: invalid records are dropped. libssl gives the handshake up at one that is shorter than its seal. */
static bool is_too_short(const struct tls_session *session, struct bytes record)
{
	struct reader r = reader_of(record);
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(session->ssl);
	bool chacha = cipher != NULL && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
	size_t overhead = AEAD_TAG_SIZE + (chacha ? 0 : EXPLICIT_NONCE_SIZE);
	reader_bytes(&r, DTLS_EPOCH_OFFSET);
	uint16_t epoch = reader_u16(&r);
	return !r.failed && epoch > 0 && record.size < DTLS_HEADER_SIZE + overhead;
}

static void drop_short_records(struct tls_session *session)
{
	struct bytes *input = &session->input;
	size_t size = first_record_size(*input);
	while (size > 0 && is_too_short(session, bytes_of(input->data, size))) {
		*input = bytes_of(input->data + size, input->size - size);
		size = first_record_size(*input);
	}
}

static int read_input(BIO *bio, char *out, int room)
{
	struct tls_session *session = BIO_get_data(bio);
	struct bytes *input = &session->input;
	if (is_datagram(session))
		drop_short_records(session);
	size_t size = is_datagram(session) ? first_record_size(*input) : input->size, copied = size;
	BIO_clear_retry_flags(bio);
	if (size == 0 || room <= 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	if (copied > (size_t)room)
		copied = (size_t)room;
	if (!is_datagram(session))
		size = copied;
	memcpy(out, input->data, copied);
	*input = bytes_of(input->data + size, input->size - size);
	return (int)copied;
}

static bool append(struct tls_session *session, struct bytes bytes)
{
	size_t needed = session->flight_size + bytes.size;
	if (needed > session->flight_room) {
		size_t room = needed + FLIGHT_ROOM_MIN;
		uint8_t *flight = realloc(session->flight, room);
		if (flight == NULL)
			return false;
		session->flight = flight;
		session->flight_room = room;
	}
	memcpy(session->flight + session->flight_size, bytes.data, bytes.size);
	session->flight_size = needed;
	return true;
}

static int write_output(BIO *bio, const char *data, int size)
{
	struct tls_session *session = BIO_get_data(bio);
	struct bytes bytes = bytes_of(data, size > 0 ? (size_t)size : 0);
	BIO_clear_retry_flags(bio);
	if (session->sink == NULL || bytes.size == 0)
		return size;
	if (!is_datagram(session))
		return append(session, bytes) ? size : -1;
	session->sink->send(session->sink->context, bytes);
	return size;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio, (void)number, (void)pointer;
	return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *session_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "uturn session");
	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, read_input);
	BIO_meth_set_write(method, write_output);
	BIO_meth_set_ctrl(method, control);
	return method;
}

static uint64_t count_records(struct bytes flight)
{
	struct reader r = reader_of(flight);
	uint64_t count = 0;
	while (reader_left(&r) > 0 && !r.failed) {
		reader_bytes(&r, TLS_HEADER_SIZE - 2);
		reader_bytes(&r, reader_u16(&r));
		count++;
	}
	assert(!r.failed);
	return count;
}

void session_flush(struct tls_session *session)
{
	struct bytes flight = bytes_of(session->flight, session->flight_size);
	if (session->at_end)
		session->written += count_records(flight);
	if (flight.size > 0)
		session->sink->send(session->sink->context, flight);
	free(session->flight);
	session->flight = NULL;
	session->flight_size = session->flight_room = 0;
}
