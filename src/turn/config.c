#include "turn/config.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"

struct turn_config *turn_config_create(void)
{
	struct turn_config *config = calloc(1, sizeof *config);
	if (!config)
		return NULL;
	config->references = 1;
	config->lifetime_default_s = ALLOCATION_LIFETIME_DEFAULT_S;
	config->lifetime_max_s = ALLOCATION_LIFETIME_MAX_S;
	config->unauth = (struct unauth_limits){.burst = 500, .per_s = 50, .spare_s = 600, .ipv4_bits = 32, .ipv6_bits = 64};
	return config;
}

struct turn_config *turn_config_ref(struct turn_config *config)
{
	uint32_t before = __atomic_fetch_add(&config->references, 1, __ATOMIC_RELAXED);
	assert(before > 0);
	return config;
}

void turn_config_unref(struct turn_config *config)
{
	if (!config)
		return;
	uint32_t before = __atomic_fetch_sub(&config->references, 1, __ATOMIC_ACQ_REL);
	assert(before > 0);
	if (before > 1)
		return;
	assert(config->listener_count <= LIMIT_LISTENERS);
	for (unsigned i = 0; i < config->listener_count; i++)
		peer_policy_unref(config->listeners[i].policy);
	bytes_wipe(&config->auth, sizeof config->auth);
	bytes_wipe(config->nonce_secret, sizeof config->nonce_secret);
	free(config);
}
