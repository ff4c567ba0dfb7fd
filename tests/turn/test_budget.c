/*
 * The budget of the packet path, as src/turn/relay.c promises it: no heap, no copy of the payload. Locks and system calls it cannot
 * make, since nothing that makes them is linked here.
 */
#include <criterion/criterion.h>

#include "turn_rig.h"
#include "wire/channel_data.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static unsigned heap_calls;

void *__wrap_malloc(size_t size)
{
	heap_calls++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	heap_calls++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	heap_calls++;
	return __real_realloc(memory, size);
}

enum { PACKETS = 1000, SIZE = 1200, CHANNEL = 0x4001 };

static struct rig *rig;
static struct rig_client *client;
static uint8_t packet[2048];

static void set_up(void)
{
	rig = rig_create();
	client = rig_client(rig, 1);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_assert_eq(rig_create_permission(rig, client, rig_peer(1)), STUN_OK);
	cr_assert_eq(rig_channel_bind(rig, client, CHANNEL, rig_peer(2)), STUN_OK);
	heap_calls = 0;
}

static void tear_down(void)
{
	rig_free(rig);
}

TestSuite(budget, .init = set_up, .fini = tear_down);

Test(budget, is_told_of_what_is_taken_from_the_heap)
{
	struct turn_config *config = turn_config_create();
	cr_assert_gt(heap_calls, 0);
	turn_config_unref(config);
}

/* The payload that is to be sent is the one that came, where it came. */
static void assert_not_copied(size_t offset)
{
	cr_assert_eq(rig->out.forward.payload.data, packet + offset);
	cr_assert_eq(rig->out.forward.payload.size, SIZE);
}

Test(budget, of_channel_data_has_no_heap_and_no_copy)
{
	channel_data_write(packet, CHANNEL, SIZE);
	struct bytes datagram = bytes_of(packet, CHANNEL_DATA_HEADER_SIZE + SIZE);
	for (unsigned i = 0; i < PACKETS; i++)
		cr_assert_eq(turn_from_client(rig->cores[0], &client->flow, datagram, &rig->now, &rig->out), FORWARD_TO_PEER);
	assert_not_copied(CHANNEL_DATA_HEADER_SIZE);
	cr_assert_eq(heap_calls, 0);
}

Test(budget, of_send_indications_has_no_heap_and_no_copy)
{
	static const uint8_t id[STUN_TRANSACTION_ID_SIZE], data[SIZE];
	struct addr peer = rig_peer(1);
	struct stun_builder b = stun_build(packet, sizeof packet, STUN_SEND, STUN_INDICATION, id);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_build_bytes(&b, STUN_ATTR_DATA, bytes_of(data, SIZE));
	struct bytes datagram = stun_build_end(&b);
	for (unsigned i = 0; i < PACKETS; i++)
		cr_assert_eq(turn_from_client(rig->cores[0], &client->flow, datagram, &rig->now, &rig->out), FORWARD_TO_PEER);
	assert_not_copied(datagram.size - SIZE);
	cr_assert_eq(heap_calls, 0);
}

static void relay_from(struct addr peer)
{
	const struct rig_socket *socket = rig_socket_at(rig, &client->relayed);
	struct bytes datagram = bytes_of(packet, SIZE);
	for (unsigned i = 0; i < PACKETS; i++)
		cr_assert_eq(turn_from_peer(rig->cores[0], socket->ref, &peer, datagram, &rig->now, &rig->out), FORWARD_TO_CLIENT);
	assert_not_copied(0);
	cr_assert_eq(heap_calls, 0);
}

Test(budget, of_packets_from_a_bound_peer_has_no_heap_and_no_copy)
{
	relay_from(rig_peer(2));
	cr_assert_eq(rig->out.forward.header_size, CHANNEL_DATA_HEADER_SIZE);
}

Test(budget, of_packets_from_an_unbound_peer_has_no_heap_and_no_copy)
{
	relay_from(rig_peer(1));
	cr_assert_eq(rig->out.forward.header_size, 36);
}

Test(budget, of_strangers_packets_has_no_heap)
{
	static const uint8_t junk[] = {
		0x00, 0x01, 0x00, 0x08, 0x21, 0x12, 0xa4, 0x42, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 0, 9, 1, 1, 1, 1};
	static const uint8_t binding[] = {0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9};
	struct flow stranger = client->flow;
	for (unsigned i = 0; i < PACKETS; i++) {
		stranger.client.port = (uint16_t)(1000 + i);
		turn_from_client(rig->cores[0], &stranger, bytes_of(junk, sizeof junk), &rig->now, &rig->out);
		turn_from_client(rig->cores[0], &stranger, bytes_of(binding, sizeof binding), &rig->now, &rig->out);
		cr_assert_eq(rig->out.effect_count, 1);
	}
	cr_assert_eq(heap_calls, 0);
}
