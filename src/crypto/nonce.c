#include "crypto/nonce.h"

#include "crypto/mac.h"

enum {
	TIME_SIZE = 4,
	TAG_SIZE = 11,
	RAW_SIZE = TIME_SIZE + TAG_SIZE,
	KEY_ROTATION_S = NONCE_LIFETIME_S,
	AHEAD_MAX_S = 60, /* clocks of a fleet differ */
};
_Static_assert(RAW_SIZE * 4 / 3 == NONCE_SIZE && RAW_SIZE % 3 == 0, "base64 without padding");

static void put_be(uint8_t *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

/* RFC 4648 Section 5. RFC 8489 Section 14.10 allows the characters of a quoted string: '"' and '\' are not among these 64. */
static void to_base64url(const uint8_t raw[static RAW_SIZE], char ret_text[static NONCE_SIZE])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	for (size_t i = 0; i < RAW_SIZE; i += 3) {
		uint32_t group = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
		*ret_text++ = digits[group >> 18];
		*ret_text++ = digits[group >> 12 & 63];
		*ret_text++ = digits[group >> 6 & 63];
		*ret_text++ = digits[group & 63];
	}
}

/* The value of a base64url digit; 64 and more for anything else. */
static uint32_t base64url_value(uint8_t digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	return digit == '-' ? 62 : digit == '_' ? 63 : 64;
}

/* The first 32 bits of a nonce. False when their digits are none of ours. */
static bool read_time(const uint8_t text[static NONCE_SIZE], uint32_t *ret_made_s)
{
	uint64_t bits = 0;
	for (size_t i = 0; i < 6; i++) {
		uint32_t value = base64url_value(text[i]);
		if (value > 63)
			return false;
		bits = bits << 6 | value;
	}
	*ret_made_s = (uint32_t)(bits >> 4);
	return true;
}

void nonce_make(const uint8_t secret[static NONCE_SECRET_SIZE], const struct addr *client, uint64_t wall_s,
	char ret_nonce[static NONCE_SIZE])
{
	uint8_t epoch[8], key[SHA256_SIZE], mac[SHA256_SIZE], raw[RAW_SIZE];
	uint8_t question[TIME_SIZE + sizeof client->ip + 3];

	put_be(epoch, wall_s / KEY_ROTATION_S, sizeof epoch);
	hmac_sha256(bytes_of(secret, NONCE_SECRET_SIZE), bytes_of(epoch, sizeof epoch), key);

	put_be(question, wall_s, TIME_SIZE);
	memcpy(question + TIME_SIZE, client->ip, sizeof client->ip);
	put_be(question + TIME_SIZE + sizeof client->ip, client->port, 2);
	question[sizeof question - 1] = client->family;
	hmac_sha256(bytes_of(key, sizeof key), bytes_of(question, sizeof question), mac);

	memcpy(raw, question, TIME_SIZE);
	memcpy(raw + TIME_SIZE, mac, TAG_SIZE);
	to_base64url(raw, ret_nonce);
	bytes_wipe(key, sizeof key);
}

enum nonce_check nonce_check(
	const uint8_t secret[static NONCE_SECRET_SIZE], const struct addr *client, uint64_t wall_s, struct bytes nonce)
{
	uint32_t made_s;
	if (nonce.size != NONCE_SIZE || !read_time(nonce.data, &made_s))
		return NONCE_STALE;
	/* The difference of two 32-bit times is right across their overflow in 2106. */
	int32_t age_s = (int32_t)((uint32_t)wall_s - made_s);
	if (age_s > NONCE_LIFETIME_S || age_s < -AHEAD_MAX_S)
		return NONCE_STALE;
	char expected[NONCE_SIZE];
	nonce_make(secret, client, wall_s - (uint64_t)(int64_t)age_s, expected);
	return bytes_equal_constant_time((const uint8_t *)expected, nonce.data, NONCE_SIZE) ? NONCE_VALID : NONCE_STALE;
}
