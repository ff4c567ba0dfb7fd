/* Sockets that come and go while packets arrive. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "io_rig.h"

static uint8_t memory[2000];

static void send_one(struct engine *engine, uint32_t socket, const struct addr *to, const uint8_t *data, size_t size)
{
	engine_send(engine, &(struct departure){.socket = socket, .to = *to, .payload = bytes_of(data, size)});
}

ENGINE_TEST(engine_sockets, refuses_more_sockets_than_agreed)
{
	struct engine *engine = rig_engine(kind, 2, 16);
	struct addr ours;
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	rig_add(engine, &rig_loopback4, SOCKET_RELAY, 2, &ours);
	int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){0}, NULL);
	uint32_t socket;
	cr_expect_eq(engine_add(engine, fd, SOCKET_RELAY, 3, &socket), -ENOSPC);
	cr_expect_eq(close(fd), -1); /* it was the engine's, also on failure */
	engine_close(engine);
}

/* Packets wait in the old socket, its number is reused (there are only three): nothing may come under the new tag but what was sent
 * to the new address. */
ENGINE_TEST(engine_sockets, never_reports_a_packet_of_a_removed_socket_under_its_number)
{
	struct engine *engine = rig_engine(kind, 3, 64);
	struct addr old, new, theirs;
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 0, &old);
	const struct received *batch;
	for (uint64_t round = 1; round <= 200; round++) {
		if (round % 3 == 0)
			engine_turn(engine, 0, &batch);
		for (unsigned i = 0; i < 5; i++)
			rig_plain_send(plain, &old, "old", 3);
		if (round % 2 == 0)
			engine_turn(engine, 0, &batch);
		engine_remove(engine, socket);
		if (round % 5 == 0)
			engine_turn(engine, 0, &batch);
		socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, round, &new);
		rig_plain_send(plain, &new, "new", 3);
		bool seen = false;
		for (unsigned tries = 0; tries < 200 && !seen; tries++) {
			unsigned count = engine_turn(engine, 10 * 1000000, &batch);
			for (unsigned i = 0; i < count; i++) {
				if (batch[i].tag != round)
					continue;
				cr_assert(bytes_equal(batch[i].data, bytes_of("new", 3)));
				cr_assert_eq(batch[i].socket, socket);
				seen = true;
			}
		}
		cr_assert(seen, "round %lu", (unsigned long)round);
		old = new;
	}
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine_sockets, lets_what_was_appended_leave_from_a_removed_socket)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < 3; i++)
		send_one(engine, socket, &theirs, memory, 100);
	engine_remove(engine, socket);
	engine_turn(engine, 0, &batch);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 100);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine_sockets, frees_the_port_of_a_removed_socket)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	engine_remove(engine, socket);
	int fd = -1;
	for (unsigned tries = 0; tries < 300 && fd < 0; tries++) {
		engine_turn(engine, 10 * 1000000, &batch);
		fd = udp_socket_open(&ours, &(struct udp_socket_options){0}, NULL);
	}
	cr_expect_geq(fd, 0, "%s", strerrorname_np(-fd));
	close(fd);
	engine_close(engine);
}

ENGINE_TEST(engine_sockets, gives_a_socket_back_without_taking_its_packets)
{
	struct engine *engine = rig_engine(kind, 4, 16);
	struct addr ours, theirs;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	int plain = rig_plain_socket(&rig_loopback4, &theirs);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	send_one(engine, socket, &theirs, memory, 30);
	int fd = engine_take(engine, socket);
	cr_assert_geq(fd, 0);
	cr_expect_eq(rig_plain_receive(plain, memory, sizeof memory), 30);
	for (unsigned i = 0; i < 10; i++)
		rig_plain_send(plain, &ours, "mine", 4);
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(engine_turn(engine, 0, &batch), 0u);
	for (unsigned i = 0; i < 10; i++)
		cr_expect_eq(recv(fd, memory, sizeof memory, MSG_DONTWAIT), 4);
	/* And another engine may have it. */
	struct engine *other = rig_engine(kind, 4, 16);
	cr_assert_eq(engine_add(other, fd, SOCKET_RELAY, 9, &socket), 0);
	rig_plain_send(plain, &ours, "again", 5);
	cr_assert_eq(rig_turn(other, 2000, &batch), 1u);
	cr_expect_eq(batch->tag, 9u);
	engine_close(other);
	close(plain);
	engine_close(engine);
}

ENGINE_TEST(engine_sockets, closes_its_descriptors)
{
	int before = dup(0);
	close(before);
	for (unsigned i = 0; i < 3; i++) {
		struct engine *engine = rig_engine(kind, 16, 16);
		struct addr ours;
		const struct received *batch;
		for (unsigned j = 0; j < 8; j++)
			rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
		engine_turn(engine, 0, &batch);
		engine_remove(engine, 3);
		engine_close(engine);
		int fd = udp_socket_open(&ours, &(struct udp_socket_options){0}, NULL);
		cr_expect_geq(fd, 0, "the port is free at once: %s", strerrorname_np(-fd));
		close(fd);
	}
	int after = dup(0);
	cr_expect_eq(before, after);
	close(after);
}
