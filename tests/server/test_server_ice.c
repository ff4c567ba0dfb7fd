#include "server/server_ice.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/credentials.h"
#include "fake_shards.h"

static struct server_view *view;
static struct http_reply reply;
static const char *public_addr;

static const char *get_variable(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "STUNNER_PUBLIC_ADDR") == 0 ? public_addr : NULL;
}

static struct addr default_source(void *context, enum addr_family family)
{
	(void)context;
	return family == ADDR_IPV4 ? addr_ipv4(192, 0, 2, 7, 0) : (struct addr){0};
}

static const struct config_world world = {.getenv = get_variable, .default_source = default_source};

static void open_view(void)
{
	view = fake_view();
	view->world = &world;
	public_addr = NULL;
	fake_add_listeners();
	strcpy(fake_config.listeners[1].name, "ns/gw/tcp");
	strcpy(fake_config.listeners[2].name, "ns/gw/tls");
	strcpy(fake_config.listeners[3].name, "ns/other/dtls");
	addr_parse_ip("2001:db8::9", &fake_config.listeners[3].relay[RELAY_IPV6].advertised);
	reply = (struct http_reply){.body = evbuffer_new()};
}

static void close_view(void)
{
	evbuffer_free(reply.body);
	fake_remove_listeners();
	cluster_registry_free((struct cluster_registry *)view->registry);
}

TestSuite(server_ice, .init = open_view, .fini = close_view);

static const char *ask(http_handler *handler, const char *query)
{
	char *exact = strdup(query);
	evbuffer_drain(reply.body, evbuffer_get_length(reply.body));
	reply.status = 200;
	reply.content_type = "text/plain";
	handler(view, &(struct http_request){"/", exact}, &reply);
	free(exact);
	evbuffer_add(reply.body, "", 1);
	return (const char *)evbuffer_pullup(reply.body, -1);
}

#define TCP_URI "\"turn:192.0.2.7:5349?transport=tcp\""
#define TLS_URI "\"turns:192.0.2.7:5349?transport=tcp\""
#define DTLS_URI "\"turns:[2001:db8::9]:5349?transport=udp\""

Test(server_ice, hands_out_static_credentials_in_the_bytes_of_the_auth_service)
{
	cr_expect_str_eq(ask(server_ice_serve_turn, "service=turn"),
		"{\"password\":\"secret-password\",\"ttl\":86400,\"uris\":[\"turn:203.0.113.7:443?transport=udp\"," TCP_URI
		"," TLS_URI "," DTLS_URI "],\"username\":\"secret-user\"}\n");
	cr_expect_eq(reply.status, 200);
	cr_expect_str_eq(reply.content_type, "application/json; charset=UTF-8");
	cr_expect_str_eq(ask(server_ice_serve, "service=turn&username=ignored&key=x&unknown=y"),
		"{\"iceServers\":[{\"credential\":\"secret-password\",\"urls\":[\"turn:203.0.113.7:443?transport=udp\"," TCP_URI
		"," TLS_URI "," DTLS_URI "],\"username\":\"secret-user\"}],\"iceTransportPolicy\":\"all\"}\n");
	cr_expect(strstr(ask(server_ice_serve, "service=turn&iceTransportPolicy=relay"), "\"iceTransportPolicy\":\"relay\"}\n"));
}

static json_t *ask_turn(const char *query)
{
	json_error_t error;
	json_t *answer = json_loads(ask(server_ice_serve_turn, query), 0, &error);
	cr_assert_eq(reply.status, 200, "%s: %d", query, reply.status);
	cr_assert(answer, "%s: %s", query, error.text);
	return answer;
}

static void expect_credentials(const char *query, uint64_t ttl_s, const char *user)
{
	uint64_t before_s = clock_now().wall_s;
	json_t *answer = ask_turn(query);
	const char *username = json_string_value(json_object_get(answer, "username"));
	unsigned long long expires_s = strtoull(username, NULL, 10);
	char password[EPHEMERAL_PASSWORD_SIZE];
	cr_expect(expires_s >= before_s + ttl_s && expires_s <= clock_now().wall_s + ttl_s, "%s: %s", query, username);
	cr_expect_str_eq(strchr(username, ':'), user, "%s: %s", query, username);
	credentials_ephemeral_password(bytes_of_string(username), bytes_of_string("s3cret"), password);
	cr_expect_str_eq(json_string_value(json_object_get(answer, "password")), password);
	cr_expect_eq(json_integer_value(json_object_get(answer, "ttl")), (json_int_t)ttl_s);
	json_decref(answer);
}

Test(server_ice, makes_ephemeral_credentials_for_a_bounded_time)
{
	fake_config.auth = (struct config_auth){.type = AUTH_EPHEMERAL, .secrets = {"s3cret", "earlier"}};
	expect_credentials("service=turn", 86400, ":");
	expect_credentials("service=turn&username=", 86400, ":");
	expect_credentials("service=turn&username=alice&ttl=1", 1, ":alice");
	expect_credentials("service=turn&username=al%20ice%3Ax%C3%A9&ttl=3600", 3600, ":al ice:x\xC3\xA9");
	expect_credentials("service=turn&ttl=2592000", ICE_TTL_MAX_S, ":");
	expect_credentials("service=turn&ttl=2592001", ICE_TTL_MAX_S, ":");
	expect_credentials("service=turn&ttl=999999999999999999", ICE_TTL_MAX_S, ":");
}

Test(server_ice, filters_by_the_three_parts_of_a_listeners_name)
{
	static const struct {
		const char *query;
		size_t count;
	} cases[] = {
		{"", 4},
		{"&namespace=ns", 3},
		{"&namespace=ns&gateway=gw", 2},
		{"&namespace=ns&gateway=gw&listener=tls", 1},
		{"&namespace=ns&gateway=other&listener=dtls", 1},
		{"&gateway=gw", 4},                /* counts beside a namespace only */
		{"&namespace=ns&listener=tls", 3}, /* beside both only */
		{"&namespace=n", 0},
		{"&namespace=ns/gw", 0},
		{"&namespace=ns&gateway=g", 0},
		{"&namespace=ns&gateway=gw&listener=tl", 0},
		{"&namespace=", 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char query[128];
		snprintf(query, sizeof query, "service=turn%s", cases[i].query);
		const char *text = ask(server_ice_serve_turn, query);
		cr_expect_eq(reply.status, cases[i].count ? 200 : 404, "%s: %d", query, reply.status);
		size_t count = 0;
		for (const char *p = text; (p = strstr(p, "transport=")); p++)
			count++;
		cr_expect_eq(count, cases[i].count, "%s: %s", query, text);
	}
	cr_expect_str_eq(ask(server_ice_serve, "service=turn&namespace=x"), "there is no such listener\n");
	cr_expect_str_eq(reply.content_type, "text/plain");
}

Test(server_ice, takes_the_public_address_from_the_query_then_the_environment_then_the_configuration)
{
	const char *only_udp[] = {
		"service=turn", "service=turn&public-addr=turn.example.org", "service=turn&public-ip=2001:db8::1"};
	const char *expected[] = {"turn:203.0.113.7:443?transport=udp", "turn:turn.example.org:443?transport=udp",
		"turn:[2001:db8::1]:443?transport=udp"};
	fake_config.listener_count = 1;
	for (int with_variable = 0; with_variable < 2; with_variable++)
		for (size_t i = 0; i < 3; i++) {
			public_addr = with_variable ? "198.51.100.9" : NULL;
			cr_expect(strstr(ask(server_ice_serve, only_udp[i]),
				with_variable && i == 0 ? "turn:198.51.100.9:443?transport=udp" : expected[i]));
		}
	public_addr = "";
	cr_expect(strstr(ask(server_ice_serve, "service=turn"), expected[0]));
	public_addr = "no host";
	cr_expect(strstr(ask(server_ice_serve, "service=turn"), expected[0]));
}

Test(server_ice, refuses_what_is_wrong)
{
	static const struct {
		const char *query, *text;
	} bad[] = {
		{"", "\"service\" must be \"turn\"\n"},
		{"service=stun", "\"service\" must be \"turn\"\n"},
		{"Service", NULL},
		{"service=turn&ttl=", "\"ttl\" must be a number of seconds, 1 or more\n"},
		{"service=turn&ttl=0", NULL},
		{"service=turn&ttl=-1", NULL},
		{"service=turn&ttl=1h", NULL},
		{"service=turn&ttl=9999999999999999999", NULL},
		{"service=turn&username=a%0Ab", "\"username\" must be UTF-8 without control characters, 480 bytes at most\n"},
		{"service=turn&username=%FF", NULL},
		{"service=turn&public-addr=", "\"public-addr\" must be an IP address or a host name\n"},
		{"service=turn&public-addr=a%20b", NULL},
		{"service=turn&public-addr=a%22b", NULL},
		{"service=turn&iceTransportPolicy=some", "\"iceTransportPolicy\" must be all, public or relay\n"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *text = ask(server_ice_serve, bad[i].query);
		cr_expect_eq(reply.status, 400, "%s: %d", bad[i].query, reply.status);
		if (bad[i].text)
			cr_expect_str_eq(text, bad[i].text);
	}
	char query[600] = "service=turn&username=";
	size_t start = strlen(query);
	memset(query + start, 'x', ICE_USER_SIZE_MAX);
	ask(server_ice_serve, query);
	cr_expect_eq(reply.status, 200);
	query[start + ICE_USER_SIZE_MAX] = 'x';
	ask(server_ice_serve, query);
	cr_expect_eq(reply.status, 400);
}

Test(server_ice, asks_for_its_key_if_it_has_one)
{
	strcpy(fake_config.admin.ice_key, "a key & more");
	static const char *const bad[] = {"service=turn", "service=turn&key=", "service=turn&key=a",
		"service=turn&key=a%20key%20%26%20morf", "service=turn&key=a%20key%20%26%20more!", "ttl=0"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_expect_str_eq(ask(server_ice_serve, bad[i]),
			"\"key\" is missing or wrong: it must be the relay's admin.ice_key\n", "%s", bad[i]);
		cr_expect_eq(reply.status, 403);
	}
	ask(server_ice_serve, "service=turn&key=a%20key+%26%20more");
	cr_expect_eq(reply.status, 200);
	ask(server_ice_serve_turn, "key=a%20key%20%26%20more");
	cr_expect_eq(reply.status, 400);
}

Test(server_ice, has_nothing_to_hand_out_without_relaying_or_without_a_configuration)
{
	fake_config.auth = (struct config_auth){.type = AUTH_NONE};
	ask(server_ice_serve, "service=turn");
	cr_expect_eq(reply.status, 404);
	fake_config.listener_count = 0;
	cr_expect_str_eq(ask(server_ice_serve_turn, "service=turn"), "no STUNner configuration available\n");
	cr_expect_eq(reply.status, 500);
}
