#include "server/config_streams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/config_public.h"

/* Longer than anyone tries a relay out, shorter than what clients refuse for its length alone. */
enum { SELF_SIGNED_DAYS = 365 };

struct config_streams_needs config_streams_needs(const struct config *config)
{
	struct config_streams_needs needs = {0};
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		needs.connections |= config_listener_connects(&config->listeners[i]);
		needs.handshakes |= config_listener_is_secure(&config->listeners[i]);
		needs.sockets |= config_listener_is_stream(&config->listeners[i]);
	}
	return needs;
}

static enum transport transport_of(enum config_protocol protocol)
{
	static const enum transport transports[] = {
		[PROTOCOL_UDP] = TRANSPORT_UDP,
		[PROTOCOL_TCP] = TRANSPORT_TCP,
		[PROTOCOL_TLS] = TRANSPORT_TLS,
		[PROTOCOL_DTLS] = TRANSPORT_DTLS,
	};
	return transports[protocol];
}

static void name_path(const struct config_listener *listener, size_t identity, char path[static 64])
{
	char place[CONFIG_IDENTITY_PATH_SIZE] = "cert";
	if (listener->identities != NULL)
		config_identity_path(listener->identities, identity, place);
	snprintf(path, 64, "listeners[%u].%s", listener->document_index, place);
}

static void warn_of_expired(
	const struct config_listener *listener, const struct tls_context *context, uint64_t now_s, struct config_problems *problems)
{
	char path[64], date[32];
	for (size_t i = 0; i < tls_context_identity_count(context); i++) {
		time_t expiry_s = (time_t)tls_context_identity_expiry_s(context, i);
		struct tm tm;
		if ((uint64_t)expiry_s > now_s || gmtime_r(&expiry_s, &tm) == NULL)
			continue;
		strftime(date, sizeof date, "%Y-%m-%d", &tm);
		name_path(listener, i, path);
		config_warning(problems, path, "\"%s\" has expired on %s; goes on with it, but clients will refuse: renew it",
			tls_context_identity_name(context, i), date);
	}
}

static struct tls_context *make_context(const struct config_streams_params *params, const struct config_listener *listener,
	const struct tls_identity_pem *identities, size_t count, struct config_problems *problems)
{
	char error[TLS_TEXT_SIZE], path[64];
	size_t at_fault = 0;
	const struct tls_context_params context = {
		.datagrams = listener->protocol == PROTOCOL_DTLS,
		.identities = identities,
		.identity_count = count,
		.tickets = params->tickets,
		.accept_expired = params->running == NULL,
	};
	struct tls_context *result = tls_context_create(&context, params->now_s, &at_fault, error);
	if (result != NULL) {
		warn_of_expired(listener, result, params->now_s, problems);
		return result;
	}
	name_path(listener, at_fault, path);
	const struct config_identities *named = listener->identities;
	const char *file = named != NULL && at_fault < named->count ? named->list[at_fault].certificates.file : NULL;
	config_error(problems, path, "listener \"%s\": %s%s%s", listener->name, file != NULL ? file : "", file != NULL ? ": " : "",
		error);
	return NULL;
}

static struct tls_context *make_self_signed(
	const struct config_streams_params *params, const struct config_listener *listener, struct config_problems *problems)
{
	char host[CONFIG_HOST_SIZE], *certificate, *key;
	config_public_host(listener, params->world, host);
	if (!tls_self_signed(host, params->now_s, SELF_SIGNED_DAYS, &certificate, &key)) {
		config_error(problems, "", "out of memory");
		return NULL;
	}
	struct tls_identity_pem identity = {bytes_of_string(certificate), bytes_of_string(key)};
	struct tls_context *context = make_context(params, listener, &identity, 1, problems);
	bytes_wipe(key, strlen(key));
	free(certificate);
	free(key);
	if (context != NULL)
		config_warning(problems, "",
			"listener \"%s\": no certificate was given: made a self-signed one for %s, which browsers refuse; "
			"name one in a configuration file",
			listener->name, host);
	return context;
}

/* One that was made of the same certificates. Those that were made up here are the slot's own. */
static struct tls_context *running_context(const struct config_streams_params *params, const struct config_listener *new)
{
	const struct config *running = params->running;
	for (size_t i = 0; running != NULL && i < running->listener_count + running->retiring_count; i++) {
		const struct config_listener *old = &running->listeners[i];
		struct tls_context *context = params->running_streams->listeners[old->slot].tls;
		bool same = old->protocol == new->protocol &&config_identities_equal(old->identities, new->identities);
		if (context != NULL && same && (new->identities != NULL || old->slot == new->slot))
			return tls_context_ref(context);
	}
	return NULL;
}

static struct tls_context *context_of(
	const struct config_streams_params *params, const struct config_listener *listener, struct config_problems *problems)
{
	struct tls_identity_pem pems[TLS_IDENTITIES_MAX];
	struct tls_context *running = running_context(params, listener);
	if (running != NULL)
		return running;
	if (listener->identities == NULL)
		return make_self_signed(params, listener, problems);
	for (size_t i = 0; i < listener->identities->count; i++) {
		const struct config_identity *identity = &listener->identities->list[i];
		pems[i] = (struct tls_identity_pem){bytes_of(identity->certificates.text, identity->certificates.size),
			bytes_of(identity->key.text, identity->key.size)};
	}
	return make_context(params, listener, pems, listener->identities->count, problems);
}

static bool trust_proxies(const struct config_listener *listener, struct stream_listener *ret_listener)
{
	struct prefix_set *set = prefix_set_create();
	for (size_t i = 0; set != NULL && i < listener->proxy_trusted_count; i++)
		if (prefix_set_add(set, &listener->proxy_trusted[i].ip, listener->proxy_trusted[i].bits, 0) != 0) {
			prefix_set_free(set);
			set = NULL;
		}
	if (set != NULL)
		prefix_set_seal(set);
	ret_listener->proxy_trusted = set;
	return set != NULL;
}

static bool fill_listener(
	const struct config_streams_params *params, size_t n, struct stream_listener *out, struct config_problems *problems)
{
	const struct config_listener *listener = &params->config->listeners[n];
	out->transport = transport_of(listener->protocol);
	out->proxy = listener->proxy_protocol;
	out->retiring = n >= params->config->listener_count;
	out->sharers = listener->sharers;
	if (out->proxy && !trust_proxies(listener, out)) {
		config_error(problems, "", "out of memory");
		return false;
	}
	if (!config_listener_is_secure(listener))
		return true;
	out->tls = context_of(params, listener, problems);
	return out->tls != NULL;
}

struct stream_config *config_streams_create(const struct config_streams_params *params, struct config_problems *problems)
{
	struct stream_config *streams = stream_config_create();
	if (streams == NULL) {
		config_error(problems, "", "out of memory");
		return NULL;
	}
	streams->limits = params->config->admin.streams;
	streams->connections_max = params->connections_max;
	if (streams->limits.handshakes > params->handshakes_max)
		streams->limits.handshakes = params->handshakes_max;
	bool complete = true;
	for (size_t i = 0; i < params->config->listener_count + params->config->retiring_count; i++) {
		struct stream_listener *out = &streams->listeners[params->config->listeners[i].slot];
		complete = fill_listener(params, i, out, problems) && complete;
	}
	if (complete)
		return streams;
	stream_config_unref(streams);
	return NULL;
}
