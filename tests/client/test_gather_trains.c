#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/gather.h"

/* Two sockets on loopback; what one sends the other receives. */
struct pair {
	int from, to;
	struct addr from_addr, to_addr;
};

static int bound(const struct addr *addr, struct addr *ret_addr)
{
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(addr, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), buffer = 1 << 20;
	cr_assert_geq(fd, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, size), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
	size = sizeof sa;
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	*ret_addr = addr_from_sockaddr((struct sockaddr *)&sa);
	return fd;
}

static struct pair pair_between(struct addr from, struct addr to)
{
	struct pair p;
	p.from = bound(&from, &p.from_addr);
	p.to = bound(&to, &p.to_addr);
	return p;
}

static void end(struct pair *p)
{
	close(p->from);
	close(p->to);
}

static struct gather *gathered(const size_t *sizes, unsigned count)
{
	struct gather *g = calloc(1, sizeof *g);
	uint8_t data[9000];
	cr_assert_not_null(g);
	for (unsigned i = 0; i < count; i++) {
		memset(data, (int)i, sizeof data);
		cr_assert(gather_has_room(g, sizes[i]));
		gather_add_datagram(g, bytes_of(data, sizes[i]));
	}
	return g;
}

static void expect_arrival(int fd, const size_t *sizes, unsigned count)
{
	uint8_t data[10000];
	for (unsigned i = 0; i < count; i++) {
		ssize_t size = recv(fd, data, sizeof data, 0);
		cr_assert_eq(size, (ssize_t)sizes[i], "%u: %zd, not %zu", i, size, sizes[i]);
		cr_assert(size == 0 || (data[0] == i && data[size - 1] == i), "%u", i);
	}
	cr_assert_eq(recv(fd, data, sizeof data, 0), -1);
}

Test(gather_trains, every_datagram_arrives_as_it_was_in_order)
{
	static const size_t sizes[] = {100, 100, 100, 40, 200, 200, 0, 0, 300, 1, 1, 1, 1400, 8000, 8000, 7000, 1400, 100};
	enum { COUNT = sizeof sizes / sizeof *sizes };
	struct pair p = pair_between(addr_ipv4(127, 0, 0, 1, 0), addr_ipv4(127, 0, 0, 1, 0));
	struct gather *g = gathered(sizes, COUNT);
	struct gather_way way = {.to = p.to_addr, .from = {.family = ADDR_NONE}};
	int error = 0;
	cr_expect_eq(gather_send_trains(g, p.from, &way, &error), 0);
	cr_expect_eq(error, 0);
	expect_arrival(p.to, sizes, COUNT);
	free(g);
	end(&p);
}

Test(gather_trains, fills_whole_trains_on_a_connected_socket)
{
	size_t sizes[GATHER_RECORDS];
	struct pair p = pair_between(addr_ipv4(127, 0, 0, 1, 0), addr_ipv4(127, 0, 0, 1, 0));
	struct sockaddr_storage sa;
	socklen_t size = addr_to_sockaddr(&p.to_addr, &sa);
	int error = 0;
	cr_assert_eq(connect(p.from, (struct sockaddr *)&sa, size), 0);
	for (unsigned i = 0; i < GATHER_RECORDS; i++)
		sizes[i] = 1472;
	struct gather *g = gathered(sizes, GATHER_RECORDS);
	cr_expect_eq(gather_send_trains(g, p.from, NULL, &error), 0);
	expect_arrival(p.to, sizes, GATHER_RECORDS);
	free(g);
	end(&p);
}

Test(gather_trains, leave_from_the_address_that_is_wanted)
{
	static const size_t sizes[] = {10, 10};
	struct addr any = addr_any(ADDR_IPV4, 0), wanted = addr_ipv4(127, 0, 0, 9, 0);
	struct pair p = pair_between(any, addr_ipv4(127, 0, 0, 1, 0));
	struct gather *g = gathered(sizes, 2);
	struct gather_way way = {.to = p.to_addr, .from = wanted};
	struct sockaddr_storage sa;
	socklen_t size = sizeof sa;
	uint8_t data[16];
	int error = 0;
	cr_expect_eq(gather_send_trains(g, p.from, &way, &error), 0);
	cr_assert_eq(recvfrom(p.to, data, sizeof data, 0, (struct sockaddr *)&sa, &size), 10);
	struct addr from = addr_from_sockaddr((struct sockaddr *)&sa);
	cr_expect(addr_ip_equal(&from, &wanted));
	free(g);
	end(&p);
}

Test(gather_trains, over_ipv6_from_the_address_that_is_wanted)
{
	static const size_t sizes[] = {10, 10, 5};
	struct addr loopback = {.family = ADDR_IPV6, .ip = {[15] = 1}};
	struct pair p = pair_between(loopback, loopback);
	struct gather *g = gathered(sizes, 3);
	struct gather_way way = {.to = p.to_addr, .from = loopback};
	int error = 0;
	cr_expect_eq(gather_send_trains(g, p.from, &way, &error), 0);
	expect_arrival(p.to, sizes, 3);
	free(g);
	end(&p);
}

Test(gather_trains, says_what_was_lost_and_why)
{
	static const size_t sizes[] = {10, 10, 20};
	struct pair p = pair_between(addr_ipv4(127, 0, 0, 1, 0), addr_ipv4(127, 0, 0, 1, 0));
	struct gather *g = gathered(sizes, 3);
	struct gather_way way = {.to = {.family = ADDR_IPV6, .ip = {[15] = 1}, .port = 9}, .from = {.family = ADDR_NONE}};
	int error = 0;
	cr_expect_eq(gather_send_trains(g, p.from, &way, &error), 3);
	cr_expect_eq(error, EAFNOSUPPORT, "%s", strerror(error));
	free(g);
	end(&p);
}
