#include "server/config_uri.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"
#include "server/config_check.h"
#include "server/config_cluster.h"
#include "server/config_listener.h"

bool config_host_parse(const char *text, struct addr *ret_ip)
{
	if (strcasecmp(text, "localhost") == 0) {
		*ret_ip = addr_ipv4(127, 0, 0, 1, 0);
		return true;
	}
	return addr_parse_ip(text, ret_ip);
}

/* Splits "host", "host:port", "[host]" and "[host]:port" in place. *ret_port is NULL when there is none. */
static bool split_host_port(char *text, char **ret_host, char **ret_port)
{
	char *end = text, *port = NULL;
	if (text[0] == '[') {
		text++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
		*end = '\0';
	} else if ((end = strchr(text, ':')) != NULL && strchr(end + 1, ':') == NULL) {
		port = end + 1;
		*end = '\0';
	}
	*ret_host = text;
	*ret_port = port;
	return true;
}

bool config_address_parse(const char *text, uint16_t default_port, struct addr *ret_address)
{
	char copy[CONFIG_HOST_SIZE], *host, *port_text;
	struct addr address;
	uint16_t port = default_port;
	if (strlen(text) >= sizeof copy)
		return false;
	memcpy(copy, text, strlen(text) + 1);
	if (!split_host_port(copy, &host, &port_text) || !config_host_parse(host, &address))
		return false;
	if (port_text && !addr_parse_port(port_text, &port))
		return false;
	*ret_address = addr_with_port(address, port);
	return true;
}

static const char *parse_transport(const char *transport, bool secure, enum config_protocol *protocol)
{
	static const struct {
		const char *name;
		enum config_protocol plain, secure;
	} transports[] = {
		{"udp", PROTOCOL_UDP, PROTOCOL_DTLS},
		{"tcp", PROTOCOL_TCP, PROTOCOL_TLS},
		{"tls", PROTOCOL_TLS, PROTOCOL_TLS},
		{"dtls", PROTOCOL_DTLS, PROTOCOL_DTLS},
	};
	for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++)
		if (strcasecmp(transport, transports[i].name) == 0) {
			*protocol = secure ? transports[i].secure : transports[i].plain;
			return NULL;
		}
	return "names a transport that there is not: use transport=udp or transport=tcp, and turns: for TLS or DTLS";
}

static const char *parse_query(char *query, bool secure, enum config_protocol *protocol)
{
	char *rest = NULL;
	for (char *item = strtok_r(query, "&", &rest); item; item = strtok_r(NULL, "&", &rest)) {
		if (strncasecmp(item, "transport=", 10) != 0)
			return "knows no parameter but transport: use turn://user:password@address:port?transport=udp";
		const char *wrong = parse_transport(item + 10, secure, protocol);
		if (wrong)
			return wrong;
	}
	return NULL;
}

/* What stands behind the '@'. */
static const char *parse_host(char *host, uint16_t default_port, struct addr *ret_address)
{
	struct addr address = addr_any(ADDR_IPV4, default_port);
	host[strcspn(host, "/")] = '\0';
	if (host[0] == ':' && !addr_parse_port(host + 1, &address.port))
		return "has no usable port: use 1 to 65535";
	if (host[0] != '\0' && host[0] != ':' && !config_address_parse(host, default_port, &address))
		return "has no usable address: use an IP address (IPv6 in brackets) or localhost, and a port from 1 to 65535";
	*ret_address = address;
	return NULL;
}

/* False when there is nothing, too. */
static bool decode(const char *text, char *ret_text, size_t room)
{
	return percent_decode(text, strlen(text), PERCENT_URI, ret_text, room) && ret_text[0] != '\0';
}

static const char *parse_user_info(char *user_info, struct config_auth *auth)
{
	char *colon = strchr(user_info, ':');
	if (colon == NULL)
		return "has no password: use turn://user:password@address:port?transport=udp";
	*colon = '\0';
	if (!decode(user_info, auth->username, sizeof auth->username))
		return "has no usable user name: use 1 to 508 bytes, with special characters written as %XX";
	if (!decode(colon + 1, auth->password, sizeof auth->password))
		return "has no usable password: use 1 to 763 bytes, with special characters written as %XX";
	return NULL;
}

const char *config_uri_parse_turn(
	const char *uri, struct config_auth *auth, struct addr *ret_address, enum config_protocol *ret_protocol)
{
	char copy[2048];
	bool secure = strncasecmp(uri, "turns:", 6) == 0;
	if (!secure && strncasecmp(uri, "turn:", 5) != 0)
		return "is not a turn: URI: use turn://user:password@address:port?transport=udp";
	uri = strchr(uri, ':') + 1;
	uri += strncmp(uri, "//", 2) == 0 ? 2 : 0;
	if (strlen(uri) >= sizeof copy)
		return "is too long: use at most 2000 bytes";
	memcpy(copy, uri, strlen(uri) + 1);

	char *query = strchr(copy, '?');
	if (query)
		*query++ = '\0';
	char *host = strrchr(copy, '@');
	if (host == NULL)
		return "has no credentials: use turn://user:password@address:port?transport=udp";
	*host++ = '\0';

	struct config_auth result = *auth;
	struct addr address;
	enum config_protocol protocol = secure ? PROTOCOL_TLS : PROTOCOL_UDP;
	const char *wrong = parse_user_info(copy, &result);
	if (wrong == NULL && query)
		wrong = parse_query(query, secure, &protocol);
	bool tls = protocol == PROTOCOL_TLS || protocol == PROTOCOL_DTLS;
	if (wrong == NULL)
		wrong = parse_host(host, tls ? CONFIG_PORT_TLS_DEFAULT : CONFIG_PORT_DEFAULT, &address);
	bytes_wipe(copy, sizeof copy);
	if (wrong == NULL) {
		result.type = AUTH_STATIC;
		*auth = result;
		*ret_address = address;
		*ret_protocol = protocol;
	}
	bytes_wipe(&result, sizeof result);
	return wrong;
}

const char *config_uri_parse_http(const char *uri, uint16_t default_port, struct config_http *ret_http)
{
	struct config_http http = {.enabled = true, .port = default_port};
	char copy[CONFIG_HOST_SIZE + CONFIG_PATH_SIZE], *host, *port;
	if (uri[0] == '\0') {
		*ret_http = (struct config_http){0};
		return NULL;
	}
	if (strncasecmp(uri, "http://", 7) != 0)
		return "is not an http:// URL: use http://:8080/path, or \"\" for no server";
	uri += 7;
	if (strlen(uri) >= sizeof copy)
		return "is too long: use http://address:port/path";
	memcpy(copy, uri, strlen(uri) + 1);

	size_t host_size = strcspn(copy, "/");
	const char *path = uri + host_size;
	copy[host_size] = '\0';
	if (strpbrk(path, "?# \""))
		return "has more than a path behind the address: use http://address:port/path";
	if (strlen(path) >= sizeof http.path)
		return "has a path that is too long: use at most 126 bytes";
	if (!split_host_port(copy, &host, &port) || (*host && !config_host_parse(host, &http.ip)))
		return "names no IP address: use an IP address (IPv6 in brackets), localhost, or nothing for all addresses";
	if (port && *port && !addr_parse_port(port, &http.port))
		return "has no usable port: use 1 to 65535";
	snprintf(http.path, sizeof http.path, "%s", *path ? path : "/");
	*ret_http = http;
	return NULL;
}

struct config *config_load_uri(const char *uri, const struct config_world *world, struct config_problems *problems)
{
	struct config *config = config_create(CONFIG_URI, world);
	struct addr address = {0};
	enum config_protocol protocol = PROTOCOL_UDP;
	size_t errors = problems->errors;
	/* The URI itself has the password in it and is not shown. */
	problems->source = "URI";
	const char *wrong = config ? config_uri_parse_turn(uri, &config->auth, &address, &protocol) : NULL;
	if (wrong)
		config_error(problems, "", "%s", wrong);
	if (wrong == NULL && config) {
		struct config_listener *listener = &config->listeners[0];
		*listener = config_listener_defaults();
		config_set_text(listener->name, sizeof listener->name, "default-listener");
		listener->protocol = protocol;
		listener->address = addr_with_port(address, 0);
		listener->port = address.port;
		config->listener_count = 1;
		if (!config_cluster_add_any(config, "allow-any") || !config_listener_route_to_all(listener, config))
			config_error(problems, "", "out of memory");
	}
	return config_check(config, world, problems, errors);
}
