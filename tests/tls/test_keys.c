#include "tls/keys.h"

#include <criterion/criterion.h>
#include <mbedtls/hkdf.h>

#include "record_rig.h"

static struct tls_direction_keys from_hex(const char *secret)
{
	struct tls_direction_keys d = {.sequence = 7};
	rig_hex(secret, d.secret, sizeof d.secret);
	return d;
}

static void expect_hex(const uint8_t *bytes, const char *text)
{
	uint8_t expected[64];
	size_t size = rig_hex(text, expected, sizeof expected);
	cr_expect(bytes_equal(bytes_of(bytes, size), bytes_of(expected, size)), "not %s", text);
}

Test(keys, of_application_data_are_those_of_rfc_8448_section_3)
{
	struct tls_direction_keys client = from_hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5");
	struct tls_direction_keys server = from_hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643");
	cr_assert(tls_keys_from_secret(AEAD_AES_128_GCM, TLS_HASH_SHA256, &client));
	cr_assert(tls_keys_from_secret(AEAD_AES_128_GCM, TLS_HASH_SHA256, &server));
	expect_hex(client.key, "17422dda596ed5d9acd890e3c63f5051");
	expect_hex(client.iv, "5b78923dee08579033e523d9");
	expect_hex(server.key, "9f02283b6c9c07efc26bb9f2ac92e356");
	expect_hex(server.iv, "cf782b88dd83549aadf1e984");
	cr_expect_eq(client.sequence, 7, "only a key update starts the numbers anew");
}

Test(keys, of_the_handshake_are_those_of_rfc_8448_section_3)
{
	struct tls_direction_keys server = from_hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
	cr_assert(tls_keys_from_secret(AEAD_AES_128_GCM, TLS_HASH_SHA256, &server));
	expect_hex(server.key, "3fce516009c21727d0f2e4e86ee403bc");
	expect_hex(server.iv, "5d313eb2671276ee13000b30");
}

/* RFC 8446 Section 7.1 by mbedTLS. */
static void expand(enum tls_hash hash, const uint8_t *secret, const char *label, size_t size, uint8_t *ret_out)
{
	mbedtls_md_type_t type = hash == TLS_HASH_SHA384 ? MBEDTLS_MD_SHA384 : MBEDTLS_MD_SHA256;
	uint8_t info[64] = {0, (uint8_t)size, (uint8_t)(6 + strlen(label))};
	memcpy(info + 3, "tls13 ", 6);
	memcpy(info + 9, label, strlen(label));
	size_t info_size = 3 + 6 + strlen(label) + 1;
	cr_assert_eq(mbedtls_hkdf_expand(mbedtls_md_info_from_type(type), secret, hash == TLS_HASH_SHA384 ? 48 : 32, info,
			     info_size, ret_out, size),
		0);
}

static void chain(enum aead_kind aead, enum tls_hash hash)
{
	struct tls_direction_keys ours = {.sequence = 99};
	uint8_t secret[TLS_SECRET_SIZE_MAX], expected[TLS_SECRET_SIZE_MAX];
	size_t secret_size = hash == TLS_HASH_SHA384 ? 48 : 32;
	for (size_t i = 0; i < secret_size; i++)
		ours.secret[i] = secret[i] = (uint8_t)(3 * i + aead);
	for (unsigned generation = 0; generation < 5; generation++) {
		cr_assert(tls_keys_next_generation(aead, hash, &ours));
		expand(hash, secret, "traffic upd", secret_size, expected);
		memcpy(secret, expected, secret_size);
		cr_expect(bytes_equal(bytes_of(ours.secret, secret_size), bytes_of(secret, secret_size)));
		expand(hash, secret, "key", aead_key_size(aead), expected);
		cr_expect(bytes_equal(bytes_of(ours.key, aead_key_size(aead)), bytes_of(expected, aead_key_size(aead))));
		expand(hash, secret, "iv", AEAD_NONCE_SIZE, expected);
		cr_expect(bytes_equal(bytes_of(ours.iv, AEAD_NONCE_SIZE), bytes_of(expected, AEAD_NONCE_SIZE)));
		cr_expect_eq(ours.sequence, 0);
		ours.sequence = 5;
	}
}

Test(keys, of_later_generations_are_those_that_mbedtls_derives)
{
	chain(AEAD_AES_128_GCM, TLS_HASH_SHA256);
	chain(AEAD_AES_256_GCM, TLS_HASH_SHA384);
	chain(AEAD_CHACHA20_POLY1305, TLS_HASH_SHA256);
}
