/*
 * blast - sends the same datagram again and again: the loader and the flooder of the tests. It reads nothing and measures nothing.
 *
 *	blast FDS HOST PORT SIZE BURST RATE SECONDS [HEADER]
 *
 * FDS: sockets inherited from the caller, "5,6,7", used in turn. BURST: datagrams per system call and socket; negative: as one send
 * with UDP_SEGMENT. RATE: datagrams per second in all, 0: as fast as it goes. HEADER: the datagram's first bytes, in hexadecimal.
 * Prints how many it sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { FDS_MAX = 256, BURST_MAX = 64, SIZE_MAX_ = 65507 };

static int fds[FDS_MAX];
static unsigned fd_count;
static struct sockaddr_in to;
static uint8_t datagram[SIZE_MAX_];
static struct iovec iov;
static struct iovec segments[BURST_MAX];
static struct mmsghdr messages[BURST_MAX];

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void parse_fds(char *text)
{
	for (char *p = strtok(text, ","); p != NULL && fd_count < FDS_MAX; p = strtok(NULL, ","))
		fds[fd_count++] = atoi(p);
}

static void parse_header(const char *hex, size_t size)
{
	for (size_t i = 0; i < size && hex[2 * i] != '\0' && hex[2 * i + 1] != '\0'; i++) {
		unsigned byte;
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			exit(2);
		datagram[i] = (uint8_t)byte;
	}
}

static long send_burst(int fd, int burst)
{
	int sent = sendmmsg(fd, messages, (unsigned)burst, 0);
	return sent < 0 ? 0 : sent;
}

static long send_segments(int fd, int burst, size_t size)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control = {0};
	struct msghdr message = {.msg_name = &to,
		.msg_namelen = sizeof to,
		.msg_iov = segments,
		.msg_iovlen = (size_t)burst,
		.msg_control = control.bytes,
		.msg_controllen = sizeof control.bytes};
	struct cmsghdr *c = CMSG_FIRSTHDR(&message);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
	uint16_t segment = (uint16_t)size;
	memcpy(CMSG_DATA(c), &segment, sizeof segment);
	return sendmsg(fd, &message, 0) < 0 ? 0 : burst;
}

/* Sleeps until `sent` datagrams are due, if that is worth a sleep. */
static void pace(uint64_t start, uint64_t sent, uint64_t rate)
{
	uint64_t due = start + sent * 1000000000 / rate;
	uint64_t now = now_ns();
	if (due > now + 60000) {
		struct timespec ts = {.tv_nsec = (long)(due - now < 900000000 ? due - now : 900000000)};
		nanosleep(&ts, NULL);
	}
}

int main(int argc, char **argv)
{
	if (argc < 8) {
		fprintf(stderr, "usage: blast FDS HOST PORT SIZE BURST RATE SECONDS [HEADER]\n");
		return 2;
	}
	parse_fds(argv[1]);
	to.sin_family = AF_INET;
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	size_t size = (size_t)atoi(argv[4]);
	bool segmented = atoi(argv[5]) < 0;
	int burst = abs(atoi(argv[5]));
	uint64_t rate = (uint64_t)atoll(argv[6]), end_ns = (uint64_t)(atof(argv[7]) * 1e9), start = now_ns(), sent = 0, asked = 0;
	if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1 || size > SIZE_MAX_ || burst < 1 || burst > BURST_MAX || fd_count == 0)
		return 2;
	if (argc > 8)
		parse_header(argv[8], size);
	iov = (struct iovec){datagram, size};
	for (int i = 0; i < burst; i++) {
		segments[i] = iov;
		messages[i].msg_hdr = (struct msghdr){.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &iov, .msg_iovlen = 1};
	}
	for (unsigned turn = 0; now_ns() - start < end_ns; turn++) {
		int fd = fds[turn % fd_count];
		sent += (uint64_t)(segmented ? send_segments(fd, burst, size) : send_burst(fd, burst));
		asked += (uint64_t)burst;
		if (rate != 0)
			pace(start, asked, rate);
	}
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
