/*
 * fake_server - reads a TURN client's requests and writes a server's answers, for tests; without I/O.
 */
#ifndef UTURN_TESTS_RIG_FAKE_SERVER_H
#define UTURN_TESTS_RIG_FAKE_SERVER_H

#include "crypto/integrity.h"

#define FAKE_USER "user"
#define FAKE_PASSWORD "pass"
#define FAKE_REALM "example"

enum { FAKE_MESSAGE_MAX = 1024 };

struct fake_message {
	uint8_t data[FAKE_MESSAGE_MAX];
	size_t size;
};

struct bytes fake_bytes(const struct fake_message *message);

/* An error response to the request; with realm and nonce, where nonce is not NULL. */
struct fake_message fake_error(const struct fake_message *request, unsigned code, const char *nonce);

/*
 * A success, signed with `password` (NULL: not at all). An Allocate gets the relayed address 192.0.2.9:50000 or [2001:db8::9]:50000
 * and `lifetime_s` (0: no LIFETIME), a Refresh that lifetime.
 */
struct fake_message fake_success(const struct fake_message *request, const char *password, uint32_t lifetime_s);

/* The text of an attribute; "" where it has none. Valid until the next call. */
const char *fake_text(const struct fake_message *message, uint16_t type);
bool fake_has(const struct fake_message *message, uint16_t type);
unsigned fake_method(const struct fake_message *message);

/* True when the request carries the user name, the realm, and the right MESSAGE-INTEGRITY for `password`. */
bool fake_signed(const struct fake_message *request, const char *password);

#endif
