/*
 * Shards over real sockets on loopback, with both engines: what the layers below cannot show by themselves.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "io/udp_socket.h"
#include "orders.h"
#include "shard/shard.h"

struct world {
	struct shard_shared *shared;
	struct turn_config *config;
	struct shard *shards[4];
	unsigned count;
	uint16_t port;
};

static struct turn_config *make_config(void)
{
	struct turn_config *config = turn_config_create();
	cr_assert_not_null(config);
	config->auth.type = AUTH_NONE;
	strcpy(config->auth.realm, "test");
	config->listener_count = 1;
	config->listeners[0].policy = peer_policy_create();
	peer_policy_seal(config->listeners[0].policy);
	config->listeners[0].relay[RELAY_IPV4].bind = addr_ipv4(127, 0, 0, 1, 0);
	config->listeners[0].port_min = 20000;
	config->listeners[0].port_max = 21000;
	return config;
}

static void start_world(struct world *world, enum engine_kind engine, unsigned count)
{
	*world = (struct world){.shared = shard_shared_create(100), .config = make_config(), .count = count};
	struct shard_params params = {
		.count = (uint8_t)count,
		.engine = {.kind = engine, .receive_buffers = 64},
		.allocations_max = 100,
		.shared = world->shared,
		.config = world->config,
	};
	struct udp_socket_options options = {.reuse_port = true, .listener = true};
	struct addr local = addr_ipv4(127, 0, 0, 1, 0);
	int fds[4], fd = udp_socket_open(&local, &options, NULL);
	cr_assert_geq(fd, 0);
	local.port = world->port = udp_socket_local(fd).port;
	close(fd);
	cr_assert_eq(udp_socket_open_group(&local, &options, count, fds, NULL), 0);
	for (unsigned i = 0; i < count; i++) {
		char reason[ENGINE_REASON_SIZE];
		params.index = (uint8_t)i;
		cr_assert_eq(shard_start(&params, &world->shards[i], reason), 0, "%s", reason);
		struct shard_order *order = order_create(world->config, NULL);
		order_add_socket(order, 0, fds[i]);
		cr_assert(shard_give_order(world->shards[i], order));
	}
	for (unsigned i = 0; i < count; i++)
		shard_run(world->shards[i], world->shards);
}

static void stop_world(struct world *world)
{
	for (unsigned i = 0; i < world->count; i++)
		shard_stop(world->shards[i]);
	for (unsigned i = 0; i < world->count; i++)
		shard_free(world->shards[i]);
	turn_config_unref(world->config);
	shard_shared_free(world->shared);
}

/* A Binding request from a socket of its own. Returns the size of the answer; -1: none within a second. */
static ssize_t ask_binding(const struct world *world)
{
	static const uint8_t request[STUN_HEADER_SIZE] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'b', 'i', 'n', 'd', 'i', 'n', 'g'};
	uint8_t answer[1500];
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct timeval second = {.tv_sec = 1};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(world->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_eq(sendto(fd, request, sizeof request, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)sizeof request);
	ssize_t size = recv(fd, answer, sizeof answer, 0);
	close(fd);
	return size;
}

struct setup {
	enum engine_kind engine;
	unsigned shards;
};

ParameterizedTestParameters(shard, answers_every_client_whichever_shard_it_falls_to)
{
	static struct setup setups[] = {{ENGINE_IO_URING, 1}, {ENGINE_IO_URING, 4}, {ENGINE_EPOLL, 1}, {ENGINE_EPOLL, 4}};
	return cr_make_param_array(struct setup, setups, 4);
}

ParameterizedTest(struct setup *setup, shard, answers_every_client_whichever_shard_it_falls_to)
{
	struct world world;
	start_world(&world, setup->engine, setup->shards);
	for (int i = 0; i < 50; i++)
		cr_assert_eq(ask_binding(&world), 32);
	uint64_t answered = 0, received = 0;
	unsigned busy = 0;
	for (unsigned i = 0; i < world.count; i++) {
		uint64_t here = counter_read(&shard_turn_counters(world.shards[i])->verdicts[ANSWERED]);
		answered += here;
		busy += here > 0;
		received += counter_read(&shard_counters(world.shards[i])->listeners[0].rx_packets);
		cr_assert_eq(shard_engine_kind(world.shards[i]), setup->engine);
	}
	cr_assert_eq(answered, 50);
	cr_assert_eq(received, 50);
	cr_assert(setup->shards == 1 || busy > 1, "all clients fell to one shard of four");
	stop_world(&world);
}

Test(shard, answers_a_question_about_its_allocations)
{
	struct world world;
	start_world(&world, ENGINE_EPOLL, 1);
	struct allocation_info infos[4];
	struct addr anybody = {.family = ADDR_NONE};
	cr_assert_eq(shard_find_allocations(world.shards[0], NULL, &anybody, infos, 4), 0);
	cr_assert_eq(shard_find_allocations(world.shards[0], "nobody", &anybody, infos, 4), 0);
	stop_world(&world);
}

Test(shard, takes_a_new_configuration_and_lets_the_old_one_go)
{
	struct world world;
	start_world(&world, ENGINE_EPOLL, 1);
	struct turn_config *next = make_config();
	struct stream_config *streams = stream_config_create();
	cr_assert(shard_give_order(world.shards[0], order_create(next, streams)));
	cr_assert_eq(ask_binding(&world), 32);
	struct allocation_info info;
	/* Messages are taken in order: once this is answered, so is the one before. */
	shard_find_allocations(world.shards[0], NULL, &(struct addr){0}, &info, 1);
	cr_assert_eq(__atomic_load_n(&world.config->references, __ATOMIC_SEQ_CST), 1);
	/* Ours, and the shard's. */
	cr_assert_eq(__atomic_load_n(&streams->references, __ATOMIC_SEQ_CST), 2);
	turn_config_unref(next);
	stream_config_unref(streams);
	stop_world(&world);
}

Test(shard, heart_beats_while_nothing_happens)
{
	struct world world;
	start_world(&world, ENGINE_IO_URING, 1);
	uint64_t before = shard_heartbeat_ns(world.shards[0]);
	usleep(1500 * 1000);
	cr_assert_gt(shard_heartbeat_ns(world.shards[0]), before);
	stop_world(&world);
}

Test(shard, can_be_stopped_before_it_ran)
{
	struct world world = {.shared = shard_shared_create(10), .config = make_config()};
	struct shard_params params = {.count = 1, .allocations_max = 10, .shared = world.shared, .config = world.config};
	char reason[ENGINE_REASON_SIZE];
	cr_assert_eq(shard_start(&params, &world.shards[0], reason), 0, "%s", reason);
	world.count = 1;
	stop_world(&world);
}
