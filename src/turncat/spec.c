#include "turncat/spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/percent.h"

enum { TEXT_MAX = 2048, DURATION_MAX_S = 315360000 };

/* What follows "scheme:" or "scheme://"; NULL where the text has another scheme. */
static const char *after_scheme(const char *text, const char *scheme)
{
	size_t size = strlen(scheme);
	if (strncasecmp(text, scheme, size) != 0 || text[size] != ':')
		return NULL;
	text += size + 1;
	return strncmp(text, "//", 2) == 0 ? text + 2 : text;
}

/* Letters, digits and what else occurs in host names, addresses and zones; nothing that a URL gives a meaning. */
static bool is_host(const char *text)
{
	static const char others[] = "-._:%";
	for (const char *c = text; *c != '\0'; c++) {
		bool alphanumeric = (*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z');
		if (!alphanumeric && strchr(others, *c) == NULL)
			return false;
	}
	return true;
}

bool spec_parse_host(const char *text, uint16_t default_port, struct spec_host *ret_host)
{
	struct spec_host host = {.port = default_port};
	const char *name = text, *end = NULL, *port = NULL;
	if (*text == '[') {
		name++;
		end = strchr(text, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		port = end[1] == ':' ? end + 2 : NULL;
	} else {
		/* Several colons without brackets: an IPv6 address, and no port. */
		const char *colon = strchr(text, ':');
		bool bare = colon != NULL && strchr(colon + 1, ':') != NULL;
		end = colon != NULL && !bare ? colon : text + strlen(text);
		port = colon != NULL && !bare ? colon + 1 : NULL;
	}
	size_t size = (size_t)(end - name);
	if (size >= sizeof host.name || (port != NULL && !addr_parse_port(port, &host.port)))
		return false;
	memcpy(host.name, name, size);
	if (!is_host(host.name))
		return false;
	*ret_host = host;
	return true;
}

static bool parse_listen_address(const char *rest, struct addr *ret_addr)
{
	struct spec_host host;
	if (!spec_parse_host(rest, 0, &host) || host.port == 0)
		return false;
	if (host.name[0] == '\0')
		*ret_addr = addr_any(ADDR_IPV4, 0);
	else if (strcasecmp(host.name, "localhost") == 0)
		*ret_addr = addr_ipv4(127, 0, 0, 1, 0);
	else if (!addr_parse_ip(host.name, ret_addr))
		return false;
	ret_addr->port = host.port;
	return true;
}

bool spec_parse_local(const char *text, struct spec_local *ret_local, struct failure *failure)
{
	*ret_local = (struct spec_local){.kind = SPEC_STDIO};
	if (strcmp(text, "-") == 0 || strcasecmp(text, "file://stdin") == 0 || strcasecmp(text, "file:stdin") == 0)
		return true;
	const char *rest = after_scheme(text, "unix");
	if (rest != NULL) {
		ret_local->kind = SPEC_UNIX;
		size_t size = strlen(rest);
		if (size < 1 || size >= sizeof ret_local->path)
			return fail(failure, "%.200s: a path of 1 to %d bytes must follow: unix:///run/tunnel.sock", text,
				SPEC_PATH_SIZE - 1);
		memcpy(ret_local->path, rest, size + 1);
		return true;
	}
	ret_local->kind = SPEC_UDP;
	rest = after_scheme(text, "udp");
	if (rest == NULL) {
		ret_local->kind = SPEC_TCP;
		rest = after_scheme(text, "tcp");
	}
	if (rest == NULL)
		return fail(failure,
			"%.200s: not where clients can arrive: use udp://127.0.0.1:9000, tcp://127.0.0.1:9000, unix:///path or - "
			"(standard input)",
			text);
	if (!parse_listen_address(rest, &ret_local->addr))
		return fail(failure,
			"%.200s: no address to listen on: use an IP address of this machine (IPv6 in brackets) or localhost, and "
			"a port, as in udp://127.0.0.1:9000",
			text);
	return true;
}

bool spec_parse_peer(const char *text, struct spec_host *ret_peer, struct failure *failure)
{
	const char *rest = after_scheme(text, "udp");
	if (rest == NULL)
		return fail(failure, "%.200s: not a peer: use udp://host:port (peers are reached over UDP only)", text);
	if (!spec_parse_host(rest, 0, ret_peer) || ret_peer->name[0] == '\0' || ret_peer->port == 0)
		return fail(failure, "%.200s: no peer: use udp://host:port (IPv6 in brackets)", text);
	return true;
}

static bool parse_credentials(const char *text, size_t size, struct spec_server *server, struct failure *failure)
{
	const char *colon = memchr(text, ':', size);
	size_t name_size = colon != NULL ? (size_t)(colon - text) : size;
	if (!percent_decode(text, name_size, PERCENT_URI, server->username, sizeof server->username))
		return fail(failure, "the server's user name is not usable: use 1 to %d bytes, special characters as %%XX",
			SPEC_USERNAME_SIZE - 1);
	if (colon != NULL &&
		!percent_decode(colon + 1, size - name_size - 1, PERCENT_URI, server->password, sizeof server->password))
		return fail(failure, "the server's password is not usable: use 1 to %d bytes, special characters as %%XX",
			SPEC_PASSWORD_SIZE - 1);
	return true;
}

/* turn: with transport=tls and turns: with transport=tcp mean the same; so do dtls and turns: with udp (RFC 7065, section 3.1). */
static bool parse_query(const char *query, bool secure, enum transport_kind *ret_kind)
{
	const char *value = strncasecmp(query, "transport=", 10) == 0 ? query + 10 : "";
	char lower[8] = "";
	for (size_t i = 0; i + 1 < sizeof lower && value[i] != '\0'; i++)
		lower[i] = (char)(value[i] >= 'A' && value[i] <= 'Z' ? value[i] | 0x20 : value[i]);
	if (!transport_find(lower, ret_kind))
		return false;
	if (secure && *ret_kind == TRANSPORT_UDP)
		*ret_kind = TRANSPORT_DTLS;
	if (secure && *ret_kind == TRANSPORT_TCP)
		*ret_kind = TRANSPORT_TLS;
	return true;
}

static bool parse_turn(const char *rest, bool secure, struct spec_server *server, struct failure *failure)
{
	char text[TEXT_MAX];
	if (snprintf(text, sizeof text, "%s", rest) >= (int)sizeof text)
		return fail(failure, "the server's URI is too long: use at most %d bytes", TEXT_MAX - 1);
	char *query = strrchr(text, '?'), *host = strrchr(text, '@');
	/* A password may have a '?' in it; what comes behind the '@' has none but this one. */
	if (query != NULL && host != NULL && query < host)
		query = NULL;
	if (query != NULL)
		*query++ = '\0';
	server->transport = secure ? TRANSPORT_TLS : TRANSPORT_UDP;
	bool good = query == NULL || parse_query(query, secure, &server->transport) ||
		    fail(failure, "the server's URI asks for a transport that there is not: use ?transport=udp, tcp, tls or dtls");
	if (good && host != NULL)
		good = parse_credentials(text, (size_t)(host - text), server, failure);
	host = host != NULL ? host + 1 : text;
	size_t size = strlen(host);
	if (size > 0 && host[size - 1] == '/')
		host[size - 1] = '\0';
	uint16_t port = secure ? SPEC_PORT_TURNS : transport_is_secure(server->transport) ? SPEC_PORT_SECURE : SPEC_PORT_TURN;
	if (good && (!spec_parse_host(host, port, &server->host) || server->host.name[0] == '\0'))
		good = fail(
			failure, "the server's URI has no usable host and port: use turn://user:password@host:port?transport=udp");
	bytes_wipe(text, sizeof text);
	return good;
}

bool spec_is_name(const char *text)
{
	size_t size = strlen(text);
	return size > 0 && size < SPEC_NAME_SIZE && is_host(text) && strpbrk(text, "_:%") == NULL && strstr(text, "..") == NULL;
}

/* Names go into the path of a request: nothing but names may. */
static bool take_name(const char *text, size_t size, char ret_name[static SPEC_NAME_SIZE])
{
	if (size >= SPEC_NAME_SIZE)
		return false;
	memcpy(ret_name, text, size);
	ret_name[size] = '\0';
	return spec_is_name(ret_name);
}

static bool parse_k8s(const char *text, const char *rest, struct spec_server *server, struct failure *failure)
{
	const char *slash = strchr(rest, '/'), *colon = slash != NULL ? strchr(slash, ':') : NULL;
	bool good = colon != NULL && take_name(slash + 1, (size_t)(colon - slash) - 1, server->gateway) &&
		    take_name(colon + 1, strlen(colon + 1), server->listener) &&
		    (slash == rest || take_name(rest, (size_t)(slash - rest), server->namespace));
	server->k8s = true;
	return good || fail(failure, "%.200s: no gateway: use k8s://namespace/gateway:listener, or k8s:///gateway:listener", text);
}

bool spec_parse_server(const char *text, struct spec_server *ret_server, struct failure *failure)
{
	*ret_server = (struct spec_server){.k8s = false};
	const char *rest = after_scheme(text, "turn");
	if (rest != NULL)
		return parse_turn(rest, false, ret_server, failure);
	rest = after_scheme(text, "turns");
	if (rest != NULL)
		return parse_turn(rest, true, ret_server, failure);
	rest = strncasecmp(text, "k8s://", 6) == 0 ? text + 6 : NULL;
	if (rest != NULL)
		return parse_k8s(text, rest, ret_server, failure);
	/* What it is may be a password. */
	return fail(failure, "the second argument is not a server: use turn://user:password@host:port?transport=udp, or "
			     "k8s://namespace/gateway:listener");
}

bool spec_parse_duration(const char *text, uint32_t *ret_seconds)
{
	uint64_t total_s = 0;
	if (*text == '\0')
		return false;
	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789");
		if (digits == 0 || digits > 9)
			return false;
		uint64_t number = strtoul(text, NULL, 10);
		text += digits;
		uint64_t unit_s = *text == 'h' ? 3600 : *text == 'm' ? 60 : *text == 's' || *text == '\0' ? 1 : 0;
		if (unit_s == 0)
			return false;
		total_s += number * unit_s;
		text += *text != '\0';
	}
	if (total_s == 0 || total_s > DURATION_MAX_S)
		return false;
	*ret_seconds = (uint32_t)total_s;
	return true;
}
