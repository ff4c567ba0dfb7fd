#include "authenticate.h"

static enum stun_error fail(struct request *request, enum auth_failure cause, enum stun_error error)
{
	counter_add(&request->t->counters.auth_failures[cause], 1);
	request->out->auth_failure = cause;
	return error;
}

struct credentials {
	struct bytes username, realm, nonce;
};

static bool credentials_read(const struct stun_view *view, struct credentials *ret_credentials)
{
	const struct stun_attribute *username = stun_view_find(view, STUN_ATTR_USERNAME);
	const struct stun_attribute *realm = stun_view_find(view, STUN_ATTR_REALM);
	const struct stun_attribute *nonce = stun_view_find(view, STUN_ATTR_NONCE);
	if (username == NULL || realm == NULL || nonce == NULL || username->size > STUN_USERNAME_SIZE_MAX)
		return false;
	ret_credentials->username = stun_attribute_value(view, username);
	ret_credentials->realm = stun_attribute_value(view, realm);
	ret_credentials->nonce = stun_attribute_value(view, nonce);
	return true;
}

static bool is_maker(const struct allocation *a, struct bytes username)
{
	return bytes_equal(username, bytes_of(a->username, a->username_size));
}

static bool key_fits(const struct request *request, enum integrity kind, const uint8_t key[static LONG_TERM_KEY_SIZE])
{
	return integrity_verify(request->view, kind, bytes_of(key, LONG_TERM_KEY_SIZE));
}

static void admit(struct request *request, enum integrity kind, const uint8_t key[static LONG_TERM_KEY_SIZE])
{
	request->transaction.integrity = (uint8_t)kind;
	memcpy(request->transaction.key, key, LONG_TERM_KEY_SIZE);
}

static bool same_text(struct bytes a, struct bytes b)
{
	return a.size == b.size && bytes_equal_constant_time(a.data, b.data, a.size);
}

static enum stun_error check_static(struct request *request, enum integrity kind)
{
	const struct turn_auth *auth = &request->t->config->auth;
	bool user_known = auth->username[0] != '\0' && same_text(request->username, bytes_of_string(auth->username));
	bool fits = key_fits(request, kind, auth->key);
	if (!user_known)
		return fail(request, AUTH_FAIL_USERNAME, STUN_UNAUTHENTICATED);
	if (!fits)
		return fail(request, AUTH_FAIL_INTEGRITY, STUN_UNAUTHENTICATED);
	request->user = siphash(&request->t->user_key, request->username.data, request->username.size);
	admit(request, kind, auth->key);
	return STUN_OK;
}

/* How many secrets there are. */
static unsigned secrets_of(const struct turn_auth *auth)
{
	unsigned count = 0;
	while (count < SECRETS_MAX && auth->secrets[count][0] != '\0')
		count++;
	return count;
}

static void ephemeral_key(
	const struct turn_auth *auth, unsigned secret, struct bytes username, uint8_t ret_key[static LONG_TERM_KEY_SIZE])
{
	char password[EPHEMERAL_PASSWORD_SIZE];
	credentials_ephemeral_password(username, bytes_of_string(auth->secrets[secret]), password);
	credentials_key(username, bytes_of_string(auth->realm), bytes_of_string(password), ret_key);
	bytes_wipe(password, sizeof password);
}

/* The key of the first secret that fits. How long it takes tells which one that is, and nothing of any of them. */
static bool find_key(struct request *request, enum integrity kind, uint8_t ret_key[static LONG_TERM_KEY_SIZE])
{
	const struct turn_auth *auth = &request->t->config->auth;
	unsigned count = secrets_of(auth);
	for (unsigned secret = 0; secret < count; secret++) {
		ephemeral_key(auth, secret, request->username, ret_key);
		if (!key_fits(request, kind, ret_key))
			continue;
		if (secret > 0)
			counter_add(&request->t->counters.accepted_secrets, 1);
		return true;
	}
	return false;
}

static enum stun_error check_ephemeral(struct request *request, enum integrity kind)
{
	uint8_t key[LONG_TERM_KEY_SIZE];
	uint64_t expires_wall_s = 0;
	struct bytes user = request->username;
	bool has_expiry = credentials_ephemeral_expiry(request->username, &expires_wall_s, &user);
	if (!find_key(request, kind, key))
		return fail(request, AUTH_FAIL_INTEGRITY, STUN_UNAUTHENTICATED);
	/* The expiry counts when an allocation is made: a call may outlast its ticket. */
	if (!has_expiry || (request->view->method == STUN_ALLOCATE && expires_wall_s < request->now->wall_s))
		return fail(request, AUTH_FAIL_EXPIRED, STUN_UNAUTHENTICATED);
	request->user = siphash(&request->t->user_key, user.data, user.size);
	admit(request, kind, key);
	return STUN_OK;
}

/* An allocation keeps the key that it was made with, whatever the configuration says since. */
static bool check_maker(struct request *request, enum integrity kind)
{
	const struct allocation *a = request->allocation;
	if (a == NULL || a->realm != request->realm || !is_maker(a, request->username) || !key_fits(request, kind, a->made_by.key))
		return false;
	request->user = a->user;
	admit(request, kind, a->made_by.key);
	return true;
}

static enum stun_error check_key(struct request *request, enum integrity kind, struct bytes realm)
{
	const struct turn_auth *auth = &request->t->config->auth;
	if (check_maker(request, kind))
		return STUN_OK;
	if (auth->type == AUTH_NONE)
		return fail(request, AUTH_FAIL_DISABLED, STUN_FORBIDDEN);
	/* The key embeds the realm: with another one it cannot fit. */
	if (!bytes_equal(realm, bytes_of_string(auth->realm)))
		return fail(request, AUTH_FAIL_INTEGRITY, STUN_UNAUTHENTICATED);
	return auth->type == AUTH_STATIC ? check_static(request, kind) : check_ephemeral(request, kind);
}

enum stun_error authenticate(struct request *request)
{
	struct turn *t = request->t;
	const struct turn_config *config = t->config;
	enum integrity kind = integrity_kind(request->view);
	struct credentials credentials;
	/* A relay whose authentication was switched off live still serves the allocations that it has. */
	if (config->auth.type == AUTH_NONE && request->allocation == NULL)
		return fail(request, AUTH_FAIL_DISABLED, STUN_FORBIDDEN);
	if (kind == INTEGRITY_NONE)
		return fail(request, AUTH_FAIL_MISSING, STUN_UNAUTHENTICATED);
	if (!credentials_read(request->view, &credentials))
		return fail(request, AUTH_FAIL_INCOMPLETE, STUN_BAD_REQUEST);
	if (nonce_check(config->nonce_secret, &request->flow->client, request->now->wall_s, credentials.nonce) != NONCE_VALID)
		return fail(request, AUTH_FAIL_STALE_NONCE, STUN_STALE_NONCE);

	request->username = credentials.username;
	request->realm = siphash(&t->key, credentials.realm.data, credentials.realm.size);
	enum stun_error error = check_key(request, kind, credentials.realm);
	if (error != STUN_OK)
		return error;
	unauth_limiter_spare(t->limiter, &config->unauth, &request->flow->client, request->now->mono_ns);

	/* RFC 8656 Section 5: only the user that made an allocation may change it. Allocate on its 5-tuple is a mismatch (437). */
	if (request->allocation != NULL && request->view->method != STUN_ALLOCATE &&
		!is_maker(request->allocation, request->username))
		return fail(request, AUTH_FAIL_WRONG_USER, STUN_WRONG_CREDENTIALS);
	return STUN_OK;
}

static bool has_secret_of(const struct turn_auth *auth, const struct allocation *a, struct bytes username)
{
	uint8_t key[LONG_TERM_KEY_SIZE];
	unsigned count = secrets_of(auth);
	for (unsigned secret = 0; secret < count; secret++) {
		ephemeral_key(auth, secret, username, key);
		if (bytes_equal_constant_time(a->made_by.key, key, LONG_TERM_KEY_SIZE))
			return true;
	}
	return false;
}

bool authenticate_still_holds(const struct turn_config *config, const struct allocation *a)
{
	const struct turn_auth *auth = &config->auth;
	struct bytes username = bytes_of(a->username, a->username_size);
	switch (auth->type) {
	case AUTH_STATIC:
		return bytes_equal(username, bytes_of_string(auth->username)) &&
		       bytes_equal_constant_time(a->made_by.key, auth->key, LONG_TERM_KEY_SIZE);
	case AUTH_EPHEMERAL:
		return has_secret_of(auth, a, username);
	case AUTH_NONE:
		break;
	}
	return false;
}

void authenticate_remember_realm(struct turn *t, const char *old, const char *new)
{
	if (strcmp(old, new) == 0)
		return;
	memmove(t->earlier_realms[1], t->earlier_realms[0], sizeof t->earlier_realms - sizeof t->earlier_realms[0]);
	memcpy(t->earlier_realms[0], old, sizeof t->earlier_realms[0]);
}

/* A client takes the realm of every challenge for its key (RFC 8489 Section 9.2.5), and a stale nonce comes to every long call. */
const char *authenticate_realm(const struct turn *t, const struct allocation *a)
{
	const char *current = t->config->auth.realm;
	if (a == NULL || a->realm == siphash(&t->key, current, strlen(current)))
		return current;
	for (unsigned i = 0; i < EARLIER_REALMS; i++) {
		const char *earlier = t->earlier_realms[i];
		if (earlier[0] != '\0' && a->realm == siphash(&t->key, earlier, strlen(earlier)))
			return earlier;
	}
	return current;
}
