#include "shard/stream_config.h"

#include <stdlib.h>

struct stream_config *stream_config_create(void)
{
	struct stream_config *config = calloc(1, sizeof *config);
	if (config != NULL)
		config->references = 1;
	return config;
}

struct stream_config *stream_config_ref(struct stream_config *config)
{
	__atomic_fetch_add(&config->references, 1, __ATOMIC_RELAXED);
	return config;
}

void stream_config_unref(struct stream_config *config)
{
	if (config == NULL || __atomic_sub_fetch(&config->references, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; i < LIMIT_LISTENERS; i++) {
		prefix_set_free(config->listeners[i].proxy_trusted);
		tls_context_unref(config->listeners[i].tls);
	}
	free(config);
}
