/*
 * cluster_names - the domain names of STRICT_DNS clusters, and the addresses that they have now.
 *
 * Knows no resolver: who asks (src/server/names.c) takes names that are due and reports what came. The last good answer stays until
 * there is another one: a family whose lookup failed keeps its addresses, and so do both when neither brought one. A family that
 * has none while the other has some is emptied.
 *
 * Owns:    the names and their addresses, on the heap.
 * Bounds:  CONFIG_DOMAINS_MAX names; CLUSTER_NAME_ADDRESSES_MAX addresses a name and family.
 * Threads: the server's main thread.
 */
#ifndef UTURN_SERVER_CLUSTER_NAMES_H
#define UTURN_SERVER_CLUSTER_NAMES_H

#include "base/clock.h"
#include "server/config.h"

enum { CLUSTER_NAME_ADDRESSES_MAX = 1024, CLUSTER_NAME_INTERVAL_S = 5 };

/* Sorted, each once, with port 0. */
struct address_list {
	struct addr *list;
	size_t count;
};

struct cluster_name {
	char name[CONFIG_DOMAIN_SIZE];
	uint64_t id; /* never used again by another name */
	struct address_list addresses[RELAY_FAMILIES];
	uint64_t due_ns;
	bool asking;
	enum { NAME_NEW, NAME_GOOD, NAME_FAILING } state; /* by its last answer */
};

/* A STRICT_DNS cluster of the running configuration. */
struct named_cluster {
	char name[CONFIG_NAME_SIZE];
	struct cluster_name *names;
	size_t count;
	uint64_t resolved, failed; /* lookups of its names, by result */
	uint64_t resolved_wall_s;  /* when one last succeeded, since 1970; 0: never */
};

struct cluster_names {
	struct named_cluster *list;
	size_t count;
	uint64_t last_id;
};

/* What a lookup brought for one address family. */
enum name_result { NAME_HAS_ADDRESSES, NAME_HAS_NONE, NAME_FAILED };
struct name_answer {
	enum name_result result;
	struct addr *addresses; /* port 0; in any order, repeated or not; sorted by cluster_names_answer */
	size_t count;           /* at least 1 with NAME_HAS_ADDRESSES, 0 otherwise */
};

/* What an answer changed. */
struct name_news {
	const struct cluster_name *name; /* NULL: nobody wants this name any more */
	const struct named_cluster *cluster;
	bool changed; /* other addresses than before */
	bool turned;  /* it is good or failing now, and was not */
};

struct cluster_names *cluster_names_create(void);     /* NULL: no memory */
void cluster_names_free(struct cluster_names *names); /* NULL is fine */

/* From now on the names are those of `config`; what is known of names that stay is kept. False, and nothing changed: no memory. */
bool cluster_names_set(struct cluster_names *names, const struct config *config);

/* The name that has been due for longest of those that are not being asked for, which it now is; NULL: none is due. */
struct cluster_name *cluster_names_due(struct cluster_names *names, uint64_t now_ns);

/*
 * What became of asking for the name with this id; it is due again CLUSTER_NAME_INTERVAL_S after `now`. The answers are of IPv4 and
 * IPv6, in this order. Without memory the old addresses stay, and it is a failure.
 */
struct name_news cluster_names_answer(
	struct cluster_names *names, uint64_t id, struct name_answer answers[RELAY_FAMILIES], struct moment now);

/* NULL: there is none. `names` may be NULL. */
const struct named_cluster *cluster_names_find(const struct cluster_names *names, const char *cluster);
const struct cluster_name *named_cluster_find(const struct named_cluster *cluster, const char *name);
/* All addresses that it has now; an address that two of its names have counts twice. */
size_t named_cluster_addresses(const struct named_cluster *cluster);

#endif
