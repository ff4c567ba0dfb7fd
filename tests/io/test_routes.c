#include "routes.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "io_rig.h"

static struct train train_to(uint32_t socket, uint8_t third, uint8_t last, uint16_t segment_size)
{
	return (struct train){.socket = socket,
		.to = addr_ipv4(192, 0, third, last, 1000),
		.segment_size = segment_size,
		.segments = 8,
		.bytes = 8u * segment_size};
}

Test(routes, know_nothing_at_first)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	struct train train = train_to(1, 2, 3, 1200);
	cr_expect(!routes_work(&routes, &train, 5));
	cr_expect(!routes_refuse(&routes, 1, &train.to, 1200, 5));
	routes_done(&routes);
}

Test(routes, remember_a_failure_by_size_socket_and_prefix_for_a_minute)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	struct train train = train_to(1, 2, 3, 1480);
	routes_learn_failure(&routes, &train, EMSGSIZE, 5);
	struct addr neighbour = addr_ipv4(192, 0, 2, 200, 9), other = addr_ipv4(192, 0, 3, 3, 9);
	cr_expect(routes_refuse(&routes, 1, &train.to, 1480, 6));
	cr_expect(routes_refuse(&routes, 1, &train.to, 5000, 6));
	cr_expect(routes_refuse(&routes, 1, &neighbour, 1480, 6));
	cr_expect(!routes_refuse(&routes, 1, &train.to, 1479, 6), "smaller packets are not affected");
	cr_expect(!routes_refuse(&routes, 2, &train.to, 1480, 6), "other sockets are not affected");
	cr_expect(!routes_refuse(&routes, 1, &other, 1480, 6), "other prefixes are not affected");
	cr_expect(routes_refuse(&routes, 1, &train.to, 1480, 5 + ROUTE_LIFETIME_NS - 1));
	cr_expect(!routes_refuse(&routes, 1, &train.to, 1480, 5 + ROUTE_LIFETIME_NS));
	routes_done(&routes);
}

Test(routes, refuse_all_sizes_after_eio)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	struct train train = train_to(1, 2, 3, 1200);
	routes_learn_success(&routes, &train, 5);
	routes_learn_failure(&routes, &train, EIO, 5);
	cr_expect(routes_refuse(&routes, 1, &train.to, 1, 6));
	cr_expect(!routes_work(&routes, &train, 6));
	routes_done(&routes);
}

Test(routes, tell_sizes_that_work_from_sizes_that_do_not)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	struct train small = train_to(1, 2, 3, 1200), large = train_to(1, 2, 3, 1480), middle = train_to(1, 2, 3, 1400);
	routes_learn_success(&routes, &small, 5);
	cr_expect(routes_work(&routes, &small, 6));
	cr_expect(!routes_work(&routes, &middle, 6));
	routes_learn_success(&routes, &large, 6);
	cr_expect(routes_work(&routes, &large, 6));
	routes_learn_failure(&routes, &large, EMSGSIZE, 7);
	cr_expect(!routes_work(&routes, &large, 8));
	cr_expect(routes_work(&routes, &small, 8));
	cr_expect(!routes_refuse(&routes, 1, &middle.to, 1400, 8));
	routes_done(&routes);
}

Test(routes, keep_ipv6_by_56_bits)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	struct train train = train_to(1, 2, 3, 1480);
	train.to = (struct addr){.ip = {0x20, 1, 0xd, 0xb8, 0, 1, 7, 1, [15] = 1}, .port = 1, .family = ADDR_IPV6};
	routes_learn_failure(&routes, &train, EMSGSIZE, 5);
	struct addr inside = train.to, outside = train.to;
	inside.ip[7] = 0xff;
	outside.ip[6] = 8;
	cr_expect(routes_refuse(&routes, 1, &inside, 1480, 6));
	cr_expect(!routes_refuse(&routes, 1, &outside, 1480, 6));
	routes_done(&routes);
}

Test(routes, survive_more_destinations_than_they_hold)
{
	struct routes routes;
	cr_assert_eq(routes_init(&routes), 0);
	unsigned known = 0;
	for (unsigned i = 0; i < 4 * ROUTES_MAX; i++) {
		struct train train = train_to(i, (uint8_t)i, 3, 1200);
		routes_learn_success(&routes, &train, 5);
		cr_assert(routes_work(&routes, &train, 6));
	}
	for (unsigned i = 0; i < 4 * ROUTES_MAX; i++) {
		struct train train = train_to(i, (uint8_t)i, 3, 1200);
		known += routes_work(&routes, &train, 6);
	}
	cr_expect_leq(known, (unsigned)ROUTES_MAX);
	cr_expect_gt(known, (unsigned)ROUTES_MAX / 2, "the places are badly spread: %u", known);
	routes_done(&routes);
}
