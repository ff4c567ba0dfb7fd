#include "server/config_schema.h"

#include <string.h>
#include <strings.h>

#include "server/config_check.h"
#include "server/config_cluster.h"
#include "server/config_listener.h"
#include "server/config_uri.h"

/* clang-format off */
static const struct config_choice engines[] = {
	{"auto",     ENGINE_AUTO,     false},
	{"io_uring", ENGINE_IO_URING, false},
	{"epoll",    ENGINE_EPOLL,    false},
	{NULL, 0, false},
};

static const struct config_choice lockdown_modes[] = {
	{"on",    LOCKDOWN_ON,   true},
	{"true",  LOCKDOWN_ON,   false},
	{"strict", LOCKDOWN_STRICT, false},
	{"off",   LOCKDOWN_OFF,  true},
	{"false", LOCKDOWN_OFF,  false},
	{"log",   LOCKDOWN_LOG,  false},
	{"kill",  LOCKDOWN_KILL, false},
	{NULL, 0, false},
};

static const struct config_choice log_formats[] = {
	{"text", LOG_TEXT, false},
	{"json", LOG_JSON, false},
	{NULL, 0, false},
};

const struct config_choice config_auth_types[] = {
	{"static",       AUTH_STATIC,    false},
	{"plaintext",    AUTH_STATIC,    true},
	{"ephemeral",    AUTH_EPHEMERAL, false},
	{"longterm",     AUTH_EPHEMERAL, true},
	{"timewindowed", AUTH_EPHEMERAL, true},
	{"none",         AUTH_NONE,      false},
	{NULL, 0, false},
};
/* clang-format on */

static void read_loglevel(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	const char *bad;
	if (value->kind == VALUE_TEXT && !log_spec_valid(value->text, &bad)) {
		config_reader_error(r,
			"\"%.*s\" is not scope:LEVEL: use a list like all:INFO,turn:DEBUG of DISABLE, ERROR, WARN, INFO, DEBUG, "
			"TRACE",
			(int)strcspn(bad, ","), bad);
		return;
	}
	config_read_text(r, value, field, target);
}

static void read_http(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	struct config_http *http = (struct config_http *)(void *)((char *)target + field->offset);
	const char *text = config_reader_text(r, value);
	const char *wrong = text ? config_uri_parse_http(text, (uint16_t)field->max, http) : NULL;
	if (wrong)
		config_reader_error(r, "\"%s\" %s", text, wrong);
}

/* A truth value as well as a word. */
static void read_lockdown(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	char text[] = "false";
	if (value->boolean)
		strcpy(text, "true");
	struct config_value word = {.kind = VALUE_TEXT, .text = text};
	config_read_choice(r, value->kind == VALUE_BOOL ? &word : value, field, target);
}

static void read_offload(struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	config_read_text(r, value, field, target);
	if (strcasecmp(text, "none") != 0)
		config_reader_warning(r, "\"%s\": this version offloads nothing; goes on without", text);
}

static void read_alternate_server(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	const char *text = config_reader_text(r, value);
	struct addr *address = (struct addr *)(void *)((char *)target + field->offset);
	if (text && *text && !config_address_parse(text, CONFIG_PORT_DEFAULT, address))
		config_reader_error(r, "\"%s\" is not an address: use IP:port, an IPv6 address in brackets", text);
}

static void read_nonce_key(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	struct config_admin *admin = target;
	const char *text = config_reader_text(r, value);
	if (text == NULL)
		return;
	if (strlen(text) < CONFIG_NONCE_KEY_SIZE_MIN) {
		config_reader_error(r, "is too short: use at least %d bytes nobody can guess", CONFIG_NONCE_KEY_SIZE_MIN);
		return;
	}
	config_nonce_secret(text, admin->nonce_secret);
	admin->nonce_key_given = true;
}

/* admin.limits.user_quota: another name for admin.user_quota. */
static void read_user_quota_alias(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	struct config_admin *admin = target;
	uint32_t before = admin->user_quota;
	config_read_u32(r, value, field, target);
	if (before != 0 && before != admin->user_quota)
		config_reader_error(r, "%u contradicts admin.user_quota, %u: give one of them", admin->user_quota, before);
}

/* The first form of v1alpha1 had the realm under admin. */
static void read_early_realm(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	(void)field;
	(void)target;
	const struct config_field realm = {.offset = offsetof(struct config, auth.realm), .size = REALM_SIZE_MAX + 1};
	config_read_text(r, value, &realm, r->config);
}

#define ADMIN(member) offsetof(struct config_admin, member)
/* clang-format off */
static const struct config_field unauthenticated[] = {
	{"burst",       config_read_u32, IN_ALL, .offset = ADMIN(unauth.burst),     .min = 1, .max = 1000000},
	{"rate",        config_read_u32, IN_ALL, .offset = ADMIN(unauth.per_s),     .min = 0, .max = 1000000},
	{"spare",       config_read_u32, IN_ALL, .offset = ADMIN(unauth.spare_s),   .min = 0, .max = 86400},
	{"ipv4_prefix", config_read_u8,  IN_ALL, .offset = ADMIN(unauth.ipv4_bits), .min = 8, .max = 32},
	{"ipv6_prefix", config_read_u8,  IN_ALL, .offset = ADMIN(unauth.ipv6_bits), .min = 16, .max = 128},
	{.name = NULL},
};

static const struct config_field streams[] = {
	{"connections",       config_read_u32, IN_ALL, .offset = ADMIN(connections_max),             .min = 0, .max = 16000000},
	{"per_source",        config_read_u32, IN_ALL, .offset = ADMIN(streams.per_source),          .min = 0, .max = 16000000},
	{"handshakes",        config_read_u32, IN_ALL, .offset = ADMIN(streams.handshakes),          .min = 1, .max = 65536},
	{"handshake_timeout", config_read_u32, IN_ALL, .offset = ADMIN(streams.handshake_timeout_s), .min = 1, .max = 600},
	{"idle_timeout",      config_read_u32, IN_ALL, .offset = ADMIN(streams.idle_timeout_s),      .min = 1, .max = 86400},
	{"stuck_timeout",     config_read_u32, IN_ALL, .offset = ADMIN(streams.stuck_timeout_s),     .min = 1, .max = 3600},
	{.name = NULL},
};

static const struct config_field limits[] = {
	{"allocations",      config_read_u32,       IN_ALL, .offset = ADMIN(allocations_max),    .min = 0, .max = 16000000},
	{"user_quota",       read_user_quota_alias, IN_ALL, .offset = ADMIN(user_quota),         .min = 0, .max = 16000000},
	{"lifetime_default", config_read_u32,       IN_ALL, .offset = ADMIN(lifetime_default_s), .min = 1, .max = 86400},
	{"lifetime_max",     config_read_u32,       IN_ALL, .offset = ADMIN(lifetime_max_s),     .min = 1, .max = 86400},
	{"unauthenticated",  config_read_object,    IN_ALL, .fields = unauthenticated},
	{"streams",          config_read_object,    IN_ALL, .fields = streams},
	{.name = NULL},
};

static const struct config_field buffers[] = {
	{"listener_receive", config_read_u32, IN_ALL, .offset = ADMIN(listener_receive_buffer), .min = 0, .max = 1 << 30},
	{"relay_receive",    config_read_u32, IN_ALL, .offset = ADMIN(relay_receive_buffer),    .min = 0, .max = 1 << 30},
	{"relay_send",       config_read_u32, IN_ALL, .offset = ADMIN(relay_send_buffer),       .min = 0, .max = 1 << 30},
	{.name = NULL},
};

static const struct config_field admin_fields[] = {
	{"name",                 config_read_text,      IN_ALL, .offset = ADMIN(name), .size = CONFIG_NAME_SIZE},
	{"loglevel",             read_loglevel,         IN_ALL, .offset = ADMIN(loglevel), .size = CONFIG_LOGLEVEL_SIZE},
	{"log_format",           config_read_choice,    IN_ALL, .offset = ADMIN(log_format), .choices = log_formats},
	{"metrics_endpoint",     read_http,             IN_ALL, .offset = ADMIN(metrics), .max = 8080, .reads_empty = true},
	{"healthcheck_endpoint", read_http,             IN_ALL, .offset = ADMIN(health), .max = 8086, .reads_empty = true},
	{"ice_endpoint",         read_http,             IN_ALL, .offset = ADMIN(ice), .max = 8088, .reads_empty = true},
	{"ice_key",              config_read_text,      IN_ALL, .offset = ADMIN(ice_key), .size = CONFIG_ICE_KEY_SIZE},
	{"user_quota",           config_read_u32,       IN_ALL, .offset = ADMIN(user_quota), .min = 0, .max = 16000000},
	{"offload_engine",       read_offload,          IN_ALL, .offset = ADMIN(offload_engine), .size = CONFIG_OFFLOAD_SIZE},
	{"offload_interfaces",   config_read_ignored, .dialects = IN_ALL},
	{"license_config",       config_read_ignored, .dialects = IN_ALL},
	{"lockdown",             read_lockdown,         IN_ALL, .offset = ADMIN(lockdown), .choices = lockdown_modes},
	{"engine",               config_read_choice,    IN_ALL, .offset = ADMIN(engine), .choices = engines},
	{"shards",               config_read_u32,       IN_ALL, .offset = ADMIN(shards), .min = 0, .max = CONFIG_SHARDS_MAX},
	{"drain_timeout",        config_read_u32,       IN_ALL, .offset = ADMIN(drain_timeout_s), .min = 0, .max = 604800},
	{"ready_while_draining", config_read_bool,      IN_ALL, .offset = ADMIN(ready_while_draining)},
	{"alternate_server",     read_alternate_server, IN_ALL, .offset = ADMIN(alternate_server)},
	{"nonce_key",            read_nonce_key, .dialects = IN_ALL},
	{"limits",               config_read_object,    IN_ALL, .fields = limits},
	{"buffers",              config_read_object,    IN_ALL, .fields = buffers},
	{"realm",                read_early_realm, .dialects = IN_V1ALPHA1},
	{.name = NULL},
};

/* Behind the one that `secret` gave. */
static void read_accepted_secret(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, struct config_auth *auth)
{
	unsigned place = 1;
	while (place < SECRETS_MAX && auth->secrets[place][0] != '\0')
		place++;
	if (place == SECRETS_MAX) {
		config_reader_error(r, "is one too many: use at most %d beside auth.credentials.secret", SECRETS_MAX - 1);
		return;
	}
	/* Everybody could make credentials with it. */
	if (value->kind == VALUE_TEXT && value->text[0] == '\0') {
		config_reader_error(r, "is empty: leave it away, or use the secret that credentials were made with");
		return;
	}
	config_read_text(r, value, field, auth->secrets[place]);
}

/* A secret, or a list of them. */
static void read_accepted_secrets(
	struct config_reader *r, const struct config_value *value, const struct config_field *field, void *target)
{
	if (value->kind != VALUE_LIST) {
		read_accepted_secret(r, value, field, target);
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		size_t mark = config_reader_down_index(r, i);
		if (!config_reader_absent(r, &value->items[i]))
			read_accepted_secret(r, &value->items[i], field, target);
		config_reader_up(r, mark);
	}
}

#define AUTH(member) offsetof(struct config_auth, member)
static const struct config_field credentials[] = {
	{"username", config_read_text,    IN_ALL, .offset = AUTH(username), .size = sizeof ((struct config_auth *)NULL)->username},
	{"password", config_read_text,    IN_ALL, .offset = AUTH(password), .size = sizeof ((struct config_auth *)NULL)->password},
	{"secret",   config_read_text,    IN_ALL, .offset = AUTH(secrets[0]), .size = SECRET_SIZE_MAX + 1},
	{"accepted_secrets", read_accepted_secrets, IN_ALL, .size = SECRET_SIZE_MAX + 1},
	{.name = NULL},
};

static const struct config_field auth_fields[] = {
	{"type",        config_read_choice,  IN_ALL, .offset = AUTH(type), .choices = config_auth_types},
	{"realm",       config_read_text,    IN_ALL, .offset = AUTH(realm), .size = REALM_SIZE_MAX + 1},
	{"credentials", config_read_object,  IN_ALL, .fields = credentials},
	{.name = NULL},
};

#define TOP(member) offsetof(struct config, member)
const struct config_field config_schema[] = {
	{"version",   config_read_ignored, .dialects = IN_ALL},
	{"admin",     config_read_object,    IN_ALL, .offset = TOP(admin), .fields = admin_fields},
	{"auth",      config_read_object,    IN_ALL, .offset = TOP(auth), .fields = auth_fields},
	{"clusters",  config_read_clusters, .dialects = IN_ALL},
	{"listeners", config_read_listeners, .dialects = IN_ALL},
	{"revoke",    config_read_bool,      IN_ALL, .offset = TOP(revoke)},
	{.name = NULL},
};

static const struct config_field early_static[] = {
	{"auth",      config_read_object,    IN_V1ALPHA1, .offset = TOP(auth), .fields = auth_fields},
	{"listeners", config_read_listeners, .dialects = IN_V1ALPHA1},
	{.name = NULL},
};

const struct config_field config_schema_early[] = {
	{"version",   config_read_ignored, .dialects = IN_V1ALPHA1},
	{"admin",     config_read_object,    IN_V1ALPHA1, .offset = TOP(admin), .fields = admin_fields},
	{"clusters",  config_read_clusters, .dialects = IN_V1ALPHA1},
	{"static",    config_read_object,    IN_V1ALPHA1, .fields = early_static},
	{"revoke",    config_read_bool,      IN_V1ALPHA1, .offset = TOP(revoke)},
	{.name = NULL},
};
/* clang-format on */
