#include "wire/proxy_header.h"

#include "wire/cursor.h"

/* What has arrived is judged at once, byte by byte, so that a stream that cannot become a header any more is not waited for. */

/* The literal, or as much of it as has arrived. */
static enum proxy_result expect(struct reader *r, struct bytes literal)
{
	size_t arrived = reader_left(r) < literal.size ? reader_left(r) : literal.size;
	if (!bytes_equal(reader_bytes(r, arrived), bytes_of(literal.data, arrived)))
		return PROXY_INVALID;
	return arrived == literal.size ? PROXY_COMPLETE : PROXY_INCOMPLETE;
}

static enum proxy_result expect_text(struct reader *r, const char *text)
{
	return expect(r, bytes_of_string(text));
}

/* Version 1 (Section 2.1): one line of text. */

enum {
	LINE_SIZE_MAX = 107, /* CR LF included */
	IP_TEXT_MAX = 39,    /* eight groups of four digits: what the specification's longest line has room for */
	PORT_TEXT_MAX = 5,
};

/* The printable characters before `end`, which is taken too. Of an incomplete word `text` gets what has arrived. */
static enum proxy_result read_word(struct reader *r, uint8_t end, char *text, size_t size_max)
{
	for (size_t i = 0;; i++) {
		text[i] = '\0';
		if (reader_left(r) == 0)
			return PROXY_INCOMPLETE;
		uint8_t c = reader_u8(r);
		if (c == end)
			return PROXY_COMPLETE;
		if (c <= ' ' || c >= 0x7f || i == size_max)
			return PROXY_INVALID;
		text[i] = (char)c;
	}
}

static bool parse_ip(const char *text, enum addr_family family, struct addr *ret_addr)
{
	bool colons = strchr(text, ':') != NULL;
	return colons == (family == ADDR_IPV6) && addr_parse_ip(text, ret_addr);
}

/* One of these ends any beginning of an address that can still become one. */
static bool may_become_ip(const char *begun, enum addr_family family)
{
	static const char *const ends[] = {"", ":", "::", "0", ".0", "0.0", ".0.0", "0.0.0", ".0.0.0", "0.0.0.0"};
	size_t size = strlen(begun);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		char text[IP_TEXT_MAX + 1];
		struct addr addr;
		size_t end_size = strlen(ends[i]);
		if (size + end_size > IP_TEXT_MAX)
			continue;
		memcpy(text, begun, size);
		memcpy(text + size, ends[i], end_size + 1);
		if (parse_ip(text, family, &addr))
			return true;
	}
	return false;
}

static enum proxy_result read_ip(struct reader *r, enum addr_family family, struct addr *ret_addr)
{
	char text[IP_TEXT_MAX + 1];
	switch (read_word(r, ' ', text, IP_TEXT_MAX)) {
	case PROXY_COMPLETE:
		return parse_ip(text, family, ret_addr) ? PROXY_COMPLETE : PROXY_INVALID;
	case PROXY_INCOMPLETE:
		return may_become_ip(text, family) ? PROXY_INCOMPLETE : PROXY_INVALID;
	case PROXY_INVALID:
		break;
	}
	return PROXY_INVALID;
}

static enum proxy_result read_port(struct reader *r, uint8_t end, uint16_t *ret_port)
{
	char text[PORT_TEXT_MAX + 1];
	enum proxy_result result = read_word(r, end, text, PORT_TEXT_MAX);
	if (result == PROXY_INVALID || (result == PROXY_COMPLETE && text[0] == '\0') || (text[0] == '0' && text[1] != '\0'))
		return PROXY_INVALID;
	uint32_t port = 0;
	for (const char *digit = text; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9')
			return PROXY_INVALID;
		port = port * 10 + (uint32_t)(*digit - '0');
	}
	if (port > UINT16_MAX)
		return PROXY_INVALID;
	if (result == PROXY_COMPLETE)
		*ret_port = (uint16_t)port;
	return result;
}

/* After the protocol: both addresses, both ports, the end of the line. */
static enum proxy_result read_endpoints(struct reader *r, enum addr_family family, struct proxy_header *header)
{
	enum proxy_result result = read_ip(r, family, &header->client);
	if (result == PROXY_COMPLETE)
		result = read_ip(r, family, &header->local);
	if (result == PROXY_COMPLETE)
		result = read_port(r, ' ', &header->client.port);
	if (result == PROXY_COMPLETE)
		result = read_port(r, '\r', &header->local.port);
	return result == PROXY_COMPLETE ? expect_text(r, "\n") : result;
}

static enum proxy_result read_tcp(struct reader *r, struct proxy_header *header)
{
	enum proxy_result result = expect_text(r, "TCP");
	if (result != PROXY_COMPLETE)
		return result;
	if (reader_left(r) == 0)
		return PROXY_INCOMPLETE;
	uint8_t version = reader_u8(r);
	if (version != '4' && version != '6')
		return PROXY_INVALID;
	result = expect_text(r, " ");
	return result == PROXY_COMPLETE ? read_endpoints(r, version == '4' ? ADDR_IPV4 : ADDR_IPV6, header) : result;
}

/* "the receiver must ignore anything presented before the CRLF is found": whatever it is, up to the bound of a line. */
static enum proxy_result read_unknown(struct reader *r, size_t line_max)
{
	size_t before = reader_left(r);
	enum proxy_result result = expect_text(r, "UNKNOWN");
	if (result != PROXY_COMPLETE)
		return result;
	for (bool first = true;; first = false) {
		if (reader_left(r) == 0)
			return PROXY_INCOMPLETE;
		uint8_t c = reader_u8(r);
		if (c == '\r')
			return expect_text(r, "\n");
		/* The end takes two bytes. */
		if (c == '\n' || (first && c != ' ') || before - reader_left(r) > line_max - 2)
			return PROXY_INVALID;
	}
}

static enum proxy_result read_version_1(struct reader *r, struct proxy_header *header)
{
	static const char start[] = "PROXY ";
	enum proxy_result result = expect_text(r, start);
	if (result != PROXY_COMPLETE)
		return result;
	if (reader_left(r) == 0)
		return PROXY_INCOMPLETE;
	return *r->position == 'U' ? read_unknown(r, LINE_SIZE_MAX - (sizeof start - 1)) : read_tcp(r, header);
}

/* Version 2 (Section 2.2): binary. */

enum {
	V2_FIXED_SIZE = 16, /* signature, version and command, family and transport, length */
	V2_LENGTH_MAX = PROXY_HEADER_SIZE_MAX - V2_FIXED_SIZE,
	V2_TLV_SIZE = 3, /* without its value */

	V2_VERSION = 0x20,
	V2_LOCAL = 0,
	V2_PROXY = 1,

	V2_UNSPEC = 0,
	V2_INET = 1,
	V2_INET6 = 2,
	V2_UNIX = 3,

	V2_STREAM = 1,
	V2_DGRAM = 2,
};

/* The first byte tells it from a line of version 1. */
static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

struct v2_fixed {
	uint8_t command, family;
	uint16_t length; /* of what follows */
};

static size_t address_block_size(uint8_t family)
{
	static const uint8_t sizes[] = {[V2_UNSPEC] = 0, [V2_INET] = 12, [V2_INET6] = 36, [V2_UNIX] = 216};
	return sizes[family];
}

/* "the receiver must … discard the protocol block including the family which is ignored": of LOCAL any family is right. */
static bool family_is_good(uint8_t command, uint8_t family, uint8_t transport, bool datagram)
{
	if (command == V2_LOCAL || (family == V2_UNSPEC && transport == 0))
		return true;
	return family >= V2_INET && family <= V2_UNIX && (transport == V2_STREAM || (transport == V2_DGRAM && datagram));
}

static enum proxy_result read_fixed(struct reader *r, bool datagram, struct v2_fixed *ret_fixed)
{
	enum proxy_result result = expect(r, bytes_of(signature, sizeof signature));
	if (result != PROXY_COMPLETE)
		return result;
	size_t left = reader_left(r);
	uint8_t command = left > 0 ? reader_u8(r) : V2_VERSION | V2_LOCAL;
	if (command != (V2_VERSION | V2_LOCAL) && command != (V2_VERSION | V2_PROXY))
		return PROXY_INVALID;
	uint8_t family = left > 1 ? reader_u8(r) : 0;
	command &= 0x0f;
	if (!family_is_good(command, family >> 4, family & 0x0f, datagram))
		return PROXY_INVALID;
	uint8_t length_high = left > 2 ? reader_u8(r) : 0;
	if (length_high > V2_LENGTH_MAX >> 8)
		return PROXY_INVALID;
	if (left < 4)
		return PROXY_INCOMPLETE;
	uint16_t length = (uint16_t)(length_high << 8 | reader_u8(r));
	family = command == V2_LOCAL ? V2_UNSPEC : family >> 4;
	if (length > V2_LENGTH_MAX || length < address_block_size(family))
		return PROXY_INVALID;
	*ret_fixed = (struct v2_fixed){.command = command, .family = family, .length = length};
	return PROXY_COMPLETE;
}

/* Through the kernel's form, which makes an IPv4 address of a v4-mapped one. */
static struct addr addr_of(uint8_t family, struct bytes ip, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	if (family == V2_INET) {
		memcpy(&in.sin_addr, ip.data, sizeof in.sin_addr);
		return addr_from_sockaddr((const struct sockaddr *)&in);
	}
	memcpy(&in6.sin6_addr, ip.data, sizeof in6.sin6_addr);
	return addr_from_sockaddr((const struct sockaddr *)&in6);
}

/* Of a block that has arrived whole. */
static void read_addresses(struct bytes block, uint8_t family, struct proxy_header *header)
{
	if (family != V2_INET && family != V2_INET6)
		return;
	size_t ip_size = family == V2_INET ? 4 : 16;
	struct reader r = reader_of(block);
	struct bytes client = reader_bytes(&r, ip_size), local = reader_bytes(&r, ip_size);
	uint16_t client_port = reader_u16(&r), local_port = reader_u16(&r);
	header->client = addr_of(family, client, client_port);
	header->local = addr_of(family, local, local_port);
}

/* Type, length, value, as often as it fits into `size` bytes exactly; only what has arrived is looked at. */
static bool tlvs_may_be_good(struct bytes arrived, size_t size)
{
	for (size_t at = 0; at < size;) {
		if (size - at < V2_TLV_SIZE)
			return false;
		struct reader r = reader_of(arrived);
		reader_bytes(&r, at + 1);
		/* Of a length of two bytes one may have arrived. */
		size_t left = r.failed ? 0 : reader_left(&r);
		size_t length = left > 0 ? (size_t)reader_u8(&r) << 8 : 0;
		length += left > 1 ? reader_u8(&r) : 0;
		if (length > size - at - V2_TLV_SIZE)
			return false;
		if (left < 2)
			return true;
		at += V2_TLV_SIZE + length;
	}
	return true;
}

static enum proxy_result read_version_2(struct reader *r, bool datagram, struct proxy_header *header)
{
	struct v2_fixed fixed;
	enum proxy_result result = read_fixed(r, datagram, &fixed);
	if (result != PROXY_COMPLETE)
		return result;
	bool whole = reader_left(r) >= fixed.length;
	struct reader rest = reader_of(reader_bytes(r, whole ? fixed.length : reader_left(r)));
	size_t block_size = address_block_size(fixed.family);
	if (reader_left(&rest) >= block_size)
		read_addresses(reader_bytes(&rest, block_size), fixed.family, header);
	else
		reader_bytes(&rest, reader_left(&rest));
	struct bytes tlvs = bytes_of(rest.position, reader_left(&rest));
	/* What follows where no address is said may be anything. */
	if (fixed.family != V2_UNSPEC && !tlvs_may_be_good(tlvs, fixed.length - block_size))
		return PROXY_INVALID;
	return whole ? PROXY_COMPLETE : PROXY_INCOMPLETE;
}

static enum proxy_result finish(enum proxy_result result, struct bytes all, const struct reader *r, struct proxy_header header,
	struct proxy_header *ret_header)
{
	if (result != PROXY_COMPLETE)
		return result;
	header.size = all.size - reader_left(r);
	*ret_header = header;
	return PROXY_COMPLETE;
}

enum proxy_result proxy_header_read_stream(struct bytes stream, struct proxy_header *ret_header)
{
	struct reader r = reader_of(stream);
	struct proxy_header header = {0};
	bool binary = stream.size > 0 && stream.data[0] == signature[0];
	enum proxy_result result = binary ? read_version_2(&r, false, &header) : read_version_1(&r, &header);
	return finish(result, stream, &r, header, ret_header);
}

enum proxy_result proxy_header_read_datagram(struct bytes datagram, struct proxy_header *ret_header)
{
	struct reader r = reader_of(datagram);
	struct proxy_header header = {0};
	enum proxy_result result = read_version_2(&r, true, &header);
	return finish(result == PROXY_COMPLETE ? PROXY_COMPLETE : PROXY_INVALID, datagram, &r, header, ret_header);
}
