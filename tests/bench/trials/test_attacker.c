#include "trials/attacker.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "clients/endpoint.h"
#include "fake_listener.h"
#include "fake_server.h"
#include "wire/channel_data.h"

static const double WINDOW_S = 0.2;

static struct attacker_times times_now(void)
{
	uint64_t start_ns = clock_mono_ns();
	struct attacker_times times = {.window_start_ns = start_ns, .window_end_ns = start_ns + (uint64_t)(WINDOW_S * 1e9)};
	times.end_ns = times.window_end_ns;
	return times;
}

static void sleep_s(double s)
{
	usleep((useconds_t)(s * 1e6));
}

/* Where the attack's packets arrive: a socket of the test's own. */
struct sink {
	int fd;
	struct addr addr;
	uint8_t last[FAKE_MESSAGE_MAX * 2];
	size_t last_size;
	struct sockaddr_storage from;
};

static void sink_open(struct sink *s)
{
	struct addr ip = addr_ipv4(127, 0, 0, 1, 0);
	struct failure failure;
	*s = (struct sink){.fd = endpoint_open(&ip, false, 16 << 20, &s->addr, &failure)};
	cr_assert_geq(s->fd, 0);
	struct sockaddr_storage sa;
	socklen_t size = sizeof sa;
	cr_assert_eq(getsockname(s->fd, (struct sockaddr *)&sa, &size), 0);
	s->addr = addr_from_sockaddr((struct sockaddr *)&sa);
}

static unsigned sink_count(struct sink *s)
{
	unsigned count = 0;
	ssize_t size;
	socklen_t from_size = sizeof s->from;
	while ((size = recvfrom(s->fd, s->last, sizeof s->last, 0, (struct sockaddr *)&s->from, &from_size)) >= 0) {
		s->last_size = (size_t)size;
		count++;
	}
	return count;
}

static uint64_t must_attack(struct attacker *a, const struct addr *relayed)
{
	struct failure failure = {{0}};
	struct attacker_times times = times_now();
	uint64_t packets = 0;
	cr_assert(attacker_start(a, relayed, 1, &times, &failure), "%s", failure.text);
	sleep_s(WINDOW_S * 1.5);
	cr_assert(attacker_stop(a, &packets, &failure), "%s", failure.text);
	return packets;
}

static struct attacker *must_open(enum attack_kind kind, double rate_per_s, const struct load_target *target)
{
	struct failure failure = {{0}};
	struct attack_plan plan = {.rate_per_s = rate_per_s, .victim = {.seed = 1}};
	struct attacker *a = attacker_open(kind, &plan, target, &failure);
	cr_assert_not_null(a, "%s", failure.text);
	return a;
}

Test(attacker, asks_for_allocations_without_credentials_at_its_rate)
{
	struct sink sink;
	sink_open(&sink);
	struct load_target target = {.server = sink.addr, .username = FAKE_USER, .password = FAKE_PASSWORD};
	struct attacker *a = must_open(ATTACK_UNAUTHENTICATED, 1000, &target);
	uint64_t packets = must_attack(a, NULL);
	cr_assert(packets > 50 && packets <= 201, "%lu", (unsigned long)packets);
	cr_assert_eq(sink_count(&sink), packets);
	struct fake_message message = {.size = sink.last_size};
	memcpy(message.data, sink.last, sink.last_size);
	cr_assert_eq(fake_method(&message), STUN_ALLOCATE);
	cr_assert(fake_has(&message, STUN_ATTR_REQUESTED_TRANSPORT));
	cr_assert_not(fake_has(&message, STUN_ATTR_USERNAME));
	attacker_free(a);
	close(sink.fd);
}

Test(attacker, sends_to_the_relayed_addresses_from_an_address_without_permission)
{
	struct sink relayed;
	sink_open(&relayed);
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9)};
	struct attacker *a = must_open(ATTACK_UNPERMITTED, 1000, &target);
	uint64_t packets = must_attack(a, &relayed.addr);
	cr_assert_gt(packets, 50);
	cr_assert_eq(sink_count(&relayed), packets);
	struct addr from = addr_with_port(addr_from_sockaddr((struct sockaddr *)&relayed.from), 0),
		    other = addr_ipv4(127, 0, 0, 2, 0);
	cr_assert(addr_equal(&from, &other));
	attacker_free(a);
	close(relayed.fd);
}

Test(attacker, makes_an_allocation_and_a_channel_of_its_own)
{
	struct fake_listener listener = {.refuse = 0};
	fake_listener_start(&listener);
	struct load_target target = {.server = listener.addr, .username = FAKE_USER, .password = FAKE_PASSWORD};
	struct attacker *a = must_open(ATTACK_CLIENT, 1000, &target);
	fake_listener_stop(&listener);
	cr_assert_eq(listener.allocated, 1);
	cr_assert_eq(listener.bound, 1);
	attacker_free(a);
}

Test(attacker, ends_by_itself_and_counts_its_window_only)
{
	struct sink sink;
	sink_open(&sink);
	struct load_target target = {.server = sink.addr, .username = FAKE_USER, .password = FAKE_PASSWORD};
	struct attacker *a = must_open(ATTACK_UNAUTHENTICATED, 1000, &target);
	struct attacker_times times = times_now();
	times.window_start_ns = times.window_end_ns - (uint64_t)(WINDOW_S * 1e9 / 2);
	struct failure failure;
	uint64_t packets = 0;
	cr_assert(attacker_start(a, NULL, 0, &times, &failure));
	sleep_s(WINDOW_S * 1.5);
	unsigned all = sink_count(&sink);
	sleep_s(0.05);
	cr_assert_eq(sink_count(&sink), 0);
	cr_assert(attacker_stop(a, &packets, &failure));
	cr_assert(packets > 0 && packets < all, "%lu of %u", (unsigned long)packets, all);
	attacker_free(a);
	close(sink.fd);
}

Test(attacker, says_that_it_never_began)
{
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9)};
	struct attacker *a = must_open(ATTACK_UNPERMITTED, 0, &target);
	struct failure failure;
	uint64_t packets;
	cr_assert_not(attacker_stop(a, &packets, &failure));
	cr_assert_not_null(strstr(failure.text, "unpermitted attack never began"), "%s", failure.text);
	attacker_free(a);
	attacker_free(NULL);
}
