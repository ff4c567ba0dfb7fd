#include "clients/setup.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "clients/establish.h"
#include "fake_listener.h"
#include "fake_server.h"
#include "interrupt.h"

enum { CLIENTS = 100 };

struct crowd {
	struct setup_client clients[CLIENTS];
	struct turn_client turn[CLIENTS];
	struct failure failure;
};

static void crowd_open(struct crowd *c, const struct addr *server)
{
	struct addr ip = addr_ipv4(127, 0, 0, 1, 0), local;
	*c = (struct crowd){.failure = {{0}}};
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct turn_client_peer *peer = calloc(1, sizeof *peer);
		*peer = (struct turn_client_peer){.addr = addr_ipv4(127, 0, 0, 1, 9), .channel = turn_client_channel(0)};
		turn_client_init(&c->turn[i], FAKE_USER, FAKE_PASSWORD, peer, 1);
		c->clients[i] =
			(struct setup_client){.fd = endpoint_open(&ip, false, 0, &local, &c->failure), .client = &c->turn[i]};
		cr_assert(c->clients[i].fd >= 0 && endpoint_connect(c->clients[i].fd, server, &c->failure), "%s", c->failure.text);
	}
}

static void crowd_close(struct crowd *c)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		close(c->clients[i].fd);
		turn_client_done(&c->turn[i]);
	}
}

static double seconds_since(uint64_t start_ns)
{
	return (double)(clock_mono_ns() - start_ns) / (double)NS_PER_S;
}

static void must_all_be_ready(struct crowd *c, unsigned parallel)
{
	double seconds = -1;
	cr_assert(setup_clients(c->clients, CLIENTS, parallel, &seconds, &c->failure), "%s", c->failure.text);
	cr_assert_geq(seconds, 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		cr_assert_eq(c->turn[i].state, TURN_CLIENT_READY);
}

Test(setup, makes_all_allocations_and_ends_them)
{
	static const unsigned parallel[] = {0, 7, CLIENTS, 1000};
	for (size_t i = 0; i < sizeof parallel / sizeof *parallel; i++) {
		struct fake_listener listener = {.refuse = 0};
		fake_listener_start(&listener);
		struct crowd crowd;
		crowd_open(&crowd, &listener.addr);
		must_all_be_ready(&crowd, parallel[i]);
		/* Those that are ready are not asked again. */
		must_all_be_ready(&crowd, parallel[i]);
		setup_farewell(crowd.clients, CLIENTS);
		fake_listener_stop(&listener);
		cr_assert_eq(listener.allocated, CLIENTS);
		cr_assert_eq(listener.bound, CLIENTS);
		cr_assert_eq(listener.ended, CLIENTS);
		crowd_close(&crowd);
	}
}

static void must_work_over(enum transport_kind kind)
{
	struct fake_listener listener = {.transport = kind};
	struct transport transport = {.kind = kind};
	struct crowd crowd = {.failure = {{0}}};
	struct connection connections[CLIENTS];
	struct establish_figures figures;
	fake_listener_start(&listener);
	struct connection_plan plan = {.transport = &transport, .local = addr_ipv4(127, 0, 0, 1, 0), .server = listener.addr};
	if (transport_is_secure(kind))
		plan.tls = tls_context_create(&transport, false, false, &crowd.failure);
	for (unsigned i = 0; i < CLIENTS; i++)
		connection_init(&connections[i], &plan);
	const struct establish_plan all = {.count = CLIENTS, .parallel = 16};
	cr_assert(establish(connections, &all, &figures, &crowd.failure), "%s", crowd.failure.text);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct turn_client_peer *peer = calloc(1, sizeof *peer);
		*peer = (struct turn_client_peer){.addr = addr_ipv4(127, 0, 0, 1, 9), .channel = turn_client_channel(0)};
		turn_client_init(&crowd.turn[i], FAKE_USER, FAKE_PASSWORD, peer, 1);
		crowd.clients[i] =
			(struct setup_client){.fd = connections[i].fd, .client = &crowd.turn[i], .connection = &connections[i]};
	}
	must_all_be_ready(&crowd, 7);
	for (unsigned i = 0; i < CLIENTS; i++) {
		turn_client_done(&crowd.turn[i]);
		connection_close(&connections[i]);
	}
	fake_listener_stop(&listener);
	tls_context_free(plan.tls);
	cr_expect_eq(listener.allocated, CLIENTS);
	cr_expect_eq(listener.bound, CLIENTS);
}

Test(setup, makes_all_allocations_over_connections)
{
	must_work_over(TRANSPORT_TCP);
	must_work_over(TRANSPORT_TLS);
	must_work_over(TRANSPORT_DTLS);
}

Test(setup, takes_another_connection_where_the_server_still_knows_one)
{
	struct fake_listener listener = {.transport = TRANSPORT_TCP, .taken = 5};
	struct transport transport = {.kind = TRANSPORT_TCP};
	struct connection connection;
	struct turn_client turn;
	struct failure failure;
	struct establish_figures figures;
	fake_listener_start(&listener);
	struct connection_plan plan = {.transport = &transport, .local = addr_ipv4(127, 0, 0, 1, 0), .server = listener.addr};
	connection_init(&connection, &plan);
	cr_assert(establish(&connection, &(struct establish_plan){.count = 1, .parallel = 1}, &figures, &failure), "%s",
		failure.text);
	turn_client_init(&turn, FAKE_USER, FAKE_PASSWORD, NULL, 0);
	struct setup_client client = {.fd = connection.fd, .client = &turn, .connection = &connection};
	cr_expect(setup_clients(&client, 1, 1, NULL, &failure), "%s", failure.text);
	cr_expect_eq(client.renewals, 5);
	cr_expect_eq(client.fd, connection.fd);
	turn_client_done(&turn);
	connection_close(&connection);
	fake_listener_stop(&listener);
	cr_expect_eq(listener.allocated, 1);
	cr_expect_eq(listener.connections, 6);
}

Test(setup, survives_losses)
{
	struct fake_listener listener = {.drop_every = 10};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	must_all_be_ready(&crowd, CLIENTS);
	fake_listener_stop(&listener);
	crowd_close(&crowd);
}

/* As coturn does with the ports of an earlier run. */
Test(setup, takes_another_port_where_the_server_still_knows_one)
{
	struct fake_listener listener = {.taken = 60};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	int first_fd = crowd.clients[0].fd;
	must_all_be_ready(&crowd, 7);
	setup_farewell(crowd.clients, CLIENTS);
	fake_listener_stop(&listener);
	cr_assert_eq(listener.allocated, CLIENTS);
	cr_assert_eq(listener.bound, CLIENTS);
	cr_assert_eq(listener.ended, CLIENTS);
	cr_assert_eq(crowd.clients[0].fd, first_fd);
	cr_assert_gt(crowd.clients[0].renewals, 0);
	crowd_close(&crowd);
}

Test(setup, does_not_take_other_ports_for_ever)
{
	struct fake_listener listener = {.taken = FAKE_TAKEN_MAX};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	cr_assert_not(setup_clients(crowd.clients, CLIENTS, 3, NULL, &crowd.failure));
	cr_assert_not_null(strstr(crowd.failure.text, "an allocation of an earlier run"), "%s", crowd.failure.text);
	fake_listener_stop(&listener);
	cr_assert_eq(listener.allocated, 0);
	crowd_close(&crowd);
}

Test(setup, says_at_once_that_nothing_listens)
{
	struct fake_listener listener = {.refuse = 0};
	fake_listener_start(&listener);
	fake_listener_stop(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	uint64_t start_ns = clock_mono_ns();
	cr_assert_not(setup_clients(crowd.clients, CLIENTS, 10, NULL, &crowd.failure));
	cr_assert_lt(seconds_since(start_ns), 1);
	cr_assert_not_null(strstr(crowd.failure.text, "nothing listens at 127.0.0.1:"), "%s", crowd.failure.text);
	setup_farewell(crowd.clients, CLIENTS);
	crowd_close(&crowd);
}

Test(setup, gives_up_on_a_silent_server_before_long)
{
	struct fake_listener listener = {.drop_every = 1};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	uint64_t start_ns = clock_mono_ns();
	cr_assert_not(setup_clients(crowd.clients, CLIENTS, 10, NULL, &crowd.failure));
	cr_assert_leq(seconds_since(start_ns), SETUP_SILENCE_MS / 1000.0 + 1);
	cr_assert_not_null(
		strstr(crowd.failure.text, "does not answer Allocate requests (4 tries in 4.0 s)"), "%s", crowd.failure.text);
	fake_listener_stop(&listener);
	crowd_close(&crowd);
}

Test(setup, tells_the_first_refusal_with_the_servers_address)
{
	struct fake_listener listener = {.refuse = 401};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	cr_assert_not(setup_clients(crowd.clients, CLIENTS, 10, NULL, &crowd.failure));
	cr_assert_not_null(strstr(crowd.failure.text, "the server at 127.0.0.1:"), "%s", crowd.failure.text);
	cr_assert_not_null(strstr(crowd.failure.text, "refuses the credentials of user 'user'"), "%s", crowd.failure.text);
	fake_listener_stop(&listener);
	crowd_close(&crowd);
}

Test(setup, ends_when_it_is_interrupted)
{
	struct fake_listener listener = {.drop_every = 1};
	fake_listener_start(&listener);
	struct crowd crowd;
	crowd_open(&crowd, &listener.addr);
	interrupt_request();
	uint64_t start_ns = clock_mono_ns();
	cr_assert_not(setup_clients(crowd.clients, CLIENTS, 10, NULL, &crowd.failure));
	cr_assert_lt(seconds_since(start_ns), 1);
	cr_assert_str_eq(crowd.failure.text, "interrupted");
	fake_listener_stop(&listener);
	crowd_close(&crowd);
}

Test(setup, of_no_clients_is_done)
{
	struct failure failure;
	double seconds = -1;
	cr_assert(setup_clients(NULL, 0, 10, &seconds, &failure));
	cr_assert_eq(seconds, 0);
	setup_farewell(NULL, 0);
}
