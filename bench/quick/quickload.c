/*
 * quickload - a closed-loop load on a TURN server: N flows, bursts of equal packets, a window of packets under way per flow. Prints
 * one
 * JSON line: packets sent and delivered, seconds. The caller measures the server's run time meanwhile.
 *
 * One thread, pinned by the caller; talks to 127.0.0.1 only; ends by itself after --seconds.
 */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "turn_client.h"
#include "wire/channel_data.h"

enum { FLOWS_MAX = 8192, BURST_MAX = 64, WINDOW_DEFAULT = 64, CHANNEL = 0x4001, RECEIVE_SIZE = 65536, RECEIVE_VLEN = 16 };

enum mode { MODE_UP, MODE_DOWN, MODE_INDICATION, MODE_HOLD };

struct options {
	enum mode mode;
	int port, flows, size, burst, window;
	double seconds;
	bool gso;
	const char *username, *password;
};

struct flow {
	struct turn_client client;
	int peer;              /* the peer's socket */
	int sender, receiver;  /* which of the two sends and which receives */
	struct sockaddr_in to; /* where the sender sends (down: the relayed address) */
	uint64_t sent, delivered;
	double stalled_since;
};

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int open_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int size = 4 << 20, on = 1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof on);
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)&local, sizeof local) != 0) {
		perror("bind");
		exit(1);
	}
	return fd;
}

static struct addr local_addr(int fd)
{
	struct sockaddr_in sa;
	socklen_t size = sizeof sa;
	getsockname(fd, (struct sockaddr *)&sa, &size);
	return addr_from_sockaddr((struct sockaddr *)&sa);
}

static void open_flow(struct flow *f, const struct options *o)
{
	f->peer = open_socket();
	f->client = (struct turn_client){.fd = open_socket(), .username = o->username, .password = o->password};
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o->port)};
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct addr peer = local_addr(f->peer);
	if (connect(f->client.fd, (struct sockaddr *)&server, sizeof server) != 0 || !turn_client_allocate(&f->client))
		exit(1);
	bool ready =
		o->mode == MODE_INDICATION ? turn_client_permit(&f->client, &peer) : turn_client_bind(&f->client, CHANNEL, &peer);
	if (!ready)
		exit(1);
	f->sender = o->mode == MODE_DOWN ? f->peer : f->client.fd;
	f->receiver = o->mode == MODE_DOWN ? f->client.fd : f->peer;
	f->to = o->mode == MODE_DOWN ? (struct sockaddr_in){.sin_family = AF_INET,
					       .sin_port = htons(f->client.relayed.port),
					       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}
				     : server;
	if (connect(f->sender, (struct sockaddr *)&f->to, sizeof f->to) != 0)
		exit(1);
}

/* One packet as the sender of this mode frames it. Returns its size. */
static size_t frame(const struct options *o, const struct flow *f, uint8_t *packet)
{
	size_t size = (size_t)o->size;
	if (o->mode == MODE_DOWN)
		return size;
	if (o->mode == MODE_UP) {
		channel_data_write(packet, CHANNEL, (uint16_t)size);
		return CHANNEL_DATA_HEADER_SIZE + size;
	}
	static const uint8_t id[STUN_TRANSACTION_ID_SIZE] = "quickload...";
	static uint8_t data[65536];
	struct addr peer = local_addr(f->peer);
	struct stun_builder b = stun_build(packet, RECEIVE_SIZE, STUN_SEND, STUN_INDICATION, id);
	stun_build_xor_addr(&b, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_build_bytes(&b, STUN_ATTR_DATA, bytes_of(data, size));
	return stun_build_end(&b).size;
}

static void send_gso(const struct flow *f, const uint8_t *packet, size_t size, int burst)
{
	static uint8_t run[RECEIVE_SIZE];
	for (int i = 0; i < burst; i++)
		memcpy(run + (size_t)i * size, packet, size);
	struct iovec iov = {.iov_base = run, .iov_len = size * (size_t)burst};
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(2)];
	} control;
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&header);
	*c = (struct cmsghdr){.cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT, .cmsg_len = CMSG_LEN(2)};
	uint16_t segment = (uint16_t)size;
	memcpy(CMSG_DATA(c), &segment, sizeof segment);
	(void)!sendmsg(f->sender, &header, MSG_DONTWAIT);
}

static void send_burst(const struct options *o, struct flow *f)
{
	static uint8_t packet[RECEIVE_SIZE];
	struct mmsghdr messages[BURST_MAX] = {0};
	size_t size = frame(o, f, packet);
	struct iovec iov = {.iov_base = packet, .iov_len = size};
	if (o->gso) {
		send_gso(f, packet, size, o->burst);
	} else {
		for (int i = 0; i < o->burst; i++)
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
		(void)!sendmmsg(f->sender, messages, (unsigned)o->burst, MSG_DONTWAIT);
	}
	f->sent += (uint64_t)o->burst;
}

/* Segments in one received message: the kernel says how long they are, or there is one. */
static unsigned segments(struct msghdr *header, unsigned size)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
		if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO)
			continue;
		int segment;
		memcpy(&segment, CMSG_DATA(c), sizeof segment);
		return (size + (unsigned)segment - 1) / (unsigned)segment;
	}
	return 1;
}

static void receive(struct flow *f)
{
	static uint8_t buffers[RECEIVE_VLEN][RECEIVE_SIZE];
	static char controls[RECEIVE_VLEN][64];
	struct mmsghdr messages[RECEIVE_VLEN];
	struct iovec iov[RECEIVE_VLEN];
	for (int i = 0; i < RECEIVE_VLEN; i++) {
		iov[i] = (struct iovec){buffers[i], RECEIVE_SIZE};
		messages[i].msg_hdr =
			(struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = 64};
	}
	int count = recvmmsg(f->receiver, messages, RECEIVE_VLEN, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		f->delivered += segments(&messages[i].msg_hdr, messages[i].msg_len);
}

/* True when the flow has room in its window. What does not come back within 20 ms is lost. */
static bool may_send(const struct options *o, struct flow *f, double now)
{
	if (f->sent - f->delivered + (uint64_t)o->burst <= (uint64_t)o->window) {
		f->stalled_since = 0;
		return true;
	}
	if (f->stalled_since == 0)
		f->stalled_since = now;
	return now - f->stalled_since > 0.02;
}

static void run(const struct options *o, struct flow *flows)
{
	uint64_t sent = 0, delivered = 0, forgiven = 0;
	double start = now_s(), now = start;
	while ((now = now_s()) < start + o->seconds) {
		for (int i = 0; i < o->flows; i++) {
			struct flow *f = &flows[i];
			if (may_send(o, f, now)) {
				if (f->stalled_since != 0) {
					forgiven += f->sent - f->delivered;
					f->delivered = f->sent;
					f->stalled_since = 0;
				}
				send_burst(o, f);
			}
			receive(f);
		}
	}
	for (int i = 0; i < o->flows; i++) {
		sent += flows[i].sent;
		delivered += flows[i].delivered;
	}
	printf("{\"sent\": %llu, \"delivered\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
		(unsigned long long)(delivered - forgiven), now - start);
}

/* clang-format off */
static const struct argp_option option_table[] = {
	{"mode",     'm', "up|down|indication|hold", 0, "direction and framing; hold only allocates and waits", 0},
	{"port",     'p', "PORT",  0, "the server's, on 127.0.0.1",          0},
	{"flows",    'f', "N",     0, "clients (20)",                        0},
	{"size",     's', "BYTES", 0, "payload (1200)",                      0},
	{"burst",    'b', "N",     0, "packets at a time (8)",               0},
	{"window",   'w', "N",     0, "packets under way per flow (64)",     0},
	{"seconds",  't', "S",     0, "how long (3)",                        0},
	{"gso",      'g', NULL,    0, "send bursts with UDP_SEGMENT",        0},
	{"user",     'u', "NAME",  0, NULL,                                  0},
	{"password", 'P', "WORD",  0, NULL,                                  0},
	{0},
};
/* clang-format on */

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const modes[] = {"up", "down", "indication", "hold"};
	struct options *o = state->input;
	switch (key) {
	case 'm':
		for (unsigned i = 0; i < 4; i++)
			if (strcmp(arg, modes[i]) == 0)
				o->mode = (enum mode)i;
		return 0;
	case 'p':
		return o->port = atoi(arg), 0;
	case 'f':
		return o->flows = atoi(arg), 0;
	case 's':
		return o->size = atoi(arg), 0;
	case 'b':
		return o->burst = atoi(arg), 0;
	case 'w':
		return o->window = atoi(arg), 0;
	case 't':
		return o->seconds = atof(arg), 0;
	case 'g':
		return o->gso = true, 0;
	case 'u':
		return o->username = arg, 0;
	case 'P':
		return o->password = arg, 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv)
{
	static struct flow flows[FLOWS_MAX];
	struct options o = {.flows = 20,
		.size = 1200,
		.burst = 8,
		.window = WINDOW_DEFAULT,
		.seconds = 3,
		.username = "user",
		.password = "pass"};
	struct argp argp = {.options = option_table, .parser = parse, .doc = "A quick load on a TURN server on 127.0.0.1."};
	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (o.flows > FLOWS_MAX || o.burst > BURST_MAX || o.port == 0) {
		fprintf(stderr, "at most %d flows and bursts of %d, and --port is needed\n", FLOWS_MAX, BURST_MAX);
		return 2;
	}
	for (int i = 0; i < o.flows; i++)
		open_flow(&flows[i], &o);
	fprintf(stderr, "ready\n");
	if (o.mode == MODE_HOLD)
		sleep((unsigned)o.seconds);
	else
		run(&o, flows);
	return 0;
}
