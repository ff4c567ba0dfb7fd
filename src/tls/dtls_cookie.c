#include "tls/dtls_cookie.h"

#include "crypto/mac.h"
#include "wire/cursor.h"

enum {
	CONTENT_HANDSHAKE = 22,
	VERSION_MAJOR = 0xfe,
	VERSION_DTLS_1_0 = 0xfeff,
	CLIENT_HELLO = 1,
	HELLO_VERIFY_REQUEST = 3,
	SEQUENCE_SIZE = 8, /* epoch and sequence number */
	VERSION_AND_RANDOM_SIZE = 2 + 32,
	SESSION_ID_SIZE_MAX = 32,
	CLIENT_HELLO_SIZE_MAX = 16384,
	MINUTE_S = 60,
	ANSWER_BODY_SIZE = 2 + 1 + DTLS_COOKIE_SIZE,
};

struct hello {
	struct bytes sequence; /* the record's, with its epoch */
	uint16_t number;       /* the message's */
	struct bytes version_and_random, session_id, cookie;
};

static uint32_t read_u24(struct reader *r)
{
	uint32_t high = reader_u8(r);
	return high << 16 | reader_u16(r);
}

/* RFC 6347 Section 4.1: the first record of the datagram. */
static struct bytes parse_record(struct bytes datagram, struct hello *hello)
{
	struct reader r = reader_of(datagram);
	uint8_t type = reader_u8(&r), major = reader_u8(&r);
	reader_u8(&r);
	hello->sequence = reader_bytes(&r, SEQUENCE_SIZE);
	struct bytes body = reader_bytes(&r, reader_u16(&r));
	bool good = !r.failed && type == CONTENT_HANDSHAKE && major == VERSION_MAJOR && hello->sequence.data[0] == 0 &&
		    hello->sequence.data[1] == 0;
	return good ? body : bytes_of(NULL, 0);
}

/* RFC 6347 Section 4.2.2: one message, or its beginning, fills the record. */
static struct bytes parse_message(struct bytes body, struct hello *hello)
{
	struct reader r = reader_of(body);
	uint8_t type = reader_u8(&r);
	uint32_t size = read_u24(&r);
	hello->number = reader_u16(&r);
	uint32_t offset = read_u24(&r), fragment_size = read_u24(&r);
	struct bytes fragment = reader_bytes(&r, fragment_size);
	bool good =
		reader_done(&r) && type == CLIENT_HELLO && offset == 0 && fragment_size <= size && size <= CLIENT_HELLO_SIZE_MAX;
	return good ? fragment : bytes_of(NULL, 0);
}

/* RFC 6347 Section 4.2.1. What follows the cookie is libssl's to judge. */
static bool parse_hello(struct bytes datagram, struct hello *ret_hello)
{
	struct reader r = reader_of(parse_message(parse_record(datagram, ret_hello), ret_hello));
	ret_hello->version_and_random = reader_bytes(&r, VERSION_AND_RANDOM_SIZE);
	ret_hello->session_id = reader_bytes(&r, reader_u8(&r));
	ret_hello->cookie = reader_bytes(&r, reader_u8(&r));
	return !r.failed && ret_hello->version_and_random.data[0] == VERSION_MAJOR &&
	       ret_hello->session_id.size <= SESSION_ID_SIZE_MAX;
}

static void make_cookie(const uint8_t key[static DTLS_COOKIE_KEY_SIZE], const struct addr *client, const struct hello *hello,
	uint64_t minute, uint8_t ret_cookie[static DTLS_COOKIE_SIZE])
{
	uint8_t mac[SHA256_SIZE];
	/* Only the last has no fixed size. */
	const struct bytes parts[] = {
		bytes_of(&minute, sizeof minute), bytes_of(client, sizeof *client), hello->version_and_random, hello->session_id};
	_Static_assert((int)DTLS_COOKIE_SIZE <= (int)SHA256_SIZE, "a MAC cut short");
	hmac_sha256_parts(bytes_of(key, DTLS_COOKIE_KEY_SIZE), parts, sizeof parts / sizeof *parts, mac);
	memcpy(ret_cookie, mac, DTLS_COOKIE_SIZE);
}

static bool is_cookie(struct bytes cookie, const uint8_t expected[static DTLS_COOKIE_SIZE])
{
	return cookie.size == DTLS_COOKIE_SIZE && bytes_equal_constant_time(cookie.data, expected, DTLS_COOKIE_SIZE);
}

static void write_u24(struct writer *w, uint32_t value)
{
	writer_u8(w, (uint8_t)(value >> 16));
	writer_u16(w, (uint16_t)value);
}

/* RFC 6347 Section 4.2.1: version DTLS 1.0 whatever is negotiated later, and the sequence number of the ClientHello's record. */
static size_t write_answer(const struct hello *hello, const uint8_t cookie[static DTLS_COOKIE_SIZE],
	uint8_t ret_answer[static DTLS_HELLO_VERIFY_SIZE_MAX])
{
	struct writer w = writer_of(ret_answer, DTLS_HELLO_VERIFY_SIZE_MAX);
	writer_u8(&w, CONTENT_HANDSHAKE);
	writer_u16(&w, VERSION_DTLS_1_0);
	writer_bytes(&w, hello->sequence);
	size_t length_at = writer_size(&w);
	writer_u16(&w, 0);
	size_t start = writer_size(&w);
	writer_u8(&w, HELLO_VERIFY_REQUEST);
	write_u24(&w, ANSWER_BODY_SIZE);
	writer_u16(&w, 0); /* the message's number */
	write_u24(&w, 0);  /* its fragment's offset */
	write_u24(&w, ANSWER_BODY_SIZE);
	writer_u16(&w, VERSION_DTLS_1_0);
	writer_u8(&w, DTLS_COOKIE_SIZE);
	writer_bytes(&w, bytes_of(cookie, DTLS_COOKIE_SIZE));
	writer_patch_u16(&w, length_at, (uint16_t)(writer_size(&w) - start));
	return writer_size(&w);
}

enum dtls_hello dtls_cookie_check(const uint8_t key[static DTLS_COOKIE_KEY_SIZE], const struct addr *client, struct bytes datagram,
	uint64_t now_s, uint8_t ret_answer[static DTLS_HELLO_VERIFY_SIZE_MAX], size_t *ret_size)
{
	struct hello hello;
	uint8_t cookie[DTLS_COOKIE_SIZE], before[DTLS_COOKIE_SIZE];
	/* Message 0 asks for a cookie, 1 brings it. libssl has no way to go on from a later one. */
	if (!parse_hello(datagram, &hello) || hello.number > 1)
		return DTLS_HELLO_NONE;
	uint64_t minute = now_s / MINUTE_S;
	make_cookie(key, client, &hello, minute, cookie);
	if (hello.number == 1 && hello.cookie.size == DTLS_COOKIE_SIZE) {
		make_cookie(key, client, &hello, minute - 1, before);
		if (is_cookie(hello.cookie, cookie) || is_cookie(hello.cookie, before))
			return DTLS_HELLO_VALID;
	}
	*ret_size = write_answer(&hello, cookie, ret_answer);
	return DTLS_HELLO_VERIFY;
}
