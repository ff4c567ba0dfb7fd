#include "tls/aead.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>

#include "record_rig.h"

enum { SIZE_MAX_HERE = 16384 + AEAD_TAG_SIZE };

struct vector {
	enum aead_kind kind;
	const char *key, *nonce, *additional, *plain, *sealed, *tag;
};

#define ZEROS_16 "00000000000000000000000000000000"
#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_PLAIN                                                                                                                  \
	"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"                                                         \
	"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"

/* McGrew and Viega, "The Galois/Counter Mode of Operation", Appendix B: cases 1, 2, 4, 13, 14, 16; RFC 8439 Section 2.8.2. */
static const struct vector vectors[] = {
	{AEAD_AES_128_GCM, ZEROS_16, "000000000000000000000000", "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"},
	{AEAD_AES_128_GCM, ZEROS_16, "000000000000000000000000", "", ZEROS_16, "0388dace60b6a392f328c2b971b2fe78",
		"ab6e47d42cec13bdf53a67b21257bddf"},
	{AEAD_AES_128_GCM, GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", GCM_PLAIN,
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
		"5bc94fbc3221a5db94fae95ae7121a47"},
	{AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{AEAD_AES_256_GCM, ZEROS_16 ZEROS_16, "000000000000000000000000", "", ZEROS_16, "cea7403d4d606b6e074ec5d3baf39d18",
		"d0d1c8a799996bf0265b98b5d48ab919"},
	{AEAD_AES_256_GCM, GCM_KEY GCM_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", GCM_PLAIN,
		"522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
		"8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
		"76fc6ece0f4e1768cddf8853bb2d551b"},
	{AEAD_CHACHA20_POLY1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f", "070000004041424344454647",
		"50515253c0c1c2c3c4c5c6c7",
		"4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
		"73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
		"6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
		"637265656e20776f756c642062652069742e",
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
		"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
		"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
		"3ff4def08e4b7a9de576d26586cec64b6116",
		"1ae10b594f09e26a7e902ecbd0600691"},
};

struct case_bytes {
	uint8_t key[32], nonce[12], additional[32], plain[128], sealed[128], tag[16];
	size_t additional_size, size;
};

static struct case_bytes bytes_of_case(const struct vector *v)
{
	struct case_bytes c = {0};
	rig_hex(v->key, c.key, sizeof c.key);
	rig_hex(v->nonce, c.nonce, sizeof c.nonce);
	rig_hex(v->tag, c.tag, sizeof c.tag);
	c.additional_size = rig_hex(v->additional, c.additional, sizeof c.additional);
	c.size = rig_hex(v->plain, c.plain, sizeof c.plain);
	cr_assert_eq(rig_hex(v->sealed, c.sealed, sizeof c.sealed), c.size);
	return c;
}

Test(aead, gives_the_published_results)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct case_bytes c = bytes_of_case(&vectors[i]);
		struct aead *seal = aead_create(vectors[i].kind, AEAD_SEAL, c.key);
		struct aead *open = aead_create(vectors[i].kind, AEAD_OPEN, c.key);
		struct bytes data = exact_copy(c.plain, c.size), tag = exact_copy(c.tag, sizeof c.tag);
		struct bytes additional = exact_copy(c.additional, c.additional_size);
		for (unsigned round = 0; round < 2; round++) { /* the first use of a context must not differ from the next */
			memset((uint8_t *)tag.data, 0, tag.size);
			aead_seal(seal, c.nonce, additional, (uint8_t *)data.data, data.size, (uint8_t *)tag.data);
			cr_expect(bytes_equal(data, bytes_of(c.sealed, c.size)), "case %zu", i);
			cr_expect(bytes_equal(tag, bytes_of(c.tag, sizeof c.tag)), "case %zu", i);
			cr_expect(aead_open(open, c.nonce, additional, (uint8_t *)data.data, data.size, tag.data), "case %zu", i);
			cr_expect(bytes_equal(data, bytes_of(c.plain, c.size)), "case %zu", i);
		}
		exact_copy_free(data);
		exact_copy_free(tag);
		exact_copy_free(additional);
		aead_free(seal);
		aead_free(open);
	}
}

static bool opens(struct aead *open, const struct case_bytes *c)
{
	uint8_t data[128];
	memcpy(data, c->sealed, sizeof data);
	return aead_open(open, c->nonce, bytes_of(c->additional, c->additional_size), data, c->size, c->tag);
}

/* Each bit of `size` bytes at `field` (inside *c) turned over in its turn. */
static void refuses_each_bit(struct aead *open, struct case_bytes *c, uint8_t *field, size_t size, const char *what)
{
	for (size_t bit = 0; bit < 8 * size; bit++) {
		field[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect_not(opens(open, c), "%s, bit %zu", what, bit);
		field[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	cr_expect(opens(open, c), "a refusal must leave the key usable");
}

Test(aead, refuses_every_changed_bit_of_tag_nonce_additional_and_data)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct case_bytes c = bytes_of_case(&vectors[i]);
		struct aead *open = aead_create(vectors[i].kind, AEAD_OPEN, c.key);
		refuses_each_bit(open, &c, c.tag, sizeof c.tag, "tag");
		refuses_each_bit(open, &c, c.nonce, sizeof c.nonce, "nonce");
		refuses_each_bit(open, &c, c.additional, c.additional_size, "additional data");
		refuses_each_bit(open, &c, c.sealed, c.size, "data");
		aead_free(open);
	}
}

Test(aead, refuses_what_was_cut_or_shifted_and_well_known_wrong_tags)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct case_bytes c = bytes_of_case(&vectors[i]), wrong = c;
		struct aead *open = aead_create(vectors[i].kind, AEAD_OPEN, c.key);
		memset(wrong.tag, 0, sizeof wrong.tag);
		cr_expect_not(opens(open, &wrong));
		memset(wrong.tag, 0xff, sizeof wrong.tag);
		cr_expect_not(opens(open, &wrong));
		for (size_t size = 0; size < sizeof c.tag; size++) { /* a tag of which only the first bytes are right */
			memset(wrong.tag, 0, sizeof wrong.tag);
			memcpy(wrong.tag, c.tag, size);
			cr_expect_not(opens(open, &wrong), "%zu bytes of the tag", size);
		}
		wrong = c;
		for (wrong.size = 0; wrong.size < c.size; wrong.size++)
			cr_expect_not(opens(open, &wrong), "%zu bytes of the data", wrong.size);
		wrong = c;
		for (wrong.additional_size = 0; wrong.additional_size < c.additional_size; wrong.additional_size++)
			cr_expect_not(opens(open, &wrong), "%zu bytes of the additional data", wrong.additional_size);
		aead_free(open);
	}
}

Test(aead, refuses_under_another_key)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct case_bytes c = bytes_of_case(&vectors[i]);
		c.key[aead_key_size(vectors[i].kind) - 1] ^= 1;
		struct aead *open = aead_create(vectors[i].kind, AEAD_OPEN, c.key);
		cr_expect_not(opens(open, &c));
		aead_free(open);
	}
}

static const size_t sizes[] = {0, 1, 15, 16, 17, 63, 64, 65, 160, 161, 255, 256, 257, 1200, 1201, 4095, 16383, 16384};

static void agree_with_mbedtls(enum aead_kind kind, size_t size)
{
	static uint8_t plain[SIZE_MAX_HERE], theirs[SIZE_MAX_HERE];
	struct tls_keys keys = rig_keys(TLS_VERSION_1_2, kind);
	const uint8_t *key = keys.read.key, *nonce = keys.read.iv;
	struct bytes additional = bytes_of(keys.write.secret, size % 14);
	struct aead *seal = aead_create(kind, AEAD_SEAL, key), *open = aead_create(kind, AEAD_OPEN, key);
	for (size_t i = 0; i < size; i++)
		plain[i] = (uint8_t)(i * 31 + size);
	memcpy(theirs, plain, size);
	rig_seal_bytes(kind, key, nonce, additional, theirs, size);
	struct bytes ours = exact_copy(plain, size + AEAD_TAG_SIZE);
	uint8_t *data = (uint8_t *)ours.data;
	aead_seal(seal, nonce, additional, data, size, data + size);
	cr_expect(bytes_equal(ours, bytes_of(theirs, size + AEAD_TAG_SIZE)), "kind %d, %zu bytes", kind, size);
	cr_expect(aead_open(open, nonce, additional, data, size, data + size));
	cr_expect(bytes_equal(bytes_of(data, size), bytes_of(plain, size)));
	exact_copy_free(ours);
	aead_free(seal);
	aead_free(open);
}

Test(aead, agrees_with_mbedtls_at_all_sizes)
{
	for (enum aead_kind kind = 0; kind < AEAD_KINDS; kind++) {
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
			agree_with_mbedtls(kind, sizes[i]);
	}
}

/* Another way through libcrypto: one context for one message, key and nonce together, the old names. */
static void seal_by_libcrypto(enum aead_kind kind, const uint8_t *key, const uint8_t *nonce, uint8_t *data, size_t size)
{
	const EVP_CIPHER *ciphers[] = {EVP_aes_128_gcm(), EVP_aes_256_gcm(), EVP_chacha20_poly1305()};
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int count;
	cr_assert_eq(EVP_EncryptInit_ex(context, ciphers[kind], NULL, key, nonce), 1);
	cr_assert_eq(EVP_EncryptUpdate(context, NULL, &count, (const uint8_t *)"head", 4), 1);
	cr_assert_eq(EVP_EncryptUpdate(context, data, &count, data, (int)size), 1);
	cr_assert_eq(EVP_EncryptFinal_ex(context, data + size, &count), 1);
	cr_assert_eq(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, data + size), 1);
	EVP_CIPHER_CTX_free(context);
}

Test(aead, agrees_with_a_fresh_context_of_libcrypto)
{
	for (enum aead_kind kind = 0; kind < AEAD_KINDS; kind++) {
		struct tls_keys keys = rig_keys(TLS_VERSION_1_2, kind);
		struct aead *open = aead_create(kind, AEAD_OPEN, keys.read.key);
		for (uint8_t i = 0; i < 50; i++) { /* one context of ours for many messages */
			uint8_t data[1200 + AEAD_TAG_SIZE] = {i};
			size_t size = 1200 - 7u * i;
			keys.read.iv[11] = i;
			seal_by_libcrypto(kind, keys.read.key, keys.read.iv, data, size);
			cr_expect(aead_open(open, keys.read.iv, bytes_of_string("head"), data, size, data + size));
			cr_expect_eq(data[0], i);
		}
		aead_free(open);
	}
}

Test(aead, has_the_key_sizes_of_its_ciphers_and_frees_nothing)
{
	cr_expect_eq(aead_key_size(AEAD_AES_128_GCM), 16);
	cr_expect_eq(aead_key_size(AEAD_AES_256_GCM), 32);
	cr_expect_eq(aead_key_size(AEAD_CHACHA20_POLY1305), 32);
	aead_free(NULL);
}
