#include <criterion/criterion.h>

#include "base/addr.h"
#include "exact_copy.h"

static struct addr ip(const char *text)
{
	struct addr addr;
	cr_assert(addr_parse_ip(text, &addr), "%s", text);
	return addr;
}

/* addr_parse_ip makes IPv4 of a v4-mapped address; off the wire it comes as it is. */
static struct addr mapped(const char *ipv4)
{
	struct addr four = ip(ipv4), six = {.family = ADDR_IPV6};
	six.ip[10] = six.ip[11] = 0xff;
	memcpy(six.ip + 12, four.ip, 4);
	return six;
}

Test(addr, reads_addresses_as_people_write_them)
{
	struct addr a = ip("192.0.2.1");
	cr_assert(a.family == ADDR_IPV4 && a.port == 0);
	cr_assert_arr_eq(a.ip, ((uint8_t[16]){192, 0, 2, 1}), 16);
	a = ip("2001:db8::1");
	cr_assert(a.family == ADDR_IPV6 && a.port == 0);
	cr_assert_arr_eq(a.ip, ((uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1}), 16);
	struct addr four = ip("192.0.2.1"), four_mapped = ip("::ffff:192.0.2.1");
	cr_assert(addr_equal(&four, &four_mapped));
}

Test(addr, refuses_what_is_not_an_address_and_leaves_the_output_alone)
{
	static const char *const texts[] = {"", "192.0.2", "192.0.2.256", "192.0.2.1:80", "192.0.2.1 ", " 192.0.2.1", "[::1]",
		"::1%eth0", "1::2::3", "localhost", "0x7f.1", "192.0.2.01"};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct addr a = addr_ipv4(1, 2, 3, 4, 5), before = a;
		cr_assert_not(addr_parse_ip(texts[i], &a), "%s", texts[i]);
		cr_assert(addr_equal(&a, &before));
	}
}

Test(addr, writes_addresses_as_people_read_them)
{
	static const struct {
		const char *ip, *with_port;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1:3478"},
		{"255.255.255.255", "255.255.255.255:3478"},
		{"2001:db8::1", "[2001:db8::1]:3478"},
		{"::", "[::]:3478"},
		{"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]:3478"},
	};
	char text[ADDR_TEXT_SIZE];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr a = addr_with_port(ip(cases[i].ip), 3478);
		cr_assert_str_eq(addr_format_ip(&a, text), cases[i].ip);
		cr_assert_eq(addr_format(&a, text), text);
		cr_assert_str_eq(text, cases[i].with_port);
	}
	struct addr none = {.family = ADDR_NONE};
	cr_assert_str_eq(addr_format(&none, text), "none");
}

Test(addr, goes_to_the_kernel_and_comes_back)
{
	static const char *const texts[] = {"192.0.2.1", "0.0.0.0", "2001:db8::1", "::"};
	static const socklen_t sizes[] = {
		sizeof(struct sockaddr_in), sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6), sizeof(struct sockaddr_in6)};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct addr a = addr_with_port(ip(texts[i]), 0xbeef);
		struct sockaddr_storage sa;
		socklen_t size = addr_to_sockaddr(&a, &sa);
		cr_assert_eq(size, sizes[i]);
		/* At an odd address and with nothing behind it, as in a receive buffer. */
		uint8_t shifted[1 + sizeof(struct sockaddr_in6)];
		memcpy(shifted + 1, &sa, size);
		struct bytes copy = exact_copy(shifted, 1 + size);
		struct addr back = addr_from_sockaddr((const struct sockaddr *)(copy.data + 1));
		cr_assert(addr_equal(&a, &back), "%s", texts[i]);
		exact_copy_free(copy);
	}
}

Test(addr, port_is_in_network_order_for_the_kernel)
{
	struct addr a = addr_ipv4(192, 0, 2, 1, 0x1234);
	struct sockaddr_storage sa;
	addr_to_sockaddr(&a, &sa);
	struct sockaddr_in in;
	memcpy(&in, &sa, sizeof in);
	cr_assert_eq(in.sin_family, AF_INET);
	cr_assert_arr_eq((const uint8_t *)&in.sin_port, ((uint8_t[]){0x12, 0x34}), 2);
}

Test(addr, from_the_kernel_a_mapped_address_is_ipv4_and_a_foreign_family_is_none)
{
	struct addr six = addr_with_port(mapped("192.0.2.1"), 53), four = addr_ipv4(192, 0, 2, 1, 53);
	struct sockaddr_storage sa;
	addr_to_sockaddr(&six, &sa);
	struct addr back = addr_from_sockaddr((const struct sockaddr *)&sa);
	cr_assert(addr_equal(&back, &four));
	struct sockaddr_storage unix_sa = {.ss_family = AF_UNIX};
	cr_assert_eq(addr_from_sockaddr((const struct sockaddr *)&unix_sa).family, ADDR_NONE);
	struct addr none = {.family = ADDR_NONE};
	cr_assert_eq(addr_to_sockaddr(&none, &sa), 0);
}

Test(addr, knows_any_and_loopback)
{
	static const struct {
		const char *text;
		bool any, loopback;
	} cases[] = {
		{"0.0.0.0", true, false},
		{"::", true, false},
		{"127.0.0.1", false, true},
		{"127.255.255.254", false, true},
		{"::1", false, true},
		{"128.0.0.1", false, false},
		{"::2", false, false},
		{"1::1", false, false},
		{"0.0.0.1", false, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr a = ip(cases[i].text);
		cr_assert_eq(addr_is_any(&a), cases[i].any, "%s", cases[i].text);
		cr_assert_eq(addr_is_loopback(&a), cases[i].loopback, "%s", cases[i].text);
	}
	struct addr six = mapped("127.0.0.1"), none = {.family = ADDR_NONE}, any = addr_any(ADDR_IPV6, 7);
	cr_assert(addr_is_loopback(&six));
	cr_assert_not(addr_is_any(&none));
	cr_assert(addr_is_any(&any) && any.port == 7);
}

Test(addr, reads_ports)
{
	static const char *const wrong[] = {"", "0", "65536", "4294967297", "000001", "+1", " 1", "1 ", "-1", "0x1", "http"};
	uint16_t port = 0;
	cr_assert(addr_parse_port("1", &port) && port == 1);
	cr_assert(addr_parse_port("65535", &port) && port == 65535);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		cr_assert(!addr_parse_port(wrong[i], &port) && port == 65535, "%s", wrong[i]);
}

Test(addr, makes_loopback_addresses)
{
	struct addr four = addr_loopback(ADDR_IPV4, 7), six = addr_loopback(ADDR_IPV6, 7);
	struct addr expected_four = addr_with_port(ip("127.0.0.1"), 7), expected_six = addr_with_port(ip("::1"), 7);
	cr_assert(addr_equal(&four, &expected_four));
	cr_assert(addr_equal(&six, &expected_six));
}

Test(addr, prefix_keeps_the_first_bits_and_no_port)
{
	static const struct {
		const char *text;
		unsigned bits;
		const char *prefix;
	} cases[] = {
		{"192.0.2.255", 32, "192.0.2.255"},
		{"192.0.2.255", 28, "192.0.2.240"},
		{"192.0.2.255", 24, "192.0.2.0"},
		{"192.0.2.255", 0, "0.0.0.0"},
		{"2001:db8::1", 128, "2001:db8::1"},
		{"2001:db8:ffff:ffff:ffff::1", 64, "2001:db8:ffff:ffff::"},
		{"2001:db8:ffff:ffff:ffff::1", 57, "2001:db8:ffff:ff80::"},
		{"2001:db8::1", 0, "::"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr a = addr_with_port(ip(cases[i].text), 7), expected = ip(cases[i].prefix);
		struct addr prefix = addr_prefix(&a, cases[i].bits);
		cr_assert(addr_equal(&prefix, &expected), "%s/%u", cases[i].text, cases[i].bits);
	}
}

Test(addr, canonical_form_uncovers_the_ipv4_address_inside)
{
	static const struct {
		const char *text, *canonical;
	} cases[] = {
		{"::127.0.0.1", "127.0.0.1"},                                     /* v4-compatible */
		{"::2", "0.0.0.2"},                                               /* v4-compatible */
		{"64:ff9b::169.254.169.254", "169.254.169.254"},                  /* NAT64 */
		{"64:ff9b:1::10.0.0.1", "10.0.0.1"},                              /* local NAT64, a /96 */
		{"64:ff9b:1:a9fe:a9:fe00::", "169.254.169.254"},                  /* local NAT64, the /48 */
		{"64:ff9b:1:7f00:0:100:808:808", "64:ff9b:1:7f00:0:100:808:808"}, /* neither: a suffix */
		{"64:ff9b:1:0:1::1", "64:ff9b:1:0:1::1"},                         /* neither: both */
		{"64:ff9b:1:7f00:100:100::", "64:ff9b:1:7f00:100:100::"},         /* neither: the u octet */
		/* neither: the u octet */                                        /* neither: the u octet */
		{"2002:7f00:1::", "127.0.0.1"},                                   /* 6to4 */
		{"2002:a00:1:ffff:ffff:ffff:ffff:ffff", "10.0.0.1"},              /* 6to4 */
		{"2001:0:4136:e378:8000:63bf:3fff:fdd2", "192.0.2.45"},           /* Teredo, RFC 4380's example */
		{"2001:0:4136:e378:8000:63bf:80ff:fffe", "127.0.0.1"},            /* Teredo */
		{"2001:1::1", "2001:1::1"},
		{"64:ff9b:2::1", "64:ff9b:2::1"},
		{"64:ff9b::1:0:0", "64:ff9b::1:0:0"},
		{"2003::1", "2003::1"},
		{"::", "::"},
		{"::1", "::1"},
		{"::1:0:0:0", "::1:0:0:0"},
		{"2001:db8::1", "2001:db8::1"},
		{"127.0.0.1", "127.0.0.1"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr a = addr_with_port(ip(cases[i].text), 99), wanted = addr_with_port(ip(cases[i].canonical), 99);
		struct addr canonical = addr_canonical(&a);
		cr_assert(addr_equal(&canonical, &wanted), "%s", cases[i].text);
	}
	struct addr six = mapped("127.0.0.1"), four = ip("127.0.0.1");
	struct addr canonical = addr_canonical(&six);
	cr_assert(addr_equal(&canonical, &four));
}
