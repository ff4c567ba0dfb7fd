#include <criterion/criterion.h>

#include "exact_copy.h"
#include "wire/proxy_header.h"

#define V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.1:40000 to 198.51.100.2:3478 */
#define V4_BLOCK "\xc0\x00\x02\x01\xc6\x33\x64\x02\x9c\x40\x0d\x96"
/* [2001:db8::1]:40000 to [2001:db8::2]:3478 */
#define V6_IP(last) "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" last
#define V6_BLOCK V6_IP("\x01") V6_IP("\x02") "\x9c\x40\x0d\x96"
#define TEXT(literal) literal, sizeof(literal) - 1

struct sample {
	const char *data;
	size_t size;
};

static enum proxy_result read_stream(const void *data, size_t size, struct proxy_header *ret_header)
{
	struct bytes copy = exact_copy(data, size);
	enum proxy_result result = proxy_header_read_stream(copy, ret_header);
	exact_copy_free(copy);
	return result;
}

static enum proxy_result read_datagram(const void *data, size_t size, struct proxy_header *ret_header)
{
	struct bytes copy = exact_copy(data, size);
	enum proxy_result result = proxy_header_read_datagram(copy, ret_header);
	exact_copy_free(copy);
	return result;
}

static struct addr addr_of(const char *ip, uint16_t port)
{
	struct addr addr = {.family = ADDR_NONE};
	cr_assert(ip == NULL || addr_parse_ip(ip, &addr), "%s", ip);
	return addr_with_port(addr, port);
}

static void assert_header(const struct proxy_header *header, size_t size, const char *client, const char *local)
{
	struct addr wanted_client = addr_of(client, client != NULL ? 40000 : 0),
		    wanted_local = addr_of(local, local != NULL ? 3478 : 0);
	char text[ADDR_TEXT_SIZE];
	cr_assert_eq(header->size, size);
	cr_assert(addr_equal(&header->client, &wanted_client), "client %s", addr_format(&header->client, text));
	cr_assert(addr_equal(&header->local, &wanted_local), "local %s", addr_format(&header->local, text));
}

/* Whole after its last byte and not before, whatever follows; NULL: the connection's own addresses. */
static void assert_stream(const char *data, size_t size, const char *client, const char *local)
{
	struct proxy_header header;
	for (size_t arrived = 0; arrived < size; arrived++)
		cr_assert_eq(read_stream(data, arrived, &header), PROXY_INCOMPLETE, "%s: %zu of %zu", data, arrived, size);
	char followed[PROXY_HEADER_SIZE_MAX + 4];
	memcpy(followed, data, size);
	memcpy(followed + size, "PROX", 4);
	for (size_t more = 0; more <= 4; more += 4) {
		memset(&header, 0xff, sizeof header);
		cr_assert_eq(read_stream(followed, size + more, &header), PROXY_COMPLETE, "%s", data);
		assert_header(&header, size, client, local);
	}
}

/* Refused with its last byte, and not before; what is refused leaves no trace. */
static void assert_refused_at_the_end(const char *data, size_t size)
{
	struct proxy_header header, untouched;
	memset(&header, 0xa5, sizeof header);
	untouched = header;
	for (size_t arrived = 0; arrived < size; arrived++)
		cr_assert_eq(read_stream(data, arrived, &header), PROXY_INCOMPLETE, "%s: %zu of %zu", data, arrived, size);
	cr_assert_eq(read_stream(data, size, &header), PROXY_INVALID, "%s", data);
	cr_assert_eq(memcmp(&header, &untouched, sizeof header), 0);
}

Test(proxy_header, version_1_names_both_ends)
{
	assert_stream(TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 3478\r\n"), "192.0.2.1", "198.51.100.2");
	assert_stream(TEXT("PROXY TCP6 2001:db8::1 2001:DB8::2 40000 3478\r\n"), "2001:db8::1", "2001:db8::2");
	assert_stream(
		TEXT("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 40000 3478\r\n"),
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_stream(TEXT("PROXY TCP6 1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: 40000 3478\r\n"), "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:0");
	assert_stream(TEXT("PROXY TCP6 64:ff9b::192.0.2.1 ::1 40000 3478\r\n"), "64:ff9b::c000:201", "::1");
}

Test(proxy_header, version_1_takes_any_port)
{
	struct proxy_header header;
	cr_assert_eq(read_stream(TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 65535 0\r\n"), &header), PROXY_COMPLETE);
	cr_assert(header.client.port == 65535 && header.local.port == 0);
}

Test(proxy_header, a_mapped_ipv4_address_is_an_ipv4_address)
{
	assert_stream(TEXT("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 40000 3478\r\n"), "192.0.2.1", "198.51.100.2");
	assert_stream(TEXT(V2_SIGNATURE "\x21\x21\0\x24"
					"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
					"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x02"
					"\x9c\x40\x0d\x96"),
		"192.0.2.1", "198.51.100.2");
}

Test(proxy_header, version_1_unknown_keeps_the_connections_own_addresses)
{
	assert_stream(TEXT("PROXY UNKNOWN\r\n"), NULL, NULL);
	assert_stream(TEXT("PROXY UNKNOWN 192.0.2.1 anything \x01\xff 1 1\r\n"), NULL, NULL);
	assert_stream(TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
			   "65535\r\n"),
		NULL, NULL);
}

Test(proxy_header, a_line_of_version_1_has_at_most_107_bytes)
{
	char line[120] = "PROXY UNKNOWN ";
	memset(line + 14, 'x', sizeof line - 14);
	assert_refused_at_the_end(line, 106);
	memcpy(line + 105, "\r\n", 2);
	assert_stream(line, 107, NULL, NULL);
}

Test(proxy_header, version_1_is_refused_at_the_first_wrong_byte)
{
	static const struct sample samples[] = {
		{TEXT("G")},
		{TEXT("PROXy")},
		{TEXT("PROXY  ")},
		{TEXT("PROXY X")},
		{TEXT("PROXY TCP5")},
		{TEXT("PROXY TCP4\r")},
		{TEXT("PROXY UNKNOWN\n")},
		{TEXT("PROXY UNKNOWNx")},
		{TEXT("PROXY UNKNOWN\rx")},
		{TEXT("PROXY UNKNOWN a\n")},
		{TEXT("PROXY TCP4  ")},
		{TEXT("PROXY TCP4 256")},
		{TEXT("PROXY TCP4 01")},
		{TEXT("PROXY TCP4 1.2.3.4.")},
		{TEXT("PROXY TCP4 1.2.3 ")},
		{TEXT("PROXY TCP4 -")},
		{TEXT("PROXY TCP4 1.2.3.4\0")},
		{TEXT("PROXY TCP4 1.2.3.4\t")},
		{TEXT("PROXY TCP4 1.2.3.4\r")},
		{TEXT("PROXY TCP4 :")},
		{TEXT("PROXY TCP6 1.")},
		{TEXT("PROXY TCP6 g")},
		{TEXT("PROXY TCP6 12345")},
		{TEXT("PROXY TCP6 :::")},
		{TEXT("PROXY TCP6 1::2::")},
		{TEXT("PROXY TCP6 1:2:3:4:5:6:7:8:")},
		{TEXT("PROXY TCP6 1:2:3:4:5:6:7 ")},
		{TEXT("PROXY TCP6 ::ffff:256.")},
		{TEXT("PROXY TCP6 fe80::1%")},
	};
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		assert_refused_at_the_end(samples[i].data, samples[i].size);
}

Test(proxy_header, version_1_refuses_ports_that_are_not_plain_numbers)
{
	static const struct sample samples[] = {{TEXT(" ")}, {TEXT("00")}, {TEXT("01")}, {TEXT("+")}, {TEXT("-")}, {TEXT("65536")},
		{TEXT("123456")}, {TEXT("1x")}, {TEXT("1\r")}, {TEXT("1  ")}, {TEXT("1 2 ")}, {TEXT("1 2\n")}, {TEXT("1 2\r\r")},
		{TEXT("1 \r")}, {TEXT("1 65536")}};
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		char line[80] = "PROXY TCP4 192.0.2.1 198.51.100.2 ";
		size_t size = strlen(line);
		memcpy(line + size, samples[i].data, samples[i].size);
		assert_refused_at_the_end(line, size + samples[i].size);
	}
}

Test(proxy_header, version_2_names_both_ends)
{
	assert_stream(TEXT(V2_SIGNATURE "\x21\x11\0\x0c" V4_BLOCK), "192.0.2.1", "198.51.100.2");
	assert_stream(TEXT(V2_SIGNATURE "\x21\x21\0\x24" V6_BLOCK), "2001:db8::1", "2001:db8::2");
}

Test(proxy_header, version_2_skips_what_follows_the_addresses)
{
	assert_stream(TEXT(V2_SIGNATURE "\x21\x11\0\x17" V4_BLOCK "\x04\0\x01x"
					"\xee\0\x04"
					"abcd"),
		"192.0.2.1", "198.51.100.2");
	assert_stream(TEXT(V2_SIGNATURE "\x21\x21\0\x27" V6_BLOCK "\x04\0\0"), "2001:db8::1", "2001:db8::2");
}

Test(proxy_header, version_2_keeps_the_connections_own_addresses_where_it_names_none)
{
	assert_stream(TEXT(V2_SIGNATURE "\x20\0\0\0"), NULL, NULL);
	assert_stream(TEXT(V2_SIGNATURE "\x20\x11\0\x0c" V4_BLOCK), NULL, NULL);
	assert_stream(TEXT(V2_SIGNATURE "\x20\xff\0\x01x"), NULL, NULL);
	assert_stream(TEXT(V2_SIGNATURE "\x21\0\0\0"), NULL, NULL);
	assert_stream(TEXT(V2_SIGNATURE "\x21\0\0\x05"
					"abcde"),
		NULL, NULL);
	char paths[16 + 216] = V2_SIGNATURE "\x21\x31\0\xd8/run/client";
	assert_stream(paths, sizeof paths, NULL, NULL);
}

Test(proxy_header, version_2_ends_at_the_bound)
{
	char header[PROXY_HEADER_SIZE_MAX] = V2_SIGNATURE "\x21\x11\x02\x08" V4_BLOCK "\x04\x01\xf9";
	assert_stream(header, sizeof header, "192.0.2.1", "198.51.100.2");
	header[15] = '\x09';
	assert_refused_at_the_end(header, 16);
	header[14] = '\x03';
	assert_refused_at_the_end(header, 15);
}

Test(proxy_header, version_2_is_refused_at_the_first_wrong_byte)
{
	static const struct sample samples[] = {
		{TEXT("\r\r")},
		{TEXT("\r\n\r\n\0\r\nQUIT\r")},
		{TEXT(V2_SIGNATURE "\x11")},
		{TEXT(V2_SIGNATURE "\x31")},
		{TEXT(V2_SIGNATURE "\x22")},
		{TEXT(V2_SIGNATURE "\x21\x10")},
		{TEXT(V2_SIGNATURE "\x21\x12")}, /* a datagram's client does not come over a stream */
		{TEXT(V2_SIGNATURE "\x21\x13")},
		{TEXT(V2_SIGNATURE "\x21\x01")},
		{TEXT(V2_SIGNATURE "\x21\x41")},
		{TEXT(V2_SIGNATURE "\x21\x11\0\x0b")},
		{TEXT(V2_SIGNATURE "\x21\x21\0\x23")},
		{TEXT(V2_SIGNATURE "\x21\x31\0\xd7")},
		{TEXT(V2_SIGNATURE "\x21\x11\0\x0d")}, /* no TLV has one byte */
		{TEXT(V2_SIGNATURE "\x21\x11\0\x0f" V4_BLOCK "\x04\0\x01")},
		{TEXT(V2_SIGNATURE "\x21\x11\0\x10" V4_BLOCK "\x04\x01")},
		{TEXT(V2_SIGNATURE "\x21\x11\0\x12" V4_BLOCK "\x04\0\x01")},
		{TEXT(V2_SIGNATURE "\x21\x11\0\x14" V4_BLOCK "\x04\0\x01x\x04\0\x02")},
	};
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
		assert_refused_at_the_end(samples[i].data, samples[i].size);
}

Test(proxy_header, a_datagram_begins_with_version_2_alone)
{
	struct proxy_header header;
	cr_assert_eq(read_datagram(TEXT(V2_SIGNATURE "\x21\x12\0\x0c" V4_BLOCK "payload"), &header), PROXY_COMPLETE);
	assert_header(&header, 28, "192.0.2.1", "198.51.100.2");
	cr_assert_eq(read_datagram(TEXT(V2_SIGNATURE "\x21\x21\0\x24" V6_BLOCK), &header), PROXY_COMPLETE);
	assert_header(&header, 52, "2001:db8::1", "2001:db8::2");
	cr_assert_eq(read_datagram(TEXT(V2_SIGNATURE "\x20\0\0\0payload"), &header), PROXY_COMPLETE);
	assert_header(&header, 16, NULL, NULL);
	cr_assert_eq(read_datagram(TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 40000 3478\r\n"), &header), PROXY_INVALID);
}

Test(proxy_header, a_datagram_that_holds_less_than_the_header_is_invalid)
{
	static const char whole[] = V2_SIGNATURE "\x21\x12\0\x10" V4_BLOCK "\x04\0\x01x";
	struct proxy_header header;
	for (size_t size = 0; size < sizeof whole - 1; size++)
		cr_assert_eq(read_datagram(whole, size, &header), PROXY_INVALID, "%zu", size);
	cr_assert_eq(read_datagram(whole, sizeof whole - 1, &header), PROXY_COMPLETE);
}
