/*
 * addr - an IPv4 or IPv6 endpoint as a plain value.
 *
 * Canonical: an IPv4 endpoint is always family ADDR_IPV4 (never v4-mapped), unused bytes are zero, so two equal endpoints are
 *            equal byte for byte and can be hashed and compared as memory.
 * Threads:   a value type.
 */
#ifndef UTURN_BASE_ADDR_H
#define UTURN_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

enum addr_family { ADDR_NONE = 0, ADDR_IPV4 = 4, ADDR_IPV6 = 6 };

struct addr {
	uint8_t ip[16]; /* network order; IPv4 uses the first four bytes, the rest is zero */
	uint16_t port;  /* host order; 0 where only the IP address matters */
	uint8_t family; /* enum addr_family */
	uint8_t zero;
};
_Static_assert(sizeof(struct addr) == 20, "hashed and compared as memory: no padding");

/* "[2001:db8:ffff:ffff:ffff:ffff:255.255.255.255]:65535" and its NUL */
enum { ADDR_TEXT_SIZE = 56 };

static inline bool addr_equal(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static inline bool addr_ip_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

/* 4 or 16; 0 for ADDR_NONE. */
static inline unsigned addr_ip_size(const struct addr *a)
{
	return a->family == ADDR_IPV4 ? 4 : a->family == ADDR_IPV6 ? 16 : 0;
}

/* The same address with another port. */
static inline struct addr addr_with_port(struct addr a, uint16_t port)
{
	a.port = port;
	return a;
}

struct addr addr_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
struct addr addr_any(enum addr_family family, uint16_t port);
struct addr addr_loopback(enum addr_family family, uint16_t port); /* 127.0.0.1 or ::1 */
bool addr_is_any(const struct addr *a);
bool addr_is_loopback(const struct addr *a);

/* The prefix that `ip` lies in: its first `bits` bits, zero after them, no port. */
struct addr addr_prefix(const struct addr *ip, unsigned bits);

/* From what the kernel gives. v4-mapped IPv6 becomes IPv4. ADDR_NONE for other families. */
struct addr addr_from_sockaddr(const struct sockaddr *sa);

/* For the kernel: sockaddr_in or sockaddr_in6. Returns the size to give as namelen; 0 for ADDR_NONE. */
socklen_t addr_to_sockaddr(const struct addr *a, struct sockaddr_storage *ret_sa);

/* "192.0.2.1" or "2001:db8::1" (no port, no brackets). False, and *ret_addr untouched, if it is not an address. */
bool addr_parse_ip(const char *text, struct addr *ret_addr);

/* "1" to "65535", all of the text. False, and *ret_port untouched, if it is anything else. */
bool addr_parse_port(const char *text, uint16_t *ret_port);

/* "192.0.2.1:3478" or "[2001:db8::1]:3478". Both write at most ADDR_TEXT_SIZE bytes and return `text`. */
const char *addr_format(const struct addr *a, char text[static ADDR_TEXT_SIZE]);
const char *addr_format_ip(const struct addr *a, char text[static ADDR_TEXT_SIZE]);

/*
 * The IPv4 address inside a v4-mapped, v4-compatible, NAT64 (64:ff9b::/96 and the 64:ff9b:1::/48 local prefix), 6to4 or Teredo
 * IPv6 address, port kept; any other address comes back as it is (:: and ::1 are IPv6, not v4-compatible). An access check that
 * forgets this lets ::ffff:127.0.0.1 through.
 */
struct addr addr_canonical(const struct addr *a);

#endif
