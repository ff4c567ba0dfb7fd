#include "server/config.h"

#include <string.h>
#include <strings.h>

#include "server/config_check.h"
#include "server/config_cluster.h"
#include "server/config_env.h"
#include "server/config_listener.h"
#include "server/config_schema.h"
#include "server/config_uri.h"

enum { USERNAME_SIZE = 8, PASSWORD_SIZE = 24 };

/* Letters and digits, which survive every shell, URI and quotation; `size` of them carry 5 bits each. */
static void random_word(const struct config_world *world, char *ret_word, size_t size)
{
	static const char alphabet[32] = "abcdefghjkmnpqrstuvwxyz023456789";
	uint8_t bytes[PASSWORD_SIZE];
	world->random(world->context, bytes, size);
	for (size_t i = 0; i < size; i++)
		ret_word[i] = alphabet[bytes[i] % sizeof alphabet];
	ret_word[size] = '\0';
	bytes_wipe(bytes, sizeof bytes);
}

static void override_text(
	const struct config_world *world, struct config_problems *problems, const char *name, char *ret_text, size_t size)
{
	const char *value = config_env_get(world, name);
	if (value == NULL)
		return;
	if (strlen(value) >= size) {
		config_error(problems, name, "%zu bytes are too many: use at most %zu", strlen(value), size - 1);
		return;
	}
	config_set_text(ret_text, size, value);
}

static void override_port(const struct config_world *world, struct config_problems *problems, const char *name, uint16_t *ret_port)
{
	const char *value = config_env_get(world, name);
	if (value != NULL && !addr_parse_port(value, ret_port))
		config_error(problems, name, "\"%s\" is not a port: use 1 to 65535", value);
}

static void override_auth_type(const struct config_world *world, struct config_problems *problems, enum auth_type *ret_type)
{
	const char *value = config_env_get(world, "STUNNER_AUTH_TYPE");
	if (value == NULL)
		return;
	for (const struct config_choice *c = config_auth_types; c->name; c++)
		if (strcasecmp(value, c->name) == 0) {
			*ret_type = (enum auth_type)c->value;
			return;
		}
	config_error(
		problems, "STUNNER_AUTH_TYPE", "\"%s\" is not known: use static (plaintext), ephemeral (longterm) or none", value);
}

static void override_address(const struct config_world *world, struct config_problems *problems, struct addr *ret_ip)
{
	const char *value = config_env_get(world, "STUNNER_ADDR");
	if (value && !config_host_parse(value, ret_ip))
		config_error(
			problems, "STUNNER_ADDR", "\"%s\" is not an IP address: use the one that clients are relayed from", value);
}

static void override_loglevel(const struct config_world *world, struct config_problems *problems, struct config_admin *admin)
{
	const char *value = config_env_get(world, "STUNNER_LOGLEVEL"), *bad;
	if (value && !log_spec_valid(value, &bad))
		config_error(problems, "STUNNER_LOGLEVEL", "\"%s\" is not a list of scope:LEVEL: use one like all:INFO,turn:DEBUG",
			value);
	else
		override_text(world, problems, "STUNNER_LOGLEVEL", admin->loglevel, sizeof admin->loglevel);
}

static void override_listener(const struct config_world *world, struct config_problems *problems, struct config_listener *listener)
{
	override_port(world, problems, "STUNNER_PORT", &listener->port);
	override_port(world, problems, "STUNNER_MIN_PORT", &listener->port_min);
	override_port(world, problems, "STUNNER_MAX_PORT", &listener->port_max);
	override_address(world, problems, &listener->address);
	override_text(world, problems, "STUNNER_PUBLIC_ADDR", listener->public_address, sizeof listener->public_address);
	override_port(world, problems, "STUNNER_PUBLIC_PORT", &listener->public_port);
}

static void override_auth(const struct config_world *world, struct config_problems *problems, struct config_auth *auth)
{
	override_auth_type(world, problems, &auth->type);
	override_text(world, problems, "STUNNER_REALM", auth->realm, sizeof auth->realm);
	auth->generated = config_env_get(world, "STUNNER_PASSWORD") == NULL;
	override_text(world, problems, "STUNNER_USERNAME", auth->username, sizeof auth->username);
	override_text(world, problems, "STUNNER_PASSWORD", auth->password, sizeof auth->password);
	override_text(world, problems, "STUNNER_SHARED_SECRET", auth->secrets[0], sizeof auth->secrets[0]);
	override_text(world, problems, "UTURN_ACCEPTED_SECRET", auth->secrets[1], sizeof auth->secrets[1]);
}

static void add_listeners(struct config *config, const struct config_world *world, struct config_problems *problems)
{
	const struct {
		const char *name, *variable;
		enum config_protocol protocol;
		bool if_unset;
	} transports[] = {
		{"udp", "STUNNER_TRANSPORT_UDP_ENABLE", PROTOCOL_UDP, true},
		{"tcp", "STUNNER_TRANSPORT_TCP_ENABLE", PROTOCOL_TCP, false},
	};
	struct config_listener common = config_listener_defaults();
	common.port_min = 10000;
	common.port_max = 20000;
	override_listener(world, problems, &common);
	for (size_t i = 0; i < sizeof transports / sizeof transports[0]; i++) {
		if (!config_env_switch(world, transports[i].variable, transports[i].if_unset))
			continue;
		struct config_listener *listener = &config->listeners[config->listener_count];
		*listener = common;
		listener->document_index = (uint16_t)config->listener_count++;
		listener->protocol = transports[i].protocol;
		config_set_text(listener->name, sizeof listener->name, transports[i].name);
		if (!config_listener_route_to_all(listener, config))
			config_error(problems, "", "out of memory");
	}
	if (config->listener_count == 0)
		config_error(problems, "STUNNER_TRANSPORT_UDP_ENABLE",
			"is off, and so is STUNNER_TRANSPORT_TCP_ENABLE: set one of them to 1");
}

struct config *config_load_default(const struct config_world *world, struct config_problems *problems)
{
	struct config *config = config_create(CONFIG_EMBEDDED, world);
	size_t errors = problems->errors;
	problems->source = "environment";
	if (config) {
		config->admin.metrics = (struct config_http){.enabled = true, .port = 8080, .path = "/metrics"};
		random_word(world, config->auth.username, USERNAME_SIZE);
		random_word(world, config->auth.password, PASSWORD_SIZE);
		if (!config_cluster_add_any(config, "public"))
			config_error(problems, "", "out of memory");
		add_listeners(config, world, problems);
		override_auth(world, problems, &config->auth);
		override_loglevel(world, problems, &config->admin);
	}
	return config_check(config, world, problems, errors);
}
