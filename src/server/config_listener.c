#include "server/config_listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_uri.h"

/* clang-format off */
static const struct config_choice protocols[] = {
	{"udp",       PROTOCOL_UDP,  false},
	{"tcp",       PROTOCOL_TCP,  false},
	{"tls",       PROTOCOL_TLS,  false},
	{"dtls",      PROTOCOL_DTLS, false},
	{"turn-udp",  PROTOCOL_UDP,  true},
	{"turn-tcp",  PROTOCOL_TCP,  true},
	{"turn-tls",  PROTOCOL_TLS,  true},
	{"turn-dtls", PROTOCOL_DTLS, true},
	{NULL, 0, false},
};
/* clang-format on */

struct config_listener config_listener_defaults(void)
{
	return (struct config_listener){.protocol = PROTOCOL_UDP, .port = CONFIG_PORT_DEFAULT, .address = addr_any(ADDR_IPV4, 0)};
}

void config_listener_done(struct config_listener *listener)
{
	free(listener->routes);
	config_identities_unref(listener->identities);
	listener->routes = NULL;
	listener->identities = NULL;
}

static void read_address(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_listener *listener = target;
	const char *text = config_reader_text(r, value);
	if (text && *text && !config_host_parse(text, &listener->address))
		config_reader_error(r,
			"\"%s\" is not an IP address: use one, localhost, or 0.0.0.0 for the address that clients come to", text);
}

static void read_one_of_family(struct config_reader *r, const struct config_value *value, struct addr addresses[RELAY_FAMILIES])
{
	struct addr ip;
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	if (!config_host_parse(text, &ip)) {
		config_reader_error(r, "\"%s\" is not an IP address: use one, or a list of one per family", text);
		return;
	}
	struct addr *slot = &addresses[ip.family == ADDR_IPV6 ? RELAY_IPV6 : RELAY_IPV4];
	if (slot->family != ADDR_NONE)
		config_reader_error(r, "\"%s\" is a second address of its family: use one IPv4 and one IPv6 address at most", text);
	*slot = ip;
}

/* One address, or a list with one per family. */
static void read_addresses(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	struct addr *addresses = (struct addr *)(void *)((char *)target + field->offset);
	if (value->kind != VALUE_LIST) {
		read_one_of_family(r, value, addresses);
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		read_one_of_family(r, &value->items[i], addresses);
		config_reader_up(r, mark);
	}
}

static void add_route(struct config_reader *r, struct config_listener *listener, const char *name)
{
	for (size_t i = 0; i < r->config->cluster_count; i++)
		if (strcmp(r->config->clusters[i].name, name) == 0) {
			listener->routes[listener->route_count++] = (uint16_t)i;
			return;
		}
	if (config_reader_strict(r))
		config_reader_error(r, "there is no cluster \"%s\": add it to clusters, or remove the route", name);
	else
		config_reader_warning(r, "there is no cluster \"%s\": route ignored", name);
}

static void read_routes(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_listener *listener = target;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	listener->routes = calloc(value->count + 1, sizeof *listener->routes);
	if (listener->routes == NULL) {
		config_reader_error(r, "out of memory");
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		const char *name = config_reader_text(r, &value->items[i]);
		if (name)
			add_route(r, listener, name);
		config_reader_up(r, mark);
	}
}

#define AT(member) offsetof(struct config_listener, member)
/* clang-format off */
const struct config_field config_schema_listener[] = {
	/* name               reader               dialects      where */
	{"name",              config_read_text,    IN_ALL,       .offset = AT(name), .size = CONFIG_NAME_SIZE},
	{"protocol",          config_read_choice,  IN_ALL,       .offset = AT(protocol), .choices = protocols},
	{"address",           read_address,        IN_ALL, .reads_empty = true},
	{"port",              config_read_u16,     IN_ALL,       .offset = AT(port), .min = 1, .max = UINT16_MAX},
	{"public_address",    config_read_text,    IN_ALL,       .offset = AT(public_address), .size = CONFIG_HOST_SIZE},
	{"public_port",       config_read_u16,     IN_ALL,       .offset = AT(public_port), .min = 0, .max = UINT16_MAX},
	{"cert",              config_read_cert, .dialects = IN_ALL},
	{"key",               config_read_key, .dialects = IN_ALL},
	{"certificates",      config_read_certificates, .dialects = IN_ALL},
	{"proxy_protocol",    config_read_bool,    IN_ALL,       .offset = AT(proxy_protocol)},
	{"proxy_trusted",     config_read_proxy_trusted, .dialects = IN_ALL},
	{"routes",            read_routes, .dialects = IN_ALL},
	{"min_relay_port",    config_read_u16,     IN_ALL,       .offset = AT(port_min), .min = 1, .max = UINT16_MAX},
	{"max_relay_port",    config_read_u16,     IN_ALL,       .offset = AT(port_max), .min = 1, .max = UINT16_MAX},
	{"minPort",           config_read_u16,     IN_V1ALPHA1,  .offset = AT(port_min), .min = 1, .max = UINT16_MAX},
	{"maxPort",           config_read_u16,     IN_V1ALPHA1,  .offset = AT(port_max), .min = 1, .max = UINT16_MAX},
	{"bind_address",      read_addresses,      IN_ALL,       .offset = AT(bind)},
	{"relay_address",     read_addresses,      IN_ALL,       .offset = AT(relay_address)},
	{"advertised_address", read_addresses,     IN_ALL,       .offset = AT(advertised_address)},
	{.name = NULL},
};
/* clang-format on */

static bool name_is_taken(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return true;
	return false;
}

/* Stunnerd has one for all protocols. */
static uint16_t default_port(const struct config_reader *r, const struct config_listener *listener)
{
	return config_reader_strict(r) && config_listener_is_secure(listener) ? CONFIG_PORT_TLS_DEFAULT : CONFIG_PORT_DEFAULT;
}

static void read_listener(struct config_reader *r, const struct config_value *value, size_t index)
{
	struct config *config = r->config;
	struct config_listener listener = config_listener_defaults();
	size_t errors = r->problems->errors;
	listener.document_index = (uint16_t)index;
	listener.port = 0;
	config_read_fields(r, value, config_schema_listener, &listener);
	if (listener.port == 0)
		listener.port = default_port(r, &listener);
	if (errors == r->problems->errors && listener.name[0] == '\0')
		config_reader_error(r, "has no name: add \"name\", by which it appears in metrics and logs");
	if (errors != r->problems->errors) {
		config_listener_done(&listener);
		return;
	}
	if (name_is_taken(config, listener.name))
		config_reader_error(r, "name \"%s\" is used by another listener: give each its own", listener.name);
	if (listener.routes == NULL && r->routes_to_all && !config_listener_route_to_all(&listener, config))
		config_reader_error(r, "out of memory");
	if (config_reader_strict(r) && listener.route_count == 0)
		config_reader_warning(r, "has no routes: its clients can reach no peer");
	if (config->listener_count < CONFIG_LISTENERS_MAX) {
		config->listeners[config->listener_count++] = listener;
		return;
	}
	config_reader_error(r, "is one too many: use at most %d listeners", CONFIG_LISTENERS_MAX);
	config_listener_done(&listener);
}

void config_read_listeners(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	(void)target;
	if (value->kind != VALUE_LIST) {
		config_reader_error(r, "%s is not a list: use [ … ]", config_value_kind_name(value->kind));
		return;
	}
	for (size_t i = 0; i < value->count && i <= UINT16_MAX; i++) {
		size_t mark = config_reader_down_index(r, i);
		read_listener(r, &value->items[i], i);
		config_reader_up(r, mark);
	}
}

bool config_listener_route_to_all(struct config_listener *listener, const struct config *config)
{
	listener->routes = calloc(config->cluster_count + 1, sizeof *listener->routes);
	if (listener->routes == NULL)
		return false;
	for (size_t i = 0; i < config->cluster_count; i++)
		listener->routes[listener->route_count++] = (uint16_t)i;
	return true;
}

static enum addr_family family_of(int relay_family)
{
	return relay_family == RELAY_IPV6 ? ADDR_IPV6 : ADDR_IPV4;
}

static bool any_given(const struct addr addresses[RELAY_FAMILIES])
{
	return addresses[RELAY_IPV4].family != ADDR_NONE || addresses[RELAY_IPV6].family != ADDR_NONE;
}

/* The address that the Allocate arrived at. */
static struct relay_address arrived_at(int family, const struct config_world *world)
{
	struct addr any = addr_any(family_of(family), 0);
	if (!world->can_bind(world->context, &any))
		return (struct relay_address){0};
	return (struct relay_address){.bind = any, .fallback = world->default_source(world->context, family_of(family))};
}

static struct relay_address relay_of(const struct config_listener *listener, int family, const struct config_world *world)
{
	const struct addr *given = &listener->relay_address[family];
	if (given->family != ADDR_NONE && !addr_is_any(given))
		return (struct relay_address){.bind = *given};
	if (given->family == ADDR_NONE && any_given(listener->relay_address))
		return (struct relay_address){0};
	if (given->family == ADDR_NONE && listener->address.family == family_of(family) && !addr_is_any(&listener->address)) {
		if (world->can_bind(world->context, &listener->address))
			return (struct relay_address){.bind = listener->address};
		return (struct relay_address){
			.bind = addr_any(family_of(family), 0), .advertised = listener->address, .bind_wildcard = true};
	}
	return arrived_at(family, world);
}

static void complete_relay(
	struct config_listener *listener, int family, const struct config_world *world, struct config_problems *problems)
{
	char path[64], text[ADDR_TEXT_SIZE];
	struct relay_address *relay = &listener->relay[family];
	const struct addr *given = &listener->relay_address[family], *advertised = &listener->advertised_address[family];
	*relay = relay_of(listener, family, world);
	if (given->family != ADDR_NONE && !world->can_bind(world->context, given)) {
		snprintf(path, sizeof path, "listeners[%u].relay_address", listener->document_index);
		config_warning(problems, path,
			"%s is not an address of this machine: allocations will fail; name one that is, and use "
			"advertised_address for the one that clients see",
			addr_format_ip(given, text));
	}
	if (advertised->family == ADDR_NONE)
		return;
	if (relay->bind.family != ADDR_NONE) {
		relay->advertised = *advertised;
		return;
	}
	snprintf(path, sizeof path, "listeners[%u].advertised_address", listener->document_index);
	config_error(problems, path, "there is no relay address of the family of %s: add one to relay_address, or remove it here",
		addr_format_ip(advertised, text));
}

void config_listener_complete(struct config_listener *listener, const struct config_world *world, struct config_problems *problems)
{
	for (int family = 0; family < RELAY_FAMILIES; family++)
		complete_relay(listener, family, world, problems);

	listener->bind_given = any_given(listener->bind);
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		if (!listener->bind_given)
			listener->bind[family] = addr_any(family_of(family), 0);
		if (listener->bind[family].family != ADDR_NONE)
			listener->bind[family].port = listener->port;
	}

	listener->port_range_given = listener->port_min != 0 || listener->port_max != 0;
	if (!listener->port_range_given)
		world->port_range(world->context, &listener->port_min, &listener->port_max);
	if (listener->port_min != 0 && listener->port_min <= listener->port_max)
		return;
	char path[64];
	snprintf(path, sizeof path, "listeners[%u].%s", listener->document_index,
		listener->port_max == 0 ? "max_relay_port" : "min_relay_port");
	if (listener->port_min == 0 || listener->port_max == 0)
		config_error(problems, path, "is missing: give both min_relay_port and max_relay_port, or neither");
	else
		config_error(problems, path, "%u is above max_relay_port, %u: use a range from the smaller to the greater",
			listener->port_min, listener->port_max);
}
