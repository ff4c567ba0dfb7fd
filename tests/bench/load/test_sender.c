/* What a sender and a receiver make of each other, over loopback. */
#include "load/sender.h"

#include <criterion/criterion.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#include "clients/establish.h"
#include "load/receiver.h"
#include "wire/channel_data.h"

static struct sender *sender;
static struct receiver *receiver;
static struct tally *tallies;
static struct window window;
static struct path *paths;
static struct allocation allocation;
static struct turn_client client;

static int open_socket(struct addr *ret_addr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
	struct addr addr = addr_ipv4(127, 0, 0, 1, 0);
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(&addr, &sa);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, size), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	*ret_addr = addr_from_sockaddr((struct sockaddr *)&sa);
	return fd;
}

static void connect_to(int fd, const struct addr *to)
{
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(to, &sa);
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, size), 0);
}

/* One socket for the client, one for both peers. */
static void set_up(void)
{
	struct addr ours, theirs;
	sender = calloc(1, sizeof *sender);
	receiver = calloc(1, sizeof *receiver);
	tallies = calloc(DIRECTIONS, sizeof *tallies);
	paths = calloc(2, sizeof *paths);
	probe_pattern_init(9);
	for (unsigned i = 0; i < DIRECTIONS; i++)
		tally_reset(&tallies[i]);
	allocation = (struct allocation){.fd = open_socket(&ours), .path_count = 2};
	paths[0].peer_fd = open_socket(&theirs);
	connect_to(allocation.fd, &theirs);
	connect_to(paths[0].peer_fd, &ours);
	for (unsigned i = 0; i < 2; i++) {
		paths[i].peer = addr_ipv4(192, 0, 2, (uint8_t)i, 7);
		paths[i].channel = (uint16_t)(TURN_CLIENT_CHANNEL_MIN + i);
		stream_init(&paths[i].streams[UP], 1, i, UP);
		stream_init(&paths[i].streams[DOWN], 1, i, DOWN);
	}
	window.end_ns = UINT64_MAX;
	sender_init(sender, false, &window, tallies);
	cr_assert(receiver_init(receiver, paths, &sender->refused, tallies));
}

static void tear_down(void)
{
	receiver_done(receiver);
	close(allocation.fd);
	close(paths[0].peer_fd);
	free(sender);
	free(receiver);
	free(tallies);
	free(paths);
}

TestSuite(sender, .init = set_up, .fini = tear_down, .timeout = 30);

/* One datagram as it came. 0: none. */
static size_t take(int fd, uint8_t *data, size_t size)
{
	ssize_t got = recv(fd, data, size, 0);
	return got < 0 ? 0 : (size_t)got;
}

Test(sender, frames_what_goes_up_a_channel)
{
	uint8_t data[2000];
	struct probe probe;
	sender_start(sender, allocation.fd, UP);
	sender_add(sender, &paths[1], 101, false, 0);
	sender_flush(sender);
	cr_assert_eq(take(paths[0].peer_fd, data, sizeof data), 105);
	cr_expect_eq(memcmp(data, "\x40\x01\x00\x65", 4), 0);
	cr_expect_eq(probe_check(data + 4, 101, paths[1].streams[UP].key, &probe), PROBE_GOOD);
	cr_expect_eq(probe.sequence, 0);
	cr_expect_gt(probe.sent_ns, 0);
	cr_expect_eq(tallies[UP].sent, 1);
	cr_expect_eq(tallies[UP].sent_bytes, 101);
}

Test(sender, frames_what_goes_up_in_indications)
{
	uint8_t data[2000], ids[2][STUN_TRANSACTION_ID_SIZE];
	sender_start(sender, allocation.fd, UP);
	for (unsigned i = 0; i < 2; i++) {
		struct stun_view view;
		struct addr peer;
		struct probe probe;
		sender_add(sender, &paths[1], 102, true, 0);
		sender_flush(sender);
		size_t size = take(paths[0].peer_fd, data, sizeof data);
		cr_assert_eq(size, 20 + 12 + 4 + 104);
		cr_assert_eq(stun_view_parse(bytes_of(data, size), &view), STUN_PARSED);
		cr_expect(view.method == STUN_SEND && view.class == STUN_INDICATION);
		cr_assert(stun_attribute_xor_addr(&view, stun_view_find(&view, STUN_ATTR_XOR_PEER_ADDRESS), &peer));
		cr_expect(addr_equal(&peer, &paths[1].peer));
		struct bytes value = stun_attribute_value(&view, stun_view_find(&view, STUN_ATTR_DATA));
		cr_assert_eq(value.size, 102);
		cr_expect_eq(probe_check(value.data, value.size, paths[1].streams[UP].key, &probe), PROBE_GOOD);
		memcpy(ids[i], stun_view_transaction_id(&view), sizeof ids[i]);
	}
	cr_expect_neq(memcmp(ids[0], ids[1], sizeof ids[0]), 0);
}

/* Sizes of what a run of these sizes arrives as, with UDP_SEGMENT: messages, each of which the kernel may hand over in one. */
static unsigned count_messages(const uint16_t *sizes, unsigned count)
{
	sender->gso = true;
	sender_start(sender, paths[0].peer_fd, DOWN);
	for (unsigned i = 0; i < count; i++)
		sender_add(sender, &paths[0], sizes[i], false, 0);
	unsigned messages = sender->message_count;
	sender_flush(sender);
	uint8_t data[65536];
	size_t whole = 0, sum = 0;
	for (size_t size = take(allocation.fd, data, sizeof data); size > 0; size = take(allocation.fd, data, sizeof data))
		whole += size;
	for (unsigned i = 0; i < count; i++)
		sum += sizes[i];
	cr_expect_eq(whole, sum);
	return messages;
}

Test(sender, makes_trains_of_equal_packets)
{
	cr_expect_eq(count_messages((const uint16_t[]){500, 500, 500, 500}, 4), 1);
	cr_expect_eq(count_messages((const uint16_t[]){500, 500, 300}, 3), 1, "the last may be shorter");
	cr_expect_eq(count_messages((const uint16_t[]){500, 300, 300}, 3), 2, "and ends the train");
	cr_expect_eq(count_messages((const uint16_t[]){300, 500}, 2), 2);
	cr_expect_eq(count_messages((const uint16_t[]){2000, 2000}, 2), 2, "too large for a frame");
	cr_expect_eq(tallies[DOWN].sent, 14);
	cr_expect_eq(tallies[DOWN].unsent, 0);
}

Test(sender, keeps_trains_within_what_a_datagram_holds)
{
	uint16_t sizes[SENDER_PACKETS_MAX];
	for (unsigned i = 0; i < SENDER_PACKETS_MAX; i++)
		sizes[i] = 1200;
	cr_expect_eq(count_messages(sizes, SENDER_PACKETS_MAX), 2);
	cr_expect_eq(tallies[DOWN].sent, SENDER_PACKETS_MAX);
}

Test(sender, counts_what_a_closed_port_refuses)
{
	close(paths[0].peer_fd);
	sender_start(sender, allocation.fd, UP);
	for (unsigned i = 0; i < 3; i++) {
		sender_add(sender, &paths[0], 100, false, 0);
		sender_flush(sender);
	}
	cr_expect_gt(sender->refused, 0);
	cr_expect_gt(tallies[UP].unsent, 0);
	cr_expect_eq(tallies[UP].unsent + tallies[UP].sent, 3);
	paths[0].peer_fd = dup(allocation.fd);
}

Test(sender, notes_how_late_a_packet_was)
{
	sender_start(sender, allocation.fd, UP);
	sender_add(sender, &paths[0], 100, false, 1);
	sender_flush(sender);
	cr_expect_eq(sender->late, 1);
	cr_expect_eq(tallies[UP].lateness.count, 1);
}

/* As the server would: a train of ChannelData messages to the client, of the stream that goes down. */
Test(receiver, takes_aggregates_apart, .init = set_up, .fini = tear_down)
{
	paths[1].streams[DOWN].key = paths[1].streams[UP].key;
	stream_mark(&paths[1].streams[DOWN], 0, 1, 0, UINT64_MAX);
	sender->gso = true;
	sender_start(sender, paths[0].peer_fd, UP);
	for (unsigned i = 0; i < 10; i++)
		sender_add(sender, &paths[1], i < 9 ? 500 : 77, false, 0);
	cr_expect_eq(sender->message_count, 1);
	sender_flush(sender);
	receiver_read_client(receiver, &allocation, &client);
	cr_expect_eq(receiver->delivered, 10);
	cr_expect_eq(tallies[DOWN].delivered, 10);
	cr_expect_eq(tallies[DOWN].delivered_bytes, 9 * 500 + 77);
	cr_expect_eq(tallies[DOWN].corrupted, 0);
}

Test(receiver, counts_what_is_no_packet_of_the_load, .init = set_up, .fini = tear_down)
{
	static const char *const garbage[] = {"\xff garbage", "\x40\x05\x00\x01", "\x40\x00\x00\x63", "\x00\x17\x00\x00"};
	stream_mark(&paths[0].streams[DOWN], 0, 1, 0, UINT64_MAX);
	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(send(paths[0].peer_fd, garbage[i], 4 + (i == 1), 0), 4 + (i == 1));
	receiver_read_client(receiver, &allocation, &client);
	cr_expect_eq(receiver->delivered, 0);
	cr_expect_eq(tallies[DOWN].corrupted, 4);
}

Test(receiver, hands_raw_payloads_to_the_peers_stream, .init = set_up, .fini = tear_down)
{
	/* As the server would: what goes up arrives without framing. */
	uint8_t payload[PROBE_SIZE];
	for (unsigned i = 0; i < 3; i++) {
		struct probe probe = {.sequence = paths[0].streams[UP].next++, .sent_ns = 1};
		stream_mark(&paths[0].streams[UP], probe.sequence, 1, 0, UINT64_MAX);
		probe_write(payload, sizeof payload, paths[0].streams[UP].key, &probe);
		cr_assert_eq(send(allocation.fd, payload, sizeof payload, 0), PROBE_SIZE);
	}
	receiver_read_peer(receiver, &paths[0]);
	cr_expect_eq(receiver->delivered, 3);
	cr_expect_eq(tallies[UP].delivered, 3);
	cr_expect_eq(tallies[UP].latency.count, 3);
}

/* A TCP connection to a socket of the test's own; returns that. */
static int connect_up(struct connection *c, const struct connection_plan *plan, int listener)
{
	struct failure failure;
	struct establish_figures figures;
	connection_init(c, plan);
	cr_assert(establish(c, &(struct establish_plan){.count = 1, .parallel = 1}, &figures, &failure), "%s", failure.text);
	allocation.fd = c->fd;
	allocation.connection = c;
	int server = accept(listener, NULL, NULL);
	cr_assert_geq(server, 0);
	return server;
}

static int listen_somewhere(struct connection_plan *plan, const struct transport *transport)
{
	struct addr any = addr_ipv4(127, 0, 0, 1, 0);
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(&any, &sa);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert(bind(listener, (struct sockaddr *)&sa, size) == 0 && listen(listener, 1) == 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
	*plan = (struct connection_plan){
		.transport = transport, .local = any, .server = addr_from_sockaddr((struct sockaddr *)&sa)};
	return listener;
}

/* RFC 8656, section 12.5: padded, and the padding is not in the length. */
Test(sender, pads_what_goes_up_a_stream)
{
	const struct transport tcp = {.kind = TRANSPORT_TCP};
	struct connection_plan plan;
	struct connection c;
	int udp = allocation.fd, listener = listen_somewhere(&plan, &tcp), server = connect_up(&c, &plan, listener);
	const struct paths all = {.allocations = &allocation, .paths = paths};
	sender_start_path(sender, &all, &paths[1], UP);
	sender_add(sender, &paths[1], 101, false, 0);
	sender_add(sender, &paths[1], 104, false, 0);
	sender_flush(sender);
	uint8_t data[400];
	struct probe probe;
	cr_assert_eq(recv(server, data, sizeof data, 0), 4 + 104 + 4 + 104, "one send");
	cr_expect_eq(memcmp(data, "\x40\x01\x00\x65", 4), 0);
	cr_expect_eq(probe_check(data + 4, 101, paths[1].streams[UP].key, &probe), PROBE_GOOD);
	cr_expect_eq(memcmp(data + 4 + 101, "\0\0\0", 3), 0);
	cr_expect_eq(memcmp(data + 108, "\x40\x01\x00\x68", 4), 0);
	cr_expect_eq(probe_check(data + 112, 104, paths[1].streams[UP].key, &probe), PROBE_GOOD);
	cr_expect_eq(tallies[UP].sent, 2);
	connection_close(&c);
	close(server);
	close(listener);
	allocation.fd = udp;
}

Test(sender, counts_as_unsent_what_a_stream_has_no_room_for)
{
	const struct transport tcp = {.kind = TRANSPORT_TCP};
	struct connection_plan plan;
	struct connection c;
	int udp = allocation.fd, listener = listen_somewhere(&plan, &tcp), server = connect_up(&c, &plan, listener);
	const struct paths all = {.allocations = &allocation, .paths = paths};
	uint64_t sent = 0;
	for (int burst = 0; burst < 10000 && tallies[UP].unsent == 0; burst++) {
		sent = tallies[UP].sent;
		sender_start_path(sender, &all, &paths[1], UP);
		for (int i = 0; i < 8; i++)
			sender_add(sender, &paths[1], 1200, false, 0);
		sender_flush(sender);
	}
	cr_expect_eq(tallies[UP].unsent, 8, "a burst leaves as a whole or not at all");
	cr_expect_eq(tallies[UP].sent, sent);
	cr_expect_eq(c.state, CONNECTION_OPEN);
	connection_close(&c);
	close(server);
	close(listener);
	allocation.fd = udp;
}

/* What comes in pieces is put together; the server's end of a connection is noticed. */
Test(sender, a_receiver_reads_frames_of_a_stream)
{
	const struct transport tcp = {.kind = TRANSPORT_TCP};
	struct connection_plan plan;
	struct connection c;
	int udp = allocation.fd, listener = listen_somewhere(&plan, &tcp), server = connect_up(&c, &plan, listener);
	uint8_t frames[2][108] = {0};
	for (unsigned i = 0; i < 2; i++) {
		struct probe probe = {.sequence = i, .sent_ns = 1};
		channel_data_write(frames[i], paths[1].channel, 101);
		probe_write(frames[i] + 4, 101, paths[1].streams[DOWN].key, &probe);
		memcpy(frames[i] + 4 + PROBE_SIZE, probe_body(i), 101 - PROBE_SIZE);
	}
	paths[1].streams[DOWN].phase = STREAM_INSIDE;
	paths[1].streams[DOWN].next = 2;
	const uint8_t *bytes = frames[0];
	static const size_t pieces[] = {3, 60, 100, 53};
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_eq(send(server, bytes, pieces[i], 0), (ssize_t)pieces[i]);
		bytes += pieces[i];
		receiver_read_client(receiver, &allocation, &client);
	}
	cr_expect_eq(tallies[DOWN].delivered, 2);
	cr_expect_eq(tallies[DOWN].corrupted, 0);
	cr_expect_null(atomic_load(&receiver->ended));
	close(server);
	receiver_read_client(receiver, &allocation, &client);
	cr_expect_eq(atomic_load(&receiver->ended), &c);
	connection_close(&c);
	close(listener);
	allocation.fd = udp;
}
