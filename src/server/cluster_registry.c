#include "server/cluster_registry.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "turn/limits.h"

enum { OTHERS = LIMIT_CLUSTERS - 1 };

static const char others_name[] = "(others)";

struct cluster_registry {
	/* Written once each, before `count` says so. */
	char *names[OTHERS];
	_Atomic size_t count;
	_Atomic bool others_used;
};

struct cluster_registry *cluster_registry_create(void)
{
	return calloc(1, sizeof(struct cluster_registry));
}

void cluster_registry_free(struct cluster_registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < OTHERS; i++)
		free(registry->names[i]);
	free(registry);
}

uint16_t cluster_registry_id(struct cluster_registry *registry, const char *name)
{
	size_t count = atomic_load_explicit(&registry->count, memory_order_relaxed);
	for (size_t i = 0; i < count; i++)
		if (strcmp(registry->names[i], name) == 0)
			return (uint16_t)i;
	char *copy = count < OTHERS ? strdup(name) : NULL;
	if (copy == NULL) {
		atomic_store_explicit(&registry->others_used, true, memory_order_release);
		return OTHERS;
	}
	registry->names[count] = copy;
	atomic_store_explicit(&registry->count, count + 1, memory_order_release);
	return (uint16_t)count;
}

size_t cluster_registry_count(const struct cluster_registry *registry)
{
	return atomic_load_explicit(&registry->count, memory_order_acquire);
}

const char *cluster_registry_name(const struct cluster_registry *registry, uint16_t id)
{
	if (id == OTHERS)
		return atomic_load_explicit(&registry->others_used, memory_order_acquire) ? others_name : NULL;
	return id < cluster_registry_count(registry) ? registry->names[id] : NULL;
}
