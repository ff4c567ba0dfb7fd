#include "http_rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

void rig_turn(struct event_base *base)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

void rig_turn_for(struct event_base *base, unsigned duration_ms)
{
	uint64_t end_ns = clock_mono_ns() + duration_ms * NS_PER_MS;
	while (clock_mono_ns() < end_ns) {
		rig_turn(base);
		poll(NULL, 0, 1);
	}
}

int rig_connect(uint16_t port, bool ipv6)
{
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int result = ipv6 ? connect(fd, (struct sockaddr *)&six, sizeof six) : connect(fd, (struct sockaddr *)&four, sizeof four);
	cr_assert(result == 0 || errno == EINPROGRESS, "connect: %s", strerror(errno));
	return fd;
}

void rig_send(int fd, const char *text)
{
	size_t size = strlen(text);
	ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);
	cr_assert(sent == (ssize_t)size, "send: %s", strerror(errno));
}

size_t rig_receive_all(struct event_base *base, int fd, char *text, size_t room, unsigned timeout_ms)
{
	uint64_t end_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
	size_t size = 0;
	for (;;) {
		cr_assert(clock_mono_ns() < end_ns, "no end after %u ms: %.*s", timeout_ms, (int)size, text);
		rig_turn(base);
		cr_assert(size + 1 < room);
		ssize_t got = recv(fd, text + size, room - size - 1, 0);
		/* A server that refuses while more is coming resets the connection. */
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			break;
		if (got > 0)
			size += (size_t)got;
		else
			poll(NULL, 0, 1);
	}
	text[size] = '\0';
	return size;
}

bool rig_is_closed(int fd)
{
	char byte;
	ssize_t got = recv(fd, &byte, 1, MSG_PEEK);
	return got == 0 || (got < 0 && errno == ECONNRESET);
}

size_t rig_ask(struct event_base *base, uint16_t port, const char *request, char *answer, size_t room)
{
	int fd = rig_connect(port, false);
	rig_send(fd, request);
	size_t size = rig_receive_all(base, fd, answer, room, 2000);
	close(fd);
	return size;
}

int rig_status(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

const char *rig_body(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");
	return end == NULL ? NULL : end + 4;
}

unsigned rig_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}
