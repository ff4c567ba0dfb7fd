/*
 * turn/config - what the TURN core needs to know of the configuration: an immutable, reference-counted snapshot.
 * A reload makes a new one.
 */
#ifndef UTURN_TURN_CONFIG_H
#define UTURN_TURN_CONFIG_H

#include "crypto/credentials.h"
#include "crypto/nonce.h"
#include "turn/limits.h"
#include "turn/peer_policy.h"
#include "turn/unauth_limiter.h"
#include "wire/stun_format.h"

enum auth_type { AUTH_STATIC, AUTH_EPHEMERAL, AUTH_NONE };

enum { REALM_SIZE_MAX = 127, SECRET_SIZE_MAX = 255, SECRETS_MAX = 4 };

struct turn_auth {
	enum auth_type type;
	char realm[REALM_SIZE_MAX + 1];
	char username[STUN_USERNAME_SIZE_MAX + 1]; /* static */
	uint8_t key[LONG_TERM_KEY_SIZE];           /* static */
	/* Ephemeral: tried in this order; the first empty one ends them. Credentials that are made here are made with the first. */
	char secrets[SECRETS_MAX][SECRET_SIZE_MAX + 1];
};

/*
 * Where the relayed addresses of one family come from. An `any` bind address without bind_wildcard means: the address that the
 * Allocate arrived at, if it is of this family; the loopback address of this family if the client came over loopback; `fallback`
 * otherwise.
 */
struct relay_address {
	struct addr bind;       /* where relay sockets bind. ADDR_NONE: this family is not offered (440) */
	struct addr advertised; /* what clients are told instead of it; ADDR_NONE: the address bound */
	struct addr fallback; /* for an `any` bind: the address to use when the client came over the other family; ADDR_NONE: 440 */
	bool bind_wildcard;   /* bind the wildcard although `advertised` names an address (it is not this machine's) */
};

enum { RELAY_IPV4 = 0, RELAY_IPV6 = 1, RELAY_FAMILIES = 2 };

struct turn_listener {
	struct peer_policy *policy;
	struct relay_address relay[RELAY_FAMILIES];
	uint16_t port_min, port_max; /* relay ports, inclusive */
	bool retiring;               /* no new allocations: those it has go on. Without a policy they reach nobody new */
};

struct turn_config {
	uint32_t references; /* atomic */
	struct turn_auth auth;
	uint8_t nonce_secret[NONCE_SECRET_SIZE];
	uint32_t lifetime_default_s; /* what a client gets that asks for nothing, and the least that one gets */
	uint32_t lifetime_max_s;
	struct unauth_limits unauth;
	struct addr alternate_server; /* told to clients by 300 while draining; ADDR_NONE: 508 */
	uint16_t listener_count;
	struct turn_listener listeners[LIMIT_LISTENERS];
};

/* With one reference, RFC 8656's lifetimes and the default limits of the unauthenticated; zeroed otherwise. NULL: no memory. */
struct turn_config *turn_config_create(void);
struct turn_config *turn_config_ref(struct turn_config *config);
/* The last one wipes the secrets and lets the policies go. NULL is fine. */
void turn_config_unref(struct turn_config *config);

#endif
