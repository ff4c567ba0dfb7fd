#include "crypto/integrity.h"

#include <criterion/criterion.h>

#include "crypto/credentials.h"
#include "exact_copy.h"
#include "rfc5769.h"

enum { INTEGRITY_ATTRIBUTE_SIZE = STUN_ATTRIBUTE_HEADER_SIZE + SHA1_SIZE };

struct vector {
	const char *name;
	struct bytes message;
	bool long_term, fingerprint;
};

static const struct vector vectors[] = {
	{"2.1 request", {rfc5769_request, sizeof rfc5769_request}, false, true},
	{"2.2 IPv4 response", {rfc5769_ipv4_response, sizeof rfc5769_ipv4_response}, false, true},
	{"2.3 IPv6 response", {rfc5769_ipv6_response, sizeof rfc5769_ipv6_response}, false, true},
	{"2.4 request with long-term credentials", {rfc5769_long_term_request, sizeof rfc5769_long_term_request}, true, false},
};

static uint8_t long_term_key[LONG_TERM_KEY_SIZE];

static struct bytes key_of(const struct vector *vector)
{
	if (!vector->long_term)
		return bytes_of_string(RFC5769_PASSWORD);
	credentials_key(bytes_of_string(RFC5769_LONG_TERM_USERNAME), bytes_of_string(RFC5769_LONG_TERM_REALM),
		bytes_of_string(RFC5769_LONG_TERM_PASSWORD), long_term_key);
	return bytes_of(long_term_key, sizeof long_term_key);
}

static struct stun_view parsed(struct bytes message)
{
	struct stun_view view;
	cr_assert_eq(stun_view_parse(message, &view), STUN_PARSED);
	return view;
}

Test(integrity, verifies_the_vectors_of_rfc_5769)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct bytes copy = exact_copy(vectors[i].message.data, vectors[i].message.size);
		struct stun_view view = parsed(copy);
		cr_expect_eq(integrity_kind(&view), INTEGRITY_SHA1, "%s", vectors[i].name);
		cr_expect(integrity_verify(&view, INTEGRITY_SHA1, key_of(&vectors[i])), "%s", vectors[i].name);
		cr_expect(bytes_equal(copy, vectors[i].message), "%s: the datagram was written to", vectors[i].name);
		exact_copy_free(copy);
	}
}

Test(integrity, writes_the_vectors_of_rfc_5769)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct bytes message = vectors[i].message;
		struct stun_view view = parsed(message);
		uint8_t buffer[128];
		struct stun_builder b = stun_build(buffer, message.size, view.method, view.class, stun_view_transaction_id(&view));
		/* The attributes as they stand: the RFC pads with blanks, the builder with zeros. */
		writer_bytes(&b.writer, bytes_of(message.data + STUN_HEADER_SIZE, view.integrity_offset - STUN_HEADER_SIZE));
		integrity_append(&b, INTEGRITY_SHA1, key_of(&vectors[i]));
		if (vectors[i].fingerprint)
			stun_build_fingerprint(&b);
		cr_expect(bytes_equal(stun_build_end(&b), message), "%s", vectors[i].name);
	}
}

Test(integrity, does_not_verify_with_another_key)
{
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct stun_view view = parsed(vectors[i].message);
		struct bytes key = key_of(&vectors[i]);
		cr_expect_not(integrity_verify(&view, INTEGRITY_SHA1, bytes_of(key.data, key.size - 1)), "%s", vectors[i].name);
		cr_expect_not(integrity_verify(&view, INTEGRITY_SHA1, bytes_of(NULL, 0)), "%s", vectors[i].name);
	}
}

Test(integrity, does_not_verify_once_any_covered_bit_or_the_mac_changed)
{
	const struct vector *vector = &vectors[3];
	struct bytes key = key_of(vector);
	unsigned checked = 0;
	for (size_t bit = 0; bit < vector->message.size * 8; bit++) {
		uint8_t changed[sizeof rfc5769_long_term_request];
		memcpy(changed, vector->message.data, sizeof changed);
		changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
		struct bytes copy = exact_copy(changed, sizeof changed);
		struct stun_view view;
		if (stun_view_parse(copy, &view) == STUN_PARSED) {
			cr_expect_not(integrity_verify(&view, INTEGRITY_SHA1, key), "bit %zu", bit);
			checked++;
		}
		exact_copy_free(copy);
	}
	/* Lengths and types aside, every change still parses. */
	cr_assert_gt(checked, 600);
}

Test(integrity, does_not_cover_what_follows_it)
{
	/* RFC 8489 Section 14.5: the length is hashed as if the message ended with MESSAGE-INTEGRITY. */
	const struct vector *vector = &vectors[3];
	uint8_t longer[sizeof rfc5769_long_term_request + 8];
	memcpy(longer, vector->message.data, vector->message.size);
	static const uint8_t software[8] = {0x80, 0x22, 0x00, 0x04, 'e', 'v', 'i', 'l'};
	memcpy(longer + vector->message.size, software, sizeof software);
	longer[3] += sizeof software;
	struct stun_view view = parsed(bytes_of(longer, sizeof longer));
	cr_assert(integrity_verify(&view, INTEGRITY_SHA1, key_of(vector)));
	cr_assert_null(stun_view_find(&view, STUN_ATTR_SOFTWARE), "what is not covered is not seen either");
}

/* A message whose MESSAGE-INTEGRITY has `size` bytes: the right MAC for a message that ends after `hashed_size` of them. */
static bool verifies_with_size(size_t size, size_t hashed_size)
{
	static const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = "transaction";
	struct bytes key = bytes_of_string("key");
	uint8_t buffer[128], mac[64] = {0};
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_ALLOCATE, STUN_REQUEST, transaction_id);
	stun_build_u32(&b, STUN_ATTR_REQUESTED_TRANSPORT, (uint32_t)STUN_TRANSPORT_UDP << 24);
	size_t covered = writer_size(&b.writer);
	writer_patch_u16(&b.writer, 2, (uint16_t)(covered + STUN_ATTRIBUTE_HEADER_SIZE + hashed_size - STUN_HEADER_SIZE));
	hmac_sha1(key, bytes_of(buffer, covered), mac);
	stun_build_bytes(&b, STUN_ATTR_MESSAGE_INTEGRITY, bytes_of(mac, size));
	struct bytes message = stun_build_end(&b), copy = exact_copy(message.data, message.size);
	struct stun_view view;
	bool verified = stun_view_parse(copy, &view) == STUN_PARSED && integrity_verify(&view, INTEGRITY_SHA1, key);
	exact_copy_free(copy);
	return verified;
}

Test(integrity, of_any_size_but_20_bytes_does_not_verify)
{
	for (size_t size = 0; size <= 64; size++) {
		cr_expect_eq(verifies_with_size(size, size), size == SHA1_SIZE, "%zu bytes", size);
		cr_expect_eq(verifies_with_size(size, SHA1_SIZE), size == SHA1_SIZE, "%zu bytes, hashed as if 20", size);
	}
}

Test(integrity, is_none_without_the_attribute)
{
	static const uint8_t bare[STUN_HEADER_SIZE] = {0x00, 0x03, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42};
	struct stun_view view = parsed(bytes_of(bare, sizeof bare));
	cr_expect_eq(integrity_kind(&view), INTEGRITY_NONE);
	cr_expect_not(integrity_verify(&view, INTEGRITY_SHA1, bytes_of_string("key")));
	cr_expect_not(integrity_verify(&view, INTEGRITY_NONE, bytes_of_string("key")));
}

Test(integrity, none_does_not_verify_a_message_that_has_one)
{
	struct stun_view view = parsed(vectors[3].message);
	cr_assert_not(integrity_verify(&view, INTEGRITY_NONE, key_of(&vectors[3])));
}

Test(integrity, without_room_fails_the_builder)
{
	static const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = "transaction";
	for (size_t room = STUN_HEADER_SIZE; room <= STUN_HEADER_SIZE + INTEGRITY_ATTRIBUTE_SIZE; room++) {
		uint8_t *buffer = malloc(room);
		struct stun_builder b = stun_build(buffer, room, STUN_BINDING, STUN_SUCCESS, transaction_id);
		integrity_append(&b, INTEGRITY_SHA1, bytes_of_string("key"));
		bool fits = room == STUN_HEADER_SIZE + INTEGRITY_ATTRIBUTE_SIZE;
		cr_expect_eq(stun_build_end(&b).size, fits ? room : 0, "%zu bytes", room);
		free(buffer);
	}
}

Test(integrity, of_kind_none_appends_nothing)
{
	uint8_t buffer[64];
	static const uint8_t transaction_id[STUN_TRANSACTION_ID_SIZE] = "transaction";
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	integrity_append(&b, INTEGRITY_NONE, bytes_of_string("key"));
	cr_assert_eq(stun_build_end(&b).size, STUN_HEADER_SIZE);
}
