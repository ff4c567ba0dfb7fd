#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "io_rig.h"

static uint8_t memory[70000];

static void send_one(struct engine *engine, uint32_t socket, const struct addr *to, const uint8_t *data, size_t size)
{
	engine_send(engine, &(struct departure){.socket = socket, .to = *to, .payload = bytes_of(data, size)});
}

ENGINE_TEST(engine, carries_every_size_of_datagram_both_ways)
{
	static const size_t sizes[] = {1, 2, 3, 4, 20, 160, 1200, 1472, 1473, 4096, 9000, 32768, 65506, 65507};
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_LISTENER, 77, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	static uint8_t back[70000];
	for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		rig_fill(memory, sizes[i], i);
		rig_plain_send(plain, &ours, memory, sizes[i]);
		const struct received *batch;
		cr_assert_eq(rig_turn(engine, 2000, &batch), 1u, "size %zu", sizes[i]);
		cr_expect_eq(batch->data.size, sizes[i]);
		cr_expect(rig_filled(batch->data.data, batch->data.size, i));
		cr_expect_eq(batch->segment_size, sizes[i]);
		cr_expect_eq(batch->socket, socket);
		cr_expect_eq(batch->tag, 77u);
		cr_expect(addr_equal(&batch->from, &theirs));
		cr_expect(addr_equal(&batch->to, &rig_loopback4));

		send_one(engine, socket, &theirs, batch->data.data, batch->data.size);
		engine_turn(engine, 0, &batch);
		cr_expect_eq(rig_plain_receive(plain, back, sizeof back), (int)sizes[i]);
		cr_expect(rig_filled(back, sizes[i], i));
	}
	cr_expect_eq(counter_read(&engine_counters(engine)->received_packets[SOCKET_LISTENER]), sizeof sizes / sizeof *sizes);
	cr_expect_eq(counter_read(&engine_counters(engine)->sent_packets), sizeof sizes / sizeof *sizes);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, counts_a_datagram_that_is_too_large_and_goes_on)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 0, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	send_one(engine, socket, &theirs, memory, 65508);
	send_one(engine, socket, &theirs, memory, 10);
	engine_turn(engine, 0, &batch);
	cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 10);
	cr_expect_eq(counter_read(&engine_counters(engine)->send_other), 1u);
	cr_expect_eq(counter_read(&engine_counters(engine)->sent_packets), 1u);
	cr_expect_eq(counter_read(&engine_counters(engine)->sent_bytes), 10u);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, reports_an_empty_datagram_and_goes_on)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 5, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	for (unsigned i = 0; i < 100; i++) {
		const struct received *batch;
		rig_plain_send(plain, &ours, "", 0);
		cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
		cr_expect_eq(batch->data.size, 0u);
		cr_expect_eq(batch->segment_size, 0);
		cr_expect_eq(batch->tag, 5u);
		cr_expect(addr_equal(&batch->from, &theirs));
		rig_plain_send(plain, &ours, "x", 1);
		cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
		cr_expect_eq(batch->data.size, 1u);
	}
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, sends_an_empty_datagram)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 5, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	send_one(engine, socket, &theirs, memory, 0);
	engine_turn(engine, 0, &batch);
	cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 0);
	close(plain);
	engine_close(engine);
}

/* Loopback hands a train over as it was sent, when the receiver takes aggregates. */
ENGINE_TEST(engine, receives_an_aggregate_and_passes_it_on_as_a_train)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr first, second, theirs;
	uint32_t from = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &first);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &second);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	rig_fill(memory, 8 * 1200 + 77, 9);
	for (unsigned i = 0; i < 9; i++)
		send_one(engine, from, &second, memory + i * 1200, i < 8 ? 1200 : 77);
	const struct received *batch;
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	cr_expect_eq(batch->tag, 2u);
	cr_expect_eq(batch->segment_size, 1200);
	cr_expect_eq(batch->data.size, 8 * 1200u + 77);
	cr_expect(rig_filled(batch->data.data, batch->data.size, 9));
	for (size_t at = 0; at < batch->data.size; at += 1200)
		send_one(engine, batch->socket, &theirs, batch->data.data + at,
			batch->data.size - at < 1200 ? batch->data.size - at : 1200);
	engine_turn(engine, 0, &batch);
	static uint8_t packet[2000];
	for (unsigned i = 0; i < 9; i++) {
		int expected = i < 8 ? 1200 : 77;
		cr_assert_eq(rig_plain_receive(plain, packet, sizeof packet), expected);
		cr_expect_eq(memcmp(packet, memory + i * 1200, (size_t)expected), 0);
	}
	const struct engine_counters *counters = engine_counters(engine);
	cr_expect_eq(counter_read(&counters->received_aggregates[SOCKET_RELAY]), 1u);
	cr_expect_eq(counter_read(&counters->received_packets[SOCKET_RELAY]), 9u);
	cr_expect_eq(counter_read(&counters->sent_trains), 2u);
	cr_expect_eq(counter_read(&counters->train_segments), 18u);
	cr_expect_eq(counter_read(&counters->sent_packets), 18u);
	close(plain);
	engine_close(engine);
}

static void check_tos(enum engine_kind kind, const struct addr *loopback)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr first, second;
	uint32_t from = rig_add(engine, loopback, SOCKET_RELAY, 1, &first);
	rig_add(engine, loopback, SOCKET_LISTENER, 2, &second);
	/* DSCP and ECN in all their corners. */
	static const uint8_t values[] = {0, 1, 2, 3, 0xb8, 0xb9, 0x88, 0xff};
	for (unsigned i = 0; i < sizeof values; i++) {
		struct departure d = {.socket = from, .to = second, .tos = values[i], .payload = bytes_of(memory, 100)};
		engine_send(engine, &d);
		engine_send(engine, &d);
	}
	for (unsigned seen = 0; seen < sizeof values;) {
		const struct received *batch;
		unsigned count = rig_turn(engine, 2000, &batch);
		cr_assert_gt(count, 0u);
		for (unsigned i = 0; i < count; i++, seen++) {
			cr_expect_eq(batch[i].tos, values[seen], "sent %#x, got %#x", values[seen], batch[i].tos);
			cr_expect_eq(batch[i].data.size, 200u);
			cr_expect(addr_ip_equal(&batch[i].to, loopback));
		}
	}
	engine_close(engine);
}

ENGINE_TEST(engine, carries_tos_over_ipv4)
{
	check_tos(kind, &rig_loopback4);
}

ENGINE_TEST(engine, carries_traffic_class_over_ipv6)
{
	check_tos(kind, &rig_loopback6);
}

ENGINE_TEST(engine, says_which_address_a_listener_was_asked_at_and_answers_from_it)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr any = addr_any(ADDR_IPV4, 0), ours, theirs;
	uint32_t socket = rig_add(engine, &any, SOCKET_LISTENER, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	struct addr asked = addr_ipv4(127, 0, 0, 2, ours.port);
	rig_plain_send(plain, &asked, "question", 8);
	const struct received *batch;
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	struct addr asked_ip = addr_with_port(asked, 0);
	cr_expect(addr_equal(&batch->to, &asked_ip));
	for (unsigned i = 0; i < 3; i++) {
		struct departure answer = {.socket = socket, .to = theirs, .from = batch->to, .payload = bytes_of(memory, 50)};
		engine_send(engine, &answer);
	}
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < 3; i++) {
		struct sockaddr_storage name;
		socklen_t size = sizeof name;
		cr_assert_eq(recvfrom(plain, memory, sizeof memory, 0, (struct sockaddr *)&name, &size), 50);
		struct addr from = addr_from_sockaddr((struct sockaddr *)&name);
		cr_expect(addr_equal(&from, &asked));
	}
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, writes_headers_in_front_of_what_was_received)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	rig_plain_send(plain, &ours, "payload", 7);
	const struct received *batch;
	cr_assert_eq(rig_turn(engine, 2000, &batch), 1u);
	struct departure d = {.socket = socket,
		.to = theirs,
		.header = (const uint8_t *)"head",
		.header_size = 4,
		.padding = 1,
		.payload = batch->data,
		.headroom_end = (uint8_t *)(uintptr_t)batch->data.data};
	engine_send(engine, &d);
	engine_turn(engine, 0, &batch);
	cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 12);
	cr_expect_eq(memcmp(memory, "headpayload\0", 12), 0);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, sets_the_dont_fragment_bit_only_where_asked)
{
	static const struct {
		int mode;
		bool dont_fragment;
	} steps[] = {{IP_PMTUDISC_OMIT, false}, {IP_PMTUDISC_PROBE, true}, {IP_PMTUDISC_PROBE, true}, {IP_PMTUDISC_OMIT, false}};
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr theirs;
	int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){0}, NULL);
	int watched = dup(fd);
	uint32_t socket;
	cr_assert_eq(engine_add(engine, fd, SOCKET_RELAY, 0, &socket), 0);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	for (unsigned i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct departure d = {
			.socket = socket, .to = theirs, .dont_fragment = steps[i].dont_fragment, .payload = bytes_of(memory, 9)};
		engine_send(engine, &d);
		engine_turn(engine, 0, &batch);
		int mode;
		socklen_t size = sizeof mode;
		getsockopt(watched, IPPROTO_IP, IP_MTU_DISCOVER, &mode, &size);
		cr_expect_eq(mode, steps[i].mode);
		cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 9);
	}
	close(watched);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, keeps_the_order_across_packets_with_and_without_the_dont_fragment_bit)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	static uint8_t numbers[100];
	for (unsigned i = 0; i < sizeof numbers; i++) {
		numbers[i] = (uint8_t)i;
		struct departure d = {
			.socket = socket, .to = theirs, .dont_fragment = i % 7 < 3, .payload = bytes_of(&numbers[i], 1)};
		engine_send(engine, &d);
	}
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < sizeof numbers; i++) {
		cr_assert_eq(rig_plain_receive(plain, memory, sizeof memory), 1);
		cr_assert_eq(memory[0], i);
	}
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine, keeps_everything_in_order_when_more_leaves_than_one_turn_holds)
{
	enum { PACKETS = 4000, FLOWS = 40 };
	struct engine *engine = rig_engine(kind, 64, 64);
	struct addr ours, theirs[FLOWS];
	int plain[FLOWS];
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	for (unsigned i = 0; i < FLOWS; i++)
		plain[i] = rig_plain_socket(&rig_loopback4, &theirs[i]);
	static uint8_t packets[PACKETS][600];
	for (unsigned i = 0; i < PACKETS; i++) {
		size_t size = 100 + (i * 7919u) % 500;
		memcpy(packets[i], &i, sizeof i);
		send_one(engine, socket, &theirs[i % FLOWS], packets[i], size);
	}
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < PACKETS; i++) {
		unsigned number;
		cr_assert_eq(rig_plain_receive(plain[i % FLOWS], memory, sizeof memory), (int)(100 + (i * 7919u) % 500));
		memcpy(&number, memory, sizeof number);
		cr_assert_eq(number, i);
	}
	cr_expect_eq(counter_read(&engine_counters(engine)->sent_packets), PACKETS);
	for (unsigned i = 0; i < FLOWS; i++)
		close(plain[i]);
	engine_close(engine);
}

ENGINE_TEST(engine, waits_as_long_as_asked_and_no_longer)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	const struct received *batch;
	uint64_t start_ms = rig_now_ms();
	cr_expect_eq(engine_turn(engine, 50 * 1000000, &batch), 0u);
	uint64_t waited_ms = rig_now_ms() - start_ms;
	cr_expect(waited_ms >= 49 && waited_ms < 1000, "%lu ms", (unsigned long)waited_ms);
	start_ms = rig_now_ms();
	for (unsigned i = 0; i < 100; i++)
		engine_turn(engine, 0, &batch);
	cr_expect_lt(rig_now_ms() - start_ms, 1000u);
	engine_close(engine);
}

static void *wake_later(void *engine)
{
	usleep(50000);
	engine_wake(engine);
	return NULL;
}

ENGINE_TEST(engine, is_woken_by_another_thread)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	const struct received *batch;
	for (unsigned i = 0; i < 5; i++) {
		pthread_t thread;
		cr_assert_eq(pthread_create(&thread, NULL, wake_later, engine), 0);
		uint64_t start_ms = rig_now_ms();
		cr_expect_eq(engine_turn(engine, UINT64_MAX, &batch), 0u);
		uint64_t waited_ms = rig_now_ms() - start_ms;
		cr_expect(waited_ms >= 40 && waited_ms < 5000, "%lu ms", (unsigned long)waited_ms);
		pthread_join(thread, NULL);
	}
	/* A wake that comes before the wait ends it too. */
	for (unsigned i = 0; i < 10; i++)
		engine_wake(engine);
	cr_expect_eq(engine_turn(engine, UINT64_MAX, &batch), 0u);
	/* And once it was seen, it is gone. */
	uint64_t start_ms = rig_now_ms();
	for (unsigned i = 0; i < 3; i++)
		engine_turn(engine, 30 * 1000000, &batch);
	cr_expect_geq(rig_now_ms() - start_ms, 50u);
	engine_close(engine);
}

Test(engine, picks_io_uring_by_itself_and_says_so)
{
	struct engine_params params = {.kind = ENGINE_AUTO, .sockets_max = 8};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	cr_assert_eq(engine_open(&params, &engine, reason), 0);
	cr_expect_gt(strlen(reason), 5u);
	cr_expect_eq(memchr(reason, '\n', strlen(reason)), NULL);
	if (engine_kind(engine) != ENGINE_IO_URING)
		cr_skip_test("%s", reason);
	engine_close(engine);
}

Test(engine, refuses_a_number_of_buffers_that_is_not_a_power_of_two)
{
	static const uint32_t counts[] = {3, 1000, 65536};
	for (unsigned i = 0; i < 3; i++) {
		struct engine_params params = {.kind = ENGINE_AUTO, .sockets_max = 8, .receive_buffers = counts[i]};
		struct engine *engine;
		char reason[ENGINE_REASON_SIZE];
		cr_expect_eq(engine_open(&params, &engine, reason), -EINVAL);
	}
}
