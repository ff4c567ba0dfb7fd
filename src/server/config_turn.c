#include "server/config_turn.h"

#include <assert.h>
#include <string.h>

#include "base/prefix_set.h"
#include "crypto/credentials.h"

static void build_auth(const struct config_auth *auth, struct turn_auth *ret_auth)
{
	_Static_assert(sizeof ret_auth->realm == sizeof auth->realm, "copied whole");
	_Static_assert(sizeof ret_auth->username == sizeof auth->username, "copied whole");
	_Static_assert(sizeof ret_auth->secrets == sizeof auth->secrets, "copied whole");
	ret_auth->type = auth->type;
	memcpy(ret_auth->realm, auth->realm, sizeof ret_auth->realm);
	memcpy(ret_auth->username, auth->username, sizeof ret_auth->username);
	memcpy(ret_auth->secrets, auth->secrets, sizeof ret_auth->secrets);
	if (auth->type == AUTH_STATIC)
		credentials_key(bytes_of_string(auth->username), bytes_of_string(auth->realm), bytes_of_string(auth->password),
			ret_auth->key);
}

/* 0 or -ENOMEM, as all of the following. */
static int allow_cluster(struct peer_policy *policy, const struct config_cluster *cluster, uint16_t id)
{
	/* A cluster of TCP peers opens nothing to relays of UDP. */
	if (cluster->protocol != PROTOCOL_UDP)
		return 0;
	for (size_t i = 0; i < cluster->endpoint_count; i++) {
		const struct config_endpoint *endpoint = &cluster->endpoints[i];
		int error = peer_policy_allow(policy, &endpoint->ip, endpoint->bits, endpoint->port_min, endpoint->port_max, id);
		if (error)
			return error;
	}
	return 0;
}

static int allow_name(struct peer_policy *policy, const struct cluster_name *name, const struct config_domain *domain, uint16_t id)
{
	for (int family = 0; family < RELAY_FAMILIES; family++)
		for (size_t i = 0; i < name->addresses[family].count; i++) {
			const struct addr *ip = &name->addresses[family].list[i];
			int error = peer_policy_allow(policy, ip, addr_ip_size(ip) * 8, domain->port_min, domain->port_max, id);
			if (error)
				return error;
		}
	return 0;
}

static int allow_names(
	struct peer_policy *policy, const struct config_cluster *cluster, const struct named_cluster *named, uint16_t id)
{
	if (cluster->protocol != PROTOCOL_UDP || named == NULL)
		return 0;
	for (size_t i = 0; i < cluster->domain_count; i++) {
		const struct cluster_name *name = named_cluster_find(named, cluster->domains[i].name);
		int error = name == NULL ? 0 : allow_name(policy, name, &cluster->domains[i], id);
		if (error)
			return error;
	}
	return 0;
}

bool config_turn_name_may_have(const struct addr *ip)
{
	static const char *const blocks[] = {
		"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "fec0::/10", "ff00::/8"};
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		struct addr block;
		unsigned bits;
		bool valid = prefix_parse(blocks[i], &block, &bits);
		assert(valid);
		struct addr prefix = addr_prefix(ip, bits);
		if (addr_ip_equal(&prefix, &block))
			return false;
	}
	return !peer_policy_denies_itself(ip);
}

static int refuse_http(struct peer_policy *policy, const struct config_http *http)
{
	if (!http->enabled)
		return 0;
	struct addr ip = http->ip.family == ADDR_NONE ? addr_any(ADDR_IPV4, 0) : http->ip;
	struct addr endpoint = addr_with_port(ip, http->port);
	return peer_policy_own_endpoint(policy, &endpoint);
}

/* A client must not be relayed back into the relay's own front door, by the address bound or by the one that a NAT in front has. */
static int refuse_listener(struct peer_policy *policy, const struct config_listener *listener)
{
	int error = 0;
	for (int family = 0; family < RELAY_FAMILIES && error == 0; family++) {
		struct addr advertised = addr_with_port(listener->relay[family].advertised, listener->port);
		if (listener->bind[family].family != ADDR_NONE)
			error = peer_policy_own_endpoint(policy, &listener->bind[family]);
		if (error == 0 && advertised.family != ADDR_NONE)
			error = peer_policy_own_endpoint(policy, &advertised);
	}
	struct addr public;
	if (error == 0 && addr_parse_ip(listener->public_address, &public)) {
		public.port = listener->public_port != 0 ? listener->public_port : listener->port;
		error = peer_policy_own_endpoint(policy, &public);
	}
	return error;
}

static int refuse_own(struct peer_policy *policy, const struct config *config, const struct addr *own_ips, size_t own_count)
{
	int error = refuse_http(policy, &config->admin.metrics);
	if (error == 0)
		error = refuse_http(policy, &config->admin.health);
	if (error == 0)
		error = refuse_http(policy, &config->admin.ice);
	for (size_t i = 0; i < config->listener_count + config->retiring_count && error == 0; i++)
		error = refuse_listener(policy, &config->listeners[i]);
	for (size_t i = 0; i < own_count && error == 0; i++)
		error = peer_policy_own_ip(policy, &own_ips[i]);
	return error;
}

static int build_policy(struct peer_policy *policy, const struct config *config, const struct config_listener *listener,
	struct cluster_registry *registry, const struct cluster_names *names)
{
	for (size_t i = 0; i < listener->route_count; i++) {
		assert(listener->routes[i] < config->cluster_count);
		const struct config_cluster *cluster = &config->clusters[listener->routes[i]];
		uint16_t id = cluster_registry_id(registry, cluster->name);
		int error = allow_cluster(policy, cluster, id);
		if (error == 0)
			error = allow_names(policy, cluster, cluster_names_find(names, cluster->name), id);
		if (error)
			return error;
	}
	return 0;
}

struct turn_config *config_turn_create(const struct config *config, struct cluster_registry *registry,
	const struct cluster_names *names, const struct config_world *world)
{
	struct addr own_ips[OWN_IPS_MAX];
	struct turn_config *turn = turn_config_create();
	if (turn == NULL)
		return NULL;
	size_t own_count = world->own_ips(world->context, own_ips, OWN_IPS_MAX);
	build_auth(&config->auth, &turn->auth);
	memcpy(turn->nonce_secret, config->admin.nonce_secret, sizeof turn->nonce_secret);
	turn->lifetime_default_s = config->admin.lifetime_default_s;
	turn->lifetime_max_s = config->admin.lifetime_max_s;
	turn->unauth = config->admin.unauth;
	turn->alternate_server = config->admin.alternate_server;
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		struct turn_listener *out = &turn->listeners[listener->slot];
		if (listener->slot >= turn->listener_count)
			turn->listener_count = (uint16_t)(listener->slot + 1);
		out->retiring = i >= config->listener_count;
		/* A removed one leads nowhere any more. */
		if (out->retiring && !config_listener_is_replaced(config, listener))
			continue;
		memcpy(out->relay, listener->relay, sizeof out->relay);
		out->port_min = listener->port_min;
		out->port_max = listener->port_max;
		out->policy = peer_policy_create();
		if (out->policy == NULL || build_policy(out->policy, config, listener, registry, names) != 0 ||
			refuse_own(out->policy, config, own_ips, own_count) != 0) {
			turn_config_unref(turn);
			return NULL;
		}
		peer_policy_seal(out->policy);
	}
	return turn;
}
