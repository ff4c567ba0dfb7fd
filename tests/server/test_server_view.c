#include "server/server_view.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <event2/event.h>
#include <string.h>
#include <unistd.h>

#include "../ops/http_rig.h"
#include "fake_shards.h"

static struct event_base *base;
static struct server_view *view;
static char answer[256 * 1024];

static void open_view(void)
{
	base = event_base_new();
	view = fake_view();
}

static void close_view(void)
{
	cluster_registry_free((struct cluster_registry *)view->registry);
	event_base_free(base);
}

TestSuite(server_view, .init = open_view, .fini = close_view, .timeout = 30);

/* Free a moment ago. */
static uint16_t free_port(void)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bind(fd, (struct sockaddr *)&name, sizeof name);
	getsockname(fd, (struct sockaddr *)&name, &size);
	close(fd);
	return ntohs(name.sin_port);
}

static void configure_ports(void)
{
	fake_config.admin.health.ip = fake_config.admin.metrics.ip = addr_ipv4(127, 0, 0, 1, 0);
	fake_config.admin.health.port = free_port();
	do
		fake_config.admin.metrics.port = free_port();
	while (fake_config.admin.metrics.port == fake_config.admin.health.port);
}

static const char *no_variable(void *context, const char *name)
{
	(void)context;
	(void)name;
	return NULL;
}

static const struct config_world *config_world_none(void)
{
	static const struct config_world world = {.getenv = no_variable};
	return &world;
}

static int get(const struct config_http *http, const char *path)
{
	char request[256];
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	rig_ask(base, http->port, request, answer, sizeof answer);
	return rig_status(answer);
}

/* Open where fake_config says. */
static struct server_ops *open_ops(void)
{
	struct server_ops *ops = server_ops_create(base, view);
	cr_assert(ops);
	cr_assert(server_ops_move(ops, &fake_config.admin));
	return ops;
}

Test(server_view, serves_health_and_metrics_where_the_configuration_says)
{
	configure_ports();
	strcpy(fake_config.admin.metrics.path, "/some/where");
	struct server_ops *ops = open_ops();
	const struct config_http *health = &fake_config.admin.health, *metrics = &fake_config.admin.metrics;
	cr_expect_eq(get(health, "/live"), 200);
	cr_expect_str_eq(rig_body(answer), "{}\n");
	cr_expect_eq(get(health, "/ready"), 200);
	cr_expect_eq(get(health, "/status"), 200);
	cr_expect_eq(get(health, "/status/allocations"), 200);
	cr_expect_eq(get(health, "/status/allocations?user=alice"), 200);
	cr_expect_eq(get(health, "/status/allocations?nonsense"), 400);
	cr_expect_eq(get(health, "/some/where"), 404);
	cr_expect_eq(get(metrics, "/live"), 404);
	cr_expect_eq(get(metrics, "/metrics"), 404);
	cr_expect_eq(get(metrics, "/some/where"), 200);
	cr_expect(strstr(answer, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	server_ops_free(ops);
}

Test(server_view, moves_to_another_port_and_leaves_the_old_one)
{
	configure_ports();
	struct server_ops *ops = open_ops();
	struct config_admin next = fake_config.admin;
	next.metrics.port = free_port();
	cr_assert(server_ops_move(ops, &next));
	cr_expect_eq(get(&next.metrics, "/metrics"), 200);
	cr_expect_eq(get(&next.health, "/live"), 200);
	/* The old port is free again. */
	struct server_ops *other = server_ops_create(base, view);
	struct config_admin old = fake_config.admin;
	old.health.enabled = false;
	cr_assert(server_ops_move(other, &old));
	server_ops_free(other);
	server_ops_free(ops);
}

Test(server_view, takes_another_path_without_a_new_socket)
{
	configure_ports();
	struct server_ops *ops = open_ops();
	struct config_admin next = fake_config.admin;
	strcpy(next.metrics.path, "/other");
	unsigned before = rig_descriptors();
	cr_assert(server_ops_move(ops, &next));
	cr_expect_eq(rig_descriptors(), before);
	cr_expect_eq(get(&next.metrics, "/other"), 200);
	cr_expect_eq(get(&next.metrics, "/metrics"), 404);
	server_ops_free(ops);
}

Test(server_view, lets_the_endpoints_change_places)
{
	configure_ports();
	struct server_ops *ops = open_ops();
	struct config_admin next = fake_config.admin;
	next.metrics.port = fake_config.admin.health.port;
	next.health.port = fake_config.admin.metrics.port;
	cr_assert(server_ops_move(ops, &next));
	cr_expect_eq(get(&next.metrics, "/metrics"), 200);
	cr_expect_eq(get(&next.health, "/live"), 200);
	/* And to all addresses, on the same port. */
	next.health.ip = (struct addr){.family = ADDR_NONE};
	cr_assert(server_ops_move(ops, &next));
	cr_expect_eq(get(&next.health, "/live"), 200);
	server_ops_free(ops);
}

Test(server_view, hands_out_credentials_on_a_port_of_its_own)
{
	configure_ports();
	struct config_http *ice = &fake_config.admin.ice;
	*ice = (struct config_http){.enabled = true, .ip = addr_ipv4(127, 0, 0, 1, 0), .path = "/"};
	do
		ice->port = free_port();
	while (ice->port == fake_config.admin.health.port || ice->port == fake_config.admin.metrics.port);
	view->world = config_world_none();
	struct server_ops *ops = open_ops();
	cr_expect_eq(get(ice, "/?service=turn"), 200);
	cr_expect_eq(get(ice, "/ice?service=turn"), 200);
	cr_expect_eq(get(ice, "/ice"), 400);
	cr_expect_eq(get(ice, "/status"), 404);
	cr_expect_eq(get(&fake_config.admin.health, "/ice?service=turn"), 404);
	cr_expect_eq(get(&fake_config.admin.metrics, "/ice?service=turn"), 404);
	server_ops_free(ops);
}

Test(server_view, goes_on_with_the_path_it_started_with_when_the_configuration_is_replaced)
{
	configure_ports();
	struct server_ops *ops = open_ops();
	memset(fake_config.admin.metrics.path, 'x', sizeof fake_config.admin.metrics.path - 1);
	cr_expect_eq(get(&fake_config.admin.metrics, "/metrics"), 200);
	server_ops_free(ops);
}

Test(server_view, opens_nothing_that_is_not_asked_for)
{
	configure_ports();
	fake_config.admin.health.enabled = fake_config.admin.metrics.enabled = false;
	unsigned before = rig_descriptors();
	struct server_ops *ops = open_ops();
	cr_expect_eq(rig_descriptors(), before);
	server_ops_free(ops);
}

Test(server_view, stays_as_it_was_when_a_port_is_taken)
{
	configure_ports();
	cr_redirect_stdout();
	struct server_ops *ops = open_ops(), *other = server_ops_create(base, view);
	uint16_t taken = fake_config.admin.metrics.port;
	/* Nothing is open yet: what it had opened closes again. */
	struct config_admin next = fake_config.admin;
	next.health.port = free_port();
	unsigned before = rig_descriptors();
	cr_assert_not(server_ops_move(other, &next));
	rig_turn(base);
	cr_expect_eq(rig_descriptors(), before);
	char line[512] = "";
	FILE *log = cr_get_redirected_stdout();
	char expected[128];
	snprintf(expected, sizeof expected, "admin.metrics_endpoint: cannot listen for HTTP on 127.0.0.1:%u: ", taken);
	cr_assert(fgets(line, sizeof line, log));
	cr_expect(strstr(line, expected), "%s", line);
	/* Something is: it stays, and where it had made room already it comes back. */
	struct config_admin elsewhere = next;
	elsewhere.metrics.port = free_port();
	cr_assert(server_ops_move(other, &elsewhere));
	next = elsewhere;
	next.health.ip = (struct addr){.family = ADDR_NONE};
	next.metrics.port = taken;
	cr_assert_not(server_ops_move(other, &next));
	cr_expect_eq(get(&elsewhere.health, "/live"), 200);
	cr_expect_eq(get(&elsewhere.metrics, "/metrics"), 200);
	server_ops_free(other);
	server_ops_free(ops);
}
