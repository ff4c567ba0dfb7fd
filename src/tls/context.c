#include "context_private.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "session_private.h"

void tls_library_init(void)
{
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, NULL);
}

/* --- groups ------------------------------------------------------------------------------------------------------------------ */

static bool group_takes(const struct tls_context *context, const struct tls_group *group, const struct tls_identity *identity)
{
	size_t limit = sizeof group->key_types / sizeof *group->key_types;
	if (group->key_count == limit || !tls_identity_has_same_names(&context->identities[group->first], identity))
		return false;
	for (size_t i = 0; i < group->key_count; i++)
		if (group->key_types[i] == EVP_PKEY_get_base_id(identity->key))
			return false;
	return true;
}

/* NULL: no memory. */
static struct tls_group *group_for(struct tls_context *context, size_t place)
{
	for (size_t i = 0; i < context->group_count; i++)
		if (group_takes(context, &context->groups[i], &context->identities[place]))
			return &context->groups[i];
	struct tls_group *group = &context->groups[context->group_count];
	*group = (struct tls_group){.ssl = tls_context_new_ssl(context), .first = place};
	if (group->ssl == NULL)
		return NULL;
	context->group_count++;
	return group;
}

static bool add_to_group(struct tls_context *context, size_t place, char ret_error[static TLS_TEXT_SIZE])
{
	struct tls_identity *identity = &context->identities[place];
	struct tls_group *group = group_for(context, place);
	if (group == NULL) {
		snprintf(ret_error, TLS_TEXT_SIZE, "out of memory");
		return false;
	}
	group->key_types[group->key_count++] = EVP_PKEY_get_base_id(identity->key);
	if (SSL_CTX_use_cert_and_key(group->ssl, identity->leaf, identity->key, identity->issuers, 1) == 1)
		return true;
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	snprintf(ret_error, TLS_TEXT_SIZE, "OpenSSL refuses it: %s", reason != NULL ? reason : "unknown reason");
	return false;
}

/* --- the life of a context --------------------------------------------------------------------------------------------------- */

static bool add_identity(
	struct tls_context *context, const struct tls_context_params *params, uint64_t now_s, char ret_error[static TLS_TEXT_SIZE])
{
	size_t place = context->identity_count;
	if (!tls_identity_init(&context->identities[place], &params->identities[place], now_s, params->accept_expired, ret_error))
		return false;
	context->identity_count++;
	return add_to_group(context, place, ret_error);
}

static void context_free(struct tls_context *context)
{
	for (size_t i = 0; i < context->group_count; i++)
		SSL_CTX_free(context->groups[i].ssl);
	for (size_t i = 0; i < context->identity_count; i++)
		tls_identity_done(&context->identities[i]);
	BIO_meth_free(context->bio);
	free(context);
}

struct tls_context *tls_context_create(
	const struct tls_context_params *params, uint64_t now_s, size_t *ret_identity, char ret_error[static TLS_TEXT_SIZE])
{
	tls_library_init();
	ERR_clear_error();
	struct tls_context *context = calloc(1, sizeof *context);
	bool good = context != NULL && (context->bio = session_bio_method()) != NULL;
	size_t place = 0;
	if (!good)
		snprintf(ret_error, TLS_TEXT_SIZE, "out of memory");
	if (context != NULL) {
		atomic_init(&context->references, 1);
		context->datagrams = params->datagrams;
		context->tickets = params->tickets;
	}
	if (good && params->tickets != NULL)
		tls_tickets_renew(params->tickets, now_s);
	for (place = 0; good && place < params->identity_count; place++)
		good = add_identity(context, params, now_s, ret_error);
	ERR_clear_error();
	if (good)
		return context;
	*ret_identity = place > 0 ? place - 1 : 0;
	if (context != NULL)
		context_free(context);
	return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
	return context;
}

void tls_context_unref(struct tls_context *context)
{
	if (context != NULL && atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) == 1)
		context_free(context);
}

uint64_t tls_context_identity_expiry_s(const struct tls_context *context, size_t identity)
{
	return context->identities[identity].expiry_s;
}

const char *tls_context_identity_name(const struct tls_context *context, size_t identity)
{
	return context->identities[identity].name;
}

size_t tls_context_identity_count(const struct tls_context *context)
{
	return context->identity_count;
}
