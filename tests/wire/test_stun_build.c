#include <criterion/criterion.h>

#include "exact_copy.h"
#include "raw_message.h"
#include "rfc5769.h"
#include "wire/stun_build.h"
#include "wire/stun_view.h"

static const uint8_t transaction_id[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static struct addr address(const char *ip, uint16_t port)
{
	struct addr addr;
	cr_assert(addr_parse_ip(ip, &addr));
	return addr_with_port(addr, port);
}

/* The MAC is not ours to compute; the vector's own takes its place. */
static void integrity_from(struct stun_builder *b, const uint8_t *vector, size_t header_offset)
{
	struct bytes covered;
	uint8_t *mac = stun_build_integrity_begin(b, STUN_ATTR_MESSAGE_INTEGRITY, 20, &covered);
	cr_assert_not_null(mac);
	cr_assert(covered.data == b->writer.start && covered.size == header_offset);
	/* RFC 8489 Section 14.5: the length under the MAC ends with the MAC. */
	cr_assert_eq((size_t)covered.data[2] << 8 | covered.data[3], header_offset + 24 - 20);
	memcpy(mac, vector + header_offset + 4, 20);
}

static void assert_built(struct stun_builder *b, const uint8_t *vector, size_t size)
{
	struct bytes message = stun_build_end(b);
	cr_assert_eq(message.size, size);
	cr_assert_arr_eq(message.data, vector, size);
}

/* Padding in the first three vectors is blanks, ours is zeros: so where they pad, the padding is written as part of the value, and
 * the length of the attribute is put right afterwards. */
static void build_padded(struct stun_builder *b, uint16_t type, const char *value, size_t size)
{
	size_t offset = writer_size(&b->writer);
	stun_build_bytes(b, type, bytes_of_string(value));
	writer_patch_u16(&b->writer, offset + 2, (uint16_t)size);
}

Test(stun_build, builds_the_sample_request_of_rfc_5769)
{
	uint8_t buffer[sizeof rfc5769_request];
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_REQUEST, rfc5769_request + 8);
	stun_build_bytes(&b, STUN_ATTR_SOFTWARE, bytes_of_string("STUN test client"));
	stun_build_u32(&b, 0x0024, 0x6e0001ff);
	stun_build_bytes(&b, 0x8029, bytes_of("\x93\x2f\xf9\xb1\x51\x26\x3b\x36", 8));
	build_padded(&b, STUN_ATTR_USERNAME, RFC5769_USERNAME "   ", 9);
	integrity_from(&b, rfc5769_request, 76);
	stun_build_fingerprint(&b);
	assert_built(&b, rfc5769_request, sizeof rfc5769_request);
}

Test(stun_build, builds_the_sample_responses_of_rfc_5769)
{
	struct addr ipv4 = address("192.0.2.1", 32853), ipv6 = address("2001:db8:1234:5678:11:2233:4455:6677", 32853);
	uint8_t buffer[sizeof rfc5769_ipv6_response];
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, rfc5769_ipv4_response + 8);
	build_padded(&b, STUN_ATTR_SOFTWARE, "test vector ", 11);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &ipv4);
	integrity_from(&b, rfc5769_ipv4_response, 48);
	stun_build_fingerprint(&b);
	assert_built(&b, rfc5769_ipv4_response, sizeof rfc5769_ipv4_response);

	b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, rfc5769_ipv6_response + 8);
	build_padded(&b, STUN_ATTR_SOFTWARE, "test vector ", 11);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &ipv6);
	integrity_from(&b, rfc5769_ipv6_response, 60);
	stun_build_fingerprint(&b);
	assert_built(&b, rfc5769_ipv6_response, sizeof rfc5769_ipv6_response);
}

Test(stun_build, builds_the_long_term_request_of_rfc_5769)
{
	uint8_t buffer[sizeof rfc5769_long_term_request];
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_REQUEST, rfc5769_long_term_request + 8);
	stun_build_bytes(&b, STUN_ATTR_USERNAME, bytes_of_string(RFC5769_LONG_TERM_USERNAME));
	stun_build_bytes(&b, STUN_ATTR_NONCE, bytes_of_string(RFC5769_LONG_TERM_NONCE));
	stun_build_bytes(&b, STUN_ATTR_REALM, bytes_of_string(RFC5769_LONG_TERM_REALM));
	integrity_from(&b, rfc5769_long_term_request, 92);
	assert_built(&b, rfc5769_long_term_request, sizeof rfc5769_long_term_request);
}

Test(stun_build, joins_method_and_class)
{
	static const struct {
		unsigned method, class;
		uint16_t type;
	} cases[] = {
		{STUN_BINDING, STUN_REQUEST, 0x0001},
		{STUN_BINDING, STUN_SUCCESS, 0x0101},
		{STUN_ALLOCATE, STUN_ERROR_RESPONSE, 0x0113},
		{STUN_DATA, STUN_INDICATION, 0x0017},
		{STUN_CHANNEL_BIND, STUN_SUCCESS, 0x0109},
		{0xfff, STUN_ERROR_RESPONSE, 0x3fff},
		{0x010, STUN_REQUEST, 0x0020},
		{0x080, STUN_REQUEST, 0x0200},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t buffer[20];
		struct stun_builder b = stun_build(buffer, sizeof buffer, cases[i].method, cases[i].class, transaction_id);
		struct raw_message wanted;
		raw_begin(&wanted, cases[i].type);
		assert_built(&b, wanted.bytes, 20);
	}
}

Test(stun_build, writes_error_code_and_unknown_attributes)
{
	static struct raw_message wanted;
	uint8_t buffer[100];
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_ALLOCATE, STUN_ERROR_RESPONSE, transaction_id);
	stun_build_error_code(&b, STUN_UNKNOWN_ATTRIBUTE, bytes_of_string("Unknown"));
	stun_build_unknown_attributes(&b, (uint16_t[]){0x7fff, 0x0002, 0x0024}, 3);
	raw_begin(&wanted, 0x0113);
	raw_attribute(&wanted, 0x0009, "\0\0\x04\x14Unknown", 11);
	raw_attribute(&wanted, 0x000a, "\x7f\xff\0\x02\0\x24", 6);
	assert_built(&b, wanted.bytes, wanted.size);

	b = stun_build(buffer, sizeof buffer, STUN_ALLOCATE, STUN_ERROR_RESPONSE, transaction_id);
	stun_build_error_code(&b, STUN_ALLOCATION_MISMATCH, bytes_of(NULL, 0));
	raw_begin(&wanted, 0x0113);
	raw_attribute(&wanted, 0x0009, "\0\0\x04\x25", 4);
	assert_built(&b, wanted.bytes, wanted.size);
}

Test(stun_build, writes_addresses_as_they_are)
{
	static struct raw_message wanted;
	uint8_t buffer[100];
	struct addr ipv4 = address("192.0.2.1", 32853), ipv6 = address("2001:db8::7", 5);
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	stun_build_addr(&b, STUN_ATTR_MAPPED_ADDRESS, &ipv4);
	stun_build_addr(&b, STUN_ATTR_ALTERNATE_SERVER, &ipv6);
	raw_begin(&wanted, 0x0101);
	raw_attribute(&wanted, 0x0001, "\0\x01\x80\x55\xc0\0\x02\x01", 8);
	raw_attribute(&wanted, 0x8023, "\0\x02\0\x05\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 20);
	assert_built(&b, wanted.bytes, wanted.size);
}

Test(stun_build, echoes_what_a_request_has_behind_its_length)
{
	uint8_t buffer[100];
	static const uint8_t id[STUN_CLASSIC_ID_SIZE] = "0123456789abcde", wanted[4] = {0x01, 0x01, 0, 0};
	struct stun_builder b = stun_build_answer(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, id);
	struct bytes message = stun_build_end(&b);
	cr_assert_eq(message.size, 20);
	cr_assert_arr_eq(message.data, wanted, 4);
	cr_assert_arr_eq(message.data + 4, id, sizeof id);
}

Test(stun_build, pads_with_zeros)
{
	for (size_t size = 0; size <= 9; size++) {
		static struct raw_message wanted;
		uint8_t buffer[64];
		memset(buffer, 0xee, sizeof buffer);
		struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_REQUEST, transaction_id);
		stun_build_bytes(&b, STUN_ATTR_NONCE, bytes_of("123456789", size));
		raw_begin(&wanted, 0x0001);
		raw_attribute(&wanted, STUN_ATTR_NONCE, "123456789", size);
		assert_built(&b, wanted.bytes, wanted.size);
	}
}

Test(stun_build, fingerprint_is_the_one_that_the_view_wants)
{
	uint8_t buffer[100];
	struct addr addr = address("2001:db8::1", 3478);
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_MAPPED_ADDRESS, &addr);
	stun_build_fingerprint(&b);
	struct bytes message = stun_build_end(&b);
	struct stun_view view;
	struct addr back;
	cr_assert_eq(stun_view_parse(message, &view), STUN_PARSED);
	cr_assert(view.has_fingerprint);
	cr_assert(stun_attribute_xor_addr(&view, stun_view_find(&view, STUN_ATTR_XOR_MAPPED_ADDRESS), &back));
	cr_assert(addr_equal(&addr, &back));
}

static struct bytes build_everything(uint8_t *buffer, size_t size)
{
	struct addr addr = address("192.0.2.1", 3478);
	struct bytes covered;
	struct stun_builder b = stun_build(buffer, size, STUN_ALLOCATE, STUN_ERROR_RESPONSE, transaction_id);
	stun_build_error_code(&b, STUN_UNAUTHENTICATED, bytes_of_string("no"));
	stun_build_bytes(&b, STUN_ATTR_REALM, bytes_of_string("realm"));
	stun_build_u32(&b, STUN_ATTR_LIFETIME, 600);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_RELAYED_ADDRESS, &addr);
	stun_build_unknown_attributes(&b, (uint16_t[]){1}, 1);
	stun_build_integrity_begin(&b, STUN_ATTR_MESSAGE_INTEGRITY, 20, &covered);
	stun_build_fingerprint(&b);
	return stun_build_end(&b);
}

Test(stun_build, a_message_that_does_not_fit_is_none)
{
	uint8_t buffer[200];
	size_t needed = build_everything(buffer, sizeof buffer).size;
	cr_assert_eq(needed, 20 + 12 + 12 + 8 + 12 + 8 + 24 + 8);
	for (size_t size = 0; size < needed; size++) {
		struct bytes room = exact_copy(buffer, size);
		struct bytes message = build_everything((uint8_t *)room.data, size);
		cr_assert(message.data == NULL && message.size == 0, "%zu bytes", size);
		exact_copy_free(room);
	}
	cr_assert_eq(build_everything(buffer, needed).size, needed);
}

Test(stun_build, integrity_without_room_fails_the_message)
{
	uint8_t buffer[40];
	struct bytes covered;
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	cr_assert_null(stun_build_integrity_begin(&b, STUN_ATTR_MESSAGE_INTEGRITY, 20, &covered));
	cr_assert_null(stun_build_end(&b).data);
}

Test(stun_build, a_length_of_more_than_16_bits_is_none)
{
	static uint8_t buffer[140000], value[65536];
	struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	stun_build_bytes(&b, STUN_ATTR_DATA, bytes_of(value, 65536));
	cr_assert_null(stun_build_end(&b).data);
	b = stun_build(buffer, sizeof buffer, STUN_BINDING, STUN_SUCCESS, transaction_id);
	stun_build_bytes(&b, STUN_ATTR_DATA, bytes_of(value, 65528));
	cr_assert_eq(stun_build_end(&b).size, 65552);
	stun_build_u32(&b, STUN_ATTR_LIFETIME, 1);
	cr_assert_null(stun_build_end(&b).data);
}

Test(stun_build, header_of_a_data_indication_is_what_the_builder_writes)
{
	static const char *const peers[] = {"192.0.2.1", "2001:db8::1"};
	static const unsigned header_sizes[] = {36, 48};
	static const size_t data_sizes[] = {0, 1, 2, 3, 4, 5, 1200, 65499, DATA_INDICATION_DATA_MAX};
	static uint8_t buffer[66000], data[DATA_INDICATION_DATA_MAX];
	for (size_t p = 0; p < 2; p++) {
		for (size_t d = 0; d < sizeof data_sizes / sizeof *data_sizes; d++) {
			struct addr peer = address(peers[p], 0xabcd);
			struct stun_builder b = stun_build(buffer, sizeof buffer, STUN_DATA, STUN_INDICATION, transaction_id);
			stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
			stun_build_bytes(&b, STUN_ATTR_DATA, bytes_of(data, data_sizes[d]));
			struct bytes message = stun_build_end(&b);
			uint8_t header[DATA_INDICATION_HEADER_MAX + 1];
			memset(header, 0xee, sizeof header);
			unsigned size = stun_data_indication_header(header, &peer, (uint16_t)data_sizes[d], transaction_id);
			cr_assert_eq(size, header_sizes[p]);
			cr_assert_arr_eq(header, message.data, size);
			cr_assert_eq(header[size], 0xee);
			cr_assert_eq(message.size, size + (data_sizes[d] + 3) / 4 * 4);
		}
	}
}

Test(stun_build, no_data_indication_for_more_than_its_length_can_say)
{
	uint8_t header[DATA_INDICATION_HEADER_MAX] = {0xee};
	struct addr peer = address("192.0.2.1", 1);
	for (unsigned size = DATA_INDICATION_DATA_MAX + 1; size <= UINT16_MAX; size++)
		cr_assert_eq(stun_data_indication_header(header, &peer, (uint16_t)size, transaction_id), 0);
	cr_assert_eq(header[0], 0xee);
}
