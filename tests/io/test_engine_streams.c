#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/tcp_socket.h"
#include "io_rig.h"

enum { BIG = 4 << 20 };

static uint8_t memory[BIG];

struct stream {
	struct engine *engine;
	uint32_t socket;
	int client;
};

static uint32_t add_acceptor(struct engine *engine, struct addr *ret_local)
{
	int fd;
	uint32_t acceptor;
	cr_assert_eq(tcp_socket_listen_group(&rig_loopback4, &(struct tcp_socket_options){0}, 1, &fd), 0);
	*ret_local = tcp_socket_local(fd);
	cr_assert_eq(engine_add(engine, fd, SOCKET_ACCEPTOR, 7, &acceptor), 0);
	return acceptor;
}

static int connect_to(const struct addr *to)
{
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(to, &name);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	return fd;
}

static const struct received *next_event(struct engine *engine, enum received_kind kind)
{
	const struct received *batch;
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	cr_assert_eq(batch->kind, kind);
	return batch;
}

static struct stream open_stream(enum engine_kind kind)
{
	struct stream s = {.engine = rig_engine(kind, 8, 32)};
	struct addr local;
	add_acceptor(s.engine, &local);
	s.client = connect_to(&local);
	const struct received *accepted = next_event(s.engine, RECEIVED_CONNECTION);
	cr_expect_eq(accepted->tag, 7u);
	cr_assert_eq(engine_add(s.engine, accepted->value, SOCKET_STREAM, 99, &s.socket), 0);
	return s;
}

static void close_stream(struct stream *s)
{
	if (s->client >= 0)
		close(s->client);
	engine_close(s->engine);
}

ENGINE_TEST(streams, carry_bytes_both_ways_in_order)
{
	struct stream s = open_stream(kind);
	size_t sent = 0, got = 0, size = 1 << 20;
	rig_fill(memory, size, 3);
	fcntl(s.client, F_SETFL, O_NONBLOCK);
	while (got < size) {
		ssize_t n = sent < size ? write(s.client, memory + sent, size - sent) : 0;
		sent += n > 0 ? (size_t)n : 0;
		const struct received *batch;
		unsigned count = engine_turn(s.engine, 20 * NS_PER_MS, &batch);
		for (unsigned i = 0; i < count; i++) {
			cr_assert_eq(batch[i].kind, RECEIVED_STREAM);
			cr_expect_eq(batch[i].tag, 99u);
			cr_assert_eq(memcmp(batch[i].data.data, memory + got, batch[i].data.size), 0);
			got += batch[i].data.size;
		}
	}
	cr_expect_eq(got, size);
	cr_expect_eq(engine_stream_send(s.engine, s.socket, bytes_of("answer", 6)), 6);
	char back[8];
	fcntl(s.client, F_SETFL, 0);
	cr_expect_eq(read(s.client, back, sizeof back), 6);
	cr_expect_arr_eq(back, "answer", 6);
	close_stream(&s);
}

ENGINE_TEST(streams, report_what_waited_before_the_connection_was_added)
{
	struct engine *engine = rig_engine(kind, 8, 32);
	struct addr local;
	uint32_t socket;
	add_acceptor(engine, &local);
	int client = connect_to(&local);
	cr_assert_eq(write(client, "early", 5), 5);
	int fd = next_event(engine, RECEIVED_CONNECTION)->value;
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_eq(engine_add(engine, fd, SOCKET_STREAM, 1, &socket), 0);
	cr_expect(bytes_equal(next_event(engine, RECEIVED_STREAM)->data, bytes_of("early", 5)));
	close(client);
	engine_close(engine);
}

ENGINE_TEST(streams, report_their_end_once)
{
	struct stream s = open_stream(kind);
	const struct received *batch;
	cr_assert_eq(write(s.client, "last", 4), 4);
	cr_expect(bytes_equal(next_event(s.engine, RECEIVED_STREAM)->data, bytes_of("last", 4)));
	shutdown(s.client, SHUT_WR);
	cr_expect_eq(next_event(s.engine, RECEIVED_END)->value, 0);
	cr_expect_eq(rig_turn(s.engine, 100, &batch), 0u);
	/* The other direction is still open. */
	cr_expect_eq(engine_stream_send(s.engine, s.socket, bytes_of("bye", 3)), 3);
	engine_remove(s.engine, s.socket);
	cr_expect_eq(rig_turn(s.engine, 50, &batch), 0u);
	char back[8];
	cr_expect_eq(read(s.client, back, sizeof back), 3);
	cr_expect_eq(read(s.client, back, sizeof back), 0);
	close_stream(&s);
}

ENGINE_TEST(streams, report_a_reset_with_its_error)
{
	struct stream s = open_stream(kind);
	struct linger hard = {.l_onoff = 1};
	setsockopt(s.client, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	close(s.client);
	s.client = -1;
	cr_expect_eq(next_event(s.engine, RECEIVED_END)->value, ECONNRESET);
	cr_expect_lt(engine_stream_send(s.engine, s.socket, bytes_of("x", 1)), 0);
	close_stream(&s);
}

static size_t fill_kernel_buffers(const struct stream *s)
{
	size_t sent = 0;
	ssize_t n;
	while ((n = engine_stream_send(s->engine, s->socket, bytes_of(memory, BIG))) > 0)
		sent += (size_t)n;
	cr_assert_eq(n, 0);
	return sent;
}

static void drain(int fd, size_t size)
{
	for (ssize_t n = 1; size > 0 && n > 0; size -= n > 0 ? (size_t)n : 0)
		n = read(fd, memory, size < BIG ? size : BIG);
}

ENGINE_TEST(streams, say_when_a_full_connection_takes_more)
{
	struct stream s = open_stream(kind);
	const struct received *batch;
	size_t sent = fill_kernel_buffers(&s);
	engine_await_writable(s.engine, s.socket);
	engine_await_writable(s.engine, s.socket);
	cr_expect_eq(rig_turn(s.engine, 50, &batch), 0u);
	drain(s.client, sent);
	next_event(s.engine, RECEIVED_WRITABLE);
	cr_expect_eq(rig_turn(s.engine, 50, &batch), 0u, "once");
	cr_expect_gt(engine_stream_send(s.engine, s.socket, bytes_of(memory, 1000)), 0);
	close_stream(&s);
}

ENGINE_TEST(streams, close_at_once_when_removed_while_they_wait_to_be_writable)
{
	struct stream s = open_stream(kind);
	const struct received *batch;
	size_t sent = fill_kernel_buffers(&s);
	engine_await_writable(s.engine, s.socket);
	engine_turn(s.engine, 0, &batch);
	engine_remove(s.engine, s.socket);
	rig_turn(s.engine, 50, &batch);
	drain(s.client, sent);
	struct pollfd end = {.fd = s.client, .events = POLLIN};
	cr_expect_eq(poll(&end, 1, 2000), 1, "the client sees the end");
	cr_expect_eq(read(s.client, memory, 1), 0);
	close_stream(&s);
}

ENGINE_TEST(streams, reused_numbers_report_nothing_of_the_connection_before)
{
	struct engine *engine = rig_engine(kind, 2, 32);
	struct addr local;
	const struct received *batch;
	add_acceptor(engine, &local);
	for (uint64_t round = 1; round <= 50; round++) {
		uint32_t socket;
		int client = connect_to(&local);
		int fd = next_event(engine, RECEIVED_CONNECTION)->value;
		cr_assert_eq(engine_add(engine, fd, SOCKET_STREAM, round, &socket), 0);
		cr_assert_eq(write(client, &round, sizeof round), (ssize_t)sizeof round);
		const struct received *piece = next_event(engine, RECEIVED_STREAM);
		cr_expect_eq(piece->tag, round);
		cr_expect(bytes_equal(piece->data, bytes_of(&round, sizeof round)));
		cr_assert_eq(write(client, "late", 4), 4);
		engine_remove(engine, socket);
		close(client);
		cr_expect_eq(rig_turn(engine, 5, &batch), 0u);
	}
	engine_close(engine);
}

ENGINE_TEST(streams, take_many_connections_and_pieces_in_bounded_turns)
{
	enum { CLIENTS = 700 };
	struct rlimit limit = {8192, 8192};
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
	setrlimit(RLIMIT_NOFILE, &limit);
	struct engine *engine = rig_engine(kind, CLIENTS + 1, 64);
	struct addr local;
	add_acceptor(engine, &local);
	static int clients[CLIENTS];
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = connect_to(&local);
		cr_assert_eq(write(clients[i], &i, sizeof i), (ssize_t)sizeof i);
	}
	unsigned accepted = 0, pieces = 0, ended = 0;
	for (uint64_t deadline = rig_now_ms() + 5000; ended < CLIENTS && rig_now_ms() < deadline;) {
		const struct received *batch;
		unsigned count = engine_turn(engine, 20 * NS_PER_MS, &batch);
		cr_assert_leq(count, RECEIVE_BATCH_MAX);
		for (unsigned i = 0; i < count; i++) {
			uint32_t socket;
			if (batch[i].kind == RECEIVED_CONNECTION)
				cr_assert_eq(engine_add(engine, batch[i].value, SOCKET_STREAM, accepted++, &socket), 0);
			pieces += batch[i].kind == RECEIVED_STREAM;
			ended += batch[i].kind == RECEIVED_END;
		}
		if (pieces == CLIENTS && clients[0] >= 0)
			for (unsigned i = 0; i < CLIENTS; i++) {
				close(clients[i]);
				clients[i] = -1;
			}
	}
	cr_expect_eq(accepted, (unsigned)CLIENTS);
	cr_expect_eq(pieces, (unsigned)CLIENTS);
	cr_expect_eq(ended, (unsigned)CLIENTS);
	engine_close(engine);
}

ENGINE_TEST(streams, refuse_connections_without_spinning_when_descriptors_run_out)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr local;
	const struct received *batch;
	add_acceptor(engine, &local);
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&local, &name);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int highest = dup(client);
	close(highest);
	struct rlimit before, none = {.rlim_cur = (rlim_t)highest};
	getrlimit(RLIMIT_NOFILE, &before);
	none.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &none);
	cr_assert_eq(connect(client, (struct sockaddr *)&name, size), 0);
	uint64_t started = rig_now_ms();
	unsigned turns = 0;
	for (; rig_now_ms() - started < 200; turns++)
		engine_turn(engine, 20 * NS_PER_MS, &batch);
	cr_expect_lt(turns, 200u, "%u turns in 200 ms", turns);
	setrlimit(RLIMIT_NOFILE, &before);
	close(client);
	engine_close(engine);
}

Test(tcp_socket, a_port_that_is_listened_on_is_refused)
{
	int first[2], second[2];
	cr_assert_eq(tcp_socket_listen_group(&rig_loopback4, &(struct tcp_socket_options){0}, 2, first), 0);
	struct addr local = tcp_socket_local(first[0]);
	cr_expect(addr_equal(&local, &(struct addr){.ip = {127, 0, 0, 1}, .port = local.port, .family = ADDR_IPV4}));
	cr_expect_eq(tcp_socket_local(first[1]).port, local.port);
	cr_expect_eq(tcp_socket_listen_group(&local, &(struct tcp_socket_options){0}, 2, second), -EADDRINUSE);
	close(first[0]);
	close(first[1]);
	cr_expect_eq(tcp_socket_listen_group(&local, &(struct tcp_socket_options){0}, 2, second), 0);
	close(second[0]);
	close(second[1]);
}

Test(tcp_socket, a_group_shares_connections)
{
	int fds[4];
	unsigned each[4] = {0}, used = 0;
	cr_assert_eq(tcp_socket_listen_group(&rig_loopback6, &(struct tcp_socket_options){0}, 4, fds), 0);
	struct addr local = tcp_socket_local(fds[0]);
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&local, &name);
	for (unsigned i = 0; i < 64; i++) {
		int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_eq(connect(client, (struct sockaddr *)&name, size), 0);
		for (unsigned shard = 0; shard < 4; shard++) {
			int fd = accept4(fds[shard], NULL, NULL, SOCK_NONBLOCK);
			if (fd < 0)
				continue;
			each[shard]++;
			struct addr peer = tcp_socket_peer(fd);
			cr_expect(addr_is_loopback(&peer));
			close(fd);
		}
		close(client);
	}
	for (unsigned shard = 0; shard < 4; shard++)
		used += each[shard] > 0;
	cr_expect_geq(used, 3u);
	for (unsigned shard = 0; shard < 4; shard++)
		close(fds[shard]);
}

ENGINE_TEST(streams, close_within_a_turn_of_their_removal)
{
	struct stream s = open_stream(kind);
	const struct received *batch;
	engine_turn(s.engine, 0, &batch);
	engine_remove(s.engine, s.socket);
	engine_turn(s.engine, 10 * NS_PER_MS, &batch);
	struct pollfd end = {.fd = s.client, .events = POLLIN};
	cr_expect_eq(poll(&end, 1, 0), 1);
	close_stream(&s);
}
