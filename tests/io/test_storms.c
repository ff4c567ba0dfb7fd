/* What a hostile or overloaded network does to an engine: it recovers, and mixes nothing up. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io_rig.h"

ENGINE_TEST(storm, loses_and_mixes_up_nothing_when_buffers_run_out)
{
	enum { SOCKETS = 8, PACKETS = 400 };
	struct engine *engine = rig_engine(kind, SOCKETS, 8);
	struct addr ours[SOCKETS], theirs;
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	for (unsigned i = 0; i < SOCKETS; i++)
		rig_add(engine, &rig_loopback4, SOCKET_RELAY, i, &ours[i]);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < PACKETS; i++)
		for (unsigned j = 0; j < SOCKETS; j++) {
			unsigned data[25] = {i, j};
			rig_plain_send(plain, &ours[j], data, sizeof data);
		}
	unsigned next[SOCKETS] = {0}, seen = 0, count;
	while (seen < PACKETS * SOCKETS && (count = rig_turn(engine, 2000, &batch)) > 0) {
		cr_assert_leq(count, 8u);
		for (unsigned i = 0; i < count; i++, seen++) {
			unsigned data[2];
			cr_assert_eq(batch[i].data.size, 100u);
			memcpy(data, batch[i].data.data, sizeof data);
			cr_assert_eq(data[1], batch[i].tag);
			cr_assert_eq(data[0], next[data[1]]++);
		}
	}
	cr_expect_eq(seen, PACKETS * SOCKETS);
	if (kind == ENGINE_IO_URING)
		cr_expect_gt(counter_read(&engine_counters(engine)->buffer_shortage), 0u);
	for (unsigned i = 0; i < SOCKETS; i++)
		rig_plain_send(plain, &ours[i], "after", 5);
	for (seen = 0; seen < SOCKETS && (count = rig_turn(engine, 2000, &batch)) > 0;)
		seen += count;
	cr_expect_eq(seen, SOCKETS, "every socket still receives");
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(storm, serves_a_quiet_socket_beside_a_flooded_one)
{
	enum { FLOOD = 5000 };
	struct engine *engine = rig_engine(kind, 4, 64);
	struct addr flooded, quiet, theirs;
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &flooded);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &quiet);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < FLOOD; i++)
		rig_plain_send(plain, &flooded, "flood", 5);
	rig_plain_send(plain, &quiet, "call", 4);
	unsigned turns = 0;
	for (bool served = false; !served; turns++) {
		unsigned count = rig_turn(engine, 2000, &batch);
		cr_assert_gt(count, 0u);
		for (unsigned i = 0; i < count; i++)
			served |= batch[i].tag == 2;
	}
	cr_expect_leq(turns, 6u, "the quiet socket waited %u turns", turns);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(storm, goes_on_through_empty_datagrams)
{
	enum { ROUNDS = 40, EMPTY = 50 };
	struct engine *engine = rig_engine(kind, 4, 64);
	struct addr flooded, quiet, theirs;
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	rig_add(engine, &rig_loopback4, SOCKET_LISTENER, 1, &flooded);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &quiet);
	unsigned empty = 0, calls = 0, requests = 0, count;
	const struct received *batch;
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned j = 0; j < EMPTY; j++)
			rig_plain_send(plain, &flooded, "", 0);
		rig_plain_send(plain, &flooded, "request", 7);
		rig_plain_send(plain, &quiet, "call", 4);
	}
	while (empty + calls + requests < ROUNDS * (EMPTY + 2) && (count = rig_turn(engine, 2000, &batch)) > 0)
		for (unsigned i = 0; i < count; i++) {
			empty += batch[i].tag == 1 && batch[i].data.size == 0;
			requests += batch[i].tag == 1 && batch[i].data.size == 7;
			calls += batch[i].tag == 2 && batch[i].data.size == 4;
		}
	cr_expect_eq(empty, ROUNDS * EMPTY);
	cr_expect_eq(requests, ROUNDS);
	cr_expect_eq(calls, ROUNDS);
	close(plain);
	engine_close(engine);
}

/* A connected socket hears of ICMP errors: each of them ends a receive. */
ENGINE_TEST(storm, of_icmp_errors_neither_spins_the_engine_nor_deafens_the_socket)
{
	struct engine *engine = rig_engine(kind, 4, 64);
	struct addr closed, ours, quiet, theirs;
	close(rig_plain_socket(&rig_loopback4, &closed));
	int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){0}, NULL);
	ours = udp_socket_local(fd);
	struct sockaddr_storage name;
	socklen_t size = addr_to_sockaddr(&closed, &name);
	cr_assert_eq(connect(fd, (struct sockaddr *)&name, size), 0);
	int sender = dup(fd);
	uint32_t socket;
	cr_assert_eq(engine_add(engine, fd, SOCKET_RELAY, 1, &socket), 0);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &quiet);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);

	const struct received *batch;
	uint64_t start_ms = rig_now_ms();
	for (unsigned i = 0; i < 500; i++) {
		send(sender, "x", 1, 0);
		engine_turn(engine, 0, &batch);
	}
	uint64_t took_ms = rig_now_ms() - start_ms;
	const struct engine_counters *counters = engine_counters(engine);
	cr_expect_gt(counter_read(&counters->receive_errors), 0u);
	if (kind == ENGINE_IO_URING) {
		cr_expect_leq(counter_read(&counters->receive_errors), 65 * (took_ms / 10 + 1));
		if (took_ms < 50)
			cr_expect_gt(counter_read(&counters->rearms_delayed), 0u);
	}
	rig_plain_send(plain, &quiet, "call", 4);
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	cr_expect_eq(batch->tag, 2u);

	int peer = rig_plain_socket(&closed, &closed);
	rig_plain_send(peer, &ours, "now I am here", 13);
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	cr_expect_eq(batch->tag, 1u);
	cr_expect_eq(batch->data.size, 13u);

	/* Nothing is left that keeps it busy. */
	uint64_t turns = 0;
	for (start_ms = rig_now_ms(); rig_now_ms() - start_ms < 100; turns++)
		engine_turn(engine, 50 * 1000000, &batch);
	cr_expect_leq(turns, 20u);
	close(sender);
	close(peer);
	close(plain);
	engine_close(engine);
}

/* More sockets end their receives at once than there is room for completions. */
ENGINE_TEST(storm, survives_an_overflow_of_completions)
{
	enum { SOCKETS = 6000 };
	struct rlimit files;
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	if (files.rlim_cur < 8192)
		cr_skip_test("only %lu files may be open", (unsigned long)files.rlim_cur);
	struct engine *engine = rig_engine(kind, 8192, 8);
	static struct addr ours[SOCKETS];
	static bool got[SOCKETS];
	struct addr theirs;
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	for (unsigned i = 0; i < SOCKETS; i++) {
		int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){0}, NULL);
		cr_assert_geq(fd, 0);
		ours[i] = udp_socket_local(fd);
		uint32_t socket;
		cr_assert_eq(engine_add(engine, fd, SOCKET_RELAY, i, &socket), 0);
	}
	for (unsigned round = 0; round < 2; round++) {
		memset(got, 0, sizeof got);
		engine_turn(engine, 0, &batch);
		for (unsigned i = 0; i < SOCKETS; i++)
			rig_plain_send(plain, &ours[i], &i, sizeof i);
		unsigned seen = 0, count;
		while (seen < SOCKETS && (count = rig_turn(engine, 2000, &batch)) > 0)
			for (unsigned i = 0; i < count; i++, seen++) {
				unsigned number;
				memcpy(&number, batch[i].data.data, sizeof number);
				cr_assert_eq(number, batch[i].tag);
				cr_assert(!got[number]);
				got[number] = true;
			}
		cr_expect_eq(seen, SOCKETS);
	}
	close(plain);
	engine_close(engine);
}

/* A datagram above the limit fails every time: failures pile up within one turn. */
ENGINE_TEST(storm, of_failing_sends_is_counted_to_the_packet)
{
	enum { FAILING = 20000 };
	struct engine *engine = rig_engine(kind, 4, 8);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	static uint8_t memory[65536];
	const struct received *batch;
	for (unsigned i = 0; i < FAILING; i++)
		engine_send(engine, &(struct departure){.socket = socket, .to = theirs, .payload = bytes_of(memory, 65508)});
	engine_turn(engine, 0, &batch);
	cr_expect_eq(counter_read(&engine_counters(engine)->send_other), FAILING);
	cr_expect_eq(counter_read(&engine_counters(engine)->sent_packets), 0u);
	rig_plain_send(plain, &ours, "still here", 10);
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(storm, that_fills_a_socket_is_counted_as_kernel_drops)
{
	struct engine *engine = rig_engine(kind, 4, 64);
	struct addr ours, theirs;
	int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){.receive_buffer = 4096, .listener = true}, NULL);
	ours = udp_socket_local(fd);
	uint32_t socket;
	cr_assert_eq(engine_add(engine, fd, SOCKET_LISTENER, 1, &socket), 0);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	unsigned received = 0, count;
	const struct received *batch;
	uint8_t data[1000] = {0};
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			rig_plain_send(plain, &ours, data, sizeof data);
		while ((count = rig_turn(engine, 100, &batch)) > 0)
			received += count;
	}
	/* The kernel tells with the next packet. */
	rig_plain_send(plain, &ours, data, sizeof data);
	received += rig_turn(engine, 2000, &batch);
	cr_expect_eq(counter_read(&engine_counters(engine)->kernel_drops[SOCKET_LISTENER]) + received, 301u);
	cr_expect_gt(counter_read(&engine_counters(engine)->kernel_drops[SOCKET_LISTENER]), 0u);
	cr_expect_eq(counter_read(&engine_counters(engine)->kernel_drops[SOCKET_RELAY]), 0u);
	close(plain);
	engine_close(engine);
}

static long resident_kb(void)
{
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	int fields = fscanf(file, "%ld %ld", &pages, &resident);
	fclose(file);
	return fields == 2 ? resident * 4 : 0;
}

ENGINE_TEST(storm, of_aggregates_leaves_no_memory_behind)
{
	struct engine *engine = rig_engine(kind, 4, 256);
	struct addr first, second;
	uint32_t from = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &first);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &second);
	static uint8_t payload[1000];
	const struct received *batch;
	unsigned seen = 0;
	long before_kb = resident_kb();
	for (unsigned round = 0; round < 60; round++) {
		for (unsigned i = 0; i < 60 * 5; i++)
			engine_send(engine,
				&(struct departure){.socket = from, .to = second, .payload = bytes_of(payload, sizeof payload)});
		seen += engine_turn(engine, 0, &batch);
	}
	cr_assert_gt(seen, 200u);
	for (uint64_t start_ms = rig_now_ms(); rig_now_ms() - start_ms < 2500;)
		engine_turn(engine, 100 * 1000000, &batch);
	cr_expect_lt(resident_kb(), before_kb + 1000, "%ld KB, then %ld KB", before_kb, resident_kb());
	/* And it goes on. */
	engine_send(engine, &(struct departure){.socket = from, .to = second, .payload = bytes_of("on", 2)});
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	cr_expect(bytes_equal(batch->data, bytes_of("on", 2)));
	engine_close(engine);
}
