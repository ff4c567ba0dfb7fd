#include "server/config_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "crypto/mac.h"
#include "server/config_listener.h"

_Static_assert((int)SHA256_SIZE == (int)NONCE_SECRET_SIZE, "a nonce secret is one digest");

void config_nonce_secret(const char *key, uint8_t ret_secret[static NONCE_SECRET_SIZE])
{
	/* Of any length to a fixed one, and of no use where else the same key may be used. */
	hmac_sha256(bytes_of_string("uturn admin.nonce_key"), bytes_of_string(key), ret_secret);
}

struct config *config_create(enum config_dialect dialect, const struct config_world *world)
{
	struct config *config = calloc(1, sizeof *config);
	if (config == NULL)
		return NULL;
	config->dialect = dialect;
	config->admin = (struct config_admin){
		.name = "uturn",
		.loglevel = "all:INFO",
		.health = {.enabled = true, .port = 8086, .path = "/"},
		.offload_engine = "None",
		.drain_timeout_s = 3600,
		.ready_while_draining = true,
		.lifetime_default_s = ALLOCATION_LIFETIME_DEFAULT_S,
		.lifetime_max_s = ALLOCATION_LIFETIME_MAX_S,
		.unauth = {.burst = 500, .per_s = 50, .spare_s = 600, .ipv4_bits = 32, .ipv6_bits = 64},
		.streams = {.per_source = 256,
			.handshakes = 128,
			.handshake_timeout_s = 10,
			.idle_timeout_s = 60,
			.stuck_timeout_s = 15},
		.listener_receive_buffer = 8 << 20,
		.relay_receive_buffer = 512 << 10,
		.relay_send_buffer = 512 << 10,
	};
	bool stunner = dialect == CONFIG_V1 || dialect == CONFIG_V1ALPHA1 || dialect == CONFIG_URI;
	config_set_text(config->auth.realm, sizeof config->auth.realm, stunner ? "stunner.l7mp.io" : "uturn");
	if (stunner)
		config_set_text(config->admin.name, sizeof config->admin.name, "default-stunnerd");
	world->random(world->context, config->admin.nonce_secret, sizeof config->admin.nonce_secret);
	return config;
}

static void check_credentials(const struct config_auth *auth, struct config_problems *problems)
{
	if (auth->type == AUTH_STATIC && auth->username[0] == '\0')
		config_error(problems, "auth.credentials.username", "is missing: type static needs username and password");
	else if (auth->type == AUTH_STATIC && auth->password[0] == '\0')
		config_error(problems, "auth.credentials.password", "is missing: type static needs username and password");
	else if (auth->type == AUTH_EPHEMERAL && auth->secrets[0][0] == '\0')
		config_error(problems, "auth.credentials.secret", "is missing: type ephemeral needs a secret");
	if (auth->type != AUTH_NONE && auth->realm[0] == '\0')
		config_error(problems, "auth.realm", "is empty: use 1 to %d bytes", REALM_SIZE_MAX);
}

static bool sockets_collide(const struct config_listener *a, const struct config_listener *b)
{
	return config_sockets_collide(a, b, RELAY_IPV4) || config_sockets_collide(a, b, RELAY_IPV6);
}

static void check_against_http(
	const struct config_listener *listener, const struct config_http *http, const char *name, struct config_problems *problems)
{
	char path[64];
	bool same_ip = http->ip.family == ADDR_NONE || config_ip_overlaps(&http->ip, &listener->bind[RELAY_IPV4]) ||
		       config_ip_overlaps(&http->ip, &listener->bind[RELAY_IPV6]);
	if (!http->enabled || !config_listener_is_stream(listener) || http->port != listener->port || !same_ip)
		return;
	snprintf(path, sizeof path, "listeners[%u].port", listener->document_index);
	config_error(problems, path, "%u is the port of admin.%s too: give each its own", listener->port, name);
}

static void check_listeners(struct config *config, const struct config_world *world, struct config_problems *problems)
{
	for (size_t i = 0; i < config->listener_count; i++) {
		struct config_listener *listener = &config->listeners[i];
		listener->slot = (uint8_t)i;
		config_listener_complete(listener, world, problems);
		config_listener_check_streams(listener, config->dialect, problems);
		check_against_http(listener, &config->admin.metrics, "metrics_endpoint", problems);
		check_against_http(listener, &config->admin.health, "healthcheck_endpoint", problems);
		check_against_http(listener, &config->admin.ice, "ice_endpoint", problems);
		for (size_t j = 0; j < i; j++) {
			if (!sockets_collide(&config->listeners[j], listener))
				continue;
			char path[64];
			snprintf(path, sizeof path, "listeners[%u].port", listener->document_index);
			config_error(problems, path,
				"%u is the %s port of listeners[%u] too: give each its own port or bind_address", listener->port,
				config_listener_is_stream(listener) ? "TCP" : "UDP", config->listeners[j].document_index);
		}
	}
}

/* A controller that has lost its last listener says so to its data plane. */
static void check_number(const struct config *config, struct config_problems *problems)
{
	if (config->listener_count > 0)
		return;
	if (config->dialect == CONFIG_V1)
		config_warning(problems, "listeners", "there is none: nobody is served");
	else
		config_error(problems, "listeners", "there is none: add one, such as {\"name\": \"udp\", \"port\": %d}",
			CONFIG_PORT_DEFAULT);
}

static void check_http_pair(const struct config_http *a, const char *a_name, const struct config_http *b, const char *b_name,
	struct config_problems *problems)
{
	if (config_http_collides(a, b))
		config_error(problems, a_name, "port %u is the %s's too: give each its own", a->port, b_name);
}

static void check_admin(const struct config_admin *admin, struct config_problems *problems)
{
	if (admin->lifetime_default_s > admin->lifetime_max_s)
		config_error(problems, "admin.limits.lifetime_default", "%u is above lifetime_max, %u: use at most that",
			admin->lifetime_default_s, admin->lifetime_max_s);
	check_http_pair(&admin->metrics, "admin.metrics_endpoint", &admin->health, "healthcheck_endpoint", problems);
	/* To hand out credentials where others only look would be to hand them to anybody who may look. */
	check_http_pair(&admin->ice, "admin.ice_endpoint", &admin->health, "healthcheck_endpoint", problems);
	check_http_pair(&admin->ice, "admin.ice_endpoint", &admin->metrics, "metrics_endpoint", problems);
}

struct config *config_check(
	struct config *config, const struct config_world *world, struct config_problems *problems, size_t errors_before)
{
	if (config == NULL) {
		config_error(problems, "", "out of memory");
		return NULL;
	}
	/* Where a field is wrong already, what follows from it would be noise. */
	if (problems->errors == errors_before) {
		check_admin(&config->admin, problems);
		check_credentials(&config->auth, problems);
		check_listeners(config, world, problems);
		check_number(config, problems);
	}
	if (problems->errors == errors_before)
		return config;
	config_free(config);
	return NULL;
}
