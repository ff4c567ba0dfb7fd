#include "server/config_public.h"

#include <stdio.h>
#include <string.h>

static struct addr public_ip(const struct config_listener *listener, const struct config_world *world)
{
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		const struct relay_address *relay = &listener->relay[family];
		if (relay->advertised.family != ADDR_NONE)
			return relay->advertised;
		if (relay->bind.family != ADDR_NONE && !addr_is_any(&relay->bind))
			return relay->bind;
	}
	struct addr ip = world->default_source(world->context, ADDR_IPV4);
	if (ip.family == ADDR_NONE)
		ip = world->default_source(world->context, ADDR_IPV6);
	return ip.family == ADDR_NONE ? addr_ipv4(127, 0, 0, 1, 0) : ip;
}

const char *config_public_host(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_HOST_SIZE])
{
	char ip_text[ADDR_TEXT_SIZE];
	struct addr ip;
	const char *host = listener->public_address;
	if (*host == '\0' || addr_parse_ip(host, &ip)) {
		if (*host == '\0')
			ip = public_ip(listener, world);
		host = addr_format_ip(&ip, ip_text);
	}
	snprintf(text, CONFIG_HOST_SIZE, "%s", host);
	return text;
}

const char *config_turn_uri_at(const struct config_listener *listener, const char *host, char text[static CONFIG_URI_SIZE])
{
	bool brackets = strchr(host, ':') != NULL;
	snprintf(text, CONFIG_URI_SIZE, "turn%s:%s%s%s:%u?transport=%s", config_listener_is_secure(listener) ? "s" : "",
		brackets ? "[" : "", host, brackets ? "]" : "", listener->public_port ? listener->public_port : listener->port,
		config_listener_is_stream(listener) ? "tcp" : "udp");
	return text;
}

const char *config_turn_uri(
	const struct config_listener *listener, const struct config_world *world, char text[static CONFIG_URI_SIZE])
{
	char host[CONFIG_HOST_SIZE];
	return config_turn_uri_at(listener, config_public_host(listener, world, host), text);
}
