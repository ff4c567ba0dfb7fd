#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_rig.h"

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t size = sizeof value;
	getsockopt(fd, level, name, &value, &size);
	return value;
}

Test(udp_socket, has_every_option_that_the_engines_rely_on)
{
	struct udp_socket_options options = {.listener = true, .freebind = true};
	int fd = udp_socket_open(&rig_loopback4, &options, NULL);
	cr_assert_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(option(fd, IPPROTO_IP, IP_RECVTOS), 1);
	cr_expect_eq(option(fd, IPPROTO_IP, IP_PKTINFO), 1);
	cr_expect_eq(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
	cr_expect_eq(option(fd, IPPROTO_IP, IP_FREEBIND), 1);
	cr_expect_eq(option(fd, SOL_SOCKET, SO_RXQ_OVFL), 1);
	cr_expect_eq(option(fd, SOL_SOCKET, SO_REUSEPORT), 0);
	cr_expect_eq(option(fd, IPPROTO_UDP, UDP_GRO), 1);
	close(fd);
	options = (struct udp_socket_options){0};
	fd = udp_socket_open(&rig_loopback6, &options, NULL);
	cr_assert_geq(fd, 0);
	cr_expect_eq(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	cr_expect_eq(option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS), 1);
	cr_expect_eq(option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	cr_expect_eq(option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
	close(fd);
}

Test(udp_socket, reports_the_receive_buffer_in_the_terms_it_was_asked_in)
{
	int granted = 0;
	struct udp_socket_options options = {.receive_buffer = 300000, .send_buffer = 300000};
	int fd = udp_socket_open(&rig_loopback4, &options, &granted);
	cr_assert_geq(fd, 0);
	if (geteuid() == 0)
		cr_expect_eq(granted, 300000);
	else
		cr_expect(granted > 0 && granted <= 300000);
	cr_expect_eq(option(fd, SOL_SOCKET, SO_RCVBUF), 2 * granted);
	close(fd);
}

Test(udp_socket, of_one_family_leaves_the_port_of_the_other_alone)
{
	struct addr any4 = addr_any(ADDR_IPV4, 0);
	int fd4 = udp_socket_open(&any4, &(struct udp_socket_options){0}, NULL);
	cr_assert_geq(fd4, 0);
	struct addr any6 = addr_any(ADDR_IPV6, udp_socket_local(fd4).port);
	int fd6 = udp_socket_open(&any6, &(struct udp_socket_options){0}, NULL);
	cr_expect_geq(fd6, 0);
	close(fd4);
	close(fd6);
}

Test(udp_socket, says_why_it_cannot_be_opened)
{
	struct addr local;
	int plain = rig_plain_socket(&rig_loopback4, &local);
	cr_expect_eq(udp_socket_open(&local, &(struct udp_socket_options){0}, NULL), -EADDRINUSE);
	struct addr foreign = addr_ipv4(192, 0, 2, 55, 0);
	cr_expect_eq(udp_socket_open(&foreign, &(struct udp_socket_options){0}, NULL), -EADDRNOTAVAIL);
	int fd = udp_socket_open(&foreign, &(struct udp_socket_options){.freebind = true}, NULL);
	cr_expect_geq(fd, 0);
	close(fd);
	struct addr none = {.family = ADDR_NONE};
	cr_expect_eq(udp_socket_open(&none, &(struct udp_socket_options){0}, NULL), -EAFNOSUPPORT);
	close(plain);
}

Test(udp_socket_group, spreads_flows_over_its_members)
{
	enum { MEMBERS = 4, FLOWS = 200 };
	int fds[MEMBERS], granted;
	struct udp_socket_options options = {.listener = true, .receive_buffer = 100000};
	cr_assert_eq(udp_socket_open_group(&rig_loopback4, &options, MEMBERS, fds, &granted), 0);
	cr_expect_gt(granted, 0);
	struct addr local = udp_socket_local(fds[0]), theirs;
	for (unsigned i = 1; i < MEMBERS; i++) {
		struct addr other = udp_socket_local(fds[i]);
		cr_expect(addr_equal(&local, &other));
	}
	for (unsigned i = 0; i < FLOWS; i++) {
		int plain = rig_plain_socket(&rig_loopback4, &theirs);
		rig_plain_send(plain, &local, "x", 1);
		close(plain);
	}
	unsigned total = 0;
	for (unsigned i = 0; i < MEMBERS; i++) {
		uint8_t byte;
		unsigned got = 0;
		while (recv(fds[i], &byte, 1, 0) == 1)
			got++;
		cr_expect_gt(got, FLOWS / MEMBERS / 4, "member %u got %u", i, got);
		total += got;
		close(fds[i]);
	}
	cr_expect_eq(total, FLOWS);
}

/* As its members are until the last one is bound. */
Test(udp_socket_group, a_member_that_is_shut_queues_nothing)
{
	uint8_t byte = 1;
	int from = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){0}, NULL);
	int fd = udp_socket_open(&rig_loopback4, &(struct udp_socket_options){.shut = true}, NULL);
	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	struct sockaddr_storage name;
	struct addr local = udp_socket_local(fd);
	socklen_t size = addr_to_sockaddr(&local, &name);
	cr_expect_eq(sendto(from, &byte, 1, 0, (struct sockaddr *)&name, size), 1);
	cr_expect_eq(recv(fd, &byte, 1, 0), -1);
	close(from);
	close(fd);
}

/* Also for a second group: both would get a part of the clients, silently. */
Test(udp_socket_group, refuses_a_port_that_a_group_holds_already)
{
	static const unsigned first_sizes[] = {1, 2, 4};
	for (unsigned i = 0; i < 3; i++) {
		int fds[4], others[4];
		struct udp_socket_options options = {.listener = true};
		cr_assert_eq(udp_socket_open_group(&rig_loopback4, &options, first_sizes[i], fds, NULL), 0);
		struct addr local = udp_socket_local(fds[0]);
		cr_expect_eq(udp_socket_open_group(&local, &options, 4, others, NULL), -EADDRINUSE);
		cr_expect_eq(udp_socket_open_group(&local, &options, 1, others, NULL), -EADDRINUSE);
		int child = fork();
		if (child == 0)
			_exit(udp_socket_open_group(&local, &options, 2, others, NULL) == -EADDRINUSE ? 0 : 1);
		int status;
		waitpid(child, &status, 0);
		cr_expect_eq(status, 0, "another process");
		for (unsigned j = 0; j < first_sizes[i]; j++)
			close(fds[j]);
	}
}

Test(udp_socket_group, refuses_a_port_that_another_process_shares_or_holds)
{
	for (int reuse = 0; reuse < 2; reuse++) {
		struct addr local;
		int fd = socket(AF_INET, SOCK_DGRAM, 0), fds[2];
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reuse, sizeof reuse);
		struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
		local = udp_socket_local(fd);
		int before = dup(0), after;
		close(before);
		cr_expect_eq(udp_socket_open_group(&local, &(struct udp_socket_options){0}, 2, fds, NULL), -EADDRINUSE);
		after = dup(0);
		cr_expect_eq(before, after, "nothing stays open");
		close(after);
		close(fd);
	}
}

Test(udp_default_source, is_an_address_of_this_machine_or_none)
{
	static const enum addr_family families[] = {ADDR_IPV4, ADDR_IPV6};
	for (unsigned i = 0; i < 2; i++) {
		struct addr source = udp_default_source(families[i]);
		if (source.family == ADDR_NONE)
			continue;
		cr_expect_eq(source.family, families[i]);
		cr_expect_eq(source.port, 0);
		cr_expect(!addr_is_any(&source) && !addr_is_loopback(&source));
		int fd = udp_socket_open(&source, &(struct udp_socket_options){0}, NULL);
		cr_expect_geq(fd, 0, "it can be bound");
		close(fd);
	}
}
