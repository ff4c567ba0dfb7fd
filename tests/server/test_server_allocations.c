#include "server/server_allocations.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_shards.h"

static struct server_view *view;
static struct http_reply reply;

static void open_view(void)
{
	view = fake_view();
	reply = (struct http_reply){.status = 200, .content_type = "text/plain", .body = evbuffer_new()};
}

static void close_view(void)
{
	evbuffer_free(reply.body);
	cluster_registry_free((struct cluster_registry *)view->registry);
	for (unsigned i = 0; i < FAKE_SHARDS; i++)
		free(fake_shards[i].allocations);
}

TestSuite(server_allocations, .init = open_view, .fini = close_view);

static json_t *ask(const char *query)
{
	char *exact = strdup(query);
	evbuffer_drain(reply.body, evbuffer_get_length(reply.body));
	reply.status = 200;
	server_allocations_serve(view, &(struct http_request){"/status/allocations", exact}, &reply);
	free(exact);
	cr_expect_str_eq(reply.content_type, "application/json; charset=utf-8");
	evbuffer_add(reply.body, "", 1);
	json_error_t error;
	json_t *answer = json_loads((const char *)evbuffer_pullup(reply.body, -1), 0, &error);
	cr_assert(answer, "%s: %s", query, error.text);
	return answer;
}

/* Shard `shard` holds `count` allocations of `user`, from 192.0.2.1, ports 1000, 1001, … */
static void hold(unsigned shard, size_t count, const char *user)
{
	fake_shards[shard].allocations = calloc(count, sizeof(struct allocation_info));
	fake_shards[shard].allocation_count = count;
	for (size_t i = 0; i < count; i++) {
		struct allocation_info *info = &fake_shards[shard].allocations[i];
		info->flow.client = addr_ipv4(192, 0, 2, 1, (uint16_t)(1000 + i));
		info->flow.local = addr_ipv4(198, 51, 100, 1, 3478);
		info->relayed = addr_ipv4(203, 0, 113, 1, (uint16_t)(20000 + i));
		snprintf(info->username, sizeof info->username, "%s", user);
	}
}

static void expect_found(const char *query, size_t total)
{
	json_t *answer = ask(query);
	cr_expect_eq(reply.status, 200, "%s", query);
	cr_expect_eq(json_integer_value(json_object_get(answer, "total")), (json_int_t)total, "%s", query);
	json_decref(answer);
}

Test(server_allocations, shows_each_with_its_counters)
{
	hold(1, 1, "alice");
	fake_shards[1].allocations[0].lifetime_left_s = 599;
	fake_shards[1].allocations[0].age_s = 1;
	fake_shards[1].allocations[0].permissions = 2;
	fake_shards[1].allocations[0].channels = 3;
	fake_shards[1].allocations[0].from_client_packets = 4;
	fake_shards[1].allocations[0].from_client_bytes = 5;
	fake_shards[1].allocations[0].to_client_packets = 6;
	fake_shards[1].allocations[0].to_client_bytes = 7;
	fake_shards[1].allocations[0].refused_packets = 8;
	json_decref(ask("user=alice"));
	cr_assert_str_eq((const char *)evbuffer_pullup(reply.body, -1),
		"{\"allocations\":[{\"username\":\"alice\",\"client\":\"192.0.2.1:1000\",\"server\":\"198.51.100.1:3478\","
		"\"relayed\":\"203.0.113.1:20000\",\"transport\":\"udp\",\"listener\":\"udp\",\"shard\":1,\"age_s\":1,"
		"\"lifetime_left_s\":599,\"permissions\":2,\"channels\":3,\"from_client_packets\":4,\"from_client_bytes\":5,"
		"\"to_client_packets\":6,\"to_client_bytes\":7,\"refused_packets\":8}],\"total\":1,\"truncated\":false,"
		"\"incomplete\":false}\n");
}

Test(server_allocations, shows_how_the_client_comes)
{
	static const char *const names[] = {
		[TRANSPORT_UDP] = "udp", [TRANSPORT_TCP] = "tcp", [TRANSPORT_TLS] = "tls", [TRANSPORT_DTLS] = "dtls"};
	hold(0, 4, "alice");
	for (uint16_t i = 0; i < 4; i++)
		fake_shards[0].allocations[i].flow.transport = i;
	json_t *answer = ask(""), *allocations = json_object_get(answer, "allocations");
	for (size_t i = 0; i < 4; i++)
		cr_expect_str_eq(json_string_value(json_object_get(json_array_get(allocations, i), "transport")), names[i]);
	json_decref(answer);
}

Test(server_allocations, filters_by_user_and_by_client)
{
	hold(0, 3, "alice");
	hold(1, 2, "bob & co+1");
	expect_found("", 5);
	expect_found("user=alice", 3);
	expect_found("user=nobody", 0);
	expect_found("user=bob%20%26+co%2b1", 2);
	expect_found("client=192.0.2.1", 5);
	expect_found("client=192.0.2.1:1000", 2);
	expect_found("client=192.0.2.1%3A1002", 1);
	expect_found("client=192.0.2.2", 0);
	expect_found("client=2001:db8::1", 0);
	expect_found("client=%5B2001:db8::1%5D:1000", 0);
	expect_found("client=[2001:db8::1]", 0);
	expect_found("client=192.0.2.1:1000&user=alice", 1);
	expect_found("user=alice&", 3);
}

Test(server_allocations, finds_ipv6_clients_by_address_and_port)
{
	hold(0, 1, "alice");
	addr_parse_ip("2001:db8::1", &fake_shards[0].allocations[0].flow.client);
	fake_shards[0].allocations[0].flow.client.port = 1000;
	expect_found("client=2001:db8::1", 1);
	expect_found("client=[2001:db8::1]", 1);
	expect_found("client=[2001:db8::1]:1000", 1);
	expect_found("client=[2001:db8::1]:1001", 0);
}

Test(server_allocations, refuses_queries_that_make_no_sense)
{
	static const char *const queries[] = {
		"users=alice",
		"user",
		"user=",
		"user=%",
		"user=%2",
		"user=%zz",
		"user=a%00b",
		"user=alice&user=bob",
		"user=alice&&",
		"&",
		"client=",
		"client=nonsense",
		"client=192.0.2.1:0",
		"client=192.0.2.1:65536",
		"client=192.0.2.1:+1",
		"client=192.0.2.1:",
		"client=192.0.2.1:1x",
		"client=[2001:db8::1",
		"client=[2001:db8::1]x",
		"client=[2001:db8::1]:",
		"client=192.0.2.1&client=192.0.2.1",
		"client=11111111111111111111111111111111111111111111111111111111111111111111111",
		"=",
		"%75ser=alice",
	};
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
		json_t *answer = ask(queries[i]);
		cr_expect_eq(reply.status, 400, "%s", queries[i]);
		cr_expect_eq(json_integer_value(json_object_get(answer, "status")), 400);
		cr_expect_gt(json_string_length(json_object_get(answer, "message")), 0);
		json_decref(answer);
		/* The NUL that ask adds is behind the one line. */
		cr_expect_eq(evbuffer_search(reply.body, "\n", 1, NULL).pos, (ssize_t)evbuffer_get_length(reply.body) - 2);
	}
	cr_assert_eq(fake_shards[0].asked, 0);
}

Test(server_allocations, takes_user_names_up_to_the_longest_that_stun_allows)
{
	char query[STUN_USERNAME_SIZE_MAX + 16] = "user=";
	memset(query + 5, 'x', STUN_USERNAME_SIZE_MAX);
	expect_found(query, 0);
	query[5 + STUN_USERNAME_SIZE_MAX] = 'x';
	json_decref(ask(query));
	cr_assert_eq(reply.status, 400);
}

Test(server_allocations, lists_a_bounded_number)
{
	hold(0, ALLOCATIONS_LISTED_MAX - 10, "alice");
	hold(1, 50, "alice");
	json_t *answer = ask("user=alice");
	cr_expect_eq(json_integer_value(json_object_get(answer, "total")), ALLOCATIONS_LISTED_MAX + 40);
	cr_expect_eq(json_array_size(json_object_get(answer, "allocations")), ALLOCATIONS_LISTED_MAX);
	cr_expect(json_is_true(json_object_get(answer, "truncated")));
	json_decref(answer);
}

Test(server_allocations, lists_exactly_as_many_as_fit_without_calling_it_truncated)
{
	hold(0, ALLOCATIONS_LISTED_MAX, "alice");
	json_t *answer = ask("");
	cr_expect_eq(json_array_size(json_object_get(answer, "allocations")), ALLOCATIONS_LISTED_MAX);
	cr_expect(json_is_false(json_object_get(answer, "truncated")));
	json_decref(answer);
}

Test(server_allocations, asks_no_further_shard_once_one_has_not_answered)
{
	fake_shards[0].deaf = true;
	hold(1, 3, "alice");
	json_t *answer = ask("user=alice");
	cr_expect_eq(reply.status, 200);
	cr_expect(json_is_true(json_object_get(answer, "incomplete")));
	cr_expect_eq(fake_shards[0].asked, 1);
	cr_expect_eq(fake_shards[1].asked, 0);
	json_decref(answer);
}

Test(server_allocations, copes_with_user_names_that_are_no_text)
{
	hold(0, 1, "\xff\"\n");
	json_t *answer = ask("user=%ff%22%0A");
	json_t *allocation = json_array_get(json_object_get(answer, "allocations"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(allocation, "username")), "\xEF\xBF\xBD\"\n");
	json_decref(answer);
}
