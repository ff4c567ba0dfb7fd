#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"
#include "server/config_cluster.h"
#include "server/config_turn.h"

static struct config_rig rig;
static struct cluster_registry *registry;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
	registry = cluster_registry_create();
	cr_assert_not_null(registry);
}

static void tear_down(void)
{
	cluster_registry_free(registry);
}

TestSuite(config_turn, .init = set_up, .fini = tear_down);

static struct turn_config *build(const char *text)
{
	struct config_problems problems = {0};
	struct config *config = config_rig_load(&rig, text, &problems);
	cr_assert_not_null(config, "%s", problems.list[0].text);
	struct turn_config *turn = config_turn_create(config, registry, NULL, &rig.world);
	cr_assert_not_null(turn);
	config_free(config);
	return turn;
}

Test(config_turn, carries_over_what_the_core_needs)
{
	const char *admin =
		",\"alternate_server\":\"192.0.2.9\",\"nonce_key\":\"0123456789abcdef\",\"limits\":{\"lifetime_default\":61,"
		"\"lifetime_max\":62,\"unauthenticated\":{\"burst\":3,\"rate\":4,\"spare\":5,\"ipv4_prefix\":24,\"ipv6_prefix\":56}"
		"}";
	struct turn_config *t =
		build(config_rig_native(admin, ",\"min_relay_port\":7,\"max_relay_port\":9,\"address\":\"203.0.113.9\"", ""));
	uint8_t key[LONG_TERM_KEY_SIZE];
	credentials_key(bytes_of_string("u"), bytes_of_string("r"), bytes_of_string("p"), key);
	cr_assert_eq(t->references, 1);
	cr_assert_eq(t->auth.type, AUTH_STATIC);
	cr_assert_str_eq(t->auth.realm, "r");
	cr_assert_str_eq(t->auth.username, "u");
	cr_assert_arr_eq(t->auth.key, key, sizeof key);
	struct addr alternate = addr_with_port(config_rig_ip("192.0.2.9"), 3478), advertised = config_rig_ip("203.0.113.9");
	cr_assert(addr_equal(&t->alternate_server, &alternate));
	cr_assert_eq(t->lifetime_default_s, 61);
	cr_assert_eq(t->lifetime_max_s, 62);
	cr_assert_eq(t->unauth.burst, 3);
	cr_assert_eq(t->unauth.per_s, 4);
	cr_assert_eq(t->unauth.spare_s, 5);
	cr_assert_eq(t->unauth.ipv4_bits, 24);
	cr_assert_eq(t->unauth.ipv6_bits, 56);
	cr_assert_eq(t->listener_count, 1);
	cr_assert_eq(t->listeners[0].port_min, 7);
	cr_assert_eq(t->listeners[0].port_max, 9);
	cr_assert(t->listeners[0].relay[RELAY_IPV4].bind_wildcard);
	cr_assert(addr_equal(&t->listeners[0].relay[RELAY_IPV4].advertised, &advertised));
	turn_config_unref(t);
}

Test(config_turn, carries_the_secrets_of_ephemeral_credentials)
{
	struct turn_config *t = build("{\"version\":\"v1\",\"auth\":{\"type\":\"ephemeral\",\"credentials\":"
				      "{\"accepted_secrets\":[\"a\",null,\"\",\"b\"],\"secret\":\"s3cret\"}},"
				      "\"listeners\":[{\"name\":\"a\"}]}");
	cr_assert_eq(t->auth.type, AUTH_EPHEMERAL);
	cr_assert_str_eq(t->auth.secrets[0], "s3cret");
	cr_assert_str_eq(t->auth.secrets[1], "a");
	cr_assert_str_eq(t->auth.secrets[2], "b", "what is as good as not given is left out");
	cr_assert_str_empty(t->auth.secrets[3]);
	turn_config_unref(t);
}

static bool admits(const struct turn_config *t, unsigned listener, const char *ip, uint16_t port, uint16_t *ret_cluster)
{
	struct addr peer = addr_with_port(config_rig_ip(ip), port);
	struct peer_grant grant = {.cluster = UINT16_MAX};
	enum peer_decision decision = peer_policy_check(t->listeners[listener].policy, NULL, &peer, false, &grant);
	if (ret_cluster)
		*ret_cluster = grant.cluster;
	return decision == PEER_ADMITTED;
}

#define TWO_LISTENERS                                                                                                              \
	"{\"version\":\"v1\",\"admin\":{\"metrics_endpoint\":\"http://:8080\",\"ice_endpoint\":\"http://"                          \
	":8088\"},\"auth\":{\"type\":\"none\"},\"listeners\":["                                                                    \
	"{\"name\":\"a\",\"port\":3478,\"advertised_address\":\"198.51.100.1\",\"public_address\":\"198.51.100.3\",\"public_"      \
	"port\":443,"                                                                                                              \
	"\"routes\":[\"pods\"]},"                                                                                                  \
	"{\"name\":\"b\",\"port\":3479,\"bind_address\":\"127.0.0.1\",\"routes\":[\"all\",\"tcp\"]}],\"clusters\":["               \
	"{\"name\":\"pods\",\"endpoints\":[\"10.0.0.0/8:<1000-2000>\",\"192.0.2.0/24\",\"198.51.100.0/24\",\"fd00::/8\"]},"        \
	"{\"name\":\"all\",\"endpoints\":[\"0.0.0.0/0\",\"127.0.0.0/"                                                              \
	"8\"]},{\"name\":\"tcp\",\"protocol\":\"TCP\",\"endpoints\":[\"172.16.0.1\"]}]}"

Test(config_turn, gives_each_listener_the_policy_of_its_routes)
{
	struct turn_config *t = build(TWO_LISTENERS);
	uint16_t cluster;
	cr_assert(admits(t, 0, "10.1.1.1", 1000, &cluster));
	cr_assert_str_eq(cluster_registry_name(registry, cluster), "pods");
	cr_assert(admits(t, 0, "10.1.1.1", 2000, NULL));
	cr_assert_not(admits(t, 0, "10.1.1.1", 2001, NULL));
	cr_assert(admits(t, 0, "fd00::1", 1, NULL));
	cr_assert_not(admits(t, 0, "8.8.8.8", 53, NULL));
	cr_assert(admits(t, 1, "8.8.8.8", 53, &cluster));
	cr_assert_str_eq(cluster_registry_name(registry, cluster), "all");
	cr_assert_not(admits(t, 1, "10.1.1.1", 1000, NULL));
	cr_assert_not(admits(t, 1, "172.16.0.1", 1000, NULL)); /* a cluster of TCP peers */
	turn_config_unref(t);
}

Test(config_turn, refuses_its_own_listeners_and_http_ports_on_every_address)
{
	static const struct {
		const char *ip;
		uint16_t port;
		bool admitted;
	} peers[] = {
		{"192.0.2.7", 3478, false},                              /* a listener, on an own address */
		{"198.51.100.3", 443, false},                            /* its public address and port */
		{"198.51.100.3", 444, true},                             /* the public address, another port */
		{"192.0.2.7", 8080, false},                              /* metrics */
		{"192.0.2.7", 8086, false},                              /* health */
		{"192.0.2.7", 8088, false},                              /* credentials */
		{"192.0.2.7", 9999, true},                               /* no port of ours */
		{"192.0.2.8", 3478, true},                               /* no address of ours */
		{"198.51.100.1", 3478, false},                           /* the same listener through the NAT in front */
		{"198.51.100.2", 3478, true}, {"192.0.2.7", 3479, true}, /* that listener is on 127.0.0.1 only */
	};
	struct turn_config *t = build(TWO_LISTENERS);
	for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++)
		cr_assert_eq(
			admits(t, 0, peers[i].ip, peers[i].port, NULL), peers[i].admitted, "%s:%u", peers[i].ip, peers[i].port);
	cr_assert_not(admits(t, 1, "127.0.0.1", 3479, NULL));
	cr_assert(admits(t, 1, "127.0.0.1", 3480, NULL));
	turn_config_unref(t);
}

Test(config_turn, keeps_the_number_of_a_cluster_across_configurations)
{
	uint16_t before, after;
	struct turn_config *t = build(TWO_LISTENERS);
	cr_assert(admits(t, 1, "8.8.8.8", 53, &before));
	turn_config_unref(t);
	t = build("{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"routes\":[\"new\",\"all\"]}],"
		  "\"clusters\":[{\"name\":\"new\",\"endpoints\":[\"1.0.0.0/8\"]},{\"name\":\"all\",\"endpoints\":[\"0.0.0.0/"
		  "0\"]}]}");
	cr_assert(admits(t, 0, "8.8.8.8", 53, &after));
	cr_assert_eq(before, after);
	turn_config_unref(t);
}

Test(config_turn, reads_endpoints)
{
	static const struct {
		const char *text, *ip;
		uint8_t bits;
		uint16_t port_min, port_max;
	} cases[] = {
		{"10.1.2.3", "10.1.2.3", 32, 1, 65535},
		{"10.0.0.0/8:<10000-20000>", "10.0.0.0", 8, 10000, 20000},
		{"0.0.0.0/0", "0.0.0.0", 0, 1, 65535},
		{"fd00::/8:<1-100>", "fd00::", 8, 1, 100},
		{"::1:<5-5>", "::1", 128, 5, 5},
		{"10.1.2.3:<0-65535>", "10.1.2.3", 32, 0, 65535},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_endpoint e;
		struct addr ip = config_rig_ip(cases[i].ip);
		cr_assert_null(config_endpoint_parse(cases[i].text, &e), "%s", cases[i].text);
		cr_assert(addr_equal(&e.ip, &ip));
		cr_assert_eq(e.bits, cases[i].bits);
		cr_assert_eq(e.port_min, cases[i].port_min);
		cr_assert_eq(e.port_max, cases[i].port_max);
	}
	static const char *const bad[] = {"", "host", "10.0.0.1:80", "10.0.0.1:<80>", "10.0.0.1:<1-2", "10.0.0.1:<1-2>x",
		"10.0.0.1:<-2>", "10.0.0.1:<1->", "10.0.0.1:<2-1>", "10.0.0.1:<1-65536>", "10.0.0.1:<0-0>", "10.0.0.1:1-2",
		"10.0.0.1/33", "[::1]", ":<1-2>", "10.0.0.1:< 1-2>", "10.0.0.1:<1-2>:<1-2>"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct config_endpoint e = {.bits = 99};
		cr_assert_not_null(config_endpoint_parse(bad[i], &e), "%s", bad[i]);
		cr_assert_eq(e.bits, 99);
	}
}

Test(cluster_registry, gives_every_name_one_number_and_the_rest_a_common_one)
{
	struct cluster_registry *r = cluster_registry_create();
	char name[32];
	cr_assert_eq(cluster_registry_count(r), 0);
	cr_assert_null(cluster_registry_name(r, 0));
	cr_assert_null(cluster_registry_name(r, LIMIT_CLUSTERS - 1));
	for (unsigned i = 0; i < LIMIT_CLUSTERS + 10; i++) {
		snprintf(name, sizeof name, "cluster-%u", i);
		uint16_t expected = (uint16_t)(i < LIMIT_CLUSTERS - 1 ? i : LIMIT_CLUSTERS - 1);
		cr_assert_eq(cluster_registry_id(r, name), expected);
	}
	cr_assert_eq(cluster_registry_id(r, "cluster-5"), 5);
	cr_assert_str_eq(cluster_registry_name(r, 5), "cluster-5");
	cr_assert_str_eq(cluster_registry_name(r, LIMIT_CLUSTERS - 1), "(others)");
	cr_assert_eq(cluster_registry_count(r), LIMIT_CLUSTERS - 1);
	cr_assert_null(cluster_registry_name(r, LIMIT_CLUSTERS));
	cluster_registry_free(r);
}

Test(config_turn, refuses_its_own_listeners_of_every_protocol)
{
	struct turn_config *t = build(
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"clusters\":[{\"name\":\"c\",\"endpoints\":[\"192.0.2.0/24\"]}],"
		"\"listeners\":[{\"name\":\"a\",\"routes\":[\"c\"]},{\"name\":\"b\",\"protocol\":\"tcp\",\"port\":1001},"
		"{\"name\":\"c\",\"protocol\":\"tls\",\"port\":1002,\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\"},"
		"{\"name\":\"d\",\"protocol\":\"dtls\",\"port\":1003,\"cert\":\"-----BEGIN A\",\"key\":\"-----BEGIN B\"}]}");
	cr_assert_eq(t->listener_count, 4);
	cr_expect(admits(t, 0, "192.0.2.7", 1000, NULL));
	for (uint16_t port = 1001; port <= 1003; port++)
		cr_expect_not(admits(t, 0, "192.0.2.7", port, NULL), "%u", port);
	turn_config_unref(t);
}
