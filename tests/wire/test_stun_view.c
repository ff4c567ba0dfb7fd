#include <criterion/criterion.h>

#include "exact_copy.h"
#include "raw_message.h"
#include "rfc5769.h"
#include "wire/stun_view.h"

static struct raw_message m;
static struct stun_view view;
static struct bytes parsed_copy;

/* The view refers to a copy of exact size, which lives until the next call. */
static enum stun_parse parse(const void *data, size_t size)
{
	if (parsed_copy.data != NULL)
		exact_copy_free(parsed_copy);
	parsed_copy = exact_copy(data, size);
	memset(&view, 0xa5, sizeof view);
	return stun_view_parse(parsed_copy, &view);
}

static enum stun_parse parse_message(void)
{
	return parse(m.bytes, m.size);
}

static void drop_copy(void)
{
	if (parsed_copy.data != NULL)
		exact_copy_free(parsed_copy);
}

TestSuite(stun_view, .fini = drop_copy);

static void assert_value(uint16_t type, const void *value, size_t size)
{
	const struct stun_attribute *attribute = stun_view_find(&view, type);
	cr_assert_not_null(attribute, "%#x", type);
	cr_assert(bytes_equal(stun_attribute_value(&view, attribute), bytes_of(value, size)), "%#x", type);
}

static void assert_xor_addr(uint16_t type, const char *ip, uint16_t port)
{
	struct addr wanted, got;
	cr_assert(addr_parse_ip(ip, &wanted));
	wanted.port = port;
	const struct stun_attribute *attribute = stun_view_find(&view, type);
	cr_assert_not_null(attribute);
	cr_assert(stun_attribute_xor_addr(&view, attribute, &got));
	cr_assert(addr_equal(&wanted, &got));
}

Test(stun_view, parses_the_sample_request_of_rfc_5769)
{
	cr_assert_eq(parse(rfc5769_request, sizeof rfc5769_request), STUN_PARSED);
	cr_assert_eq(view.method, STUN_BINDING);
	cr_assert_eq(view.class, STUN_REQUEST);
	cr_assert_arr_eq(stun_view_transaction_id(&view), rfc5769_request + 8, 12);
	cr_assert_eq(view.attribute_count, 6);
	cr_assert(view.has_fingerprint);
	cr_assert_eq(view.integrity_offset, 76);
	cr_assert_eq(view.integrity_sha256_offset, 0);
	assert_value(STUN_ATTR_SOFTWARE, "STUN test client", 16);
	assert_value(STUN_ATTR_USERNAME, RFC5769_USERNAME, 9);
	assert_value(STUN_ATTR_MESSAGE_INTEGRITY, rfc5769_request + 80, 20);
	assert_value(0x8029, "\x93\x2f\xf9\xb1\x51\x26\x3b\x36", 8);
	uint32_t priority;
	cr_assert(stun_attribute_u32(&view, stun_view_find(&view, 0x0024), &priority));
	cr_assert_eq(priority, 0x6e0001ff);
	cr_assert_null(stun_view_find(&view, STUN_ATTR_REALM));
}

Test(stun_view, parses_the_sample_responses_of_rfc_5769)
{
	cr_assert_eq(parse(rfc5769_ipv4_response, sizeof rfc5769_ipv4_response), STUN_PARSED);
	cr_assert(view.method == STUN_BINDING && view.class == STUN_SUCCESS && view.has_fingerprint);
	assert_value(STUN_ATTR_SOFTWARE, "test vector", 11);
	assert_xor_addr(STUN_ATTR_XOR_MAPPED_ADDRESS, "192.0.2.1", 32853);

	cr_assert_eq(parse(rfc5769_ipv6_response, sizeof rfc5769_ipv6_response), STUN_PARSED);
	cr_assert(view.method == STUN_BINDING && view.class == STUN_SUCCESS && view.has_fingerprint);
	assert_xor_addr(STUN_ATTR_XOR_MAPPED_ADDRESS, "2001:db8:1234:5678:11:2233:4455:6677", 32853);
}

Test(stun_view, parses_the_long_term_request_of_rfc_5769)
{
	cr_assert_eq(parse(rfc5769_long_term_request, sizeof rfc5769_long_term_request), STUN_PARSED);
	cr_assert(view.method == STUN_BINDING && view.class == STUN_REQUEST && !view.has_fingerprint);
	cr_assert_eq(view.integrity_offset, 92);
	assert_value(STUN_ATTR_USERNAME, RFC5769_LONG_TERM_USERNAME, 18);
	assert_value(STUN_ATTR_NONCE, RFC5769_LONG_TERM_NONCE, 28);
	assert_value(STUN_ATTR_REALM, RFC5769_LONG_TERM_REALM, 11);
}

Test(stun_view, no_flipped_bit_leaves_a_right_fingerprint)
{
	uint8_t message[sizeof rfc5769_request];
	for (size_t bit = 0; bit < sizeof message * 8; bit++) {
		memcpy(message, rfc5769_request, sizeof message);
		message[bit / 8] ^= (uint8_t)(1 << bit % 8);
		enum stun_parse parsed = parse(message, sizeof message);
		/* A flipped type or length can hide the FINGERPRINT. */
		cr_assert(parsed != STUN_PARSED || !view.has_fingerprint, "bit %zu", bit);
		size_t at = bit / 8;
		bool in_value = (at >= 8 && at < 20) || (at >= 24 && at < 40) || (at >= 80 && at < 100) || at >= 104;
		if (in_value)
			cr_assert_eq(parsed, STUN_BAD_FINGERPRINT, "bit %zu", bit);
	}
}

Test(stun_view, separates_method_and_class)
{
	static const struct {
		uint16_t type, method;
		uint8_t class;
	} cases[] = {
		{0x0001, STUN_BINDING, STUN_REQUEST},
		{0x0101, STUN_BINDING, STUN_SUCCESS},
		{0x0111, STUN_BINDING, STUN_ERROR_RESPONSE},
		{0x0011, STUN_BINDING, STUN_INDICATION},
		{0x0016, STUN_SEND, STUN_INDICATION},
		{0x0017, STUN_DATA, STUN_INDICATION},
		{0x0113, STUN_ALLOCATE, STUN_ERROR_RESPONSE},
		{0x0009, STUN_CHANNEL_BIND, STUN_REQUEST},
		{0x3eef, 0xfff, STUN_REQUEST},
		{0x3fff, 0xfff, STUN_ERROR_RESPONSE},
		{0x0020, 0x010, STUN_REQUEST},
		{0x0200, 0x080, STUN_REQUEST},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		raw_begin(&m, cases[i].type);
		cr_assert_eq(parse_message(), STUN_PARSED);
		cr_assert_eq(view.method, cases[i].method, "%#x", cases[i].type);
		cr_assert_eq(view.class, cases[i].class, "%#x", cases[i].type);
		cr_assert_eq(view.attribute_count, 0);
	}
}

Test(stun_view, what_has_no_stun_header_of_its_size_is_not_stun)
{
	raw_begin(&m, 0x0001);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	for (size_t size = 0; size < m.size; size++)
		cr_assert_eq(parse(m.bytes, size), STUN_NOT_STUN, "cut off at %zu", size);
	for (size_t extra = 1; extra <= 8; extra++)
		cr_assert_eq(parse(m.bytes, m.size + extra), STUN_NOT_STUN, "%zu bytes trail", extra);
	raw_patch(&m, 2, 7); /* no multiple of four, though all is there */
	cr_assert_eq(parse(m.bytes, 27), STUN_NOT_STUN);
	raw_begin(&m, 0x4001);
	cr_assert_eq(parse_message(), STUN_NOT_STUN);
	raw_begin(&m, 0x8001);
	cr_assert_eq(parse_message(), STUN_NOT_STUN);
	raw_begin(&m, 0x0001);
	m.bytes[4] = 0; /* RFC 3489 had no cookie */
	cr_assert_eq(parse_message(), STUN_NOT_STUN);
}

static void assert_malformed(const char *why)
{
	cr_assert_eq(parse_message(), STUN_MALFORMED, "%s", why);
	/* Enough to answer with a 400. */
	cr_assert(view.raw.data == parsed_copy.data && view.raw.size == m.size, "%s", why);
	cr_assert(view.method == STUN_ALLOCATE && view.class == STUN_REQUEST, "%s", why);
	cr_assert(view.attribute_count == 0 && view.integrity_offset == 0 && view.integrity_sha256_offset == 0, "%s", why);
	cr_assert_not(view.has_fingerprint, "%s", why);
	cr_assert_null(stun_view_find(&view, STUN_ATTR_USERNAME), "%s", why);
}

static enum stun_parse parse_classic(void)
{
	parse_message();
	memset(&view, 0xa5, sizeof view);
	return stun_view_parse_classic(parsed_copy, &view);
}

Test(stun_view, reads_a_message_of_rfc_3489_where_the_cookie_is_not)
{
	raw_begin(&m, 0x0001);
	raw_attribute(&m, STUN_ATTR_CHANGE_REQUEST, "\0\0\0\2", 4);
	raw_attribute(&m, STUN_ATTR_USERNAME, "four", 4);
	cr_assert_eq(parse_classic(), STUN_NOT_STUN, "the cookie is there");
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert_not(view.classic);
	for (unsigned i = 4; i < 8; i++) {
		m.bytes[i] ^= 1;
		cr_assert_eq(parse_classic(), STUN_PARSED);
		cr_assert(view.classic && view.method == STUN_BINDING && view.class == STUN_REQUEST);
		cr_assert_eq(view.attribute_count, 2);
		assert_value(STUN_ATTR_USERNAME, "four", 4);
		cr_assert_arr_eq(stun_view_request_id(&view), m.bytes + 4, STUN_CLASSIC_ID_SIZE);
		cr_assert_eq(parse_message(), STUN_NOT_STUN);
		m.bytes[i] ^= 1;
	}
}

Test(stun_view, takes_a_message_of_rfc_3489_that_fits_in_all_or_none)
{
	raw_begin(&m, 0x0001);
	m.bytes[7] ^= 1;
	cr_assert_eq(parse_classic(), STUN_PARSED);
	m.bytes[0] |= 0x40;
	cr_assert_eq(parse_classic(), STUN_NOT_STUN, "the first two bits");
	m.bytes[0] = 0;
	for (m.size = 0; m.size < 20; m.size++)
		cr_assert_eq(parse_classic(), STUN_NOT_STUN, "%zu bytes", m.size);
	raw_attribute(&m, STUN_ATTR_USERNAME, "four", 4);
	raw_patch(&m, 22, 5);
	cr_assert_eq(parse_classic(), STUN_NOT_STUN, "an attribute past the end");
	m.size = 20;
	raw_attribute(&m, STUN_ATTR_FINGERPRINT, "none", 4);
	cr_assert_eq(parse_classic(), STUN_NOT_STUN, "a wrong fingerprint");
}

Test(stun_view, an_attribute_may_not_reach_past_the_end)
{
	static const unsigned sizes[] = {5, 8, 9, 0xfffb, 0xfffc, 0xfffd, 0xffff};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		raw_begin(&m, 0x0003);
		raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
		raw_attribute(&m, STUN_ATTR_REALM, "real", 4);
		raw_patch(&m, 30, sizes[i]);
		assert_malformed("length past the end");
	}
	for (unsigned size = 1; size <= 4; size++) {
		raw_patch(&m, 30, size);
		cr_assert_eq(parse_message(), STUN_PARSED, "%u", size);
		assert_value(STUN_ATTR_REALM, "real", size);
	}
	raw_patch(&m, 30, 0);
	assert_malformed("what was the value is read as an attribute, too long");
}

Test(stun_view, any_padding_is_accepted)
{
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_USERNAME, "a\xff\xff\xff", 4);
	raw_patch(&m, 22, 1);
	cr_assert_eq(parse_message(), STUN_PARSED);
	assert_value(STUN_ATTR_USERNAME, "a", 1);
}

Test(stun_view, takes_64_attributes_and_not_one_more)
{
	raw_begin(&m, 0x0003);
	for (unsigned i = 0; i < 64; i++)
		raw_attribute(&m, (uint16_t)(0x8100 + i), NULL, 0);
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert_eq(view.attribute_count, 64);
	cr_assert_not_null(stun_view_find(&view, 0x8100 + 63));
	raw_attribute(&m, 0x8200, NULL, 0);
	assert_malformed("65 attributes");

	/* Those that are ignored count too: they cost the same to walk over. */
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, (uint8_t[20]){0}, 20);
	for (unsigned i = 0; i < 64; i++)
		raw_attribute(&m, STUN_ATTR_USERNAME, NULL, 0);
	assert_malformed("64 attributes after MESSAGE-INTEGRITY");
}

Test(stun_view, refuses_a_message_that_offsets_of_16_bits_do_not_reach)
{
	static const uint8_t zeros[65528];
	raw_begin(&m, 0x0003);
	raw_attribute(&m, 0x8100, zeros, 65528);
	cr_assert_eq(m.size, 65552);
	assert_malformed("65552 bytes");
	raw_begin(&m, 0x0003);
	raw_attribute(&m, 0x8100, zeros, 65508);
	cr_assert_eq(parse_message(), STUN_PARSED);
}

Test(stun_view, the_first_of_several_counts_and_the_others_can_be_walked)
{
	raw_begin(&m, 0x0008);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, "one", 3);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, "two", 3);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, "three", 5);
	cr_assert_eq(parse_message(), STUN_PARSED);
	static const char *const values[] = {"one", "two", "three"};
	const struct stun_attribute *a = stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	for (size_t i = 0; i < 3; i++, a = stun_view_next(&view, a)) {
		cr_assert_not_null(a);
		cr_assert(bytes_equal(stun_attribute_value(&view, a), bytes_of_string(values[i])), "%s", values[i]);
	}
	cr_assert_null(a);
}

Test(stun_view, ignores_what_follows_message_integrity)
{
	uint8_t mac[20] = {1}, late_mac[20] = {2}, mac256[32] = {3}, late_mac256[32] = {4};
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, mac, sizeof mac);
	raw_attribute(&m, STUN_ATTR_REALM, "late", 4);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, late_mac, sizeof late_mac);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, mac256, sizeof mac256);
	raw_attribute(&m, STUN_ATTR_NONCE, "later", 5);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, late_mac256, sizeof late_mac256);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, late_mac, 7); /* of the wrong size, but ignored */
	raw_fingerprint(&m);
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert_eq(view.attribute_count, 4);
	assert_value(STUN_ATTR_USERNAME, "user", 4);
	assert_value(STUN_ATTR_MESSAGE_INTEGRITY, mac, sizeof mac);
	assert_value(STUN_ATTR_MESSAGE_INTEGRITY_SHA256, mac256, sizeof mac256);
	cr_assert_eq(view.integrity_offset, 28);
	cr_assert_eq(view.integrity_sha256_offset, 28 + 24 + 8 + 24);
	cr_assert(view.has_fingerprint);
	cr_assert_null(stun_view_find(&view, STUN_ATTR_REALM));
	cr_assert_null(stun_view_find(&view, STUN_ATTR_NONCE));
}

Test(stun_view, message_integrity_after_its_successor_is_ignored)
{
	uint8_t mac[32] = {0};
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, mac, 32);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, mac, 20);
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert_eq(view.integrity_offset, 0);
	cr_assert_eq(view.integrity_sha256_offset, 20);
}

Test(stun_view, integrity_has_the_size_of_its_hash)
{
	static const struct {
		uint16_t type;
		size_t size;
		bool fits;
	} cases[] = {
		{STUN_ATTR_MESSAGE_INTEGRITY, 20, true},
		{STUN_ATTR_MESSAGE_INTEGRITY, 0, false},
		{STUN_ATTR_MESSAGE_INTEGRITY, 19, false},
		{STUN_ATTR_MESSAGE_INTEGRITY, 16, false},
		{STUN_ATTR_MESSAGE_INTEGRITY, 24, false},
		{STUN_ATTR_MESSAGE_INTEGRITY, 32, false},
		{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 16, true},
		{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 32, true},
		{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 12, false},
		{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 36, false},
		{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 18, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		raw_begin(&m, 0x0003);
		raw_attribute(&m, cases[i].type, (uint8_t[36]){0}, cases[i].size);
		if (cases[i].fits)
			cr_assert_eq(parse_message(), STUN_PARSED, "%zu", i);
		else
			assert_malformed("size of the MAC");
	}
}

Test(stun_view, fingerprint_must_be_last_and_right)
{
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	raw_fingerprint(&m);
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert(view.has_fingerprint);
	m.bytes[m.size - 1] ^= 1;
	cr_assert_eq(parse_message(), STUN_BAD_FINGERPRINT);
	m.bytes[m.size - 1] ^= 1;
	m.bytes[24] ^= 1;
	cr_assert_eq(parse_message(), STUN_BAD_FINGERPRINT);

	raw_begin(&m, 0x0003);
	raw_fingerprint(&m);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	assert_malformed("something follows FINGERPRINT");
	raw_begin(&m, 0x0003);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, (uint8_t[20]){0}, 20);
	raw_fingerprint(&m);
	raw_attribute(&m, STUN_ATTR_USERNAME, "user", 4);
	assert_malformed("something follows FINGERPRINT after MESSAGE-INTEGRITY");
	raw_begin(&m, 0x0003);
	raw_fingerprint(&m);
	raw_fingerprint(&m);
	assert_malformed("two FINGERPRINTs");
	static const size_t sizes[] = {0, 3, 5, 8};
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		raw_begin(&m, 0x0003);
		raw_attribute(&m, STUN_ATTR_FINGERPRINT, "\0\0\0\0\0\0\0", sizes[i]);
		assert_malformed("size of FINGERPRINT");
	}
}

Test(stun_view, u32_takes_four_bytes_only)
{
	for (size_t size = 0; size <= 8; size++) {
		uint32_t value = 7;
		raw_begin(&m, 0x0003);
		raw_attribute(&m, STUN_ATTR_LIFETIME, "\x01\x02\x03\x04\x05\x06\x07\x08", size);
		cr_assert_eq(parse_message(), STUN_PARSED);
		cr_assert_eq(stun_attribute_u32(&view, view.attributes, &value), size == 4);
		cr_assert_eq(value, size == 4 ? 0x01020304 : 7);
	}
}

Test(stun_view, channel_takes_four_bytes_and_ignores_the_reserved_two)
{
	for (size_t size = 0; size <= 8; size++) {
		uint16_t channel = 7;
		raw_begin(&m, 0x0009);
		raw_attribute(&m, STUN_ATTR_CHANNEL_NUMBER, "\x40\x02\xff\xff\0\0\0\0", size);
		cr_assert_eq(parse_message(), STUN_PARSED);
		cr_assert_eq(stun_attribute_channel(&view, view.attributes, &channel), size == 4);
		cr_assert_eq(channel, size == 4 ? 0x4002 : 7);
	}
}

Test(stun_view, an_address_has_the_size_of_its_family)
{
	for (unsigned family = 0; family <= 255; family++) {
		for (size_t size = 0; size <= 24; size++) {
			uint8_t value[24] = {0xff, (uint8_t)family}; /* the first byte is ignored */
			bool fits = (family == 1 && size == 8) || (family == 2 && size == 20);
			struct addr addr = addr_ipv4(9, 9, 9, 9, 9), before = addr;
			raw_begin(&m, 0x0008);
			raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, value, size);
			cr_assert_eq(parse_message(), STUN_PARSED);
			cr_assert_eq(
				stun_attribute_xor_addr(&view, view.attributes, &addr), fits, "family %u, %zu bytes", family, size);
			cr_assert(fits || addr_equal(&addr, &before));
		}
	}
}

/* What canonicalises addresses must see them: the family on the wire decides about errors 440 and 443. */
Test(stun_view, a_mapped_address_comes_as_it_is)
{
	uint8_t value[20] = {0, 2, 0x21 ^ 0x00, 0x12 ^ 0x50};
	static const uint8_t mask[16] = {0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
	static const uint8_t ip[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
	for (unsigned i = 0; i < 16; i++)
		value[4 + i] = ip[i] ^ mask[i];
	struct addr addr;
	raw_begin(&m, 0x0008);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, value, sizeof value);
	cr_assert_eq(parse_message(), STUN_PARSED);
	cr_assert(stun_attribute_xor_addr(&view, view.attributes, &addr));
	cr_assert(addr.family == ADDR_IPV6 && addr.port == 0x50);
	cr_assert_arr_eq(addr.ip, ip, 16);
}
