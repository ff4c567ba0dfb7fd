#include "crypto/mac.h"

#include <criterion/criterion.h>
#include <stdio.h>

static void to_hex(const uint8_t *bytes, size_t size, char *ret_text)
{
	for (size_t i = 0; i < size; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
}

static struct bytes repeated(uint8_t *buffer, uint8_t value, size_t size)
{
	memset(buffer, value, size);
	return bytes_of(buffer, size);
}

Test(mac, md5_gives_the_digests_of_rfc_1321)
{
	static const struct {
		const char *text, *digest;
	} cases[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
			"57edf4a22be3c955ac49da2e2107b67a"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t digest[MD5_SIZE];
		char hex[2 * MD5_SIZE + 1];
		md5(bytes_of_string(cases[i].text), digest);
		to_hex(digest, sizeof digest, hex);
		cr_expect_str_eq(hex, cases[i].digest, "md5(\"%s\")", cases[i].text);
	}
}

struct hmac_case {
	uint8_t key_byte;
	size_t key_size;
	const char *key, *data;
	uint8_t data_byte;
	size_t data_size;
	const char *sha1, *sha256;
};

/* RFC 2202 Section 3 (SHA-1) and RFC 4231 Section 4 (SHA-256); a missing MAC: that RFC has no such case. */
static const struct hmac_case hmac_cases[] = {
	{.key_byte = 0x0b,
		.key_size = 20,
		.data = "Hi There",
		.sha1 = "b617318655057264e28bc0b6fb378c8ef146be00",
		.sha256 = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{.key = "Jefe",
		.data = "what do ya want for nothing?",
		.sha1 = "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		.sha256 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{.key_byte = 0xaa,
		.key_size = 20,
		.data_byte = 0xdd,
		.data_size = 50,
		.sha1 = "125d7342b9ac11cd91a39af48aa17b4f63f175d3",
		.sha256 = "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{.key_byte = 0xaa,
		.key_size = 80,
		.data = "Test Using Larger Than Block-Size Key - Hash Key First",
		.sha1 = "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
	{.key_byte = 0xaa,
		.key_size = 131,
		.data = "Test Using Larger Than Block-Size Key - Hash Key First",
		.sha256 = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

Test(mac, hmac_gives_the_macs_of_rfc_2202_and_rfc_4231)
{
	for (size_t i = 0; i < sizeof hmac_cases / sizeof *hmac_cases; i++) {
		const struct hmac_case *c = &hmac_cases[i];
		uint8_t key_buffer[131], data_buffer[50], mac[SHA256_SIZE];
		char hex[2 * SHA256_SIZE + 1];
		struct bytes key = c->key ? bytes_of_string(c->key) : repeated(key_buffer, c->key_byte, c->key_size);
		struct bytes data = c->data ? bytes_of_string(c->data) : repeated(data_buffer, c->data_byte, c->data_size);
		if (c->sha1) {
			hmac_sha1(key, data, mac);
			to_hex(mac, SHA1_SIZE, hex);
			cr_expect_str_eq(hex, c->sha1, "case %zu", i);
		}
		if (c->sha256) {
			hmac_sha256(key, data, mac);
			to_hex(mac, SHA256_SIZE, hex);
			cr_expect_str_eq(hex, c->sha256, "case %zu", i);
		}
	}
}

Test(mac, parts_are_hashed_as_one_run_wherever_it_is_cut)
{
	static const char text[] = "a text longer than one block of sixty-four bytes, so that cuts fall on both sides of it";
	struct bytes key = bytes_of_string("key"), whole = bytes_of_string(text);
	uint8_t sha1_whole[SHA1_SIZE], sha256_whole[SHA256_SIZE], md5_whole[MD5_SIZE], mac[SHA256_SIZE];
	hmac_sha1(key, whole, sha1_whole);
	hmac_sha256(key, whole, sha256_whole);
	md5(whole, md5_whole);
	for (size_t cut = 0; cut <= whole.size; cut++) {
		struct bytes parts[] = {bytes_of(text, cut), bytes_of(NULL, 0), bytes_of(text + cut, whole.size - cut)};
		hmac_sha1_parts(key, parts, 3, mac);
		cr_expect_arr_eq(mac, sha1_whole, SHA1_SIZE, "SHA-1 cut at %zu", cut);
		hmac_sha256_parts(key, parts, 3, mac);
		cr_expect_arr_eq(mac, sha256_whole, SHA256_SIZE, "SHA-256 cut at %zu", cut);
		md5_parts(parts, 3, mac);
		cr_expect_arr_eq(mac, md5_whole, MD5_SIZE, "MD5 cut at %zu", cut);
	}
}

Test(mac, an_empty_key_is_a_key)
{
	uint8_t mac[SHA1_SIZE];
	char hex[2 * SHA1_SIZE + 1];
	hmac_sha1(bytes_of(NULL, 0), bytes_of(NULL, 0), mac);
	to_hex(mac, sizeof mac, hex);
	cr_assert_str_eq(hex, "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d");
}
