/*
 * Connections of one shard over loopback, with both engines: what happens to streams of any shape, and who may come.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/tcp_socket.h"
#include "io/udp_socket.h"
#include "orders.h"
#include "shard/shard.h"

enum { CONNECTIONS = 16, BUFFERS = 8 };

static struct {
	struct shard_shared *shared;
	struct turn_config *config;
	struct shard *shard;
	struct addr tcp, udp;
} world;

static const uint8_t request[STUN_HEADER_SIZE] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'b', 'i', 'n', 'd', 'i', 'n', 'g'};

static struct stream_limits limits(void)
{
	return (struct stream_limits){
		.per_source = 8,
		.handshakes = 4,
		.handshake_timeout_s = 1,
		.idle_timeout_s = 30,
		.stuck_timeout_s = 1,
	};
}

static struct prefix_set *loopback_only(void)
{
	struct prefix_set *set = prefix_set_create();
	struct addr loopback = addr_ipv4(127, 0, 0, 1, 0);
	cr_assert_eq(prefix_set_add(set, &loopback, 32, 0), 0);
	prefix_set_seal(set);
	return set;
}

/* Listener 0 is TCP, listener 1 UDP; both behind a proxy if `proxy`. */
static void start(enum engine_kind engine, const struct stream_limits *bounds, bool proxy)
{
	struct stream_config *streams = stream_config_create();
	struct shard_params params = {
		.count = 1,
		.engine = {.kind = engine, .receive_buffers = 64},
		.allocations_max = 100,
		.connections_max = CONNECTIONS,
		.stream_buffers = BUFFERS,
		.streams = streams,
	};
	streams->limits = *bounds;
	streams->listeners[0].transport = TRANSPORT_TCP;
	for (unsigned i = 0; i < 2 && proxy; i++) {
		streams->listeners[i].proxy = true;
		streams->listeners[i].proxy_trusted = loopback_only();
	}
	world.shared = params.shared = shard_shared_create(100);
	world.config = params.config = turn_config_create();
	world.config->auth.type = AUTH_NONE;
	strcpy(world.config->auth.realm, "test");
	world.config->listener_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		world.config->listeners[i].policy = peer_policy_create();
		peer_policy_seal(world.config->listeners[i].policy);
	}
	struct addr loopback = addr_ipv4(127, 0, 0, 1, 0);
	int tcp, udp = udp_socket_open(&loopback, &(struct udp_socket_options){.listener = true}, NULL);
	cr_assert_eq(tcp_socket_listen_group(&loopback, &(struct tcp_socket_options){0}, 1, &tcp), 0);
	world.tcp = tcp_socket_local(tcp);
	world.udp = udp_socket_local(udp);
	struct shard_order *order = order_create(world.config, streams);
	order_add_socket(order, 0, tcp);
	order_add_socket(order, 1, udp);
	char reason[ENGINE_REASON_SIZE];
	cr_assert_eq(shard_start(&params, &world.shard, reason), 0, "%s", reason);
	stream_config_unref(streams);
	cr_assert(shard_give_order(world.shard, order));
	shard_run(world.shard, &world.shard);
}

static void stop(void)
{
	shard_stop(world.shard);
	shard_free(world.shard);
	turn_config_unref(world.config);
	shard_shared_free(world.shared);
}

#define CONNECTION_TEST(name)                                                                                                      \
	static void name(enum engine_kind engine);                                                                                 \
	Test(connections, name##_on_io_uring, .timeout = 30)                                                                       \
	{                                                                                                                          \
		name(ENGINE_IO_URING);                                                                                             \
	}                                                                                                                          \
	Test(connections, name##_on_epoll, .timeout = 30)                                                                          \
	{                                                                                                                          \
		name(ENGINE_EPOLL);                                                                                                \
	}                                                                                                                          \
	static void name(enum engine_kind engine)

static int dial(void)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&world.tcp, &name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct timeval two = {.tv_sec = 2};
	setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &two, sizeof two);
	cr_assert_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	return fd;
}

static void say(int fd, const void *data, size_t size)
{
	cr_assert_eq(send(fd, data, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* An answer to a Binding request, whole; *ret_mapped is the address in it. */
static bool hear_answer(int fd, struct addr *ret_mapped)
{
	uint8_t answer[32];
	if (recv(fd, answer, sizeof answer, MSG_WAITALL) != (ssize_t)sizeof answer)
		return false;
	cr_expect_arr_eq(answer + 8, request + 8, 12, "the transaction");
	uint8_t ip[4];
	for (unsigned i = 0; i < 4; i++)
		ip[i] = answer[28 + i] ^ request[4 + i];
	uint16_t port = (uint16_t)((answer[26] << 8 | answer[27]) ^ 0x2112);
	*ret_mapped = addr_ipv4(ip[0], ip[1], ip[2], ip[3], port);
	return true;
}

static bool asks_and_hears(int fd)
{
	struct addr mapped;
	return send(fd, request, sizeof request, MSG_NOSIGNAL) == (ssize_t)sizeof request && hear_answer(fd, &mapped);
}

/* Whether the relay closes it within `ms`. */
static bool is_closed(int fd, int ms)
{
	uint8_t byte;
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	return poll(&readable, 1, ms) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static uint64_t ended(enum stream_end end)
{
	return counter_read(&shard_counters(world.shard)->streams.ended[end]);
}

static uint64_t refused(enum stream_refusal refusal)
{
	return counter_read(&shard_counters(world.shard)->streams.refused[refusal]);
}

/* The count of live connections becomes this. */
static bool connections_become(uint64_t count)
{
	for (unsigned tries = 0; tries < 200; tries++) {
		if (counter_read(&shard_counters(world.shard)->streams.connections[0]) == count)
			return true;
		usleep(10 * 1000);
	}
	return false;
}

CONNECTION_TEST(an_answer_names_the_address_that_the_client_has)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int fd = dial();
	struct addr mapped, own = tcp_socket_local(fd);
	say(fd, request, sizeof request);
	cr_assert(hear_answer(fd, &mapped));
	cr_expect(addr_equal(&mapped, &own));
	close(fd);
	cr_expect(connections_become(0));
	cr_expect_eq(ended(END_BY_CLIENT), 1u);
	stop();
}

CONNECTION_TEST(messages_may_come_byte_by_byte_and_many_at_once)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int fd = dial();
	struct addr mapped;
	for (size_t i = 0; i < sizeof request; i++) {
		say(fd, request + i, 1);
		usleep(2000);
	}
	cr_expect(hear_answer(fd, &mapped));
	/* 100 requests, cut where no message ends. */
	static uint8_t many[100 * sizeof request];
	for (unsigned i = 0; i < 100; i++)
		memcpy(many + i * sizeof request, request, sizeof request);
	for (size_t at = 0; at < sizeof many; at += 333) {
		say(fd, many + at, sizeof many - at < 333 ? sizeof many - at : 333);
		usleep(1000);
	}
	for (unsigned i = 0; i < 100; i++)
		cr_assert(hear_answer(fd, &mapped), "answer %u", i);
	close(fd);
	stop();
}

CONNECTION_TEST(a_request_before_the_end_of_the_stream_is_answered)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int fd = dial();
	struct addr mapped;
	say(fd, request, sizeof request);
	shutdown(fd, SHUT_WR);
	cr_expect(hear_answer(fd, &mapped));
	cr_expect(is_closed(fd, 2000));
	close(fd);
	stop();
}

CONNECTION_TEST(garbage_ends_the_connection_and_no_other)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool first; /* the connection's first bytes */
	} garbage[] = {
		{"GET / HTTP/1.1\r\n\r\n", 18, true},
		{"\x40\x01\x00\x04", 4, true},
		{"\x16\x03\x01\x02", 4, true},
		{"\x16\x03\x01\x02", 4, false},
		{"\xff", 1, false},
		{"\x00\x01\x00\x03", 4, false},
		{"\x00\x01\x00\x00\x21\x12\xa4\x43", 8, false},
	};
	size_t count = sizeof garbage / sizeof *garbage;
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int other = dial();
	cr_assert(asks_and_hears(other));
	for (size_t i = 0; i < count; i++) {
		int fd = dial();
		cr_assert(garbage[i].first || asks_and_hears(fd));
		say(fd, garbage[i].bytes, garbage[i].size);
		cr_expect(is_closed(fd, 2000), "case %zu", i);
		close(fd);
	}
	cr_expect_eq(ended(END_GARBAGE), count);
	cr_expect(asks_and_hears(other));
	close(other);
	stop();
}

CONNECTION_TEST(one_address_gets_no_more_than_its_share)
{
	struct stream_limits bounds = limits();
	bounds.per_source = 3;
	start(engine, &bounds, false);
	int fds[4];
	for (unsigned i = 0; i < 4; i++) {
		fds[i] = dial();
		cr_expect_eq(asks_and_hears(fds[i]), i < 3);
	}
	cr_expect_eq(refused(REFUSED_SOURCE), 1u);
	close(fds[0]);
	cr_expect(connections_become(2));
	int again = dial();
	cr_expect(asks_and_hears(again));
	close(again);
	for (unsigned i = 1; i < 4; i++)
		close(fds[i]);
	stop();
}

CONNECTION_TEST(more_connections_than_the_shard_holds_are_refused_at_once)
{
	struct stream_limits bounds = limits();
	bounds.per_source = 0;
	start(engine, &bounds, false);
	int fds[CONNECTIONS + 1];
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		fds[i] = dial();
		cr_assert(asks_and_hears(fds[i]));
	}
	fds[CONNECTIONS] = dial();
	cr_expect(is_closed(fds[CONNECTIONS], 2000));
	cr_expect_eq(refused(REFUSED_CONNECTIONS), 1u);
	for (unsigned i = 0; i <= CONNECTIONS; i++)
		close(fds[i]);
	cr_expect(connections_become(0));
	stop();
}

CONNECTION_TEST(who_says_nothing_is_closed_when_his_time_is_over)
{
	struct stream_limits bounds = limits();
	bounds.idle_timeout_s = 1;
	start(engine, &bounds, false);
	int silent = dial(), half = dial();
	cr_assert(asks_and_hears(silent));
	say(half, request, 7);
	cr_expect_not(is_closed(silent, 500));
	cr_expect(is_closed(silent, 2000));
	cr_expect(is_closed(half, 2000));
	cr_expect_eq(ended(END_IDLE), 2u);
	close(silent);
	close(half);
	stop();
}

CONNECTION_TEST(who_asks_and_does_not_read_is_closed)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int greedy = dial(), other = dial();
	int small = 4096;
	setsockopt(greedy, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	static uint8_t many[1000 * sizeof request];
	for (unsigned i = 0; i < 1000; i++)
		memcpy(many + i * sizeof request, request, sizeof request);
	ssize_t sent = 1;
	for (unsigned i = 0; i < 3000 && sent > 0; i++) {
		sent = send(greedy, many, sizeof many, MSG_NOSIGNAL);
		cr_assert(i % 100 != 0 || asks_and_hears(other));
	}
	cr_expect_leq(sent, 0);
	cr_expect_eq(ended(END_ANSWERS) + ended(END_STUCK), 1u);
	cr_expect(asks_and_hears(other));
	cr_expect(connections_become(1));
	cr_expect_eq(counter_read(&shard_counters(world.shard)->streams.queued_bytes), 0u);
	close(greedy);
	close(other);
	stop();
}

CONNECTION_TEST(half_messages_do_not_take_all_buffers)
{
	struct stream_limits bounds = limits();
	bounds.per_source = 0;
	start(engine, &bounds, false);
	int fds[BUFFERS + 1], other = dial();
	for (unsigned i = 0; i <= BUFFERS; i++) {
		fds[i] = dial();
		cr_assert(asks_and_hears(fds[i]));
		say(fds[i], request, 7);
	}
	cr_expect(connections_become(1 + BUFFERS / 2 + 1));
	cr_expect_eq(refused(REFUSED_MEMORY), BUFFERS / 2);
	cr_expect(asks_and_hears(other));
	for (unsigned i = 0; i <= BUFFERS; i++)
		close(fds[i]);
	close(other);
	stop();
}

CONNECTION_TEST(a_trusted_proxy_names_the_client)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, true);
	static const char header[] = "PROXY TCP4 203.0.113.7 192.0.2.1 4711 3478\r\n";
	struct addr mapped, client = addr_ipv4(203, 0, 113, 7, 4711);
	int fd = dial();
	say(fd, header, 20);
	usleep(20 * 1000);
	say(fd, header + 20, sizeof header - 1 - 20);
	say(fd, request, sizeof request);
	cr_assert(hear_answer(fd, &mapped));
	cr_expect(addr_equal(&mapped, &client));
	/* Header and request in one segment. */
	uint8_t both[sizeof header - 1 + sizeof request];
	memcpy(both, header, sizeof header - 1);
	memcpy(both + sizeof header - 1, request, sizeof request);
	int second = dial();
	say(second, both, sizeof both);
	cr_assert(hear_answer(second, &mapped));
	cr_expect(addr_equal(&mapped, &client));
	int bad = dial();
	say(bad, request, sizeof request);
	cr_expect(is_closed(bad, 2000));
	cr_expect_eq(ended(END_PROXY), 1u);
	close(fd);
	close(second);
	close(bad);
	stop();
}

CONNECTION_TEST(a_proxy_of_datagrams_names_the_client_and_gets_the_answers)
{
	static const uint8_t header[28] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x12, 0,
		12, 203, 0, 113, 7, 192, 0, 2, 1, 4711 >> 8, 4711 & 0xff, 3478 >> 8, 3478 & 0xff};
	struct stream_limits bounds = limits();
	start(engine, &bounds, true);
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&world.udp, &name);
	struct timeval two = {.tv_sec = 2};
	struct addr mapped, client = addr_ipv4(203, 0, 113, 7, 4711);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &two, sizeof two);
	cr_assert_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	uint8_t both[sizeof header + sizeof request];
	memcpy(both, header, sizeof header);
	memcpy(both + sizeof header, request, sizeof request);
	say(fd, both, sizeof both);
	cr_assert(hear_answer(fd, &mapped));
	cr_expect(addr_equal(&mapped, &client));
	say(fd, request, sizeof request);
	cr_assert(hear_answer(fd, &mapped), "the header need not come again");
	cr_expect(addr_equal(&mapped, &client));
	int stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(stranger, (struct sockaddr *)&name, size), 0);
	say(stranger, request, sizeof request);
	struct pollfd readable = {.fd = stranger, .events = POLLIN};
	cr_expect_eq(poll(&readable, 1, 200), 0);
	cr_expect_eq(counter_read(&shard_counters(world.shard)->streams.proxy_headers_bad), 1u);
	close(fd);
	close(stranger);
	stop();
}

CONNECTION_TEST(live_connections_end_with_the_shard)
{
	struct stream_limits bounds = limits();
	start(engine, &bounds, false);
	int fd = dial();
	cr_assert(asks_and_hears(fd));
	stop();
	cr_expect(is_closed(fd, 2000));
	close(fd);
}
