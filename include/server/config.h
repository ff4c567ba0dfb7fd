/*
 * config - the configuration: a typed snapshot, complete (defaults filled in), checked, and immutable once loaded.
 *
 * Every field is a plain value with its unit in its name; a value that means "unset" is named beside the field. Strings are
 * NUL-terminated and zero-padded, so that two fields can be compared as memory (server/reload_diff). What the fields are called
 * in the documents, their defaults, and whether a change is live: docs/CONFIGURATION.md.
 *
 * Owns:     its clusters' endpoints and domains and its listeners' routes, on the heap; a reference to each listener's identities.
 * Lifetime: made by one of the loaders; config_free wipes its secrets.
 * Threads:  read by any; changed by nobody after loading (options_apply counts as loading).
 */
#ifndef UTURN_SERVER_CONFIG_H
#define UTURN_SERVER_CONFIG_H

#include "base/log.h"
#include "io/engine.h"
#include "server/config_identity.h"
#include "server/config_problems.h"
#include "server/config_world.h"
#include "shard/stream_config.h"
#include "turn/config.h"

enum {
	CONFIG_NAME_SIZE = 256,
	CONFIG_LOGLEVEL_SIZE = 256,
	CONFIG_PATH_SIZE = 127,
	CONFIG_HOST_SIZE = 256,
	CONFIG_OFFLOAD_SIZE = 16,
	CONFIG_ICE_KEY_SIZE = 256,
	CONFIG_PASSWORD_SIZE = 764, /* RFC 8489 Section 14.9 gives the words of a credential at most 763 bytes */
	CONFIG_SHARDS_MAX = 64,
	CONFIG_PORT_DEFAULT = 3478,     /* RFC 8489 Section 18.6 */
	CONFIG_PORT_TLS_DEFAULT = 5349, /* likewise */
	CONFIG_LISTENERS_MAX = 32,      /* half of what there can be: all of them may change at once */
	CONFIG_PROXIES_MAX = 64,
	CONFIG_NONCE_KEY_SIZE_MIN = 16,
	CONFIG_FILE_SIZE_MAX = 16 << 20,
	CONFIG_DOMAIN_SIZE = 255, /* RFC 1035 Section 2.3.4: 253 characters, and the dot that may end it */
	CONFIG_CLUSTER_DOMAINS_MAX = 64,
	CONFIG_DOMAINS_MAX = 1024, /* in all clusters */
};

enum config_dialect {
	CONFIG_NATIVE,   /* "uturn/v1": unknown fields are errors */
	CONFIG_V1,       /* "v1", stunnerd's: unknown fields are warnings, credentials are literal */
	CONFIG_V1ALPHA1, /* "v1alpha1", the early stunnerd's: likewise, credentials are expanded */
	CONFIG_URI,      /* made from a turn: URI */
	CONFIG_EMBEDDED, /* no configuration given */
};
const char *config_dialect_name(enum config_dialect dialect); /* "uturn/v1", "v1", "v1alpha1", "URI", "embedded default" */

/* Where an HTTP server listens: "http://host:port/path". */
struct config_http {
	struct addr ip; /* ADDR_NONE: all addresses of both families; port 0 */
	uint16_t port;
	bool enabled;
	char path[CONFIG_PATH_SIZE]; /* at least "/" */
};
_Static_assert(sizeof(struct config_http) == sizeof(struct addr) + 3 + CONFIG_PATH_SIZE, "compared as memory: no padding");

/* What becomes of system calls that the process does not need after its start (server/lockdown). */
enum lockdown_mode {
	LOCKDOWN_ON,     /* they fail; files can only be read */
	LOCKDOWN_STRICT, /* and only in the folders that were named when the process started */
	LOCKDOWN_OFF,
	LOCKDOWN_LOG, /* the kernel logs them; files stay as they are */
	LOCKDOWN_KILL /* they end the process; files can only be read */
};
static inline const char *config_lockdown_name(enum lockdown_mode mode)
{
	static const char *const names[] = {[LOCKDOWN_ON] = "on",
		[LOCKDOWN_STRICT] = "strict",
		[LOCKDOWN_OFF] = "off",
		[LOCKDOWN_LOG] = "log",
		[LOCKDOWN_KILL] = "kill"};
	return names[mode];
}

struct config_admin {
	char name[CONFIG_NAME_SIZE];
	char loglevel[CONFIG_LOGLEVEL_SIZE]; /* valid: log_spec_valid */
	enum log_format log_format;
	struct config_http metrics;
	struct config_http health;
	struct config_http ice;                   /* where credentials are handed out */
	char ice_key[CONFIG_ICE_KEY_SIZE];        /* to whoever has this; "": to everybody who comes */
	char offload_engine[CONFIG_OFFLOAD_SIZE]; /* accepted and reported; nothing is offloaded */

	enum lockdown_mode lockdown;
	enum engine_kind engine;
	uint32_t shards; /* 0: as many as processors may be used */

	uint32_t drain_timeout_s; /* 0: until the last allocation has ended */
	bool ready_while_draining;
	struct addr alternate_server; /* ADDR_NONE: none */

	bool nonce_key_given;                    /* false: nonce_secret is random */
	uint8_t nonce_secret[NONCE_SECRET_SIZE]; /* made from admin.nonce_key */

	uint32_t allocations_max; /* 0: what memory and descriptors allow */
	uint32_t user_quota;      /* allocations per user; 0: no bound */
	uint32_t lifetime_default_s;
	uint32_t lifetime_max_s;
	struct unauth_limits unauth;
	uint32_t connections_max; /* 0: what memory and descriptors allow */
	struct stream_limits streams;

	uint32_t listener_receive_buffer; /* bytes */
	uint32_t relay_receive_buffer;
	uint32_t relay_send_buffer;
};

struct config_auth {
	enum auth_type type;
	char realm[REALM_SIZE_MAX + 1];
	char username[STUN_USERNAME_SIZE_MAX + 1];      /* AUTH_STATIC */
	char password[CONFIG_PASSWORD_SIZE];            /* AUTH_STATIC */
	bool generated;                                 /* username and password were made up here: they may be shown */
	char secrets[SECRETS_MAX][SECRET_SIZE_MAX + 1]; /* AUTH_EPHEMERAL; as in turn/config.h */
};

enum config_protocol { PROTOCOL_UDP, PROTOCOL_TCP, PROTOCOL_TLS, PROTOCOL_DTLS };
static inline const char *config_protocol_name(enum config_protocol protocol)
{
	static const char *const names[] = {
		[PROTOCOL_UDP] = "UDP", [PROTOCOL_TCP] = "TCP", [PROTOCOL_TLS] = "TLS", [PROTOCOL_DTLS] = "DTLS"};
	return names[protocol];
}

struct config_prefix {
	struct addr ip; /* port 0 */
	uint32_t bits;
};
_Static_assert(sizeof(struct config_prefix) == sizeof(struct addr) + sizeof(uint32_t), "compared as memory: no padding");

struct config_listener {
	char name[CONFIG_NAME_SIZE];
	uint16_t document_index; /* listeners[N] in the document */
	uint8_t slot;            /* its number in the shards; as loaded, N. A reload gives it that of the sockets it goes on with */
	uint64_t sharers;        /* the slots of retiring listeners whose clients still come to its sockets */
	bool waits[RELAY_FAMILIES]; /* no socket yet: one that retires is in the way */
	enum config_protocol protocol;
	uint16_t port;
	char public_address[CONFIG_HOST_SIZE]; /* what clients should dial; for information */
	uint16_t public_port;                  /* 0: none named */

	bool bind_given; /* false: the wildcard of every family that the machine has; a family that fails may be left out */
	/* Where its sockets bind, port included; ADDR_NONE: no socket of this family (any more). */
	struct addr bind[RELAY_FAMILIES];

	/* As written: ADDR_NONE where nothing was. */
	struct addr address; /* stunnerd's: the relay address */
	struct addr relay_address[RELAY_FAMILIES];
	struct addr advertised_address[RELAY_FAMILIES];
	struct relay_address relay[RELAY_FAMILIES]; /* what follows from these three on this machine */

	bool port_range_given;
	uint16_t port_min, port_max; /* relay ports, inclusive */

	uint16_t *routes; /* indices into config.clusters, in the document's order */
	size_t route_count;

	struct config_identities *identities; /* TLS and DTLS; NULL: none named */

	bool proxy_protocol; /* clients come through a proxy that tells their addresses */
	struct config_prefix proxy_trusted[CONFIG_PROXIES_MAX];
	size_t proxy_trusted_count;
};

/* Its clients have connections: all but plain UDP. */
static inline bool config_listener_connects(const struct config_listener *listener)
{
	return listener->protocol != PROTOCOL_UDP || listener->proxy_protocol;
}
static inline bool config_listener_is_stream(const struct config_listener *listener)
{
	return listener->protocol == PROTOCOL_TCP || listener->protocol == PROTOCOL_TLS;
}
static inline bool config_listener_is_secure(const struct config_listener *listener)
{
	return listener->protocol == PROTOCOL_TLS || listener->protocol == PROTOCOL_DTLS;
}

/* A socket that it binds is not open yet. */
static inline bool config_listener_waits(const struct config_listener *listener)
{
	return listener->waits[RELAY_IPV4] || listener->waits[RELAY_IPV6];
}

static inline bool config_ip_overlaps(const struct addr *a, const struct addr *b)
{
	return a->family != ADDR_NONE && a->family == b->family && (addr_is_any(a) || addr_is_any(b) || addr_ip_equal(a, b));
}

/* They cannot both be open. An endpoint without an address has all of them. */
static inline bool config_http_collides(const struct config_http *a, const struct config_http *b)
{
	bool everywhere = a->ip.family == ADDR_NONE || b->ip.family == ADDR_NONE;
	return a->enabled && b->enabled && a->port == b->port && (everywhere || config_ip_overlaps(&a->ip, &b->ip));
}
/* They cannot both be open. Ports of UDP and of TCP are two worlds. */
static inline bool config_sockets_collide(const struct config_listener *a, const struct config_listener *b, int family)
{
	return config_listener_is_stream(a) == config_listener_is_stream(b) && a->port == b->port &&
	       config_ip_overlaps(&a->bind[family], &b->bind[family]);
}

struct config_endpoint {
	struct addr ip; /* port 0 */
	uint8_t bits;
	uint16_t port_min, port_max; /* inclusive */
};

/* An endpoint whose addresses are looked up, again and again, while the relay runs (server/cluster_names). */
struct config_domain {
	char name[CONFIG_DOMAIN_SIZE];
	uint16_t port_min, port_max; /* inclusive */
};

enum config_cluster_type { CLUSTER_STATIC, CLUSTER_STRICT_DNS };

struct config_cluster {
	char name[CONFIG_NAME_SIZE];
	enum config_cluster_type type;
	enum config_protocol protocol; /* PROTOCOL_UDP or PROTOCOL_TCP; only UDP ones are relayed to in this version */
	struct config_endpoint *endpoints;
	size_t endpoint_count;
	struct config_domain *domains; /* CLUSTER_STRICT_DNS only; NULL: none */
	size_t domain_count;
};

struct config {
	enum config_dialect dialect;
	bool revoke; /* this change cuts at once what it no longer allows */
	struct config_admin admin;
	struct config_auth auth;
	/* Behind its own, `retiring_count` of those that a reload has removed or replaced and that still have clients. */
	struct config_listener listeners[LIMIT_LISTENERS];
	size_t listener_count, retiring_count;
	struct config_cluster *clusters;
	size_t cluster_count;
};

/* How many sockets for datagrams its own listeners bind, in each shard. */
unsigned config_datagram_sockets(const struct config *config);
/* A retiring listener whose name another one has now. */
bool config_listener_is_replaced(const struct config *config, const struct config_listener *retiring);

/*
 * The loaders. NULL when there is an error among *problems; warnings may be there on success too. `problems` is added to, and
 * nothing is logged. The file is YAML or JSON; what it is allowed to say: docs/CONFIGURATION.md.
 */
struct config *config_load_file(const char *path, const struct config_world *world, struct config_problems *problems);
struct config *config_load_text(
	const char *source, const char *text, size_t size, const struct config_world *world, struct config_problems *problems);
/* "turn://user:password@address:port?transport=udp", or turns: for TLS and DTLS */
struct config *config_load_uri(const char *uri, const struct config_world *world, struct config_problems *problems);
/* The embedded default: fresh credentials, and what the STUNNER_* variables override. */
struct config *config_load_default(const struct config_world *world, struct config_problems *problems);

void config_free(struct config *config); /* NULL is fine */

/* Zero-padded. The text, with its NUL, fits. */
void config_set_text(char *field, size_t size, const char *text);

#endif
