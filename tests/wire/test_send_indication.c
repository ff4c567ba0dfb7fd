#include <criterion/criterion.h>

#include "exact_copy.h"
#include "raw_message.h"
#include "wire/send_indication.h"

static struct raw_message m;
static struct send_indication_view view;
static struct bytes read_copy;

/* 192.0.2.9:5004 and [2001:db8::1]:5004 under the cookie and the transaction ID of raw_message */
static const uint8_t peer4[8] = {0, 1, 0x32, 0x9e, 0xe1, 0x12, 0xa6, 0x4b};
static const uint8_t peer6[20] = {0, 2, 0x32, 0x9e, 0x01, 0x13, 0xa9, 0xfa, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13};

static void drop_copy(void)
{
	if (read_copy.data != NULL)
		exact_copy_free(read_copy);
	read_copy = bytes_of(NULL, 0);
}

TestSuite(send_indication, .fini = drop_copy);

static enum send_indication read_message(void)
{
	drop_copy();
	read_copy = exact_copy(m.bytes, m.size);
	memset(&view, 0xa5, sizeof view);
	return send_indication_read(read_copy, &view);
}

static void assert_view(const char *ip, const char *data)
{
	struct addr peer;
	cr_assert(addr_parse_ip(ip, &peer));
	peer.port = 5004;
	cr_assert_eq(read_message(), SEND_INDICATION_OK);
	cr_assert(addr_equal(&view.peer, &peer));
	cr_assert(bytes_equal(view.data, bytes_of_string(data)));
	cr_assert(view.data.data > read_copy.data && view.data.data <= read_copy.data + read_copy.size, "copied");
}

Test(send_indication, is_told_by_its_first_eight_bytes)
{
	raw_begin(&m, 0x0016);
	for (size_t size = 0; size <= 20; size++) {
		struct bytes copy = exact_copy(m.bytes, size);
		cr_assert_eq(send_indication_is(copy), size >= 8);
		exact_copy_free(copy);
	}
	/* Not by bytes 2 and 3, which are the length. */
	for (unsigned i = 0; i < 8; i++) {
		raw_begin(&m, 0x0016);
		m.bytes[i] ^= 1;
		cr_assert_eq(send_indication_is(bytes_of(m.bytes, m.size)), i == 2 || i == 3, "byte %u", i);
	}
}

Test(send_indication, reads_peer_and_data_in_either_order)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	assert_view("192.0.2.9", "hello");
	cr_assert_not(view.dont_fragment);

	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_DATA, "six", 3);
	raw_attribute(&m, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer6, sizeof peer6);
	assert_view("2001:db8::1", "six");
	cr_assert(view.dont_fragment);
}

Test(send_indication, data_may_be_empty)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, NULL, 0);
	assert_view("192.0.2.9", "");
}

Test(send_indication, the_first_of_several_counts)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_DATA, "", 0);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer6, sizeof peer6);
	raw_attribute(&m, STUN_ATTR_DATA, "two", 3);
	assert_view("192.0.2.9", "");

	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, 7);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "two", 3);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
}

Test(send_indication, what_need_not_be_understood_is_ignored)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_SOFTWARE, "browser", 7);
	raw_attribute(&m, 0xc057, "\0\x01\0\x0a", 4);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_USERNAME, "known, but out of place", 23);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	assert_view("192.0.2.9", "hello");
}

Test(send_indication, what_must_be_understood_and_is_not_is_told_apart)
{
	static const uint16_t types[] = {0x0000, 0x0002, 0x0011, 0x0021, 0x0024, 0x003f, 0x0040, 0x0048, 0x7fff};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		raw_begin(&m, 0x0016);
		raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
		raw_attribute(&m, types[i], "?", 1);
		raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
		cr_assert_eq(read_message(), SEND_INDICATION_UNKNOWN_ATTRIBUTE, "%#x", types[i]);
	}
}

Test(send_indication, message_integrity_is_tolerated_and_hides_what_follows)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, (uint8_t[20]){0}, 20);
	raw_attribute(&m, 0x7fff, "?", 1);
	raw_attribute(&m, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
	raw_fingerprint(&m);
	assert_view("192.0.2.9", "hello");
	cr_assert_not(view.dont_fragment);

	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_MESSAGE_INTEGRITY, (uint8_t[20]){0}, 20);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
}

Test(send_indication, fingerprint_must_be_last_and_right)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	raw_fingerprint(&m);
	assert_view("192.0.2.9", "hello");
	m.bytes[m.size - 1] ^= 1;
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);

	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_fingerprint(&m);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
}

Test(send_indication, refuses_a_missing_or_ill_sized_attribute)
{
	raw_begin(&m, 0x0016);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
	for (size_t size = 0; size <= sizeof peer6; size++) {
		raw_begin(&m, 0x0016);
		raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer6, size);
		raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
		cr_assert_eq(read_message(), size == sizeof peer6 ? SEND_INDICATION_OK : SEND_INDICATION_MALFORMED, "%zu", size);
	}
}

Test(send_indication, refuses_lengths_that_do_not_fit)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	size_t whole = m.size;
	for (m.size = 0; m.size < whole; m.size++)
		cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED, "cut off at %zu", m.size);
	m.size = whole + 4;
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED, "bytes trail");
	m.size = whole;
	raw_patch(&m, 34, 9); /* DATA reaches past the end */
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
	raw_patch(&m, 34, 0xffff);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
	raw_patch(&m, 34, 8);
	cr_assert_eq(read_message(), SEND_INDICATION_OK);
}

Test(send_indication, takes_64_attributes_and_not_one_more)
{
	raw_begin(&m, 0x0016);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	for (unsigned i = 0; i < 62; i++)
		raw_attribute(&m, 0x8100, NULL, 0);
	assert_view("192.0.2.9", "hello");
	raw_attribute(&m, 0x8100, NULL, 0);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
}

Test(send_indication, another_message_is_refused)
{
	raw_begin(&m, 0x0017);
	raw_attribute(&m, STUN_ATTR_XOR_PEER_ADDRESS, peer4, sizeof peer4);
	raw_attribute(&m, STUN_ATTR_DATA, "hello", 5);
	cr_assert_eq(read_message(), SEND_INDICATION_MALFORMED);
}
