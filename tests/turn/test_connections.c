/* What the core does differently for clients that come over a connection. */
#include <criterion/criterion.h>

#include "turn_rig.h"

static struct rig_client *connected_client(struct rig *rig, unsigned n, enum transport transport, uint32_t connection)
{
	struct rig_client *client = rig_client(rig, n);
	client->flow.transport = (uint16_t)transport;
	client->flow.connection = connection;
	return client;
}

static const struct {
	enum transport transport;
	bool padded;
} transports[] = {{TRANSPORT_UDP, false}, {TRANSPORT_TCP, true}, {TRANSPORT_TLS, true}, {TRANSPORT_DTLS, true}};

Test(connections, channel_data_is_padded_on_connections_only)
{
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		struct rig *rig = rig_create();
		struct rig_client *client = connected_client(rig, 1, transports[i].transport, 5);
		cr_assert_eq(rig_allocate(rig, client), STUN_OK);
		cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
		for (unsigned size = 0; size <= 8; size++) {
			unsigned padding = transports[i].padded ? (4 - size % 4) % 4 : 0;
			cr_assert_eq(rig_from_peer(rig, client, rig_peer(1), bytes_of("abcdefgh", size)), FORWARD_TO_CLIENT);
			cr_expect_eq(rig->forward.padding, padding, "%u bytes over transport %u", size, transports[i].transport);
		}
		rig_free(rig);
	}
}

Test(connections, the_largest_datagram_of_a_peer_fits_into_a_stream)
{
	static const uint8_t payload[65507];
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		bool stream = transports[i].transport == TRANSPORT_TCP || transports[i].transport == TRANSPORT_TLS;
		struct rig *rig = rig_create();
		struct rig_client *client = connected_client(rig, 1, transports[i].transport, 5);
		cr_assert_eq(rig_allocate(rig, client), STUN_OK);
		cr_assert_eq(rig_channel_bind(rig, client, 0x4001, rig_peer(1)), STUN_OK);
		cr_expect_eq(rig_from_peer(rig, client, rig_peer(1), bytes_of(payload, sizeof payload)),
			stream ? FORWARD_TO_CLIENT : DROP_TOO_LARGE);
		rig_free(rig);
	}
}

Test(connections, an_allocation_ends_with_its_connection)
{
	struct rig *rig = rig_create();
	struct rig_client *client = connected_client(rig, 1, TRANSPORT_TCP, 5);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	cr_expect(turn_client_holds(rig->cores[client->core], &client->flow));
	rig_gone(rig, client);
	cr_expect_eq(rig->closes, 1u);
	cr_expect_not(turn_client_holds(rig->cores[client->core], &client->flow));
	cr_expect_eq(turn_allocation_count(rig->cores[client->core]), 0u);
	turn_check(rig->cores[client->core]);
	rig_gone(rig, client);
	cr_expect_eq(rig->closes, 0u, "there is nothing left to end");
	rig_free(rig);
}

Test(connections, the_next_connection_from_the_same_address_is_another_client)
{
	struct rig *rig = rig_create();
	struct rig_client *client = connected_client(rig, 1, TRANSPORT_TLS, 5);
	cr_assert_eq(rig_allocate(rig, client), STUN_OK);
	client->flow.connection = 6;
	cr_expect_eq(rig_refresh(rig, client, 600), STUN_ALLOCATION_MISMATCH);
	client->flow.connection = 5;
	cr_expect_eq(rig_refresh(rig, client, 600), STUN_OK);
	rig_free(rig);
}

Test(connections, unauthenticated_requests_are_answered_beyond_the_limit_of_datagrams)
{
	for (size_t i = 0; i < sizeof transports / sizeof *transports; i++) {
		struct rig *rig = rig_create();
		struct rig_client *client = connected_client(rig, 1, transports[i].transport, 5);
		struct turn_config *config = rig_config_copy(rig);
		config->unauth.burst = 5;
		config->unauth.per_s = 1;
		rig_configure(rig, config, false);
		unsigned answered = 0;
		for (unsigned n = 0; n < 20; n++) {
			struct rig_message message;
			rig_begin(&message, client, STUN_ALLOCATE);
			answered += rig_request_unsigned(rig, client, &message) == STUN_UNAUTHENTICATED;
		}
		cr_expect_eq(answered, transports[i].transport == TRANSPORT_UDP ? 5u : 20u);
		rig_free(rig);
	}
}
