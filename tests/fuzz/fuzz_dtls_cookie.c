/*
 * fuzz_dtls_cookie - a stranger's datagrams before there is a session: whatever the bytes are, the answer is no larger than the
 * question, asks for a cookie that is then accepted from the same address, and from no other.
 */
#include "exact_copy.h"
#include "fuzz_rig.h"
#include "tls/dtls_cookie.h"

enum { NOW_S = 1700000000, SESSION_SIZE_AT = 13 + 12 + 34, ROOM = 2048, MESSAGE_NUMBER_AT = 13 + 5 };

static const uint8_t key[DTLS_COOKIE_KEY_SIZE] = "fuzz";

static enum dtls_hello check(const struct addr *client, const uint8_t *data, size_t size, uint8_t *ret_answer, size_t *ret_size)
{
	struct bytes copy = exact_copy(data, size);
	*ret_size = 0;
	enum dtls_hello hello = dtls_cookie_check(key, client, copy, NOW_S, ret_answer, ret_size);
	exact_copy_free(copy);
	FUZZ_CHECK(*ret_size <= DTLS_HELLO_VERIFY_SIZE_MAX && *ret_size <= size);
	FUZZ_CHECK((hello == DTLS_HELLO_VERIFY) == (*ret_size > 0));
	return hello;
}

static void add(uint8_t *length, unsigned size, size_t more)
{
	for (unsigned i = size; i-- > 0; more >>= 8) {
		more += length[i];
		length[i] = (uint8_t)more;
	}
}

/* The question as it is asked again with the cookie of the answer. */
static size_t repeat(const uint8_t *data, size_t size, const uint8_t *cookie, uint8_t again[static ROOM])
{
	size_t at = SESSION_SIZE_AT + 1 + data[SESSION_SIZE_AT], old = data[at];
	FUZZ_CHECK(at + 1 + old <= size);
	memcpy(again, data, at);
	again[at] = DTLS_COOKIE_SIZE;
	memcpy(again + at + 1, cookie, DTLS_COOKIE_SIZE);
	memcpy(again + at + 1 + DTLS_COOKIE_SIZE, data + at + 1 + old, size - at - 1 - old);
	size_t more = DTLS_COOKIE_SIZE - old;
	add(again + 11, 2, more);
	add(again + 14, 3, more);
	add(again + 22, 3, more);
	again[MESSAGE_NUMBER_AT] = 1;
	return size + more;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t again[ROOM];
	uint8_t answer[DTLS_HELLO_VERIFY_SIZE_MAX], unused[DTLS_HELLO_VERIFY_SIZE_MAX];
	size_t answer_size;
	struct addr client = addr_ipv4(192, 0, 2, 1, 1), other = addr_ipv4(192, 0, 2, 1, 2);
	if (size > ROOM - DTLS_COOKIE_SIZE)
		return 0;
	enum dtls_hello hello = check(&client, data, size, answer, &answer_size);
	FUZZ_CHECK(hello != DTLS_HELLO_VALID); /* nobody knows the key */
	if (hello != DTLS_HELLO_VERIFY)
		return 0;
	size_t again_size = repeat(data, size, answer + answer_size - DTLS_COOKIE_SIZE, again);
	/* One that has hardly fitted may not fit any more. */
	hello = check(&client, again, again_size, answer, &answer_size);
	FUZZ_CHECK(hello == DTLS_HELLO_VALID || (hello == DTLS_HELLO_NONE && again_size > size));
	FUZZ_CHECK(check(&other, again, again_size, unused, &answer_size) != DTLS_HELLO_VALID);
	return 0;
}
