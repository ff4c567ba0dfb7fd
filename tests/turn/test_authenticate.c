#include <criterion/criterion.h>

#include "crypto/integrity.h"
#include "turn_rig.h"

static uint64_t failures(const struct rig *rig, enum auth_failure cause)
{
	return counter_read(&turn_counters(rig->cores[0])->auth_failures[cause]);
}

Test(authenticate, challenges_a_bare_allocate_within_72_bytes)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	uint64_t before = rig_digest(rig);
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNAUTHENTICATED);
	cr_assert_eq(rig->sent.size, 20);
	cr_assert_leq(rig->reply_bytes.size, 72);
	cr_assert(rig_reply_has(rig, STUN_ATTR_REALM));
	cr_assert(rig_reply_has(rig, STUN_ATTR_NONCE));
	cr_assert_not(rig_reply_has(rig, STUN_ATTR_SOFTWARE));
	cr_assert_not(rig_reply_has(rig, STUN_ATTR_MESSAGE_INTEGRITY));
	cr_assert_eq(stun_view_find(&rig->reply, STUN_ATTR_ERROR_CODE)->size, 4, "no reason phrase");
	cr_assert_eq(failures(rig, AUTH_FAIL_MISSING), 1);
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(authenticate, challenges_every_method_but_binding)
{
	static const enum stun_method methods[] = {STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND};
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		struct rig_message message;
		rig_begin(&message, client, methods[i]);
		stun_build_u32(&message.builder, 0x7777, 0);
		cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNAUTHENTICATED, "method %d", methods[i]);
	}
	rig_free(rig);
}

/* What is left out or wrong in a signed Allocate. */
struct mistake {
	const char *name;
	int expected;
	enum auth_failure cause;
	const char *username, *realm, *nonce, *password; /* NULL: left out */
};

static int allocate_with_mistake(struct rig *rig, struct rig_client *client, const struct mistake *mistake)
{
	struct rig_message message;
	uint8_t key[LONG_TERM_KEY_SIZE];
	rig_begin(&message, client, STUN_ALLOCATE);
	rig_add_u8_24(&message, STUN_ATTR_REQUESTED_TRANSPORT, STUN_TRANSPORT_UDP);
	if (mistake->username != NULL)
		stun_build_bytes(&message.builder, STUN_ATTR_USERNAME, bytes_of_string(mistake->username));
	if (mistake->realm != NULL)
		stun_build_bytes(&message.builder, STUN_ATTR_REALM, bytes_of_string(mistake->realm));
	if (mistake->nonce != NULL)
		stun_build_bytes(&message.builder, STUN_ATTR_NONCE, bytes_of_string(mistake->nonce));
	credentials_key(bytes_of_string(mistake->username != NULL ? mistake->username : "user"),
		bytes_of_string(mistake->realm != NULL ? mistake->realm : "stunner.l7mp.io"), bytes_of_string(mistake->password),
		key);
	integrity_append(&message.builder, INTEGRITY_SHA1, bytes_of(key, sizeof key));
	return rig_request_unsigned(rig, client, &message);
}

Test(authenticate, tells_each_mistake_by_its_code_and_leaves_no_trace)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	char long_name[600];
	memset(long_name, 'x', sizeof long_name);
	long_name[sizeof long_name - 1] = '\0';
	struct rig_message first;
	rig_begin(&first, client, STUN_ALLOCATE);
	rig_request_unsigned(rig, client, &first);
	char nonce[NONCE_SIZE + 1] = "";
	memcpy(nonce, stun_attribute_value(&rig->reply, stun_view_find(&rig->reply, STUN_ATTR_NONCE)).data, NONCE_SIZE);

	const char *realm = "stunner.l7mp.io";
	const struct mistake mistakes[] = {
		{"no username", 400, AUTH_FAIL_INCOMPLETE, NULL, realm, nonce, "pass"},
		{"no realm", 400, AUTH_FAIL_INCOMPLETE, "user", NULL, nonce, "pass"},
		{"no nonce", 400, AUTH_FAIL_INCOMPLETE, "user", realm, NULL, "pass"},
		{"user name too long", 400, AUTH_FAIL_INCOMPLETE, long_name, realm, nonce, "pass"},
		{"nonce of nobody", 438, AUTH_FAIL_STALE_NONCE, "user", realm, "AAAAAAAAAAAAAAAAAAAA", "pass"},
		{"nonce of another size", 438, AUTH_FAIL_STALE_NONCE, "user", realm, "AAAA", "pass"},
		{"unknown user", 401, AUTH_FAIL_USERNAME, "users", realm, nonce, "pass"},
		{"empty user name", 401, AUTH_FAIL_USERNAME, "", realm, nonce, "pass"},
		{"wrong password", 401, AUTH_FAIL_INTEGRITY, "user", realm, nonce, "Pass"},
		{"wrong realm", 401, AUTH_FAIL_INTEGRITY, "user", "elsewhere", nonce, "pass"},
	};
	uint64_t before = rig_digest(rig);
	for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
		uint64_t counted = failures(rig, mistakes[i].cause);
		int code = allocate_with_mistake(rig, client, &mistakes[i]);
		cr_assert_eq(code, mistakes[i].expected, "%s: %d", mistakes[i].name, code);
		cr_assert_eq(failures(rig, mistakes[i].cause), counted + 1, "%s", mistakes[i].name);
		cr_assert_not(rig_reply_has(rig, STUN_ATTR_MESSAGE_INTEGRITY), "%s", mistakes[i].name);
		cr_assert_not(rig_reply_has(rig, STUN_ATTR_SOFTWARE), "%s", mistakes[i].name);
		bool challenged = rig_reply_has(rig, STUN_ATTR_NONCE) && rig_reply_has(rig, STUN_ATTR_REALM);
		cr_assert_eq(challenged, code != 400, "%s", mistakes[i].name);
		cr_assert_eq(rig_digest(rig), before, "%s", mistakes[i].name);
	}
	const struct mistake none = {"none", 0, 0, "user", realm, nonce, "pass"};
	cr_assert_eq(allocate_with_mistake(rig, client, &none), STUN_OK);
	rig_free(rig);
}

Test(authenticate, does_not_accept_the_nonce_of_another_client)
{
	struct rig *rig = rig_create();
	struct rig_client *alice = rig_client(rig, 1), *mallory = rig_client(rig, 2);
	cr_assert_eq(rig_allocate(rig, alice), STUN_OK);
	memcpy(mallory->nonce, alice->nonce, sizeof mallory->nonce);
	mallory->realm = "stunner.l7mp.io";
	mallory->challenged = true;
	cr_assert_eq(rig_allocate(rig, mallory), STUN_STALE_NONCE);
	rig_free(rig);
}

Test(authenticate, gives_a_fresh_nonce_when_one_has_become_stale)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	rig_pass_s(rig, NONCE_LIFETIME_S - 1);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	rig_pass_s(rig, 2);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_STALE_NONCE);
	memcpy(client->nonce, stun_attribute_value(&rig->reply, stun_view_find(&rig->reply, STUN_ATTR_NONCE)).data, NONCE_SIZE);
	cr_assert_eq(rig_refresh(rig, client, 3600), STUN_OK);
	rig_free(rig);
}

Test(authenticate, signs_every_answer_to_an_authenticated_request_errors_included)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_ALLOCATION_MISMATCH);
	cr_assert(rig_reply_signed(rig, client));
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert(rig_reply_signed(rig, client));
	cr_assert(rig_reply_has(rig, STUN_ATTR_SOFTWARE));
	cr_assert_eq(rig_create_permission(rig, client, addr_ipv4(10, 0, 0, 1, 1)), STUN_FORBIDDEN);
	cr_assert(rig_reply_signed(rig, client));
	cr_assert_gt(stun_view_find(&rig->reply, STUN_ATTR_ERROR_CODE)->size, 4, "a reason phrase");
	rig_free(rig);
}

Test(authenticate, looks_for_unknown_attributes_only_after_authentication)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_REFRESH);
	stun_build_u32(&message.builder, 0x7777, 0);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_UNAUTHENTICATED);
	rig_begin(&message, client, STUN_REFRESH);
	stun_build_u32(&message.builder, 0x7777, 0);
	cr_assert_eq(rig_request(rig, client, &message), STUN_UNKNOWN_ATTRIBUTE, "before 437");
	cr_assert(rig_reply_has(rig, STUN_ATTR_UNKNOWN_ATTRIBUTES));
	cr_assert(rig_reply_signed(rig, client));
	rig_free(rig);
}

static void two_users(struct turn_config *config)
{
	config->auth.type = AUTH_EPHEMERAL;
}

static void become_by(
	struct rig_client *client, const char *username, const char *secret, char password[static EPHEMERAL_PASSWORD_SIZE])
{
	credentials_ephemeral_password(bytes_of_string(username), bytes_of_string(secret), password);
	client->username = username;
	client->password = password;
}

/* Passwords of the rig's ephemeral secret. */
static void become(struct rig_client *client, const char *username, char password[static EPHEMERAL_PASSWORD_SIZE])
{
	become_by(client, username, "secret", password);
}

Test(authenticate, refuses_another_user_on_somebodys_allocation)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = two_users});
	struct rig_client *client = rig_client(rig, 1);
	char alice[EPHEMERAL_PASSWORD_SIZE], bob[EPHEMERAL_PASSWORD_SIZE];
	become(client, "1700001000:alice", alice);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	become(client, "1700001000:bob", bob);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_refresh(rig, client, 0), STUN_WRONG_CREDENTIALS);
	cr_assert(rig_reply_signed(rig, client));
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_WRONG_CREDENTIALS);
	cr_assert_eq(rig_channel_bind(rig, client, 0x4000, rig_peer(1)), STUN_WRONG_CREDENTIALS);
	cr_assert_eq(failures(rig, AUTH_FAIL_WRONG_USER), 3);
	cr_assert_eq(rig_allocate(rig, client), STUN_ALLOCATION_MISMATCH, "the 5-tuple is taken, whoever asks");
	cr_assert_eq(rig_digest(rig), before);
	rig_free(rig);
}

Test(authenticate, lets_time_limited_credentials_expire_for_allocate_only)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = two_users});
	struct rig_client *client = rig_client(rig, 1), *late = rig_client(rig, 2);
	char password[EPHEMERAL_PASSWORD_SIZE];
	become(client, "1700000100:alice", password);
	become(late, "1700000100:alice", password);
	rig_pass_s(rig, 100);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK, "the last second still counts");
	rig_pass_s(rig, 1);
	uint64_t before = rig_digest(rig);
	cr_assert_eq(rig_allocate(rig, late), STUN_UNAUTHENTICATED);
	cr_assert_eq(failures(rig, AUTH_FAIL_EXPIRED), 1);
	cr_assert_eq(rig_digest(rig), before);
	cr_assert_eq(rig_refresh(rig, late, 600), STUN_ALLOCATION_MISMATCH, "it is Allocate that needs a ticket");
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_OK, "a call may outlast its ticket");
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	rig_free(rig);
}

Test(authenticate, refuses_time_limited_names_without_an_expiry)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = two_users});
	struct rig_client *client = rig_client(rig, 1);
	char password[EPHEMERAL_PASSWORD_SIZE];
	become(client, "alice", password);
	cr_assert_eq(rig_allocate(rig, client), STUN_UNAUTHENTICATED);
	cr_assert_eq(failures(rig, AUTH_FAIL_EXPIRED), 1);
	become(client, "1700001000:alice", password);
	client->password = "guess";
	cr_assert_eq(rig_allocate(rig, client), STUN_UNAUTHENTICATED);
	cr_assert_eq(failures(rig, AUTH_FAIL_INTEGRITY), 1);
	rig_free(rig);
}

static void three_secrets(struct turn_config *config)
{
	two_users(config);
	strcpy(config->auth.secrets[1], "older");
	strcpy(config->auth.secrets[2], "oldest");
}

Test(authenticate, accepts_credentials_made_with_any_of_its_secrets)
{
	static const struct {
		const char *secret;
		int expected;
		uint64_t by_others; /* counted, once the client has allocated and refreshed */
	} cases[] = {
		{"secret", STUN_OK, 0},
		{"older", STUN_OK, 1},
		{"oldest", STUN_OK, 2},
		{"secret2", STUN_UNAUTHENTICATED, 2},
		{"", STUN_UNAUTHENTICATED, 2},
	};
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = three_secrets});
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rig_client *client = rig_client(rig, i + 1);
		char password[EPHEMERAL_PASSWORD_SIZE];
		become_by(client, "1700001000:alice", cases[i].secret, password);
		cr_assert_eq(rig_allocate(rig, client), cases[i].expected, "%s", cases[i].secret);
		if (cases[i].expected == STUN_OK)
			cr_assert_eq(rig_refresh(rig, client, 600), STUN_OK, "%s", cases[i].secret);
		cr_assert_eq(
			counter_read(&turn_counters(rig->cores[0])->accepted_secrets), cases[i].by_others, "%s", cases[i].secret);
	}
	cr_assert_eq(failures(rig, AUTH_FAIL_INTEGRITY), 2);
	rig_free(rig);
}

static void no_user(struct turn_config *config)
{
	memset(config->auth.username, 0, sizeof config->auth.username);
	memset(config->auth.key, 0, sizeof config->auth.key);
}

/* Signs with a key that has nothing to do with what the message says. */
static int signed_with(struct rig *rig, struct rig_client *client, enum stun_method method, const char *realm, struct bytes key)
{
	struct rig_message message;
	rig_begin(&message, client, method);
	stun_build_bytes(&message.builder, STUN_ATTR_USERNAME, bytes_of_string(client->username));
	stun_build_bytes(&message.builder, STUN_ATTR_REALM, bytes_of_string(realm));
	stun_build_bytes(&message.builder, STUN_ATTR_NONCE, bytes_of_string(client->nonce));
	integrity_append(&message.builder, INTEGRITY_SHA1, key);
	return rig_request_unsigned(rig, client, &message);
}

Test(authenticate, lets_nobody_in_where_no_user_is_configured)
{
	static const uint8_t zeros[LONG_TERM_KEY_SIZE];
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = no_user});
	struct rig_client *client = rig_client(rig, 1);
	client->username = "";
	cr_assert_eq(rig_refresh(rig, client, 600), STUN_UNAUTHENTICATED);
	cr_assert_eq(
		signed_with(rig, client, STUN_REFRESH, "stunner.l7mp.io", bytes_of(zeros, sizeof zeros)), STUN_UNAUTHENTICATED);
	rig_free(rig);
}

Test(authenticate, refuses_another_realm_even_if_the_key_is_right)
{
	struct rig *rig = rig_create();
	struct rig_client *client = rig_client(rig, 1);
	struct bytes key = bytes_of(rig->config->auth.key, LONG_TERM_KEY_SIZE);
	for (unsigned i = 0; i < 2; i++) {
		rig_refresh(rig, client, 600);
		cr_assert_eq(signed_with(rig, client, STUN_REFRESH, "elsewhere", key), STUN_UNAUTHENTICATED);
		cr_assert_neq(signed_with(rig, client, STUN_REFRESH, "stunner.l7mp.io", key), STUN_UNAUTHENTICATED);
		cr_assert_eq(rig_allocate(rig, client), i == 0 ? STUN_OK : STUN_ALLOCATION_MISMATCH, "now with an allocation");
	}
	rig_free(rig);
}

static void switch_off(struct turn_config *config)
{
	config->auth.type = AUTH_NONE;
}

Test(authenticate, forbids_relaying_where_it_is_switched_off)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = switch_off});
	struct rig_client *client = rig_client(rig, 1);
	struct rig_message message;
	rig_begin(&message, client, STUN_ALLOCATE);
	cr_assert_eq(rig_request_unsigned(rig, client, &message), STUN_FORBIDDEN);
	cr_assert_eq(rig->reply_bytes.size, 28);
	cr_assert_eq(failures(rig, AUTH_FAIL_DISABLED), 1);
	rig_free(rig);
}

static void limited(struct turn_config *config)
{
	config->unauth.burst = 3;
	config->unauth.per_s = 1;
	config->unauth.spare_s = 600;
	config->unauth.ipv4_bits = 32;
	config->unauth.ipv6_bits = 64;
}

static int bare(struct rig *rig, struct rig_client *client, enum stun_method method)
{
	struct rig_message message;
	rig_begin(&message, client, method);
	return rig_request_unsigned(rig, client, &message);
}

Test(authenticate, drops_unauthenticated_requests_beyond_their_sources_rate)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = limited});
	struct rig_client *client = rig_client(rig, 1), *other = rig_client(rig, 2);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(bare(rig, client, STUN_ALLOCATE), STUN_UNAUTHENTICATED);
	cr_assert_eq(bare(rig, client, STUN_ALLOCATE), RIG_NO_ANSWER);
	cr_assert_eq(rig->verdict, DROP_UNAUTH_LIMIT);
	cr_assert_eq(bare(rig, client, STUN_BINDING), STUN_OK, "Binding is no challenge");
	cr_assert_eq(bare(rig, other, STUN_ALLOCATE), STUN_UNAUTHENTICATED, "another source has its own bucket");
	rig_pass_s(rig, 1);
	cr_assert_eq(bare(rig, client, STUN_ALLOCATE), STUN_UNAUTHENTICATED);
	cr_assert_eq(bare(rig, client, STUN_ALLOCATE), RIG_NO_ANSWER);
	rig_free(rig);
}

Test(authenticate, spares_sources_that_have_authenticated)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = limited});
	struct rig_client *client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(bare(rig, client, STUN_ALLOCATE), STUN_UNAUTHENTICATED);
	rig_free(rig);
}

Test(authenticate, limits_400_and_438_like_401)
{
	struct rig *rig = rig_create_with(&(struct rig_options){.edit = limited});
	struct rig_client *client = rig_client(rig, 1);
	client->realm = "stunner.l7mp.io";
	client->challenged = true;
	strcpy(client->nonce, "AAAAAAAAAAAAAAAAAAAA");
	for (int i = 0; i < 3; i++)
		cr_assert_eq(rig_allocate(rig, client), STUN_STALE_NONCE);
	cr_assert_eq(rig_allocate(rig, client), RIG_NO_ANSWER);
	static const uint8_t malformed[24] = {0x00, 0x01, 0x00, 0x04, 0x21, 0x12, 0xA4, 0x42, [20] = 0x80, [23] = 0x40};
	cr_assert_eq(rig_datagram(rig, client, bytes_of(malformed, sizeof malformed)), RIG_NO_ANSWER);
	cr_assert_eq(rig->verdict, DROP_UNAUTH_LIMIT);
	cr_assert_eq(rig_datagram(rig, rig_client(rig, 2), bytes_of(malformed, sizeof malformed)), STUN_BAD_REQUEST);
	cr_assert_eq(rig->reply_bytes.size, 28);
	rig_free(rig);
}
