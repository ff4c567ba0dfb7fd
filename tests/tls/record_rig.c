#include "record_rig.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/gcm.h>
#include <stdlib.h>

size_t rig_hex(const char *text, uint8_t *ret_bytes, size_t size_max)
{
	size_t size = 0;
	for (; *text; text++) {
		if (*text == ' ')
			continue;
		char digits[3] = {text[0], text[1], 0};
		cr_assert_lt(size, size_max);
		ret_bytes[size++] = (uint8_t)strtoul(digits, NULL, 16);
		text++;
	}
	return size;
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(seed += 59 + (seed >> 3));
}

struct tls_keys rig_keys(enum tls_version version, enum aead_kind aead)
{
	struct tls_keys keys = {
		.version = version, .aead = aead, .hash = aead == AEAD_AES_256_GCM ? TLS_HASH_SHA384 : TLS_HASH_SHA256};
	unsigned seed = 1 + (unsigned)version * 16 + (unsigned)aead;
	struct tls_direction_keys *directions[] = {&keys.read, &keys.write};
	for (unsigned i = 0; i < 2; i++) {
		struct tls_direction_keys *d = directions[i];
		fill(d->key, sizeof d->key, seed + 100 * i);
		fill(d->iv, sizeof d->iv, seed + 30 + 100 * i);
		fill(d->secret, sizeof d->secret, seed + 60 + 100 * i);
		if (version == TLS_VERSION_1_3)
			cr_assert(tls_keys_from_secret(aead, keys.hash, d));
		d->sequence = 1;
	}
	return keys;
}

void rig_peer_init(struct rig_peer *p, enum tls_version version, enum aead_kind aead)
{
	struct tls_keys keys = rig_keys(version, aead);
	cr_assert(record_init(&p->server, &keys));
	p->client = keys;
	p->client.read = keys.write;
	p->client.write = keys.read;
}

void rig_peer_done(struct rig_peer *p)
{
	record_done(&p->server);
}

static void gcm_start(mbedtls_gcm_context *gcm, enum aead_kind aead, const uint8_t *key)
{
	mbedtls_gcm_init(gcm);
	cr_assert_eq(mbedtls_gcm_setkey(gcm, MBEDTLS_CIPHER_ID_AES, key, aead == AEAD_AES_128_GCM ? 128 : 256), 0);
}

static void chachapoly_start(mbedtls_chachapoly_context *chachapoly, const uint8_t *key)
{
	mbedtls_chachapoly_init(chachapoly);
	cr_assert_eq(mbedtls_chachapoly_setkey(chachapoly, key), 0);
}

void rig_seal_bytes(
	enum aead_kind aead, const uint8_t *key, const uint8_t *nonce, struct bytes additional, uint8_t *data, size_t size)
{
	mbedtls_gcm_context gcm;
	mbedtls_chachapoly_context chachapoly;
	if (aead == AEAD_CHACHA20_POLY1305) {
		chachapoly_start(&chachapoly, key);
		cr_assert_eq(mbedtls_chachapoly_encrypt_and_tag(
				     &chachapoly, size, nonce, additional.data, additional.size, data, data, data + size),
			0);
		mbedtls_chachapoly_free(&chachapoly);
		return;
	}
	gcm_start(&gcm, aead, key);
	cr_assert_eq(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, size, nonce, AEAD_NONCE_SIZE, additional.data,
			     additional.size, data, data, AEAD_TAG_SIZE, data + size),
		0);
	mbedtls_gcm_free(&gcm);
}

bool rig_open_bytes(
	enum aead_kind aead, const uint8_t *key, const uint8_t *nonce, struct bytes additional, uint8_t *data, size_t size)
{
	mbedtls_gcm_context gcm;
	mbedtls_chachapoly_context chachapoly;
	bool right;
	if (aead == AEAD_CHACHA20_POLY1305) {
		chachapoly_start(&chachapoly, key);
		right = mbedtls_chachapoly_auth_decrypt(
				&chachapoly, size, nonce, additional.data, additional.size, data + size, data, data) == 0;
		mbedtls_chachapoly_free(&chachapoly);
		return right;
	}
	gcm_start(&gcm, aead, key);
	right = mbedtls_gcm_auth_decrypt(&gcm, size, nonce, AEAD_NONCE_SIZE, additional.data, additional.size, data + size,
			AEAD_TAG_SIZE, data, data) == 0;
	mbedtls_gcm_free(&gcm);
	return right;
}

/* What the versions differ in, as a table would have it. */
struct shape {
	size_t header, explicit_nonce, trailer;
	uint16_t version;
};

static struct shape shape_of(const struct tls_keys *keys)
{
	bool dtls = keys->version == TLS_VERSION_DTLS_1_2, tls13 = keys->version == TLS_VERSION_1_3;
	return (struct shape){
		.header = dtls ? 13 : 5,
		.explicit_nonce = tls13 || keys->aead == AEAD_CHACHA20_POLY1305 ? 0 : 8,
		.trailer = tls13 ? 1 : 0,
		.version = dtls ? 0xfefd : 0x0303,
	};
}

static void put(uint8_t *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

/* Additional data (up to 13 bytes; returned) and nonce of the record whose header is there. */
static struct bytes make_inputs(const struct tls_keys *keys, const struct tls_direction_keys *d, const uint8_t *record,
	uint64_t number, size_t size, uint8_t nonce[static AEAD_NONCE_SIZE], uint8_t additional[static 13])
{
	struct shape shape = shape_of(keys);
	memcpy(nonce, d->iv, AEAD_NONCE_SIZE);
	if (shape.explicit_nonce) {
		memcpy(nonce + 4, record + shape.header, 8);
	} else {
		for (unsigned i = 0; i < 8; i++)
			nonce[4 + i] ^= (uint8_t)(number >> (56 - 8 * i));
	}
	if (keys->version == TLS_VERSION_1_3) {
		memcpy(additional, record, 5);
		return bytes_of(additional, 5);
	}
	put(additional, number, 8);
	memcpy(additional + 8, record, 3);
	put(additional + 11, size, 2);
	return bytes_of(additional, 13);
}

static uint64_t wire_number(const struct tls_keys *keys, uint64_t number)
{
	return keys->version == TLS_VERSION_DTLS_1_2 ? number | UINT64_C(1) << 48 : number;
}

struct bytes rig_forge(
	const struct tls_keys *client, uint64_t number, uint8_t type, const void *content, size_t size, size_t padding)
{
	struct shape shape = shape_of(client);
	size_t inner = size + shape.trailer + padding, body = shape.explicit_nonce + inner + AEAD_TAG_SIZE;
	uint8_t *record = calloc(1, shape.header + body), nonce[AEAD_NONCE_SIZE], additional[13];
	cr_assert_not_null(record);
	number = wire_number(client, number);
	record[0] = client->version == TLS_VERSION_1_3 ? DATA : type;
	put(record + 1, shape.version, 2);
	if (client->version == TLS_VERSION_DTLS_1_2)
		put(record + 3, number, 8);
	put(record + shape.header - 2, body, 2);
	uint8_t *data = record + shape.header + shape.explicit_nonce;
	/* A peer may choose the explicit nonce as it likes (RFC 5288 Section 3). */
	if (shape.explicit_nonce)
		put(record + shape.header, number ^ 0x5a5a5a5a, 8);
	if (size)
		memcpy(data, content, size);
	if (shape.trailer)
		data[size] = type;
	struct bytes additional_bytes = make_inputs(client, &client->write, record, number, inner, nonce, additional);
	rig_seal_bytes(client->aead, client->write.key, nonce, additional_bytes, data, inner);
	struct bytes copy = exact_copy(record, shape.header + body);
	free(record);
	return copy;
}

struct bytes rig_send(struct rig_peer *p, uint8_t type, const void *content, size_t size)
{
	return rig_forge(&p->client, p->client.write.sequence++, type, content, size, 0);
}

bool rig_read(struct rig_peer *p, struct bytes record, uint8_t *ret_type, struct bytes *ret_content)
{
	struct tls_keys *client = &p->client;
	struct shape shape = shape_of(client);
	uint64_t number = wire_number(client, client->read.sequence++);
	uint8_t *data = (uint8_t *)record.data + shape.header + shape.explicit_nonce, nonce[AEAD_NONCE_SIZE], additional[13];
	uint8_t expected[13] = {record.data[0]};
	if (record.size < shape.header + shape.explicit_nonce + shape.trailer + AEAD_TAG_SIZE)
		return false;
	size_t inner = record.size - shape.header - shape.explicit_nonce - AEAD_TAG_SIZE;
	put(expected + 1, shape.version, 2);
	if (client->version == TLS_VERSION_DTLS_1_2)
		put(expected + 3, number, 8);
	put(expected + shape.header - 2, record.size - shape.header, 2);
	if (memcmp(expected, record.data, shape.header) != 0)
		return false;
	struct bytes additional_bytes = make_inputs(client, &client->read, record.data, number, inner, nonce, additional);
	if (!rig_open_bytes(client->aead, client->read.key, nonce, additional_bytes, data, inner))
		return false;
	*ret_type = shape.trailer ? data[inner - 1] : record.data[0];
	*ret_content = bytes_of(data, inner - shape.trailer);
	return true;
}

struct rig_opened rig_open(struct rig_peer *p, struct bytes record)
{
	static uint8_t plain[RECORD_PLAIN_MAX];
	struct rig_opened opened = {.reason = RECORD_REASONS};
	opened.verdict = record_open(&p->server, (uint8_t *)record.data, record.size, &opened.plain, &opened.size, &opened.reason);
	if (opened.verdict == RECORD_DATA) {
		cr_assert(opened.plain.data >= record.data && opened.plain.data + opened.plain.size <= record.data + record.size);
		cr_assert_leq(opened.plain.size, sizeof plain);
		memcpy(plain, opened.plain.data, opened.plain.size);
		opened.plain.data = plain;
	}
	cr_assert_eq(opened.verdict == RECORD_REFUSED, opened.reason != RECORD_FINE && opened.verdict != RECORD_CONTROL);
	exact_copy_free(record);
	return opened;
}

struct rig_opened rig_deliver(struct rig_peer *p, uint8_t type, const void *content, size_t size)
{
	return rig_open(p, rig_send(p, type, content, size));
}

struct bytes rig_seal(struct rig_peer *p, const void *plain, size_t size)
{
	size_t head = p->server.head_size, whole = head + size + p->server.tail_size;
	uint8_t *zeros = calloc(1, whole);
	cr_assert_not_null(zeros);
	struct bytes record = exact_copy(zeros, whole);
	free(zeros);
	if (size)
		memcpy((uint8_t *)record.data + head, plain, size);
	cr_assert_eq(record_seal(&p->server, (uint8_t *)record.data + head, size), whole);
	return record;
}
