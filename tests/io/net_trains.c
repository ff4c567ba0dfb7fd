/*
 * net_trains - trains over a real link: veth, MTU 1500. Loopback hides what goes wrong there.
 *
 *	namespace far                                       namespace near
 *	  sender, receivers  10.77.0.2 (v1) ---- 10.77.0.1 (v0)  engine: relay socket, listener
 *	                     fd77::2             fd77::1
 *
 * The sender's packets say for which receiver they are; the engine passes each on, out of the other one of its two sockets, and
 * every receiver checks that it gets its packets whole, in order, and with the TOS that they were sent with.
 *
 * Plain C: exit status 0, 1, or 77 (skipped: the reason is printed) where namespaces are not allowed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/engine.h"
#include "io/udp_socket.h"

enum { RECEIVERS = 4, BURST = 8, PACKET_MAX = 4000, HEADER = 8, SKIPPED = 77 };

#define CHECK(condition, ...)                                                                                                      \
	do {                                                                                                                       \
		if (!(condition)) {                                                                                                \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                            \
			fprintf(stderr, __VA_ARGS__);                                                                              \
			fprintf(stderr, "\n");                                                                                     \
			exit(1);                                                                                                   \
		}                                                                                                                  \
	} while (0)

/* ---- the topology ---- */

static int near_namespace = -1, far_namespace = -1;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[256];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(command, sizeof command, format, arguments);
	va_end(arguments);
	CHECK(system(command) == 0, "%s", command);
}

static void enter(int namespace)
{
	CHECK(setns(namespace, CLONE_NEWNET) == 0, "%s", strerrorname_np(errno));
}

/* A process that does nothing but hold a namespace of its own; it ends with us. */
static pid_t hold_namespace(void)
{
	int ready[2];
	CHECK(pipe(ready) == 0, "pipe");
	pid_t child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	char byte;
	CHECK(read(ready[0], &byte, 1) == 1, "no second namespace");
	close(ready[0]);
	return child;
}

static int open_namespace(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, "%s", path);
	return fd;
}

static pid_t make_topology(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: no network namespace (%s): run as root\n", strerrorname_np(errno));
		exit(SKIPPED);
	}
	pid_t holder = hold_namespace();
	near_namespace = open_namespace(getpid());
	far_namespace = open_namespace(holder);
	if (system("ip link add v0 mtu 1500 type veth peer name v1 mtu 1500 2>/dev/null") != 0) {
		printf("skipped: no veth devices here\n");
		kill(holder, SIGKILL);
		exit(SKIPPED);
	}
	run("ip link set v1 netns %d", (int)holder);
	run("ip link set lo up && ip addr add 10.77.0.1/24 dev v0 && ip -6 addr add fd77::1/64 dev v0 nodad && ip link set v0 up");
	enter(far_namespace);
	run("ip link set lo up && ip addr add 10.77.0.2/24 dev v1 && ip -6 addr add fd77::2/64 dev v1 nodad && ip link set v1 up");
	enter(near_namespace);
	return holder;
}

/* ---- one run ---- */

struct rig {
	struct engine *engine;
	uint32_t sockets[SOCKET_KINDS];
	struct addr addresses[SOCKET_KINDS];
	int sender;
	int receivers[RECEIVERS];
	struct addr receiver_addresses[RECEIVERS];
	uint32_t sent[RECEIVERS], arrived[RECEIVERS];
	unsigned in_flight;
};

static struct addr near_address(enum addr_family family)
{
	struct addr address;
	CHECK(addr_parse_ip(family == ADDR_IPV4 ? "10.77.0.1" : "fd77::1", &address), "address");
	return address;
}

static struct addr far_address(enum addr_family family)
{
	struct addr address;
	CHECK(addr_parse_ip(family == ADDR_IPV4 ? "10.77.0.2" : "fd77::2", &address), "address");
	return address;
}

static int far_socket(enum addr_family family, struct addr *ret_address)
{
	enter(far_namespace);
	struct addr local = far_address(family);
	/* As ours, but blocking, and one packet at a time: it sees what a stranger's socket would. */
	struct udp_socket_options options = {.receive_buffer = 8 << 20, .send_buffer = 8 << 20};
	int fd = udp_socket_open(&local, &options, NULL), off = 0;
	CHECK(fd >= 0, "%s", strerrorname_np(-fd));
	setsockopt(fd, IPPROTO_UDP, 104 /* UDP_GRO */, &off, sizeof off);
	fcntl(fd, F_SETFL, 0);
	struct timeval timeout = {.tv_sec = 3};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	*ret_address = udp_socket_local(fd);
	enter(near_namespace);
	return fd;
}

static void open_rig(struct rig *rig, enum engine_kind kind, enum addr_family family)
{
	*rig = (struct rig){0};
	struct engine_params params = {.kind = kind, .sockets_max = 8};
	char reason[ENGINE_REASON_SIZE];
	int error = engine_open(&params, &rig->engine, reason);
	if (error == -EPERM || error == -ENOSYS) {
		printf("skipped: %s: %s\n", engine_name(kind), reason);
		exit(SKIPPED);
	}
	CHECK(error == 0, "%s", reason);
	for (int i = 0; i < SOCKET_KINDS; i++) {
		struct addr local = near_address(family);
		struct udp_socket_options options = {
			.receive_buffer = 8 << 20, .send_buffer = 8 << 20, .listener = i == SOCKET_LISTENER};
		int fd = udp_socket_open(&local, &options, NULL);
		CHECK(fd >= 0, "%s", strerrorname_np(-fd));
		rig->addresses[i] = udp_socket_local(fd);
		CHECK(engine_add(rig->engine, fd, (enum socket_kind)i, (uint64_t)i, &rig->sockets[i]) == 0, "engine_add");
	}
	struct addr sender;
	rig->sender = far_socket(family, &sender);
	for (unsigned i = 0; i < RECEIVERS; i++)
		rig->receivers[i] = far_socket(family, &rig->receiver_addresses[i]);
}

static void close_rig(struct rig *rig)
{
	engine_close(rig->engine);
	close(rig->sender);
	for (unsigned i = 0; i < RECEIVERS; i++)
		close(rig->receivers[i]);
}

static void fill(uint8_t *data, size_t size, uint8_t receiver, uint8_t tos, uint32_t number)
{
	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
	uint8_t header[HEADER] = {receiver, tos, (uint8_t)(size >> 8), (uint8_t)size};
	memcpy(header + 4, &number, 4);
	memcpy(data, header, HEADER);
}

static void send_packet(struct rig *rig, enum socket_kind via, uint8_t receiver, uint8_t tos, size_t size)
{
	uint8_t data[PACKET_MAX];
	fill(data, size, receiver, tos, rig->sent[receiver]++);
	int value = tos;
	bool ipv4 = rig->addresses[via].family == ADDR_IPV4;
	setsockopt(rig->sender, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_TOS : IPV6_TCLASS, &value, sizeof value);
	struct sockaddr_storage name;
	socklen_t name_size = addr_to_sockaddr(&rig->addresses[via], &name);
	ssize_t sent = sendto(rig->sender, data, size, 0, (struct sockaddr *)&name, name_size);
	CHECK(sent == (ssize_t)size, "%s", strerrorname_np(errno));
	rig->in_flight++;
}

/* Takes everything that is on its way to the engine, and passes it on. */
static void forward(struct rig *rig)
{
	const struct received *batch;
	for (unsigned idle = 0; rig->in_flight > 0;) {
		unsigned count = engine_turn(rig->engine, 20 * 1000000, &batch);
		idle = count == 0 ? idle + 1 : 0;
		CHECK(idle < 100, "%u packets never reached the engine", rig->in_flight);
		for (unsigned i = 0; i < count; i++) {
			const struct received *r = &batch[i];
			uint32_t out = rig->sockets[r->tag == SOCKET_RELAY ? SOCKET_LISTENER : SOCKET_RELAY];
			for (size_t at = 0; at < r->data.size; at += r->segment_size) {
				size_t size = r->data.size - at < r->segment_size ? r->data.size - at : r->segment_size;
				struct departure d = {.socket = out,
					.to = rig->receiver_addresses[r->data.data[at]],
					.tos = r->tos,
					.payload = bytes_of(r->data.data + at, size)};
				engine_send(rig->engine, &d);
				rig->in_flight--;
			}
		}
	}
	engine_turn(rig->engine, 0, &batch);
	CHECK(batch != NULL, "batch");
}

static uint8_t received_tos(struct msghdr *header)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c))
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
			(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS))
			return *CMSG_DATA(c);
	return 0;
}

static void check_arrivals(struct rig *rig)
{
	for (uint8_t r = 0; r < RECEIVERS; r++) {
		for (; rig->arrived[r] < rig->sent[r]; rig->arrived[r]++) {
			uint8_t data[PACKET_MAX], expected[PACKET_MAX], control[256];
			struct iovec iov = {.iov_base = data, .iov_len = sizeof data};
			struct msghdr header = {
				.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
			ssize_t size = recvmsg(rig->receivers[r], &header, 0);
			CHECK(size >= HEADER, "receiver %u: packet %u of %u: %s", r, rig->arrived[r], rig->sent[r],
				strerrorname_np(errno));
			size_t sent_size = (size_t)data[2] << 8 | data[3];
			CHECK((size_t)size == sent_size, "receiver %u: %zd bytes of %zu", r, size, sent_size);
			fill(expected, sent_size, r, data[1], rig->arrived[r]);
			CHECK(memcmp(data, expected, sent_size) == 0, "receiver %u: packet %u: wrong bytes, or not in order", r,
				rig->arrived[r]);
			uint8_t tos = received_tos(&header);
			CHECK(tos == data[1], "TOS %#x became %#x", data[1], tos);
		}
	}
}

/* ---- the scenarios ---- */

static double segments_per_train(const struct engine_counters *counters)
{
	uint64_t packets = counter_read(&counters->sent_packets), segments = counter_read(&counters->train_segments);
	uint64_t departures = packets - segments + counter_read(&counters->sent_trains);
	return (double)packets / (double)departures;
}

static void equal_bursts(struct rig *rig)
{
	for (unsigned i = 0; i < 400; i++) {
		for (unsigned j = 0; j < BURST; j++)
			send_packet(rig, i % 2 ? SOCKET_RELAY : SOCKET_LISTENER, (uint8_t)(i / 2 % RECEIVERS), 0xb8, 1200);
		forward(rig);
		check_arrivals(rig);
	}
	const struct engine_counters *counters = engine_counters(rig->engine);
	CHECK(counter_read(&counters->sent_packets) == 400 * BURST, "%lu packets sent", counter_read(&counters->sent_packets));
	CHECK(segments_per_train(counters) > 4, "%.2f segments per departure", segments_per_train(counters));
	printf("  bursts of %d x 1200: %.2f packets per departure\n", BURST, segments_per_train(counters));
}

static void mixed_bursts(struct rig *rig)
{
	static const uint8_t tos[] = {0, 0, 0, 0xb8, 0x88, 0x02};
	static const size_t sizes[] = {1200, 1200, 1200, 160, 1201, 1452};
	srandom(7);
	for (unsigned i = 0; i < 600; i++) {
		uint8_t receiver = (uint8_t)(random() % RECEIVERS), mark = tos[random() % 6];
		size_t size = sizes[random() % 6];
		for (unsigned j = 0; j < BURST; j++) {
			if (random() % 4 == 0) {
				receiver = (uint8_t)(random() % RECEIVERS);
				mark = tos[random() % 6];
				size = random() % 2 ? sizes[random() % 6] : HEADER + (size_t)random() % 1440;
			}
			/* One in four: an odd tail. */
			size_t tail = j == BURST - 1 && random() % 4 == 0 ? HEADER + (size_t)random() % (size - HEADER + 1) : size;
			send_packet(rig, i % 2 ? SOCKET_RELAY : SOCKET_LISTENER, receiver, mark, tail);
		}
		forward(rig);
		check_arrivals(rig);
	}
	const struct engine_counters *counters = engine_counters(rig->engine);
	CHECK(counter_read(&counters->trains_split) == 0, "trains were split");
	printf("  mixed sizes, TOS, destinations: %.2f packets per departure\n", segments_per_train(counters));
}

/* Segments that do not fit the MTU: each train is refused as a whole; the packets must leave as fragments, in order with what
 * follows. */
static void bursts_above_the_mtu(struct rig *rig)
{
	const struct engine_counters *counters = engine_counters(rig->engine);
	for (unsigned i = 0; i < 50; i++) {
		for (unsigned j = 0; j < BURST; j++)
			send_packet(rig, SOCKET_LISTENER, 0, 0, 1480);
		for (unsigned j = 0; j < BURST; j++)
			send_packet(rig, SOCKET_LISTENER, 0, 0, 3000);
		for (unsigned j = 0; j < BURST; j++)
			send_packet(rig, SOCKET_LISTENER, 0, 0, 1200);
		forward(rig);
		check_arrivals(rig);
	}
	uint64_t split = counter_read(&counters->trains_split), sent = counter_read(&counters->sent_packets);
	CHECK(split >= 1 && split <= 4, "%lu trains split: the route was not remembered", split);
	CHECK(sent == 50 * 3 * BURST, "%lu packets sent", sent);
	CHECK(counter_read(&counters->sent_trains) >= 40, "small packets no longer leave in trains");
	printf("  segments above the MTU: %lu trains split, %lu trains sent\n", split, counter_read(&counters->sent_trains));
}

static const struct {
	const char *name;
	void (*run)(struct rig *rig);
} scenarios[] = {{"equal", equal_bursts}, {"mixed", mixed_bursts}, {"large", bursts_above_the_mtu}};

static void run_all(const char *link)
{
	static const enum engine_kind kinds[] = {ENGINE_IO_URING, ENGINE_EPOLL};
	static const enum addr_family families[] = {ADDR_IPV4, ADDR_IPV6};
	for (unsigned k = 0; k < 2; k++)
		for (unsigned f = 0; f < 2; f++)
			for (unsigned s = 0; s < sizeof scenarios / sizeof *scenarios; s++) {
				struct rig rig;
				printf("%s, %s, IPv%d, %s\n", link, engine_name(kinds[k]), families[f], scenarios[s].name);
				fflush(stdout);
				open_rig(&rig, kinds[k], families[f]);
				scenarios[s].run(&rig);
				close_rig(&rig);
			}
}

int main(void)
{
	alarm(100);
	pid_t holder = make_topology();
	run_all("veth");
	/* The kernel glues packets together on arrival. */
	if (system("ethtool -K v0 gro on >/dev/null 2>&1") == 0)
		run_all("veth with GRO");
	/* A device that cannot fill in checksums: an error before Linux 6.11, slower after it; right in both. */
	if (system("ethtool -K v0 tx off >/dev/null 2>&1") == 0)
		run_all("veth without checksum offload");
	kill(holder, SIGKILL);
	waitpid(holder, NULL, 0);
	return 0;
}
