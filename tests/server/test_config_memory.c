/* Loading, building and reloading with the first, second, third … allocation failing: an error each time, no leak, nothing half
 * done. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"
#include "server/config_streams.h"
#include "server/config_turn.h"
#include "server/reload_diff.h"

/* Allocations that still succeed; negative: all of them. The linker puts these in front of the real ones. */
static long left = -1;

static bool fails(void)
{
	if (left < 0)
		return false;
	if (left == 0)
		return true;
	left--;
	return false;
}

#define WRAP(type, name, parameters, arguments)                                                                                    \
	type __real_##name parameters;                                                                                             \
	type __wrap_##name parameters;                                                                                             \
	type __wrap_##name parameters                                                                                              \
	{                                                                                                                          \
		return fails() ? NULL : __real_##name arguments;                                                                   \
	}

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t count, size_t size), (count, size))
WRAP(void *, realloc, (void *old, size_t size), (old, size))
WRAP(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(FILE *, open_memstream, (char **text, size_t *size), (text, size))

enum { TRIES_MAX = 1000 };

static struct config_rig rig;

static const char text[] =
	"{\"version\":\"v1\",\"admin\":{\"name\":\"$HOME\"},\"auth\":{\"credentials\":{\"username\":\"u\",\"password\":\"p\"}},"
	"\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"10.0.0.0/8\",\"fd00::/8\"]},"
	"{\"name\":\"d\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test\",\"10.0.0.1\"]}],"
	"\"listeners\":[{\"name\":\"a\",\"routes\":[\"c\"]},{\"name\":\"b\",\"port\":2,\"routes\":[\"c\"],"
	"\"protocol\":\"tls\",\"cert\":\"-----BEGIN A\",\"key\":\"LS0tLS1CRUdJTiBB\",\"certificates\":[{\"cert\":\"-----BEGIN C\","
	"\"key\":\"-----BEGIN D\"}],\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.1\",\"::1\"]}]}";

static struct config *load(struct config_problems *problems)
{
	*problems = (struct config_problems){0};
	return config_load_text("t.json", text, sizeof text - 1, &rig.world, problems);
}

TestSuite(config_memory);

Test(config_memory, loading_fails_with_an_error_and_without_a_leak)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		left = n;
		struct config *config = load(&problems);
		left = -1;
		config_free(config);
		if (config)
			break;
		cr_assert_gt(problems.errors, 0, "allocation %ld", n);
		cr_assert_not_null(strstr(problems.list[0].text, "out of memory"), "allocation %ld: %s", n, problems.list[0].text);
	}
	cr_assert(n > 15 && n < TRIES_MAX, "%ld", n);
}

/* Of the allocations that libyaml makes itself none fails here. */
Test(config_memory, loading_yaml_fails_likewise)
{
	static const char yaml[] = "version: v1\nadmin: {name: $HOME}\nauth: {credentials: {username: u, password: p}}\n"
				   "clusters: [{name: c, endpoints: [10.0.0.0/8, \"fd00::/8\"]}]\n"
				   "listeners: [{name: a, routes: [c]}, {name: b, port: 2}]\n";
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		problems = (struct config_problems){0};
		left = n;
		struct config *config = config_load_text("t.yaml", yaml, sizeof yaml - 1, &rig.world, &problems);
		left = -1;
		config_free(config);
		if (config)
			break;
		cr_assert_not_null(strstr(problems.list[0].text, "out of memory"), "allocation %ld: %s", n, problems.list[0].text);
	}
	cr_assert(n > 15 && n < TRIES_MAX, "%ld", n);
}

Test(config_memory, the_embedded_default_fails_likewise)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		problems = (struct config_problems){0};
		left = n;
		struct config *config = config_load_default(&rig.world, &problems);
		left = -1;
		config_free(config);
		if (config)
			break;
		cr_assert_str_eq(problems.list[0].text, "environment: out of memory");
	}
	cr_assert(n >= 4 && n < TRIES_MAX, "%ld", n);
}

Test(config_memory, building_the_cores_part_fails_as_a_whole)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	struct config *config = load(&problems);
	struct cluster_registry *registry = cluster_registry_create();
	cr_assert_eq(cluster_registry_id(registry, "c"), 0);
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		left = n;
		struct turn_config *turn = config_turn_create(config, registry, NULL, &rig.world);
		left = -1;
		turn_config_unref(turn);
		if (turn)
			break;
	}
	cr_assert(n > 10 && n < TRIES_MAX, "%ld", n);
	cluster_registry_free(registry);
	config_free(config);
}

Test(config_memory, names_stay_as_they_were_when_others_do_not_fit)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	struct config *config = load(&problems);
	struct cluster_names *names = cluster_names_create();
	cr_assert(cluster_names_set(names, config));
	struct addr address[2] = {addr_ipv4(10, 0, 0, 1, 0), addr_ipv4(10, 0, 0, 2, 0)};
	struct name_answer answers[RELAY_FAMILIES] = {[RELAY_IPV4] = {NAME_HAS_ADDRESSES, address, 1}};
	uint64_t id = cluster_names_due(names, 0)->id;
	cr_assert(cluster_names_answer(names, id, answers, (struct moment){0}).changed);
	for (long n = 0; n < 2; n++) {
		left = n;
		cr_expect_not(cluster_names_set(names, config));
		answers[RELAY_IPV4].count = 2;
		struct name_news news = cluster_names_answer(names, id, answers, (struct moment){0});
		left = -1;
		cr_expect(!news.changed && news.name->state == NAME_FAILING);
		cr_expect_eq(named_cluster_addresses(news.cluster), 1);
	}
	cr_expect(cluster_names_set(names, config));
	cr_expect_eq(named_cluster_addresses(cluster_names_find(names, "d")), 1);
	cluster_names_free(names);
	config_free(config);
}

Test(config_memory, building_the_shards_part_fails_as_a_whole)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	struct config *config = config_rig_load(&rig,
		config_rig_native(
			"", ",\"protocol\":\"tcp\",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.0.0.0/8\",\"fd00::/8\"]", ""),
		NULL);
	const struct config_streams_params params = {.config = config, .world = &rig.world, .handshakes_max = 1};
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		problems = (struct config_problems){0};
		left = n;
		struct stream_config *streams = config_streams_create(&params, &problems);
		left = -1;
		stream_config_unref(streams);
		if (streams)
			break;
		cr_assert_str_eq(problems.list[0].text, "out of memory", "allocation %ld", n);
	}
	cr_assert(n >= 3 && n < TRIES_MAX, "%ld", n);
	config_free(config);
}

Test(config_memory, a_reload_that_fails_leaves_the_running_configuration_alone)
{
	static struct config_problems problems;
	config_rig_init(&rig, NULL);
	struct config *running = config_rig_load(&rig,
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"clusters\":[{\"name\":\"c\"}],\"listeners\":[{\"name\":\"a\","
		"\"port\":9,\"routes\":[\"c\"]}]}",
		NULL);
	long n = 0;
	for (; n < TRIES_MAX; n++) {
		struct reload_diff diff;
		struct config *incoming = load(&problems);
		left = n;
		const struct reload_running now = {running, 1000, 1000, 0};
		struct config *merged = reload_diff(&now, incoming, &diff);
		left = -1;
		config_free(merged);
		cr_assert_str_eq(running->listeners[0].name, "a");
		cr_assert_eq(running->listeners[0].route_count, 1);
		if (merged)
			break;
		cr_assert_str_eq(diff.kept.list[diff.kept.kept - 1].text, "out of memory");
	}
	cr_assert_eq(n, 1);
	config_free(running);
}
