#include "crypto/credentials.h"

#include <assert.h>

#include "mbedtls_compat.h"

void credentials_key(struct bytes username, struct bytes realm, struct bytes password, uint8_t ret_key[static LONG_TERM_KEY_SIZE])
{
	struct bytes colon = bytes_of(":", 1);
	struct bytes parts[] = {username, colon, realm, colon, password};
	md5_parts(parts, sizeof parts / sizeof *parts, ret_key);
}

void credentials_ephemeral_password(struct bytes username, struct bytes secret, char ret_password[static EPHEMERAL_PASSWORD_SIZE])
{
	uint8_t mac[SHA1_SIZE];
	size_t written;
	hmac_sha1(secret, username, mac);
	int failed = mbedtls_base64_encode((unsigned char *)ret_password, EPHEMERAL_PASSWORD_SIZE, &written, mac, sizeof mac);
	assert(!failed);
	assert(written == EPHEMERAL_PASSWORD_SIZE - 1);
	bytes_wipe(mac, sizeof mac);
}

/* Digits only, and no more than fit: a longer number is not a time. */
static bool decimal(struct bytes text, uint64_t *ret_number)
{
	uint64_t number = 0;
	if (!text.size)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t digit = (uint8_t)(text.data[i] - '0');
		if (digit > 9 || __builtin_mul_overflow(number, 10, &number) || __builtin_add_overflow(number, digit, &number))
			return false;
	}
	*ret_number = number;
	return true;
}

/* The user part of a name whose component [from, to) is the expiry: what follows it if it comes first, what precedes it
 * otherwise. */
static struct bytes user_part(struct bytes username, size_t from, size_t to)
{
	if (from > 1)
		return bytes_of(username.data, from - 1);
	if (from == 0 && to + 1 < username.size)
		return bytes_of(username.data + to + 1, username.size - to - 1);
	return username;
}

bool credentials_ephemeral_expiry(struct bytes username, uint64_t *ret_expires_wall_s, struct bytes *ret_user)
{
	for (size_t from = 0; from < username.size;) {
		const uint8_t *colon = memchr(username.data + from, ':', username.size - from);
		size_t to = colon ? (size_t)(colon - username.data) : username.size;
		uint64_t expires_wall_s;
		if (decimal(bytes_of(username.data + from, to - from), &expires_wall_s)) {
			if (expires_wall_s == 0)
				return false;
			*ret_expires_wall_s = expires_wall_s;
			*ret_user = user_part(username, from, to);
			return true;
		}
		from = to + 1;
	}
	return false;
}
