/*
 * listener_accounts - what is counted under a listener's name, whichever slots it has had: shards count by slot, slots change their
 * owners, and a counter must not go backwards while its name lives.
 *
 * An account belongs to a name and a protocol. It lives as long as any slot is of its name, live or retiring.
 * Threads: the server's.
 */
#ifndef UTURN_SERVER_LISTENER_ACCOUNTS_H
#define UTURN_SERVER_LISTENER_ACCOUNTS_H

#include "server/config.h"
#include "shard/shard.h"

enum account_counter {
	ACCOUNT_RX_PACKETS,
	ACCOUNT_RX_BYTES,
	ACCOUNT_TX_PACKETS,
	ACCOUNT_TX_BYTES,
	ACCOUNT_CONNECTIONS,
	ACCOUNT_COUNTERS
};

struct listener_account {
	char name[CONFIG_NAME_SIZE]; /* "": the place is free */
	enum config_protocol protocol;
	uint64_t carried[ACCOUNT_COUNTERS]; /* of slots that are another's now, or nobody's */
};

struct listener_accounts {
	struct shard *const *shards;
	unsigned shard_count;
	struct {
		struct listener_account *owner;  /* NULL: the slot is free */
		uint64_t base[ACCOUNT_COUNTERS]; /* what the slot had counted when it became the owner's */
	} slots[LIMIT_LISTENERS];
	struct listener_account list[4 * LIMIT_LISTENERS]; /* the slots' owners, each with every protocol it can have had */
};

/* `accounts` is zeroed but for the shards. From now on the slots are those of the listeners of `config`, retiring ones too. */
void listener_accounts_update(struct listener_accounts *accounts, const struct config *config);

/* Of all protocols that the name has had. */
uint64_t listener_accounts_of_name(const struct listener_accounts *accounts, const char *name, enum account_counter which);
/* Of one. */
uint64_t listener_accounts_of(
	const struct listener_accounts *accounts, const char *name, enum config_protocol protocol, enum account_counter which);

#endif
