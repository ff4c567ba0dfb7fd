#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>

#include "config_rig.h"
#include "server/reload_diff.h"

static struct config_rig rig;
static struct listener_plan plan;
static struct config *running;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

static void tear_down(void)
{
	config_free(running);
}

TestSuite(reload_listeners, .init = set_up, .fini = tear_down);

/* A document with these listeners, each without its braces. */
static struct config *document(const char *listeners)
{
	static char text[8192];
	struct config_problems problems = {0};
	snprintf(text, sizeof text,
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[%s],\"clusters\":[{\"name\":\"x\",\"endpoints\":"
		"[\"10.0.0.1\"]},{\"name\":\"y\",\"endpoints\":[\"10.0.0.2\"]}]}",
		listeners);
	struct config *config = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(config, "%s", problems.list[0].text);
	return config;
}

static void reload_while(const char *listeners, uint32_t closing)
{
	struct config_problems problems = {0};
	struct config *next = document(listeners);
	cr_assert(reload_listeners(running, next, closing, &plan, &problems), "%s", problems.list[0].text);
	config_free(running);
	running = next;
}

/* The process starts with these. */
static void start(const char *listeners)
{
	running = document("");
	reload_while(listeners, 0);
}

static void reload(const char *listeners)
{
	reload_while(listeners, 0);
}

static const struct config_listener *listener(size_t index)
{
	cr_assert_lt(index, running->listener_count + running->retiring_count);
	return &running->listeners[index];
}

#define UDP(name, port) "{\"name\":\"" name "\",\"protocol\":\"udp\",\"port\":" #port ",\"routes\":[\"x\"]}"
#define TCP(name, port) "{\"name\":\"" name "\",\"protocol\":\"tcp\",\"port\":" #port ",\"routes\":[\"x\"]}"
#define SECURE(name, protocol, port)                                                                                               \
	"{\"name\":\"" name "\",\"protocol\":\"" protocol "\",\"port\":" #port                                                     \
	",\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\",\"routes\":[\"x\"]}"

Test(reload_listeners, opens_all_at_the_start)
{
	start(UDP("a", 1) "," TCP("b", 1));
	cr_expect(plan.changed);
	cr_assert_eq(plan.opening_count, 2);
	for (unsigned i = 0; i < 2; i++) {
		cr_expect_eq(plan.openings[i].index, i);
		cr_expect_eq(plan.openings[i].from[RELAY_IPV4], LISTENER_NONE);
		cr_expect_eq(plan.openings[i].from[RELAY_IPV6], LISTENER_NONE);
		cr_expect_eq(listener(i)->slot, i);
		cr_expect_not(listener(i)->waits[RELAY_IPV4]);
	}
	cr_expect_eq(running->retiring_count, 0);
}

Test(reload_listeners, goes_on_with_the_sockets_in_any_order)
{
	start(UDP("a", 1) "," UDP("b", 2));
	reload(UDP("b", 2) "," UDP("a", 1));
	cr_expect_not(plan.changed);
	cr_expect_eq(plan.opening_count, 0);
	cr_expect_eq(listener(0)->slot, 1);
	cr_expect_eq(listener(1)->slot, 0);
	cr_expect_eq(running->retiring_count, 0);
}

Test(reload_listeners, opens_a_new_one_beside_the_others)
{
	start(UDP("a", 1));
	reload(TCP("b", 1) "," UDP("a", 1));
	cr_expect(plan.changed);
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].index, 0);
	cr_expect_eq(listener(0)->slot, 1);
	cr_expect_eq(listener(1)->slot, 0);
}

Test(reload_listeners, another_port_retires_the_old_one_which_follows_the_new_routes)
{
	start(UDP("a", 1));
	reload("{\"name\":\"a\",\"port\":2,\"routes\":[\"y\"]}");
	cr_expect_eq(plan.opening_count, 1);
	cr_expect_eq(listener(0)->slot, 1);
	cr_assert_eq(running->retiring_count, 1);
	const struct config_listener *retiring = listener(1);
	cr_expect_eq(retiring->slot, 0);
	cr_expect_eq(retiring->port, 1);
	cr_assert_eq(retiring->route_count, 1);
	cr_expect_str_eq(running->clusters[retiring->routes[0]].name, "y");
	cr_expect(config_listener_is_replaced(running, retiring));
	/* And those of every later one. */
	reload("{\"name\":\"a\",\"port\":2,\"routes\":[]}");
	cr_assert_eq(running->retiring_count, 1);
	cr_expect_eq(listener(1)->route_count, 0);
}

Test(reload_listeners, a_removed_one_reaches_nothing)
{
	start(UDP("a", 1) "," UDP("b", 2));
	reload(UDP("b", 2));
	cr_expect(plan.changed);
	cr_expect_eq(plan.opening_count, 0);
	cr_assert_eq(running->retiring_count, 1);
	cr_expect_str_eq(listener(1)->name, "a");
	cr_expect_eq(listener(1)->route_count, 0);
	cr_expect_not(config_listener_is_replaced(running, listener(1)));
	reload(UDP("b", 2));
	cr_expect_not(plan.changed);
	cr_expect_eq(running->retiring_count, 1);
}

Test(reload_listeners, can_lose_the_last_one)
{
	start(UDP("a", 1));
	reload("");
	cr_expect(plan.changed);
	cr_expect_eq(running->listener_count, 0);
	cr_expect_eq(running->retiring_count, 1);
}

Test(reload_listeners, a_new_name_goes_on_with_the_sockets)
{
	start(UDP("a", 1));
	reload(UDP("b", 1));
	cr_expect(plan.changed);
	cr_expect_eq(plan.opening_count, 0);
	cr_expect_eq(listener(0)->slot, 0);
	cr_expect_eq(running->retiring_count, 0);
}

Test(reload_listeners, names_that_change_places_go_on_with_each_others_sockets)
{
	start(UDP("a", 1) "," UDP("b", 2));
	reload(UDP("a", 2) "," UDP("b", 1));
	cr_expect_eq(plan.opening_count, 0);
	cr_expect_eq(listener(0)->slot, 1);
	cr_expect_eq(listener(1)->slot, 0);
	cr_expect_eq(running->retiring_count, 0);
}

Test(reload_listeners, datagrams_in_another_protocol_share_the_sockets)
{
	start(UDP("a", 1));
	reload(SECURE("a", "dtls", 1));
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], 0);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV6], 0);
	cr_expect_eq(listener(0)->slot, 1);
	cr_expect_eq(listener(0)->sharers, 1);
	cr_assert_eq(running->retiring_count, 1);
	cr_expect_eq(listener(1)->protocol, PROTOCOL_UDP);
	cr_expect_eq(listener(1)->bind[RELAY_IPV4].family, ADDR_NONE);
	cr_expect_eq(listener(1)->bind[RELAY_IPV6].family, ADDR_NONE);
	/* And back, while both have clients. */
	reload(UDP("a", 1));
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], 1);
	cr_expect_eq(listener(0)->slot, 2);
	cr_expect_eq(listener(0)->sharers, 3);
	cr_expect_eq(running->retiring_count, 2);
	cr_expect_eq(listener(1)->sharers, 0);
	cr_expect_eq(listener(2)->sharers, 0);
}

Test(reload_listeners, connections_in_another_protocol_take_the_acceptors_over)
{
	start(TCP("a", 1));
	reload(SECURE("b", "tls", 1));
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], 0);
	cr_expect_eq(listener(0)->sharers, 0);
	cr_assert_eq(running->retiring_count, 1);
}

Test(reload_listeners, waits_for_sockets_that_are_in_the_way)
{
	start(UDP("a", 1));
	reload("{\"name\":\"a\",\"port\":1,\"bind_address\":\"127.0.0.1\"}");
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], LISTENER_NONE);
	cr_expect(listener(0)->waits[RELAY_IPV4]);
	cr_expect_not(listener(0)->waits[RELAY_IPV6]);
	cr_expect_eq(listener(1)->bind[RELAY_IPV4].family, ADDR_IPV4);
	/* What waits has no socket that could be taken over. */
	reload("{\"name\":\"a\",\"port\":1,\"bind_address\":\"127.0.0.1\"}");
	cr_expect_not(plan.changed);
	cr_expect(listener(0)->waits[RELAY_IPV4]);
	reload("{\"name\":\"a\",\"protocol\":\"dtls\",\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\",\"port\":1,"
	       "\"bind_address\":\"127.0.0.1\"}");
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], LISTENER_NONE);
	cr_expect(listener(0)->waits[RELAY_IPV4]);
	cr_expect_eq(running->retiring_count, 2);
}

Test(reload_listeners, takes_over_the_family_that_stays)
{
	start(UDP("a", 1));
	reload("{\"name\":\"a\",\"port\":1,\"bind_address\":\"0.0.0.0\"}");
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV4], 0);
	cr_expect_eq(plan.openings[0].from[RELAY_IPV6], LISTENER_NONE);
	cr_expect_eq(listener(1)->bind[RELAY_IPV4].family, ADDR_NONE);
	cr_expect_eq(listener(1)->bind[RELAY_IPV6].family, ADDR_IPV6);
}

Test(reload_listeners, comes_back_to_sockets_that_are_still_open)
{
	start(UDP("a", 1) "," TCP("b", 1));
	reload(UDP("a", 2) "," TCP("b", 2));
	reload(UDP("a", 1) "," TCP("b", 1));
	cr_expect(plan.changed);
	/* Acceptors close at once. */
	cr_assert_eq(plan.opening_count, 1);
	cr_expect_eq(plan.openings[0].index, 1);
	cr_expect_eq(listener(0)->slot, 0);
	cr_expect_eq(listener(1)->slot, 4);
	cr_expect_eq(running->retiring_count, 3);
}

Test(reload_listeners, leaves_alone_what_shards_have_not_let_go_of)
{
	start(UDP("a", 1));
	reload_while(UDP("a", 1) "," UDP("b", 2), 6);
	cr_expect_eq(listener(1)->slot, 3);
}

Test(reload_listeners, sees_what_changed_of_one_that_stays)
{
	static const char *const changes[] = {
		",\"routes\":[\"y\"]",
		",\"routes\":[\"x\"],\"public_port\":443",
		",\"routes\":[\"x\"],\"public_address\":\"h\"",
		",\"routes\":[\"x\"],\"address\":\"192.0.2.7\"",
		",\"routes\":[\"x\"],\"advertised_address\":\"192.0.2.9\"",
		",\"routes\":[\"x\"],\"min_relay_port\":5,\"max_relay_port\":6",
	};
	start(UDP("a", 1));
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		char text[256];
		snprintf(text, sizeof text, "{\"name\":\"a\",\"port\":1%s}", changes[i]);
		reload(text);
		cr_expect(plan.changed, "%s", text);
		cr_expect_eq(plan.opening_count, 0);
		reload(UDP("a", 1));
		cr_expect(plan.changed);
		reload(UDP("a", 1));
		cr_expect_not(plan.changed);
	}
}

/* As many as a configuration can have, from this port on. */
static const char *full(int port)
{
	static char text[CONFIG_LISTENERS_MAX * 64];
	text[0] = '\0';
	for (int i = 0; i < CONFIG_LISTENERS_MAX; i++)
		snprintf(text + strlen(text), 64, "%s{\"name\":\"l%d\",\"port\":%d}", i ? "," : "", i, port + i);
	return text;
}

Test(reload_listeners, is_refused_when_no_place_is_left)
{
	start(full(1));
	/* All of them may change at once. */
	reload(full(1001));
	cr_assert_eq(running->retiring_count, CONFIG_LISTENERS_MAX);
	cr_expect_eq(listener(31)->slot, 63);
	struct config_problems problems = {0};
	struct config *next = document(full(1002));
	cr_expect_not(reload_listeners(running, next, 0, &plan, &problems));
	config_free(next);
	cr_assert_eq(problems.errors, 1);
	cr_expect_str_eq(problems.list[0].text,
		"listeners: 64 are the most at once, and of those that were removed or replaced too many still have clients: wait "
		"until they are gone (/status has them), or change fewer");
}
