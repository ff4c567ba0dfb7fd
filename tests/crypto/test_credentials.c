#include "crypto/credentials.h"

#include <criterion/criterion.h>

Test(credentials, key_is_the_md5_of_name_realm_and_password)
{
	/* RFC 8489 Section 9.2.2 gives the first one. */
	static const struct {
		const char *username, *realm, *password;
		uint8_t key[LONG_TERM_KEY_SIZE];
	} cases[] = {
		{"user", "realm", "pass",
			{0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40, 0xeb}},
		/* md5("::") */
		{"", "", "", {0x45, 0x01, 0xc0, 0x91, 0xb0, 0x36, 0x6d, 0x76, 0xea, 0x32, 0x18, 0xb6, 0xcf, 0xdd, 0x80, 0x97}},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t key[LONG_TERM_KEY_SIZE];
		credentials_key(bytes_of_string(cases[i].username), bytes_of_string(cases[i].realm),
			bytes_of_string(cases[i].password), key);
		cr_expect_arr_eq(key, cases[i].key, sizeof key, "case %zu", i);
	}
}

Test(credentials, ephemeral_password_is_the_base64_of_the_hmac_of_the_whole_name)
{
	char password[EPHEMERAL_PASSWORD_SIZE];
	credentials_ephemeral_password(bytes_of_string("1893456000:alice"), bytes_of_string("my-secret"), password);
	cr_assert_eq(strlen(password), EPHEMERAL_PASSWORD_SIZE - 1);
	cr_assert_str_eq(password, "+QliQNQmhiVlxNCPejdOjg+i0GU=");
}

static const struct {
	const char *username;
	bool valid;
	uint64_t expires;
	const char *user;
} names[] = {
	{"1893456000", true, 1893456000, "1893456000"},
	{"1893456000:alice", true, 1893456000, "alice"},
	{"alice:1893456000", true, 1893456000, "alice"},
	/* The expiry is the first number; whatever else has a colon belongs to the user. */
	{"1893456000:alice:home", true, 1893456000, "alice:home"},
	{"alice:home:1893456000", true, 1893456000, "alice:home"},
	{"1893456000:7", true, 1893456000, "7"},
	{"1893456000::", true, 1893456000, ":"},
	{"alice:1893456000:home", true, 1893456000, "alice"},
	{"1893456000:", true, 1893456000, "1893456000:"},
	{":1893456000", true, 1893456000, ":1893456000"},
	{"::1893456000", true, 1893456000, ":"},
	{"5", true, 5, "5"},
	{"0005:alice", true, 5, "alice"},
	/* A zero is no expiry, and what follows it does not count. */
	{"0", false, 0, NULL},
	{"0:alice", false, 0, NULL},
	{"0:1893456000", false, 0, NULL},
	{"alice:0", false, 0, NULL},
	/* No number. */
	{"", false, 0, NULL},
	{":", false, 0, NULL},
	{"alice", false, 0, NULL},
	{"alice:bob", false, 0, NULL},
	{"1893456000x:alice", false, 0, NULL},
	{"x1893456000", false, 0, NULL},
	{" 1893456000:alice", false, 0, NULL},
	{"-1893456000:alice", false, 0, NULL},
	{"0x70000000:alice", false, 0, NULL},
	/* Beyond 64 bits it is no time: neither wrapped nor cut. */
	{"18446744073709551615:alice", true, UINT64_MAX, "alice"},
	{"18446744073709551616:alice", false, 0, NULL},
	{"18446744073709551617:alice:1893456000", true, 1893456000, "18446744073709551617:alice"},
	{"99999999999999999999999999999999", false, 0, NULL},
};

Test(credentials, ephemeral_expiry_is_the_first_component_that_is_a_number)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		/* Without its NUL, so that reading beyond the name is seen. */
		size_t size = strlen(names[i].username);
		char *name = malloc(size + !size);
		memcpy(name, names[i].username, size);
		uint64_t expires = 42;
		struct bytes user = bytes_of(NULL, 42);
		bool valid = credentials_ephemeral_expiry(bytes_of(name, size), &expires, &user);
		cr_expect_eq(valid, names[i].valid, "\"%s\"", names[i].username);
		if (valid && names[i].valid) {
			cr_expect_eq(expires, names[i].expires, "\"%s\": %lu", names[i].username, (unsigned long)expires);
			cr_expect(bytes_equal(user, bytes_of_string(names[i].user)), "\"%s\": user \"%.*s\"", names[i].username,
				(int)user.size, (const char *)user.data);
		} else if (!valid) {
			cr_expect_eq(expires, 42, "\"%s\": output written on failure", names[i].username);
			cr_expect_eq(user.size, 42, "\"%s\": output written on failure", names[i].username);
		}
		free(name);
	}
}
