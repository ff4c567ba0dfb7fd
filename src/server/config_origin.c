#include "server/config_origin.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const struct {
	const char *name;
	uint16_t port;
	bool secure;
} schemes[] = {{"http", 80, false}, {"ws", 80, false}, {"https", 443, true}, {"wss", 443, true}};

static bool host_valid(const char *host)
{
	struct addr ip;
	return addr_parse_ip(host, &ip) ||
	       host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")] == '\0';
}

/* "host", "host:port", ":port", "[IPv6]:port", of `size` bytes. Without a host it is this machine; without a port, `port` stays. */
static bool authority_parse(const char *text, size_t size, struct cds_source *cds)
{
	char copy[CONFIG_HOST_SIZE + 8], *host = copy, *end;
	struct addr ip;
	if (size >= sizeof copy)
		return false;
	memcpy(copy, text, size);
	copy[size] = '\0';
	if (copy[0] == '[') {
		host++;
		end = strchr(host, ']');
		if (end == NULL || (end[1] != '\0' && end[1] != ':'))
			return false;
		*end++ = '\0';
	} else {
		end = copy + (addr_parse_ip(copy, &ip) ? size : strcspn(copy, ":"));
	}
	bool with_port = *end == ':';
	*end = '\0';
	if ((with_port && !addr_parse_port(end + 1, &cds->port)) || !host_valid(host) || strlen(host) >= sizeof cds->host)
		return false;
	snprintf(cds->host, sizeof cds->host, "%s", *host ? host : "127.0.0.1");
	return true;
}

static const char *url_parse(const char *text, const char *rest, struct cds_source *cds)
{
	for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
		size_t length = (size_t)(rest - text);
		if (strlen(schemes[i].name) != length || strncasecmp(text, schemes[i].name, length) != 0)
			continue;
		cds->port = schemes[i].port;
		cds->secure = schemes[i].secure;
		rest += strlen("://");
		size_t size = strcspn(rest, "/?#");
		if (memchr(rest, '@', size) != NULL)
			return "has credentials in it, which no config discovery service takes: use http://host:13478";
		/* Stunnerd ignores what stands behind. */
		return authority_parse(rest, size, cds) ? NULL : "names no usable address: use http://host:13478";
	}
	return "is neither a file nor a config discovery service: use a path, file://path, IP:port, http://host:port, or ws://, "
	       "https://, wss:// likewise";
}

const char *config_origin_parse(const char *text, struct config_origin *ret_origin)
{
	struct config_origin origin = {.cds.port = CDS_PORT_DEFAULT};
	const char *rest = strstr(text, "://");
	struct addr ip;
	if (strncasecmp(text, "file://", 7) == 0) {
		origin.file = text + 7;
	} else if (rest != NULL) {
		const char *wrong = url_parse(text, rest, &origin.cds);
		if (wrong != NULL)
			return wrong;
	} else if (access(text, F_OK) == 0 || strchr(text, '/') != NULL ||
		   !(strchr(text, ':') != NULL || addr_parse_ip(text, &ip)) || !authority_parse(text, strlen(text), &origin.cds)) {
		origin.file = text;
	}
	if (origin.file != NULL && origin.file[0] == '\0')
		return "has no path in it: use a path or file://path";
	*ret_origin = origin;
	return NULL;
}

const char *config_origin_in_cluster(const char *host, const char *space, const char *port, struct cds_source *ret_cds)
{
	struct cds_source cds = {.port = CDS_PORT_DEFAULT};
	if (port[0] != '\0' && !addr_parse_port(port, &cds.port))
		return "is not a port: use 1 to 65535";
	if (host[0] != '\0' && !authority_parse(host, strlen(host), &cds))
		return "is not an address: use an IP address or a name";
	if (!host_valid(space) || strlen(space) > 63)
		return "is not a namespace: use the one that STUNner's operator runs in";
	if (host[0] == '\0')
		snprintf(cds.host, sizeof cds.host, "stunner-config-discovery.%s.svc", space[0] ? space : "stunner-system");
	*ret_cds = cds;
	return NULL;
}

bool config_origin_id_valid(const char *id)
{
	const char *slash = strchr(id, '/');
	return slash != NULL && slash > id && slash[1] != '\0' && strchr(slash + 1, '/') == NULL && strlen(id) < CDS_ID_SIZE;
}

/* RFC 3986 Section 2.1: what is not unreserved is written %XX; '/' stays where it parts the path. */
static size_t encode(const char *text, bool path, char *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	size_t used = 0;
	for (; *text != '\0'; text++) {
		if (strchr(plain, *text) != NULL || (path && *text == '/'))
			out[used++] = *text;
		else
			used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned char)*text);
	}
	out[used] = '\0';
	return used;
}

const char *config_origin_path(const struct cds_source *cds, bool watch, char text[static CDS_PATH_SIZE])
{
	size_t used = (size_t)snprintf(text, CDS_PATH_SIZE, "/api/v1/configs/");
	used += encode(cds->id, true, text + used);
	if (cds->node[0] != '\0') {
		used += (size_t)snprintf(text + used, CDS_PATH_SIZE - used, "?node=");
		used += encode(cds->node, false, text + used);
	}
	if (watch)
		snprintf(text + used, CDS_PATH_SIZE - used, "%swatch=true", cds->node[0] != '\0' ? "&" : "?");
	return text;
}

const char *config_origin_text(const struct cds_source *cds, char text[static CDS_TEXT_SIZE])
{
	bool brackets = strchr(cds->host, ':') != NULL;
	snprintf(text, CDS_TEXT_SIZE, "%s://%s%s%s:%u", cds->secure ? "https" : "http", brackets ? "[" : "", cds->host,
		brackets ? "]" : "", cds->port);
	return text;
}
