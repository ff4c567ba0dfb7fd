#include "tls/dtls_cookie.h"

#include <criterion/criterion.h>

#include "exact_copy.h"

static const uint8_t key[DTLS_COOKIE_KEY_SIZE] = "key of these tests";
static const uint64_t now_s = 1700000040;

enum { ROOM = 512, HEADERS = 13 + 12 };

/* What a ClientHello is made of. */
struct hello {
	uint8_t type, major, epoch, message, version;
	uint16_t number;
	uint32_t offset, cut; /* bytes that stand in later fragments */
	uint8_t random, session_size;
	struct bytes cookie;
	size_t rest; /* bytes behind the cookie */
};
static const struct hello good = {.type = 22, .major = 0xfe, .message = 1, .version = 0xfe, .random = 7, .rest = 40};

static size_t put(uint8_t *out, size_t at, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		out[at + i] = (uint8_t)(value >> 8 * (size - 1 - i));
	return at + size;
}

static size_t build(const struct hello *h, uint8_t out[static ROOM])
{
	uint32_t body = (uint32_t)(34 + 1 + h->session_size + 1 + h->cookie.size + h->rest);
	size_t at = put(out, 0, h->type, 1);
	at = put(out, at, (uint32_t)h->major << 8 | 0xff, 2);
	at = put(out, at, h->epoch, 2);
	at = put(out, at, 0, 2);
	at = put(out, at, 0x01020304, 4);
	at = put(out, at, 12 + body, 2);
	at = put(out, at, h->message, 1);
	at = put(out, at, body + h->cut, 3);
	at = put(out, at, h->number, 2);
	at = put(out, at, h->offset, 3);
	at = put(out, at, body, 3);
	at = put(out, at, (uint32_t)h->version << 8 | 0xfd, 2);
	memset(out + at, h->random, 32);
	at = put(out, at + 32, h->session_size, 1);
	memset(out + at, 0x55, h->session_size);
	at = put(out, at + h->session_size, (uint32_t)h->cookie.size, 1);
	if (h->cookie.size > 0)
		memcpy(out + at, h->cookie.data, h->cookie.size);
	memset(out + at + h->cookie.size, 0, h->rest);
	return at + h->cookie.size + h->rest;
}

struct verdict {
	enum dtls_hello hello;
	uint8_t answer[DTLS_HELLO_VERIFY_SIZE_MAX];
	size_t size;
};

static struct verdict check_bytes(const uint8_t *data, size_t size, const struct addr *client, uint64_t at_s)
{
	struct verdict v = {0};
	struct bytes copy = exact_copy(data, size);
	v.hello = dtls_cookie_check(key, client, copy, at_s, v.answer, &v.size);
	exact_copy_free(copy);
	if (v.hello == DTLS_HELLO_VERIFY)
		cr_expect_leq(v.size, size, "an answer larger than the question amplifies");
	return v;
}

static struct verdict check_at(const struct hello *h, const struct addr *client, uint64_t at_s)
{
	uint8_t datagram[ROOM];
	return check_bytes(datagram, build(h, datagram), client, at_s);
}

static struct addr client(void)
{
	return addr_ipv4(192, 0, 2, 9, 40000);
}

static struct verdict check(const struct hello *h)
{
	struct addr from = client();
	return check_at(h, &from, now_s);
}

static struct bytes cookie_in(const struct verdict *v)
{
	cr_assert_eq(v->hello, DTLS_HELLO_VERIFY);
	cr_assert_eq(v->size, HEADERS + 3 + DTLS_COOKIE_SIZE);
	return bytes_of(v->answer + HEADERS + 3, DTLS_COOKIE_SIZE);
}

Test(dtls_cookie, asks_a_client_without_a_cookie_for_one)
{
	static const uint8_t head[HEADERS + 3] = {
		22, 0xfe, 0xff, 0, 0, 0, 0, 1, 2, 3, 4, 0, 12 + 23, 3, 0, 0, 23, 0, 0, 0, 0, 0, 0, 0, 23, 0xfe, 0xff, 20};
	struct verdict v = check(&good);
	cr_assert_eq(v.hello, DTLS_HELLO_VERIFY);
	cr_expect_eq(v.size, sizeof head + DTLS_COOKIE_SIZE);
	cr_expect(bytes_equal(bytes_of(v.answer, sizeof head), bytes_of(head, sizeof head)));
}

/* The second ClientHello to the answer of the first. */
static struct hello with_cookie(const struct hello *first, const struct verdict *v)
{
	struct hello second = *first;
	second.number = 1;
	second.cookie = cookie_in(v);
	return second;
}

Test(dtls_cookie, takes_its_own_cookie_for_one_to_two_minutes)
{
	struct addr from = client();
	struct verdict v = check(&good);
	struct hello second = with_cookie(&good, &v);
	cr_expect_eq(check(&second).hello, DTLS_HELLO_VALID);
	cr_expect_eq(check_at(&second, &from, now_s + 60).hello, DTLS_HELLO_VALID);
	cr_expect_eq(check_at(&second, &from, now_s + 120).hello, DTLS_HELLO_VERIFY);
	cr_expect_eq(check_at(&second, &from, now_s - 60).hello, DTLS_HELLO_VERIFY, "of the future");
}

Test(dtls_cookie, refuses_a_cookie_of_another_client_or_hello)
{
	struct verdict v = check(&good);
	struct hello second = with_cookie(&good, &v), other = second;
	struct addr from = client(), elsewhere = addr_ipv4(192, 0, 2, 10, 40000), port = addr_with_port(from, 40001);
	cr_expect_eq(check_at(&second, &elsewhere, now_s).hello, DTLS_HELLO_VERIFY);
	cr_expect_eq(check_at(&second, &port, now_s).hello, DTLS_HELLO_VERIFY);
	other.random = 8;
	cr_expect_eq(check(&other).hello, DTLS_HELLO_VERIFY);
	other = second;
	other.session_size = 32;
	cr_expect_eq(check(&other).hello, DTLS_HELLO_VERIFY);
	uint8_t tampered[DTLS_COOKIE_SIZE];
	memcpy(tampered, second.cookie.data, sizeof tampered);
	tampered[19] ^= 1;
	other = second;
	other.cookie = bytes_of(tampered, sizeof tampered);
	cr_expect_eq(check(&other).hello, DTLS_HELLO_VERIFY);
	other.cookie = bytes_of(second.cookie.data, DTLS_COOKIE_SIZE - 1);
	cr_expect_eq(check(&other).hello, DTLS_HELLO_VERIFY);
}

Test(dtls_cookie, answers_and_takes_the_first_fragment)
{
	struct hello fragment = good;
	fragment.cut = 1500;
	struct verdict v = check(&fragment);
	struct hello second = with_cookie(&fragment, &v);
	cr_expect_eq(check(&second).hello, DTLS_HELLO_VALID);
	second.cut -= DTLS_COOKIE_SIZE; /* the fragments are cut elsewhere the second time */
	second.rest = 0;
	cr_expect_eq(check(&second).hello, DTLS_HELLO_VALID);
	second.offset = 100;
	cr_expect_eq(check(&second).hello, DTLS_HELLO_NONE);
}

Test(dtls_cookie, takes_a_resumed_session_s_hello)
{
	struct hello hello = good;
	hello.session_size = 32;
	struct verdict v = check(&hello);
	struct hello second = with_cookie(&hello, &v);
	cr_expect_eq(check(&second).hello, DTLS_HELLO_VALID);
	hello.session_size = 33;
	cr_expect_eq(check(&hello).hello, DTLS_HELLO_NONE);
}

Test(dtls_cookie, takes_a_cookie_in_the_second_message_only)
{
	struct verdict v = check(&good);
	struct hello hello = with_cookie(&good, &v);
	hello.number = 0;
	cr_expect_eq(check(&hello).hello, DTLS_HELLO_VERIFY);
	hello.number = 2;
	cr_expect_eq(check(&hello).hello, DTLS_HELLO_NONE);
}

Test(dtls_cookie, drops_what_is_no_client_hello)
{
	struct hello h = good;
	h.type = 23;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
	h = good;
	h.major = 3;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
	h = good;
	h.epoch = 1;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
	h = good;
	h.message = 2;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
	h = good;
	h.version = 3;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
	h = good;
	h.cut = 16384;
	cr_expect_eq(check(&h).hello, DTLS_HELLO_NONE);
}

Test(dtls_cookie, drops_a_hello_that_was_cut)
{
	uint8_t datagram[ROOM];
	struct addr from = client();
	size_t size = build(&good, datagram);
	for (size_t cut = 0; cut < size; cut++)
		cr_expect_eq(check_bytes(datagram, cut, &from, now_s).hello, DTLS_HELLO_NONE, "%zu bytes", cut);
	/* A second record is nobody's business here. */
	cr_expect_eq(check_bytes(datagram, size + 5, &from, now_s).hello, DTLS_HELLO_VERIFY);
}

Test(dtls_cookie, drops_a_hello_whose_lengths_contradict_each_other)
{
	uint8_t datagram[ROOM], changed[ROOM];
	struct addr from = client();
	size_t size = build(&good, datagram);
	static const size_t lengths[] = {12, 24}; /* of the record, of the fragment: their last bytes */
	for (size_t i = 0; i < 2; i++)
		for (unsigned delta = 1; delta < 3; delta++) {
			memcpy(changed, datagram, size);
			changed[lengths[i]] = (uint8_t)(changed[lengths[i]] - delta);
			cr_expect_eq(check_bytes(changed, size, &from, now_s).hello, DTLS_HELLO_NONE);
		}
}
