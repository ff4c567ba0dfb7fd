#include "server/cluster_names.h"

#include <stdlib.h>
#include <string.h>

struct cluster_names *cluster_names_create(void)
{
	return calloc(1, sizeof(struct cluster_names));
}

static void free_clusters(struct named_cluster *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < list[i].count; k++)
			for (int family = 0; family < RELAY_FAMILIES; family++)
				free(list[i].names[k].addresses[family].list);
		free(list[i].names);
	}
	free(list);
}

void cluster_names_free(struct cluster_names *names)
{
	if (names == NULL)
		return;
	free_clusters(names->list, names->count);
	free(names);
}

const struct named_cluster *cluster_names_find(const struct cluster_names *names, const char *cluster)
{
	for (size_t i = 0; names != NULL && i < names->count; i++)
		if (strcmp(names->list[i].name, cluster) == 0)
			return &names->list[i];
	return NULL;
}

const struct cluster_name *named_cluster_find(const struct named_cluster *cluster, const char *name)
{
	for (size_t i = 0; i < cluster->count; i++)
		if (strcmp(cluster->names[i].name, name) == 0)
			return &cluster->names[i];
	return NULL;
}

size_t named_cluster_addresses(const struct named_cluster *cluster)
{
	size_t count = 0;
	for (size_t i = 0; i < cluster->count; i++)
		for (int family = 0; family < RELAY_FAMILIES; family++)
			count += cluster->names[i].addresses[family].count;
	return count;
}

/* The same name may stand there twice, with two ranges of ports. */
static bool fill_names(struct named_cluster *cluster, const struct config_cluster *wanted)
{
	memcpy(cluster->name, wanted->name, sizeof cluster->name);
	cluster->names = calloc(wanted->domain_count, sizeof *cluster->names);
	if (cluster->names == NULL)
		return false;
	for (size_t i = 0; i < wanted->domain_count; i++)
		if (named_cluster_find(cluster, wanted->domains[i].name) == NULL)
			memcpy(cluster->names[cluster->count++].name, wanted->domains[i].name, CONFIG_DOMAIN_SIZE);
	return true;
}

/* Its addresses are the new one's from now on. */
static void inherit(struct cluster_names *names, struct named_cluster *cluster)
{
	struct named_cluster *old = (struct named_cluster *)cluster_names_find(names, cluster->name);
	for (size_t i = 0; i < cluster->count; i++) {
		struct cluster_name *known = old ? (struct cluster_name *)named_cluster_find(old, cluster->names[i].name) : NULL;
		if (known == NULL) {
			cluster->names[i].id = ++names->last_id;
			continue;
		}
		cluster->names[i] = *known;
		memset(known->addresses, 0, sizeof known->addresses);
	}
	if (old == NULL)
		return;
	cluster->resolved = old->resolved;
	cluster->failed = old->failed;
	cluster->resolved_wall_s = old->resolved_wall_s;
}

bool cluster_names_set(struct cluster_names *names, const struct config *config)
{
	size_t count = 0;
	struct named_cluster *list = calloc(config->cluster_count + 1, sizeof *list);
	if (list == NULL)
		return false;
	for (size_t i = 0; i < config->cluster_count; i++) {
		if (config->clusters[i].domain_count == 0)
			continue;
		if (!fill_names(&list[count++], &config->clusters[i])) {
			free_clusters(list, count);
			return false;
		}
	}
	for (size_t i = 0; i < count; i++)
		inherit(names, &list[i]);
	free_clusters(names->list, names->count);
	names->list = list;
	names->count = count;
	return true;
}

struct cluster_name *cluster_names_due(struct cluster_names *names, uint64_t now_ns)
{
	struct cluster_name *longest = NULL;
	for (size_t i = 0; i < names->count; i++)
		for (size_t k = 0; k < names->list[i].count; k++) {
			struct cluster_name *name = &names->list[i].names[k];
			if (!name->asking && name->due_ns <= now_ns && (longest == NULL || name->due_ns < longest->due_ns))
				longest = name;
		}
	if (longest != NULL)
		longest->asking = true;
	return longest;
}

static int compare_addresses(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct addr));
}

/* Sorts it, and leaves each address there once. */
static void tidy(struct name_answer *answer)
{
	size_t count = 0;
	if (answer->count == 0)
		return;
	qsort(answer->addresses, answer->count, sizeof *answer->addresses, compare_addresses);
	for (size_t i = 0; i < answer->count; i++)
		if (count == 0 || !addr_equal(&answer->addresses[count - 1], &answer->addresses[i]))
			answer->addresses[count++] = answer->addresses[i];
	answer->count = count;
}

static bool lists_equal(const struct address_list *list, const struct name_answer *answer)
{
	return list->count == answer->count &&
	       (list->count == 0 || memcmp(list->list, answer->addresses, list->count * sizeof *list->list) == 0);
}

/* Both families at once or neither. False: no memory. */
static bool take_over(struct cluster_name *name, const struct name_answer answers[RELAY_FAMILIES])
{
	struct addr *lists[RELAY_FAMILIES];
	for (int family = 0; family < RELAY_FAMILIES; family++)
		lists[family] = calloc(answers[family].count + 1, sizeof *lists[family]);
	if (lists[RELAY_IPV4] == NULL || lists[RELAY_IPV6] == NULL) {
		free(lists[RELAY_IPV4]);
		free(lists[RELAY_IPV6]);
		return false;
	}
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		const struct name_answer *answer = &answers[family];
		struct address_list *known = &name->addresses[family];
		if (answer->result == NAME_FAILED) {
			free(lists[family]);
			continue;
		}
		if (answer->count > 0)
			memcpy(lists[family], answer->addresses, answer->count * sizeof *lists[family]);
		free(known->list);
		*known = (struct address_list){lists[family], answer->count};
	}
	return true;
}

static struct cluster_name *find_by_id(struct cluster_names *names, uint64_t id, struct named_cluster **ret_cluster)
{
	for (size_t i = 0; i < names->count; i++)
		for (size_t k = 0; k < names->list[i].count; k++)
			if (names->list[i].names[k].id == id) {
				*ret_cluster = &names->list[i];
				return &names->list[i].names[k];
			}
	return NULL;
}

static bool says_the_same(const struct cluster_name *name, const struct name_answer answers[RELAY_FAMILIES])
{
	for (int family = 0; family < RELAY_FAMILIES; family++)
		if (answers[family].result != NAME_FAILED && !lists_equal(&name->addresses[family], &answers[family]))
			return false;
	return true;
}

struct name_news cluster_names_answer(
	struct cluster_names *names, uint64_t id, struct name_answer answers[RELAY_FAMILIES], struct moment now)
{
	struct named_cluster *cluster = NULL;
	struct cluster_name *name = find_by_id(names, id, &cluster);
	if (name == NULL)
		return (struct name_news){0};
	bool good = false;
	for (int family = 0; family < RELAY_FAMILIES; family++) {
		tidy(&answers[family]);
		good |= answers[family].count > 0;
	}
	bool changed = good && !says_the_same(name, answers);
	if (changed && !take_over(name, answers))
		good = changed = false;
	bool turned = name->state != (good ? NAME_GOOD : NAME_FAILING);
	name->state = good ? NAME_GOOD : NAME_FAILING;
	name->asking = false;
	name->due_ns = now.mono_ns + CLUSTER_NAME_INTERVAL_S * NS_PER_S;
	cluster->resolved += good;
	cluster->failed += !good;
	if (good)
		cluster->resolved_wall_s = now.wall_s;
	return (struct name_news){.name = name, .cluster = cluster, .changed = changed, .turned = turned};
}
