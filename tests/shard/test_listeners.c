/*
 * Listeners that come, are taken over, retire and go while a shard runs, with both engines.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "orders.h"

static struct {
	struct shard_shared *shared;
	struct turn_config *config;
	struct stream_config *streams;
	struct shard *shard;
	uint64_t orders;
} world;

static const uint8_t request[STUN_HEADER_SIZE] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'b', 'i', 'n', 'd', 'i', 'n', 'g'};

/* PROXY protocol, version 2: UDP over IPv4, 192.0.2.9:4660 to 192.0.2.1:3478. */
static const uint8_t proxy_header[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x12, 0, 12,
	192, 0, 2, 9, 192, 0, 2, 1, 0x12, 0x34, 0x0d, 0x96};

static void start(enum engine_kind engine)
{
	char reason[ENGINE_REASON_SIZE];
	world.shared = shard_shared_create(100);
	world.config = turn_config_create();
	world.config->auth.type = AUTH_NONE;
	world.streams = stream_config_create();
	world.streams->limits = (struct stream_limits){
		.per_source = 8, .handshakes = 4, .handshake_timeout_s = 1, .idle_timeout_s = 30, .stuck_timeout_s = 1};
	struct shard_params params = {
		.count = 1,
		.engine = {.kind = engine, .receive_buffers = 64},
		.allocations_max = 100,
		.connections_max = 16,
		.stream_buffers = 8,
		.shared = world.shared,
		.config = world.config,
		.streams = world.streams,
	};
	cr_assert_eq(shard_start(&params, &world.shard, reason), 0, "%s", reason);
	shard_run(world.shard, &world.shard);
}

static void stop(void)
{
	shard_stop(world.shard);
	shard_free(world.shard);
	turn_config_unref(world.config);
	stream_config_unref(world.streams);
	shard_shared_free(world.shared);
}

#define LISTENER_TEST(name)                                                                                                        \
	static void name(void);                                                                                                    \
	Test(listeners, name##_on_io_uring, .timeout = 30)                                                                         \
	{                                                                                                                          \
		start(ENGINE_IO_URING);                                                                                            \
		name();                                                                                                            \
		stop();                                                                                                            \
	}                                                                                                                          \
	Test(listeners, name##_on_epoll, .timeout = 30)                                                                            \
	{                                                                                                                          \
		start(ENGINE_EPOLL);                                                                                               \
		name();                                                                                                            \
		stop();                                                                                                            \
	}                                                                                                                          \
	static void name(void)

static void wait_until_taken(void)
{
	world.orders++;
	for (int i = 0; i < 3000 && shard_orders_taken(world.shard) != world.orders; i++)
		usleep(1000);
	cr_assert_eq(shard_orders_taken(world.shard), world.orders);
}

static void give(struct shard_order *order)
{
	cr_assert(shard_give_order(world.shard, order));
	wait_until_taken();
}

static void close_listener(uint8_t listener)
{
	cr_assert(shard_close_listener(world.shard, listener));
	wait_until_taken();
}

static struct addr add_udp(struct shard_order *order, uint8_t listener)
{
	struct addr local = addr_ipv4(127, 0, 0, 1, 0);
	int fd = udp_socket_open(&local, &(struct udp_socket_options){.listener = true}, NULL);
	cr_assert_geq(fd, 0);
	local = udp_socket_local(fd);
	order_add_socket(order, listener, fd);
	return local;
}

static struct addr add_tcp(struct shard_order *order, uint8_t listener)
{
	int fd;
	struct addr local = addr_ipv4(127, 0, 0, 1, 0);
	cr_assert_eq(tcp_socket_listen_group(&local, &(struct tcp_socket_options){0}, 1, &fd), 0);
	local = tcp_socket_local(fd);
	order_add_socket(order, listener, fd);
	return local;
}

/* Connected; -1: refused. */
static int dial(int type, const struct addr *to)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(to, &name);
	int fd = socket(AF_INET, type, 0);
	struct timeval patience = {.tv_usec = 500 * 1000};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (connect(fd, (struct sockaddr *)&name, size) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The size of the answer; 0: the connection has ended; -1: none comes. */
static ssize_t ask(int fd)
{
	uint8_t answer[1500];
	cr_assert_eq(send(fd, request, sizeof request, MSG_NOSIGNAL), (ssize_t)sizeof request);
	return recv(fd, answer, sizeof answer, 0);
}

static uint64_t arrived(unsigned listener)
{
	return counter_read(&shard_counters(world.shard)->listeners[listener].rx_packets);
}

static uint64_t connections(unsigned listener)
{
	return counter_read(&shard_counters(world.shard)->streams.connections[listener]);
}

/* Another snapshot is needed for every change; what was given before keeps its own. */
static struct stream_config *other_streams(void)
{
	struct stream_config *streams = stream_config_create();
	streams->limits = world.streams->limits;
	return streams;
}

LISTENER_TEST(serves_one_that_comes_while_it_runs)
{
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_udp(order, 5);
	give(order);
	int fd = dial(SOCK_DGRAM, &to);
	cr_assert_eq(ask(fd), 32);
	cr_assert_eq(arrived(5), 1);
	close(fd);
}

LISTENER_TEST(closes_one_and_frees_its_port)
{
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_udp(order, 0);
	give(order);
	close_listener(0);
	int fd = -1;
	/* The engine closes with its next turns. */
	for (int i = 0; i < 1000 && fd < 0; i++) {
		fd = udp_socket_open(&to, &(struct udp_socket_options){0}, NULL);
		usleep(1000);
	}
	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	close(fd);
}

LISTENER_TEST(hands_a_socket_over_and_closes_it_with_its_heir)
{
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_udp(order, 0);
	give(order);
	int fd = dial(SOCK_DGRAM, &to);
	cr_assert_eq(ask(fd), 32);
	order = order_create(world.config, world.streams);
	order_add_heir(order, 1, 0);
	give(order);
	cr_assert_eq(ask(fd), 32);
	cr_assert_eq(arrived(0), 1);
	cr_assert_eq(arrived(1), 1);
	/* It was taken over. */
	close_listener(0);
	cr_assert_eq(ask(fd), 32);
	close_listener(1);
	cr_assert_eq(ask(fd), -1);
	close(fd);
}

LISTENER_TEST(lets_connections_of_a_retiring_one_go_on_and_takes_no_new_ones)
{
	world.streams->listeners[0].transport = TRANSPORT_TCP;
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_tcp(order, 0);
	give(order);
	int held = dial(SOCK_STREAM, &to);
	cr_assert_eq(ask(held), 32);
	struct stream_config *next = other_streams();
	next->listeners[0].transport = TRANSPORT_TCP;
	next->listeners[0].retiring = true;
	give(order_create(world.config, next));
	stream_config_unref(next);
	cr_assert_eq(ask(held), 32);
	cr_assert_eq(connections(0), 1);
	int late = -1;
	for (int i = 0; i < 1000 && (late = dial(SOCK_STREAM, &to)) >= 0; i++) {
		close(late);
		usleep(1000);
	}
	cr_assert_eq(late, -1, "still accepts");
	cr_assert_eq(ask(held), 32);
	close(held);
}

LISTENER_TEST(hands_an_acceptor_over_and_not_its_connections)
{
	world.streams->listeners[0].transport = TRANSPORT_TCP;
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_tcp(order, 0);
	give(order);
	int held = dial(SOCK_STREAM, &to);
	cr_assert_eq(ask(held), 32);
	struct stream_config *next = other_streams();
	next->listeners[0].transport = next->listeners[1].transport = TRANSPORT_TCP;
	next->listeners[0].retiring = true;
	order = order_create(world.config, next);
	stream_config_unref(next);
	order_add_heir(order, 1, 0);
	give(order);
	int late = dial(SOCK_STREAM, &to);
	cr_assert_eq(ask(late), 32);
	cr_assert_eq(ask(held), 32);
	cr_assert_eq(connections(0), 1);
	cr_assert_eq(connections(1), 1);
	close(held);
	close(late);
}

LISTENER_TEST(tells_the_clients_of_before_from_those_of_now)
{
	struct addr loopback = addr_ipv4(127, 0, 0, 1, 0);
	world.streams->listeners[0].proxy = true;
	world.streams->listeners[0].proxy_trusted = prefix_set_create();
	cr_assert_eq(prefix_set_add(world.streams->listeners[0].proxy_trusted, &loopback, 32, 0), 0);
	prefix_set_seal(world.streams->listeners[0].proxy_trusted);
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr to = add_udp(order, 0);
	give(order);
	int old = dial(SOCK_DGRAM, &to), strange = dial(SOCK_DGRAM, &to);
	cr_assert_eq(ask(strange), -1);
	cr_assert_eq(send(old, proxy_header, sizeof proxy_header, 0), (ssize_t)sizeof proxy_header);
	cr_assert_eq(ask(old), 32);

	struct stream_config *next = other_streams();
	next->listeners[0].proxy = next->listeners[0].retiring = true;
	next->listeners[0].proxy_trusted = prefix_set_create();
	cr_assert_eq(prefix_set_add(next->listeners[0].proxy_trusted, &loopback, 32, 0), 0);
	prefix_set_seal(next->listeners[0].proxy_trusted);
	next->listeners[1].sharers = 1;
	order = order_create(world.config, next);
	stream_config_unref(next);
	order_add_heir(order, 1, 0);
	give(order);
	cr_assert_eq(ask(strange), 32);
	cr_assert_eq(ask(old), 32);
	cr_assert_eq(arrived(0), 4);
	cr_assert_eq(arrived(1), 1);
	close_listener(0);
	cr_assert_eq(ask(old), 32);
	cr_assert_eq(arrived(1), 2);
	close(old);
	close(strange);
}

LISTENER_TEST(does_not_let_new_clients_share_a_retiring_one)
{
	struct addr loopback = addr_ipv4(127, 0, 0, 1, 0);
	world.streams->listeners[0].proxy = world.streams->listeners[0].retiring = true;
	world.streams->listeners[0].proxy_trusted = prefix_set_create();
	cr_assert_eq(prefix_set_add(world.streams->listeners[0].proxy_trusted, &loopback, 32, 0), 0);
	prefix_set_seal(world.streams->listeners[0].proxy_trusted);
	world.streams->listeners[1].transport = TRANSPORT_DTLS;
	world.streams->listeners[1].retiring = true;
	struct shard_order *order = order_create(world.config, world.streams);
	struct addr proxied = add_udp(order, 0), dtls = add_udp(order, 1);
	give(order);
	int fd = dial(SOCK_DGRAM, &proxied);
	cr_assert_eq(send(fd, proxy_header, sizeof proxy_header, 0), (ssize_t)sizeof proxy_header);
	cr_assert_eq(ask(fd), -1);
	close(fd);
	fd = dial(SOCK_DGRAM, &dtls);
	cr_assert_eq(ask(fd), -1);
	close(fd);
	cr_assert_eq(connections(0) + connections(1), 0);
	cr_assert_eq(counter_read(&shard_counters(world.shard)->streams.unknown_datagrams), 1);
}

Test(listeners, an_order_that_nobody_took_closes_its_sockets)
{
	world.config = turn_config_create();
	struct shard_order *order = order_create(world.config, NULL);
	struct addr to = add_udp(order, 0);
	shard_order_free(order);
	int fd = udp_socket_open(&to, &(struct udp_socket_options){0}, NULL);
	cr_assert_geq(fd, 0);
	close(fd);
	turn_config_unref(world.config);
}
