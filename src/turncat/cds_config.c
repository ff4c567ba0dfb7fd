#include "turncat/cds_config.h"

#include <jansson.h>
#include <strings.h>

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text != NULL ? text : "";
}

static bool copy_text(const char *text, char *ret_text, size_t size)
{
	size_t length = strlen(text);
	if (length == 0 || length >= size)
		return false;
	memcpy(ret_text, text, length + 1);
	return true;
}

static bool is_wanted(const json_t *listener, const char *name)
{
	const char *whole = text_at(listener, "name"), *slash = strrchr(whole, '/');
	return strcmp(whole, name) == 0 || (slash != NULL && strcmp(slash + 1, name) == 0);
}

static const json_t *find_listener(const json_t *config, const char *name)
{
	const json_t *listeners = json_object_get(config, "listeners");
	for (size_t i = 0; i < json_array_size(listeners); i++)
		if (is_wanted(json_array_get(listeners, i), name))
			return json_array_get(listeners, i);
	return NULL;
}

/* "TURN-UDP" and "UDP" mean the same; without one it is UDP. */
static bool read_protocol(const json_t *listener, enum transport_kind *ret_transport)
{
	const char *protocol = text_at(listener, "protocol");
	if (strncasecmp(protocol, "turn-", 5) == 0)
		protocol += 5;
	*ret_transport = TRANSPORT_UDP;
	if (*protocol == '\0')
		return true;
	for (int kind = 0; kind < TRANSPORT_KINDS; kind++)
		if (strcasecmp(protocol, transport_name((enum transport_kind)kind)) == 0) {
			*ret_transport = (enum transport_kind)kind;
			return true;
		}
	return false;
}

static bool read_address(const json_t *listener, struct spec_host *ret_host)
{
	bool public = text_at(listener, "public_address")[0] != '\0';
	const char *address = text_at(listener, public ? "public_address" : "address");
	json_int_t port = json_integer_value(json_object_get(listener, "public_port"));
	struct spec_host host;
	if (port == 0)
		port = json_integer_value(json_object_get(listener, "port"));
	if (port == 0)
		port = SPEC_PORT_TURN;
	/* An address without brackets and with several colons is IPv6's; a port has a field of its own. */
	bool has_port = strchr(address, ':') != NULL && strchr(address, ':') == strrchr(address, ':');
	if (port < 1 || port > 65535 || has_port || !spec_parse_host(address, (uint16_t)port, &host) || host.name[0] == '\0')
		return false;
	*ret_host = host;
	return true;
}

static bool read_auth(const json_t *auth, struct cds_server *server, struct failure *failure)
{
	const char *type = text_at(auth, "type");
	const json_t *credentials = json_object_get(auth, "credentials");
	if (*type == '\0' || strcasecmp(type, "static") == 0 || strcasecmp(type, "plaintext") == 0)
		return (copy_text(text_at(credentials, "username"), server->username, sizeof server->username) &&
			       copy_text(text_at(credentials, "password"), server->password, sizeof server->password)) ||
		       fail(failure, "its configuration has no usable user name and password");
	if (strcasecmp(type, "ephemeral") == 0 || strcasecmp(type, "longterm") == 0 || strcasecmp(type, "timewindowed") == 0)
		return copy_text(text_at(credentials, "secret"), server->secret, sizeof server->secret) ||
		       fail(failure, "its configuration has no usable secret");
	if (strcasecmp(type, "none") == 0)
		return fail(failure, "it makes no allocations (its authentication type is none)");
	return fail(failure, "its authentication type '%.64s' is not known here", type);
}

static bool read_server(const json_t *config, const struct spec_server *wanted, struct cds_server *server, struct failure *failure)
{
	const json_t *listener = find_listener(config, wanted->listener);
	if (listener == NULL)
		return fail(failure, "it has no listener '%s' (of %zu)", wanted->listener,
			json_array_size(json_object_get(config, "listeners")));
	if (!read_protocol(listener, &server->transport))
		return fail(failure, "its listener's protocol '%.32s' is not known here", text_at(listener, "protocol"));
	if (!read_address(listener, &server->host))
		return fail(failure, "its listener has no usable public address and port (yet)");
	return read_auth(json_object_get(config, "auth"), server, failure);
}

bool cds_config_parse(struct bytes json, const struct spec_server *wanted, struct cds_server *ret_server, struct failure *failure)
{
	json_error_t error;
	json_t *config = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(config)) {
		json_decref(config);
		return fail(failure, "what was answered is no configuration");
	}
	*ret_server = (struct cds_server){.transport = TRANSPORT_UDP};
	bool good = read_server(config, wanted, ret_server, failure);
	json_decref(config);
	return good;
}
