#include "server/listener_accounts.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "fake_shards.h"

static struct shard *shards[FAKE_SHARDS] = {&fake_shards[0], &fake_shards[1]};
static struct listener_accounts accounts;
static struct config config;

static void set_up(void)
{
	accounts = (struct listener_accounts){.shards = shards, .shard_count = FAKE_SHARDS};
	config = (struct config){0};
	for (unsigned i = 0; i < FAKE_SHARDS; i++)
		fake_shards[i] = (struct shard){0};
}

TestSuite(listener_accounts, .init = set_up);

static void add(const char *name, enum config_protocol protocol, uint8_t slot)
{
	struct config_listener *listener = &config.listeners[config.listener_count + config.retiring_count];
	*listener = (struct config_listener){.protocol = protocol, .slot = slot};
	strcpy(listener->name, name);
}

static void lives(const char *name, enum config_protocol protocol, uint8_t slot)
{
	add(name, protocol, slot);
	config.listener_count++;
}

static void retires(const char *name, enum config_protocol protocol, uint8_t slot)
{
	add(name, protocol, slot);
	config.retiring_count++;
}

static void update(void)
{
	listener_accounts_update(&accounts, &config);
	config.listener_count = config.retiring_count = 0;
}

/* Each shard counts so many. */
static void count(unsigned slot, uint64_t packets)
{
	for (unsigned i = 0; i < FAKE_SHARDS; i++)
		counter_add(&fake_shards[i].counters.listeners[slot].rx_packets, packets);
}

static uint64_t packets_of(const char *name)
{
	return listener_accounts_of_name(&accounts, name, ACCOUNT_RX_PACKETS);
}

Test(listener_accounts, adds_up_the_shards)
{
	lives("a", PROTOCOL_UDP, 3);
	update();
	count(3, 5);
	counter_add(&fake_shards[1].counters.listeners[3].tx_bytes, 9);
	counter_add(&fake_shards[1].counters.streams.connections_total[3], 2);
	cr_expect_eq(packets_of("a"), 10);
	cr_expect_eq(listener_accounts_of_name(&accounts, "a", ACCOUNT_TX_BYTES), 9);
	cr_expect_eq(listener_accounts_of(&accounts, "a", PROTOCOL_UDP, ACCOUNT_CONNECTIONS), 2);
	cr_expect_eq(packets_of("b"), 0);
}

Test(listener_accounts, goes_on_counting_when_a_name_has_another_slot)
{
	lives("a", PROTOCOL_UDP, 0);
	update();
	count(0, 5);
	lives("a", PROTOCOL_UDP, 1);
	retires("a", PROTOCOL_UDP, 0);
	update();
	count(0, 1);
	count(1, 1);
	cr_expect_eq(packets_of("a"), 14);
	lives("a", PROTOCOL_UDP, 1);
	update();
	cr_expect_eq(packets_of("a"), 14);
	/* The slot is another's now. */
	lives("a", PROTOCOL_UDP, 1);
	lives("b", PROTOCOL_UDP, 0);
	update();
	count(0, 100);
	cr_expect_eq(packets_of("a"), 14);
	cr_expect_eq(packets_of("b"), 200);
}

Test(listener_accounts, divides_what_a_slot_counts_among_its_owners)
{
	lives("a", PROTOCOL_UDP, 0);
	lives("b", PROTOCOL_UDP, 1);
	update();
	count(0, 5);
	count(1, 50);
	lives("a", PROTOCOL_UDP, 1);
	lives("b", PROTOCOL_UDP, 0);
	update();
	count(0, 1);
	count(1, 2);
	cr_expect_eq(packets_of("a"), 14);
	cr_expect_eq(packets_of("b"), 102);
}

Test(listener_accounts, keeps_what_a_name_counted_in_another_protocol)
{
	lives("a", PROTOCOL_UDP, 0);
	update();
	count(0, 5);
	lives("a", PROTOCOL_DTLS, 1);
	update();
	count(1, 1);
	cr_expect_eq(packets_of("a"), 12);
	cr_expect_eq(listener_accounts_of(&accounts, "a", PROTOCOL_DTLS, ACCOUNT_RX_PACKETS), 2);
	cr_expect_eq(listener_accounts_of(&accounts, "a", PROTOCOL_UDP, ACCOUNT_RX_PACKETS), 10);
}

Test(listener_accounts, begins_anew_with_a_name_that_had_gone)
{
	lives("a", PROTOCOL_UDP, 0);
	update();
	count(0, 5);
	update();
	cr_expect_eq(packets_of("a"), 0);
	lives("a", PROTOCOL_UDP, 0);
	update();
	cr_expect_eq(packets_of("a"), 0);
	count(0, 1);
	cr_expect_eq(packets_of("a"), 2);
}

Test(listener_accounts, has_room_for_every_name_in_every_protocol)
{
	static const enum config_protocol protocols[] = {PROTOCOL_UDP, PROTOCOL_TCP, PROTOCOL_TLS, PROTOCOL_DTLS};
	char name[8];
	for (unsigned round = 0; round < 12; round++) {
		for (unsigned slot = 0; slot < LIMIT_LISTENERS; slot++) {
			snprintf(name, sizeof name, "%u-%u", round / 6, slot);
			lives(name, protocols[round % 4], (uint8_t)slot);
		}
		update();
		count(5, 1);
	}
	cr_expect_eq(packets_of("1-5"), 12);
}
