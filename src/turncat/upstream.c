#include "turncat/upstream.h"

#include <stdio.h>

#include "base/clock.h"
#include "crypto/credentials.h"

static const uint64_t FRESH_NS = 2 * NS_PER_S;
enum { GATEWAY_DURATION_S = 3600 };

bool upstream_init(struct upstream *u, const struct turncat_options *options, struct resolver *resolver, struct failure *failure)
{
	const struct spec_server *server = &options->server;
	*u = (struct upstream){.options = options, .resolver = resolver, .host = server->host, .transport.kind = server->transport};
	memcpy(u->username, server->username, sizeof u->username);
	memcpy(u->password, server->password, sizeof u->password);
	if (options->secret != NULL && snprintf(u->secret, sizeof u->secret, "%s", options->secret) >= (int)sizeof u->secret)
		return fail(failure, "the secret is too long: use at most %zu bytes", sizeof u->secret - 1);
	const struct cds_place place = {.address = options->cds_address,
		.namespace = options->cds_namespace,
		.port = options->cds_port,
		.current_namespace = options->namespace};
	return !server->k8s || cds_init(&u->cds, resolver, server, &place, failure);
}

void upstream_done(struct upstream *u)
{
	lookup_cancel(&u->lookup);
	cds_done(&u->cds);
	tls_context_free(u->tls);
	bytes_wipe(u, sizeof *u);
}

/* All that wait are told; who asks again meanwhile waits for the next answer. */
static void tell(struct upstream *u, const char *why)
{
	u->busy = false;
	u->told = u->waiting;
	u->waiting = NULL;
	u->found_ns = why == NULL ? clock_mono_ns() : 0;
	while (u->told != NULL) {
		struct upstream_wait *wait = u->told;
		u->told = wait->next;
		wait->waits = false;
		wait->done(wait->owner, why);
	}
}

/* Another gateway address may come with another certificate. */
static bool make_tls(struct upstream *u, struct failure *failure)
{
	const struct turncat_options *o = u->options;
	tls_context_free(u->tls);
	u->tls = NULL;
	snprintf(u->name, sizeof u->name, "%s", o->sni != NULL ? o->sni : u->host.name);
	u->transport = (struct transport){.kind = u->transport.kind,
		.any_cipher = true,
		.verified = !o->insecure,
		.name = u->name,
		.authorities = o->authorities};
	if (!transport_is_secure(u->transport.kind))
		return true;
	u->tls = tls_context_create(&u->transport, false, false, failure);
	return u->tls != NULL;
}

static void on_addresses(void *owner, const struct addr *addrs, unsigned count, const char *why)
{
	struct upstream *u = owner;
	struct failure failure;
	char text[SPEC_HOST_SIZE + 128];
	if (why != NULL) {
		snprintf(text, sizeof text, "the server %s: %s", u->host.name, why);
		tell(u, text);
		return;
	}
	memcpy(u->addrs, addrs, count * sizeof *addrs);
	u->addr_count = count;
	tell(u, make_tls(u, &failure) ? NULL : failure.text);
}

static void on_gateway(void *owner, const struct cds_server *server, const char *why)
{
	struct upstream *u = owner;
	if (why != NULL) {
		tell(u, why);
		return;
	}
	u->host = server->host;
	u->transport.kind = server->transport;
	/* What the command line says wins. */
	if (u->options->server.username[0] == '\0' && u->options->secret == NULL) {
		memcpy(u->username, server->username, sizeof u->username);
		memcpy(u->password, server->password, sizeof u->password);
		memcpy(u->secret, server->secret, sizeof u->secret);
	}
	lookup_start(&u->lookup, u->resolver, &u->host, on_addresses, u);
}

void upstream_find(struct upstream *u, struct upstream_wait *wait, void (*done)(void *owner, const char *why), void *owner)
{
	*wait = (struct upstream_wait){.next = u->waiting, .done = done, .owner = owner};
	if (!u->busy && u->found_ns != 0 && clock_mono_ns() - u->found_ns < FRESH_NS) {
		done(owner, NULL);
		return;
	}
	wait->waits = true;
	u->waiting = wait;
	if (u->busy)
		return;
	u->busy = true;
	if (u->options->server.k8s)
		cds_ask(&u->cds, on_gateway, u);
	else
		lookup_start(&u->lookup, u->resolver, &u->host, on_addresses, u);
}

static void take_out(struct upstream_wait **at, const struct upstream_wait *wait)
{
	while (*at != NULL && *at != wait)
		at = &(*at)->next;
	if (*at != NULL)
		*at = wait->next;
}

void upstream_cancel(struct upstream *u, struct upstream_wait *wait)
{
	if (wait->waits) {
		take_out(&u->waiting, wait);
		take_out(&u->told, wait);
	}
	wait->waits = false;
}

bool upstream_credentials(
	const struct upstream *u, char ret_username[static SPEC_USERNAME_SIZE], char ret_password[static SPEC_PASSWORD_SIZE])
{
	if (u->secret[0] == '\0') {
		memcpy(ret_username, u->username, sizeof u->username);
		memcpy(ret_password, u->password, sizeof u->password);
		return true;
	}
	uint32_t duration_s = u->options->secret != NULL ? u->options->duration_s : GATEWAY_DURATION_S;
	unsigned long long expires_s = clock_wall_ms() / 1000 + duration_s;
	bool named = u->username[0] != '\0';
	int size = snprintf(ret_username, SPEC_USERNAME_SIZE, "%llu%s%s", expires_s, named ? ":" : "", u->username);
	_Static_assert((int)EPHEMERAL_PASSWORD_SIZE <= (int)SPEC_PASSWORD_SIZE, "a minted password fits");
	credentials_ephemeral_password(bytes_of_string(ret_username), bytes_of_string(u->secret), ret_password);
	return size < SPEC_USERNAME_SIZE;
}
