#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static struct addr addr_from_ipv4_bytes(const uint8_t ip[static 4], uint16_t port)
{
	struct addr addr = {.port = port, .family = ADDR_IPV4};
	memcpy(addr.ip, ip, 4);
	return addr;
}

struct addr addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
	const uint8_t ip[4] = {a, b, c, d};
	return addr_from_ipv4_bytes(ip, port);
}

struct addr addr_any(enum addr_family family, uint16_t port)
{
	return (struct addr){.port = port, .family = (uint8_t)family};
}

struct addr addr_loopback(enum addr_family family, uint16_t port)
{
	if (family == ADDR_IPV4)
		return addr_ipv4(127, 0, 0, 1, port);
	return (struct addr){.ip = {[15] = 1}, .port = port, .family = ADDR_IPV6};
}

struct addr addr_prefix(const struct addr *ip, unsigned bits)
{
	struct addr prefix = addr_with_port(*ip, 0);
	for (unsigned i = 0; i < sizeof prefix.ip; i++) {
		unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
		if (kept < 8)
			prefix.ip[i] &= (uint8_t)(0xff00 >> kept);
	}
	return prefix;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

bool addr_is_any(const struct addr *a)
{
	return a->family != ADDR_NONE && all_zero(a->ip, sizeof a->ip);
}

/* RFC 4291 Section 2.5.5.2 */
static bool is_v4_mapped(const uint8_t ip[static 16])
{
	return all_zero(ip, 10) && ip[10] == 0xff && ip[11] == 0xff;
}

bool addr_is_loopback(const struct addr *a)
{
	if (a->family == ADDR_IPV4)
		return a->ip[0] == 127;
	if (a->family != ADDR_IPV6)
		return false;
	if (is_v4_mapped(a->ip))
		return a->ip[12] == 127;
	return all_zero(a->ip, 15) && a->ip[15] == 1;
}

static struct addr addr_from_ipv6_bytes(const uint8_t ip[static 16], uint16_t port)
{
	if (is_v4_mapped(ip))
		return addr_from_ipv4_bytes(ip + 12, port);
	struct addr addr = {.port = port, .family = ADDR_IPV6};
	memcpy(addr.ip, ip, 16);
	return addr;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa)
{
	/* Copied out: the kernel's results lie in byte buffers without the alignment that the types ask for. */
	sa_family_t family;
	memcpy(&family, (const uint8_t *)sa + offsetof(struct sockaddr, sa_family), sizeof family);
	if (family == AF_INET) {
		struct sockaddr_in in;
		memcpy(&in, sa, sizeof in);
		return addr_from_ipv4_bytes((const uint8_t *)&in.sin_addr, ntohs(in.sin_port));
	}
	if (family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, sa, sizeof in6);
		return addr_from_ipv6_bytes(in6.sin6_addr.s6_addr, ntohs(in6.sin6_port));
	}
	return (struct addr){.family = ADDR_NONE};
}

socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa)
{
	if (a->family == ADDR_IPV4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
		memcpy(&in.sin_addr, a->ip, 4);
		memcpy(ret_sa, &in, sizeof in);
		return sizeof in;
	}
	if (a->family == ADDR_IPV6) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(ret_sa, &in6, sizeof in6);
		return sizeof in6;
	}
	return 0;
}

bool addr_parse_ip(const char *text, struct addr *ret_addr)
{
	uint8_t ip[16];
	if (inet_pton(AF_INET, text, ip) == 1) {
		*ret_addr = addr_from_ipv4_bytes(ip, 0);
		return true;
	}
	if (inet_pton(AF_INET6, text, ip) == 1) {
		*ret_addr = addr_from_ipv6_bytes(ip, 0);
		return true;
	}
	return false;
}

bool addr_parse_port(const char *text, uint16_t *ret_port)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long port = digits > 0 && digits <= 5 && text[digits] == '\0' ? strtoul(text, NULL, 10) : 0;
	if (port == 0 || port > UINT16_MAX)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

const char *addr_format_ip(const struct addr *a, char text[static ADDR_TEXT_SIZE])
{
	if (a->family == ADDR_NONE)
		return strcpy(text, "none");
	const char *done = inet_ntop(a->family == ADDR_IPV4 ? AF_INET : AF_INET6, a->ip, text, ADDR_TEXT_SIZE);
	assert(done != NULL);
	return done;
}

const char *addr_format(const struct addr *a, char text[static ADDR_TEXT_SIZE])
{
	char ip[ADDR_TEXT_SIZE];
	addr_format_ip(a, ip);
	if (a->family == ADDR_NONE)
		return strcpy(text, ip);
	int size = snprintf(text, ADDR_TEXT_SIZE, a->family == ADDR_IPV6 ? "[%s]:%u" : "%s:%u", ip, a->port);
	assert(size > 0 && size < ADDR_TEXT_SIZE);
	return text;
}

/*
 * The two shapes in which an IPv4 address is found under 64:ff9b:1::/48 (RFC 8215): the /48 one of RFC 6052 Section 2.2, whose
 * suffix is zero, and a /96 inside it. A mixture could be read either way by a translator, so it stays the IPv6 address that it is.
 */
static bool local_nat64_ipv4(const uint8_t ip[static 16], uint8_t ret_ipv4[static 4])
{
	if (all_zero(ip + 6, 6)) {
		memcpy(ret_ipv4, ip + 12, 4);
		return true;
	}
	if (ip[8] == 0 && all_zero(ip + 11, 5)) {
		memcpy(ret_ipv4, ip + 6, 2);
		memcpy(ret_ipv4 + 2, ip + 9, 2);
		return true;
	}
	return false;
}

static bool embedded_ipv4(const uint8_t ip[static 16], uint8_t ret_ipv4[static 4])
{
	static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 Section 2.1 */
	static const uint8_t nat64_local[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};
	static const uint8_t six_to_four[2] = {0x20, 0x02}; /* RFC 3056 Section 2 */
	static const uint8_t teredo[4] = {0x20, 0x01};      /* RFC 4380 Section 4 */

	bool compatible = all_zero(ip, 12) && !(all_zero(ip + 12, 3) && ip[15] <= 1); /* RFC 4291 Section 2.5.5.1 */
	if (compatible || is_v4_mapped(ip) || memcmp(ip, nat64, sizeof nat64) == 0) {
		memcpy(ret_ipv4, ip + 12, 4);
		return true;
	}
	if (memcmp(ip, nat64_local, sizeof nat64_local) == 0)
		return local_nat64_ipv4(ip, ret_ipv4);
	if (memcmp(ip, six_to_four, sizeof six_to_four) == 0) {
		memcpy(ret_ipv4, ip + 2, 4);
		return true;
	}
	if (memcmp(ip, teredo, sizeof teredo) == 0) {
		/* The client's address, every bit inverted. */
		for (unsigned i = 0; i < 4; i++)
			ret_ipv4[i] = (uint8_t)~ip[12 + i];
		return true;
	}
	return false;
}

struct addr addr_canonical(const struct addr *a)
{
	uint8_t ipv4[4];
	if (a->family == ADDR_IPV6 && embedded_ipv4(a->ip, ipv4))
		return addr_from_ipv4_bytes(ipv4, a->port);
	return *a;
}
