#include "server/reload_diff.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_listener.h"

enum effect { LIVE, RESTART };

/* How a value is shown. */
enum kind { NUMBER_8, NUMBER_16, NUMBER_32, BOOLEAN, TEXT, SECRET, ENGINE, PROTOCOL, ADDRESSES, HTTP };

struct option {
	const char *path;
	enum effect effect;
	enum kind kind;
	size_t offset, size;
};

/* clang-format off */
#define OPTION(type, member) offsetof(struct type, member), sizeof ((struct type *)NULL)->member
static const struct option options[] = {
	{"admin.name",                               LIVE,    TEXT,      OPTION(config, admin.name)},
	{"admin.loglevel",                           LIVE,    TEXT,      OPTION(config, admin.loglevel)},
	{"admin.log_format",                         LIVE,    NUMBER_32, OPTION(config, admin.log_format)},
	{"admin.metrics_endpoint",                   RESTART, HTTP,      OPTION(config, admin.metrics)},
	{"admin.healthcheck_endpoint",               RESTART, HTTP,      OPTION(config, admin.health)},
	{"admin.offload_engine",                     LIVE,    TEXT,      OPTION(config, admin.offload_engine)},
	{"admin.engine",                             RESTART, ENGINE,    OPTION(config, admin.engine)},
	{"admin.shards",                             RESTART, NUMBER_32, OPTION(config, admin.shards)},
	{"admin.drain_timeout",                      LIVE,    NUMBER_32, OPTION(config, admin.drain_timeout_s)},
	{"admin.ready_while_draining",               LIVE,    BOOLEAN,   OPTION(config, admin.ready_while_draining)},
	{"admin.alternate_server",                   LIVE,    ADDRESSES, OPTION(config, admin.alternate_server)},
	{"admin.nonce_key",                          LIVE,    SECRET,    OPTION(config, admin.nonce_secret)},
	{"admin.limits.allocations",                 LIVE,    NUMBER_32, OPTION(config, admin.allocations_max)},
	{"admin.user_quota",                         LIVE,    NUMBER_32, OPTION(config, admin.user_quota)},
	{"admin.limits.lifetime_default",            LIVE,    NUMBER_32, OPTION(config, admin.lifetime_default_s)},
	{"admin.limits.lifetime_max",                LIVE,    NUMBER_32, OPTION(config, admin.lifetime_max_s)},
	{"admin.limits.unauthenticated.burst",       LIVE,    NUMBER_32, OPTION(config, admin.unauth.burst)},
	{"admin.limits.unauthenticated.rate",        LIVE,    NUMBER_32, OPTION(config, admin.unauth.per_s)},
	{"admin.limits.unauthenticated.spare",       LIVE,    NUMBER_32, OPTION(config, admin.unauth.spare_s)},
	{"admin.limits.unauthenticated.ipv4_prefix", LIVE,    NUMBER_8,  OPTION(config, admin.unauth.ipv4_bits)},
	{"admin.limits.unauthenticated.ipv6_prefix", LIVE,    NUMBER_8,  OPTION(config, admin.unauth.ipv6_bits)},
	{"admin.limits.streams.connections",         RESTART, NUMBER_32, OPTION(config, admin.connections_max)},
	{"admin.limits.streams.per_source",          LIVE,    NUMBER_32, OPTION(config, admin.streams.per_source)},
	{"admin.limits.streams.handshakes",          LIVE,    NUMBER_32, OPTION(config, admin.streams.handshakes)},
	{"admin.limits.streams.handshake_timeout",   LIVE,    NUMBER_32, OPTION(config, admin.streams.handshake_timeout_s)},
	{"admin.limits.streams.idle_timeout",        LIVE,    NUMBER_32, OPTION(config, admin.streams.idle_timeout_s)},
	{"admin.limits.streams.stuck_timeout",       LIVE,    NUMBER_32, OPTION(config, admin.streams.stuck_timeout_s)},
	{"admin.buffers.listener_receive",           RESTART, NUMBER_32, OPTION(config, admin.listener_receive_buffer)},
	{"admin.buffers.relay_receive",              RESTART, NUMBER_32, OPTION(config, admin.relay_receive_buffer)},
	{"admin.buffers.relay_send",                 RESTART, NUMBER_32, OPTION(config, admin.relay_send_buffer)},
	{"auth.type",                                LIVE,    NUMBER_32, OPTION(config, auth.type)},
	{"auth.realm",                               LIVE,    TEXT,      OPTION(config, auth.realm)},
	{"auth.credentials.username",                LIVE,    SECRET,    OPTION(config, auth.username)},
	{"auth.credentials.password",                LIVE,    SECRET,    OPTION(config, auth.password)},
	{"auth.credentials.secret",                  LIVE,    SECRET,    OPTION(config, auth.secret)},
};

/* Of a listener that both configurations have. The path goes behind "listeners[N].". */
static const struct option listener_options[] = {
	{"protocol",           RESTART, PROTOCOL,  OPTION(config_listener, protocol)},
	{"port",               RESTART, NUMBER_16, OPTION(config_listener, port)},
	{"proxy_protocol",     RESTART, BOOLEAN,   OPTION(config_listener, proxy_protocol)},
	{"public_address",     LIVE,    TEXT,      OPTION(config_listener, public_address)},
	{"public_port",        LIVE,    NUMBER_16, OPTION(config_listener, public_port)},
	{"address",            RESTART, ADDRESSES, OPTION(config_listener, address)},
	{"bind_address",       RESTART, ADDRESSES, OPTION(config_listener, bind)},
	{"relay_address",      RESTART, ADDRESSES, OPTION(config_listener, relay_address)},
	{"advertised_address", RESTART, ADDRESSES, OPTION(config_listener, advertised_address)},
	{"min_relay_port",     RESTART, NUMBER_16, OPTION(config_listener, port_min)},
	{"max_relay_port",     RESTART, NUMBER_16, OPTION(config_listener, port_max)},
};
/* clang-format on */

enum { VALUE_SIZE = 192 };

static void show_addresses(const struct addr *addresses, size_t count, char *ret_text)
{
	char text[ADDR_TEXT_SIZE];
	size_t used = 0;
	ret_text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		if (addresses[i].family != ADDR_NONE)
			used += (size_t)snprintf(
				ret_text + used, VALUE_SIZE - used, "%s%s", used ? ", " : "", addr_format_ip(&addresses[i], text));
	if (used == 0)
		snprintf(ret_text, VALUE_SIZE, "none");
}

static void show_http(const struct config_http *http, char *ret_text)
{
	char text[ADDR_TEXT_SIZE] = "";
	if (!http->enabled)
		snprintf(ret_text, VALUE_SIZE, "none");
	else if (http->ip.family != ADDR_NONE) {
		struct addr address = addr_with_port(http->ip, http->port);
		snprintf(ret_text, VALUE_SIZE, "http://%s%.100s", addr_format(&address, text), http->path);
	} else
		snprintf(ret_text, VALUE_SIZE, "http://:%u%.100s", http->port, http->path);
}

static uint32_t number(const void *value, size_t size)
{
	uint8_t narrow; /* or a boolean */
	uint16_t half;
	uint32_t word = 0;
	switch (size) {
	case sizeof narrow:
		memcpy(&narrow, value, size);
		return narrow;
	case sizeof half:
		memcpy(&half, value, size);
		return half;
	default:
		assert(size == sizeof word);
		memcpy(&word, value, size);
		return word;
	}
}

static void show(const struct option *option, const void *value, char ret_text[static VALUE_SIZE])
{
	switch (option->kind) {
	case NUMBER_8:
	case NUMBER_16:
	case NUMBER_32:
		snprintf(ret_text, VALUE_SIZE, "%u", number(value, option->size));
		break;
	case BOOLEAN:
		snprintf(ret_text, VALUE_SIZE, "%s", number(value, option->size) ? "true" : "false");
		break;
	case TEXT:
		snprintf(ret_text, VALUE_SIZE, "%.150s", (const char *)value);
		break;
	case SECRET:
		snprintf(ret_text, VALUE_SIZE, "(secret)");
		break;
	case ENGINE:
		snprintf(ret_text, VALUE_SIZE, "%s", engine_name((enum engine_kind)number(value, option->size)));
		break;
	case PROTOCOL:
		snprintf(ret_text, VALUE_SIZE, "%s", config_protocol_name((enum config_protocol)number(value, option->size)));
		break;
	case ADDRESSES:
		show_addresses(value, option->size / sizeof(struct addr), ret_text);
		break;
	case HTTP:
		show_http(value, ret_text);
		break;
	}
}

/* Applies one table to a pair of structs; `into` is the one to run. */
static void merge(
	const struct option *table, size_t count, const char *prefix, const void *running, void *into, struct reload_diff *diff)
{
	for (size_t i = 0; i < count; i++) {
		const struct option *option = &table[i];
		const char *old = (const char *)running + option->offset;
		char *new = (char *)into + option->offset;
		if (memcmp(old, new, option->size) == 0)
			continue;
		if (option->effect == LIVE) {
			diff->changed = true;
			continue;
		}
		char path[96], old_text[VALUE_SIZE], new_text[VALUE_SIZE];
		snprintf(path, sizeof path, "%s%s", prefix, option->path);
		show(option, old, old_text);
		show(option, new, new_text);
		config_warning(&diff->kept, path, "%s -> %s takes a restart; kept %s", old_text, new_text, old_text);
		memcpy(new, old, option->size);
	}
}

static struct config_listener *find_listener(struct config *config, const char *name)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return &config->listeners[i];
	return NULL;
}

/* Routes are indices into the clusters of their own configuration: for another one, by name. Those that it lacks are left out. */
static bool translate_routes(const struct config *from, const struct config_listener *listener, const struct config *to,
	struct config_listener *ret_listener)
{
	uint16_t *routes = calloc(listener->route_count + 1, sizeof *routes);
	size_t count = 0;
	if (routes == NULL)
		return false;
	for (size_t i = 0; i < listener->route_count; i++)
		for (size_t j = 0; j < to->cluster_count; j++)
			if (strcmp(from->clusters[listener->routes[i]].name, to->clusters[j].name) == 0)
				routes[count++] = (uint16_t)j;
	ret_listener->routes = routes;
	ret_listener->route_count = count;
	return true;
}

static bool routes_equal(
	const struct config *a, const struct config_listener *in_a, const struct config *b, const struct config_listener *in_b)
{
	if (in_a->route_count != in_b->route_count)
		return false;
	for (size_t i = 0; i < in_a->route_count; i++)
		if (strcmp(a->clusters[in_a->routes[i]].name, b->clusters[in_b->routes[i]].name) != 0)
			return false;
	return true;
}

static bool clusters_equal(const struct config *a, const struct config *b)
{
	if (a->cluster_count != b->cluster_count)
		return false;
	for (size_t i = 0; i < a->cluster_count; i++) {
		const struct config_cluster *x = &a->clusters[i], *y = &b->clusters[i];
		if (strcmp(x->name, y->name) != 0 || x->protocol != y->protocol || x->endpoint_count != y->endpoint_count)
			return false;
		for (size_t j = 0; j < x->endpoint_count; j++) {
			const struct config_endpoint *e = &x->endpoints[j], *f = &y->endpoints[j];
			if (!addr_equal(&e->ip, &f->ip) || e->bits != f->bits || e->port_min != f->port_min ||
				e->port_max != f->port_max)
				return false;
		}
	}
	return true;
}

/* Certificates and trusted proxies are live, but those of a protocol that stays away are of no use to the one that runs. */
static void keep_streams(const struct config_listener *running, struct config_listener *incoming, struct reload_diff *diff)
{
	if (incoming->protocol != running->protocol) {
		config_identities_unref(incoming->identities);
		incoming->identities = config_identities_ref(running->identities);
	}
	if (incoming->proxy_protocol != running->proxy_protocol) {
		memcpy(incoming->proxy_trusted, running->proxy_trusted, sizeof incoming->proxy_trusted);
		incoming->proxy_trusted_count = running->proxy_trusted_count;
	}
	diff->changed |= !config_identities_equal(running->identities, incoming->identities);
	diff->changed |= !config_identities_same_files(running->identities, incoming->identities);
	diff->changed |= memcmp(running->proxy_trusted, incoming->proxy_trusted, sizeof running->proxy_trusted) != 0;
}

/* A listener that stays: what is live comes from the incoming one, its routes included; the rest is as it was. */
static void keep_listener(const struct config_listener *running, struct config_listener *incoming, struct reload_diff *diff)
{
	char prefix[32];
	snprintf(prefix, sizeof prefix, "listeners[%u].", incoming->document_index);
	/* The system's range may have changed in between: that was nobody's wish. */
	if (!incoming->port_range_given && !running->port_range_given) {
		incoming->port_min = running->port_min;
		incoming->port_max = running->port_max;
	}
	keep_streams(running, incoming, diff);
	/* What was bound has the running port in it, which is reported as `port`. */
	for (int family = 0; family < RELAY_FAMILIES; family++)
		if (incoming->bind[family].family != ADDR_NONE)
			incoming->bind[family].port = running->port;
	merge(listener_options, sizeof listener_options / sizeof listener_options[0], prefix, running, incoming, diff);
	incoming->bind_given = running->bind_given;
	incoming->port_range_given = running->port_range_given;
	incoming->document_index = running->document_index;
	memcpy(incoming->relay, running->relay, sizeof incoming->relay);
}

/* Puts the listeners of `running` into `incoming`, in their order. False: no memory. */
static bool merge_listeners(const struct config *running, struct config *incoming, struct reload_diff *diff)
{
	struct config_listener *merged = calloc(LIMIT_LISTENERS, sizeof *merged);
	if (merged == NULL)
		return false;
	bool complete = true;
	for (size_t i = 0; i < running->listener_count; i++) {
		const struct config_listener *old = &running->listeners[i];
		struct config_listener *new = find_listener(incoming, old->name);
		if (new) {
			diff->changed |= !routes_equal(running, old, incoming, new);
			keep_listener(old, new, diff);
			merged[i] = *new;
			new->name[0] = '\0';
			new->routes = NULL;
			new->identities = NULL;
			continue;
		}
		config_warning(&diff->kept, "listeners", "removing \"%s\" takes a restart; kept it", old->name);
		merged[i] = *old;
		merged[i].routes = NULL;
		config_identities_ref(merged[i].identities);
		complete = translate_routes(running, old, incoming, &merged[i]) && complete;
	}
	for (size_t i = 0; i < incoming->listener_count; i++) {
		struct config_listener *new = &incoming->listeners[i];
		if (new->name[0] != '\0')
			config_warning(&diff->kept, "listeners", "adding \"%s\" takes a restart; not opened", new->name);
		config_listener_done(new);
	}
	memcpy(incoming->listeners, merged, LIMIT_LISTENERS * sizeof *merged);
	incoming->listener_count = running->listener_count;
	free(merged);
	return complete;
}

static void keep_capacity(const struct config *running, struct config *incoming, uint32_t capacity, struct reload_diff *diff)
{
	uint32_t asked = incoming->admin.allocations_max;
	if (asked <= capacity || asked == running->admin.allocations_max)
		return;
	config_warning(&diff->kept, "admin.limits.allocations",
		"%u is more than the %u that this process was sized for; that takes a restart; kept %u", asked, capacity, capacity);
	incoming->admin.allocations_max = capacity;
}

struct config *reload_diff(
	const struct config *running, struct config *incoming, uint32_t allocations_capacity, struct reload_diff *ret_diff)
{
	*ret_diff = (struct reload_diff){.changed = incoming->revoke};
	/* A random secret was made for each; another one would only make every nonce stale. */
	if (!incoming->admin.nonce_key_given && !running->admin.nonce_key_given)
		memcpy(incoming->admin.nonce_secret, running->admin.nonce_secret, sizeof incoming->admin.nonce_secret);
	keep_capacity(running, incoming, allocations_capacity, ret_diff);
	merge(options, sizeof options / sizeof options[0], "", running, incoming, ret_diff);
	ret_diff->changed |= !clusters_equal(running, incoming);
	if (merge_listeners(running, incoming, ret_diff))
		return incoming;
	config_free(incoming);
	return NULL;
}
