#include "client/connection.h"

#include <criterion/criterion.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/establish.h"
#include "fake_listener.h"
#include "wire/channel_data.h"

enum { FRAME_MAX = 2048, COLLECTED_MAX = 4096 };

/* A listener, and one connection to it. */
struct wire {
	struct fake_listener listener;
	struct transport transport;
	struct connection_plan plan;
	struct connection connection;
	struct failure failure;
	unsigned frames; /* that came back */
	size_t sizes[COLLECTED_MAX];
	bool damaged;
};

static uint8_t body_byte(size_t size, size_t at)
{
	return (uint8_t)(size * 7 + at);
}

static void prepare(struct wire *w, enum transport_kind kind)
{
	w->listener.transport = kind;
	w->transport.kind = kind;
	fake_listener_start(&w->listener);
	w->plan = (struct connection_plan){
		.transport = &w->transport, .local = addr_ipv4(127, 0, 0, 1, 0), .server = w->listener.addr};
	if (transport_is_secure(kind)) {
		w->plan.tls = tls_context_create(&w->transport, false, false, &w->failure);
		cr_assert_not_null(w->plan.tls, "%s", w->failure.text);
	}
	connection_init(&w->connection, &w->plan);
}

static void bring_up(struct wire *w)
{
	const struct establish_plan one = {.count = 1, .parallel = 1, .binding = !w->listener.mute};
	struct establish_figures figures;
	cr_assert(establish(&w->connection, &one, &figures, &w->failure), "%s", w->failure.text);
	cr_assert_eq(w->connection.state, CONNECTION_OPEN);
}

static void tear_down(struct wire *w)
{
	connection_close(&w->connection);
	fake_listener_stop(&w->listener);
	tls_context_free(w->plan.tls);
}

/* ChannelData of that size, padded where the transport wants it. */
static void put_frame(struct wire *w, size_t size)
{
	static const uint8_t zeroes[4];
	uint8_t header[CHANNEL_DATA_HEADER_SIZE], body[FRAME_MAX];
	channel_data_write(header, 0x4000, (uint16_t)size);
	for (size_t i = 0; i < size; i++)
		body[i] = body_byte(size, i);
	const struct iovec parts[] = {
		{.iov_base = header, .iov_len = sizeof header},
		{.iov_base = body, .iov_len = size},
		{.iov_base = (void *)(uintptr_t)zeroes, .iov_len = transport_is_stream(w->transport.kind) ? (4 - size % 4) % 4 : 0},
	};
	connection_put(&w->connection, parts, 3);
}

static void collect(void *context, struct bytes frame)
{
	struct wire *w = context;
	struct bytes data;
	uint16_t channel;
	if (!channel_data_read(frame, &channel, &data) || channel != 0x4000) {
		w->damaged = true;
		return;
	}
	for (size_t i = 0; i < data.size; i++)
		w->damaged |= data.data[i] != body_byte(data.size, i);
	cr_assert_lt(w->frames, COLLECTED_MAX);
	w->sizes[w->frames++] = data.size;
}

/* Until so many frames are there, the connection has ended, or two seconds have passed. */
static void await(struct wire *w, unsigned frames)
{
	uint64_t end_ns = clock_mono_ns() + 2 * NS_PER_S;
	while (w->frames < frames && w->connection.state == CONNECTION_OPEN && clock_mono_ns() < end_ns) {
		struct pollfd ready = {.fd = w->connection.fd, .events = POLLIN};
		poll(&ready, 1, 20);
		connection_readable(&w->connection, collect, w);
	}
}

static const enum transport_kind kinds[] = {TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_DTLS};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void expect_sizes_back(struct wire *w, size_t first, unsigned count)
{
	cr_assert_eq(w->frames, count, "%s: %u of %u frames; %s", transport_name(w->transport.kind), w->frames, count,
		w->connection.why);
	cr_expect_not(w->damaged, "%s", transport_name(w->transport.kind));
	for (unsigned i = 0; i < count; i++)
		cr_expect_eq(
			w->sizes[i], first + i, "%s: frame %u has %zu bytes", transport_name(w->transport.kind), i, w->sizes[i]);
}

Test(connection, carries_frames_of_all_sizes_both_ways, .timeout = 30)
{
	for (unsigned k = 0; k < KINDS; k++) {
		struct wire *w = calloc(1, sizeof *w);
		prepare(w, kinds[k]);
		bring_up(w);
		for (unsigned burst = 0; burst < 10; burst++) {
			cr_assert(connection_begin(&w->connection));
			for (unsigned i = 0; i < 8; i++)
				put_frame(w, 1 + burst * 8 + i);
			cr_assert_eq(connection_flush(&w->connection), 0);
		}
		await(w, 80);
		expect_sizes_back(w, 1, 80);
		tear_down(w);
		/* The Binding request was one, too. Over TCP there are no records. */
		cr_expect_eq(w->listener.frames, 81);
		if (kinds[k] != TRANSPORT_TCP)
			cr_expect_eq(w->listener.records, 81, "%u records of %u frames", w->listener.records, w->listener.frames);
		free(w);
	}
}

Test(connection, puts_together_frames_that_come_byte_by_byte, .timeout = 30)
{
	for (unsigned k = 0; k < KINDS - 1; k++) {
		struct wire *w = calloc(1, sizeof *w);
		w->listener.dribble = true;
		prepare(w, kinds[k]);
		bring_up(w);
		cr_assert(connection_begin(&w->connection));
		for (unsigned i = 0; i < 40; i++)
			put_frame(w, i);
		connection_flush(&w->connection);
		await(w, 40);
		expect_sizes_back(w, 0, 40);
		tear_down(w);
		free(w);
	}
}

/* Segments that carried something, of a socket that sends at once what it is given. */
static unsigned data_segments(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof info;
	cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
	return info.tcpi_data_segs_out;
}

static unsigned segments_of_a_burst(enum transport_kind kind, bool separate_writes)
{
	struct wire *w = calloc(1, sizeof *w);
	w->transport.separate_writes = separate_writes;
	prepare(w, kind);
	bring_up(w);
	unsigned before = data_segments(w->connection.fd);
	cr_assert(connection_begin(&w->connection));
	for (unsigned i = 0; i < 8; i++)
		put_frame(w, 1000);
	connection_flush(&w->connection);
	unsigned segments = data_segments(w->connection.fd) - before;
	await(w, 8);
	cr_expect_eq(w->frames, 8);
	tear_down(w);
	free(w);
	return segments;
}

Test(connection, sends_a_burst_at_once_unless_each_frame_is_to_leave_alone, .timeout = 30)
{
	for (unsigned k = 0; k < KINDS - 1; k++) {
		cr_expect_eq(segments_of_a_burst(kinds[k], false), 1, "%s", transport_name(kinds[k]));
		cr_expect_eq(segments_of_a_burst(kinds[k], true), 8, "%s", transport_name(kinds[k]));
	}
}

Test(connection, says_that_the_server_closed_it, .timeout = 30)
{
	for (unsigned k = 0; k < KINDS - 1; k++) {
		struct wire *w = calloc(1, sizeof *w);
		w->listener.close_after = 3;
		prepare(w, kinds[k]);
		bring_up(w);
		cr_assert(connection_begin(&w->connection));
		for (unsigned i = 0; i < 8; i++)
			put_frame(w, 100);
		connection_flush(&w->connection);
		await(w, 8);
		cr_expect_eq(w->connection.state, CONNECTION_ENDED);
		cr_expect_leq(w->frames, 2);
		cr_expect(strstr(w->connection.why, "closed") != NULL || strstr(w->connection.why, "reset") != NULL, "%s",
			w->connection.why);
		cr_expect_not(connection_begin(&w->connection));
		tear_down(w);
		free(w);
	}
}

Test(connection, ends_with_what_is_no_turn, .timeout = 30)
{
	for (unsigned k = 0; k < KINDS - 1; k++) {
		struct wire *w = calloc(1, sizeof *w);
		w->listener.garbage = true;
		prepare(w, kinds[k]);
		bring_up(w);
		cr_assert(connection_begin(&w->connection));
		put_frame(w, 100);
		connection_flush(&w->connection);
		await(w, 1);
		cr_expect_eq(w->connection.state, CONNECTION_ENDED);
		cr_expect_str_eq(w->connection.why, "what it sends is no TURN");
		tear_down(w);
		free(w);
	}
}

/* A server that does not read, until it does. */
Test(connection, keeps_what_a_full_socket_does_not_take, .timeout = 30)
{
	struct wire *w = calloc(1, sizeof *w);
	struct addr any = addr_ipv4(127, 0, 0, 1, 0);
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(&any, &sa);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
	cr_assert_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	cr_assert(bind(listener, (struct sockaddr *)&sa, size) == 0 && listen(listener, 1) == 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&sa, &size), 0);
	w->transport.kind = TRANSPORT_TCP;
	w->plan = (struct connection_plan){.transport = &w->transport,
		.local = any,
		.server = addr_from_sockaddr((struct sockaddr *)&sa),
		.buffer_bytes = 8192};
	connection_init(&w->connection, &w->plan);
	w->listener.mute = true;
	bring_up(w);
	int server = accept(listener, NULL, NULL);
	unsigned put = 0;
	while (connection_begin(&w->connection)) {
		cr_assert_lt(put, 1000);
		for (unsigned i = 0; i < 8; i++, put++)
			put_frame(w, 1196);
		connection_flush(&w->connection);
	}
	cr_assert_eq(w->connection.state, CONNECTION_OPEN);
	size_t wanted = put * (size_t)1200, came = 0;
	uint64_t end_ns = clock_mono_ns() + 5 * NS_PER_S;
	while (came < wanted && clock_mono_ns() < end_ns) {
		uint8_t data[1200];
		ssize_t count = recv(server, data, sizeof data, MSG_DONTWAIT);
		if (count > 0)
			came += (size_t)count;
		else
			poll(NULL, 0, 1);
		connection_writable(&w->connection);
	}
	cr_expect_eq(came, wanted);
	cr_expect(connection_begin(&w->connection));
	connection_close(&w->connection);
	close(server);
	close(listener);
	free(w);
}
