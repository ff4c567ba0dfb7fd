#include "server/listener_accounts.h"

#include <assert.h>
#include <string.h>

static uint64_t counted(const struct listener_accounts *accounts, unsigned slot, enum account_counter which)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < accounts->shard_count; i++) {
		const struct shard_counters *counters = shard_counters(accounts->shards[i]);
		const struct traffic_counters *traffic = &counters->listeners[slot];
		const counter *const places[ACCOUNT_COUNTERS] = {
			[ACCOUNT_RX_PACKETS] = &traffic->rx_packets,
			[ACCOUNT_RX_BYTES] = &traffic->rx_bytes,
			[ACCOUNT_TX_PACKETS] = &traffic->tx_packets,
			[ACCOUNT_TX_BYTES] = &traffic->tx_bytes,
			[ACCOUNT_CONNECTIONS] = &counters->streams.connections_total[slot],
		};
		sum += counter_read(places[which]);
	}
	return sum;
}

static bool is_of(const struct listener_account *account, const char *name, enum config_protocol protocol)
{
	return account->protocol == protocol && strcmp(account->name, name) == 0;
}

static struct listener_account *find_or_open(struct listener_accounts *accounts, const struct config_listener *listener)
{
	struct listener_account *free = NULL;
	for (size_t i = 0; i < sizeof accounts->list / sizeof accounts->list[0]; i++) {
		struct listener_account *account = &accounts->list[i];
		if (is_of(account, listener->name, listener->protocol))
			return account;
		if (account->name[0] == '\0' && free == NULL)
			free = account;
	}
	assert(free != NULL);
	*free = (struct listener_account){.protocol = listener->protocol};
	memcpy(free->name, listener->name, sizeof free->name);
	return free;
}

/* What the slot counts from here on is the next owner's. */
static void release_slot(struct listener_accounts *accounts, unsigned slot)
{
	struct listener_account *owner = accounts->slots[slot].owner;
	for (unsigned which = 0; which < ACCOUNT_COUNTERS; which++) {
		uint64_t now = counted(accounts, slot, (enum account_counter)which);
		owner->carried[which] += now - accounts->slots[slot].base[which];
		accounts->slots[slot].base[which] = now;
	}
	accounts->slots[slot].owner = NULL;
}

static bool has_name(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++)
		if (strcmp(config->listeners[i].name, name) == 0)
			return true;
	return false;
}

void listener_accounts_update(struct listener_accounts *accounts, const struct config *config)
{
	const struct config_listener *listeners[LIMIT_LISTENERS] = {NULL};
	for (size_t i = 0; i < config->listener_count + config->retiring_count; i++)
		listeners[config->listeners[i].slot] = &config->listeners[i];
	/* What goes is let go of first, so that there is room for what comes. */
	for (unsigned slot = 0; slot < LIMIT_LISTENERS; slot++) {
		const struct listener_account *owner = accounts->slots[slot].owner;
		const struct config_listener *next = listeners[slot];
		if (owner != NULL && (next == NULL || !is_of(owner, next->name, next->protocol)))
			release_slot(accounts, slot);
	}
	for (size_t i = 0; i < sizeof accounts->list / sizeof accounts->list[0]; i++)
		if (!has_name(config, accounts->list[i].name))
			accounts->list[i].name[0] = '\0';
	for (unsigned slot = 0; slot < LIMIT_LISTENERS; slot++)
		if (listeners[slot] != NULL && accounts->slots[slot].owner == NULL)
			accounts->slots[slot].owner = find_or_open(accounts, listeners[slot]);
}

static uint64_t total(const struct listener_accounts *accounts, const struct listener_account *account, enum account_counter which)
{
	uint64_t sum = account->carried[which];
	for (unsigned slot = 0; slot < LIMIT_LISTENERS; slot++)
		if (accounts->slots[slot].owner == account)
			sum += counted(accounts, slot, which) - accounts->slots[slot].base[which];
	return sum;
}

uint64_t listener_accounts_of_name(const struct listener_accounts *accounts, const char *name, enum account_counter which)
{
	uint64_t sum = 0;
	for (size_t i = 0; i < sizeof accounts->list / sizeof accounts->list[0]; i++)
		if (strcmp(accounts->list[i].name, name) == 0)
			sum += total(accounts, &accounts->list[i], which);
	return sum;
}

uint64_t listener_accounts_of(
	const struct listener_accounts *accounts, const char *name, enum config_protocol protocol, enum account_counter which)
{
	for (size_t i = 0; i < sizeof accounts->list / sizeof accounts->list[0]; i++)
		if (is_of(&accounts->list[i], name, protocol))
			return total(accounts, &accounts->list[i], which);
	return 0;
}
