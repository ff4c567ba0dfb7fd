#include "clients/endpoint.h"

#include <criterion/criterion.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

static struct addr loopback(void)
{
	return addr_ipv4(127, 0, 0, 1, 0);
}

static int must_open(const struct addr *ip, struct addr *ret_local)
{
	struct failure failure = {{0}};
	int fd = endpoint_open(ip, true, 1 << 20, ret_local, &failure);
	cr_assert_geq(fd, 0, "%s", failure.text);
	return fd;
}

Test(endpoint, keeps_to_the_loaders_ports_and_says_which)
{
	struct addr ip = loopback();
	for (int i = 0; i < 200; i++) {
		struct addr local;
		int fd = must_open(&ip, &local);
		struct sockaddr_storage sa = {0};
		socklen_t size = sizeof sa;
		cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
		struct addr bound = addr_from_sockaddr((struct sockaddr *)&sa);
		cr_assert(addr_equal(&bound, &local));
		cr_assert(local.port >= LOADER_PORT_MIN && local.port <= LOADER_PORT_MAX, "%u", local.port);
		close(fd);
	}
}

/* A server may still know the allocation of a port that was closed just now. */
Test(endpoint, takes_no_port_again_soon)
{
	static bool seen[UINT16_MAX + 1];
	struct addr ip = loopback();
	for (int i = 0; i < 5000; i++) {
		struct addr local;
		close(must_open(&ip, &local));
		cr_assert_not(seen[local.port], "%u, the %dth", local.port, i);
		seen[local.port] = true;
	}
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t size = sizeof value;
	cr_assert_eq(getsockopt(fd, level, name, &value, &size), 0);
	return value;
}

Test(endpoint, is_renewed_with_another_port_and_nothing_else)
{
	struct addr ip = loopback(), local, remote;
	struct failure failure = {{0}};
	int a = must_open(&ip, &local), b = must_open(&ip, &remote);
	cr_assert(endpoint_connect(a, &remote, &failure), "%s", failure.text);
	int receive_bytes = option(a, SOL_SOCKET, SO_RCVBUF), send_bytes = option(a, SOL_SOCKET, SO_SNDBUF);
	cr_assert(endpoint_renew(a, &failure), "%s", failure.text);
	cr_assert_eq(option(a, SOL_SOCKET, SO_RCVBUF), receive_bytes);
	cr_assert_eq(option(a, SOL_SOCKET, SO_SNDBUF), send_bytes);
	cr_assert_eq(option(a, IPPROTO_UDP, UDP_GRO), 1);
	cr_assert_eq(send(a, "new", 3, 0), 3);
	struct pollfd ready = {.fd = b, .events = POLLIN};
	cr_assert_eq(poll(&ready, 1, 1000), 1);
	char text[8];
	struct sockaddr_storage sa;
	socklen_t size = sizeof sa;
	cr_assert_eq(recvfrom(b, text, sizeof text, 0, (struct sockaddr *)&sa, &size), 3);
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	cr_assert(addr_ip_equal(&from, &local));
	cr_assert_neq(from.port, local.port);
	close(a);
	close(b);
}

Test(endpoint, hands_over_datagrams_with_their_arrival)
{
	struct addr ip = loopback(), a_addr, b_addr;
	struct failure failure;
	int a = must_open(&ip, &a_addr), b = must_open(&ip, &b_addr);
	cr_assert(endpoint_connect(a, &b_addr, &failure) && endpoint_connect(b, &a_addr, &failure));
	cr_assert_eq(send(a, "hello", 5, 0), 5);
	char data[16], control[CMSG_SPACE(sizeof(struct timespec)) + CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof data};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	struct pollfd ready = {.fd = b, .events = POLLIN};
	cr_assert_eq(poll(&ready, 1, 1000), 1);
	cr_assert_eq(recvmsg(b, &message, 0), 5);
	bool stamped = false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c))
		stamped |= c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS;
	cr_assert(stamped);
	cr_assert_eq(recv(b, data, sizeof data, 0), -1);
	close(a);
	close(b);
}

Test(endpoint, says_which_address_is_not_here)
{
	struct addr ip = addr_ipv4(192, 0, 2, 77, 0), local;
	struct failure failure;
	cr_assert_eq(endpoint_open(&ip, false, 0, &local, &failure), -1);
	cr_assert_not_null(strstr(failure.text, "192.0.2.77"), "%s", failure.text);
}

Test(endpoint, finds_the_address_that_reaches_loopback_and_another)
{
	struct addr server = addr_ipv4(127, 0, 0, 1, 3478), local, other, ip = loopback();
	struct failure failure;
	cr_assert(endpoint_local_address(&server, &local, &failure));
	cr_assert(addr_equal(&local, &ip));
	cr_assert(endpoint_other_address(&local, &other, &failure));
	cr_assert(addr_is_loopback(&other) && !addr_ip_equal(&local, &other));
	close(must_open(&other, &local));
	cr_assert(endpoint_other_address(&other, &local, &failure));
	cr_assert_not(addr_ip_equal(&local, &other));
}

Test(endpoint, says_how_to_give_a_second_address)
{
	struct addr ip, other;
	struct failure failure;
	cr_assert(addr_parse_ip("2001:db8::77", &ip));
	cr_assert_not(endpoint_other_address(&ip, &other, &failure));
	cr_assert_not_null(strstr(failure.text, "ip address add"), "%s", failure.text);
}

Test(endpoint, makes_room_within_the_limit)
{
	struct rlimit limit, after;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = 300;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	struct failure failure;
	cr_assert(endpoint_make_room(500, &failure), "%s", failure.text);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &after), 0);
	cr_assert_geq(after.rlim_cur, 500);
}
