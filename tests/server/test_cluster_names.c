#include "server/cluster_names.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"
#include "server/config_turn.h"

static struct config_rig rig;
static struct cluster_names *names;
static struct moment now = {.mono_ns = 1000, .wall_s = 1700000000};

static void set_up(void)
{
	config_rig_init(&rig, NULL);
	names = cluster_names_create();
	cr_assert_not_null(names);
}

static void tear_down(void)
{
	cluster_names_free(names);
}

TestSuite(cluster_names, .init = set_up, .fini = tear_down);

/* `clusters`: the list's JSON, routes to the first one "a". */
static struct config *load(const char *clusters)
{
	static char text[4096];
	snprintf(text, sizeof text,
		"{\"version\":\"uturn/v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"l\",\"routes\":[\"a\"]}],"
		"\"clusters\":[%s]}",
		clusters);
	return config_rig_load(&rig, text, NULL);
}

static void set(const char *clusters)
{
	struct config *config = load(clusters);
	cr_assert(cluster_names_set(names, config));
	config_free(config);
}

#define A_X "{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test\"]}"
#define A_XY "{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test\",\"y.test\",\"x.test:<5-6>\"]}"
#define B_X "{\"name\":\"b\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test\"]}"
#define A_STATIC "{\"name\":\"a\",\"endpoints\":[\"10.0.0.1\"]}"

/* Texts up to NULL, at most 4. */
static struct name_answer answer(const char *const texts[])
{
	struct name_answer made = {
		.result = texts[0] ? NAME_HAS_ADDRESSES : NAME_HAS_NONE, .addresses = calloc(4, sizeof(struct addr))};
	for (; texts[made.count]; made.count++)
		made.addresses[made.count] = config_rig_ip(texts[made.count]);
	return made;
}

static struct name_news tell(uint64_t id, struct name_answer ipv4, struct name_answer ipv6)
{
	struct name_answer answers[RELAY_FAMILIES] = {[RELAY_IPV4] = ipv4, [RELAY_IPV6] = ipv6};
	struct name_news news = cluster_names_answer(names, id, answers, now);
	free(ipv4.addresses);
	free(ipv6.addresses);
	return news;
}

#define ANSWER(...) answer((const char *const[]){__VA_ARGS__, NULL})
#define NOTHING answer((const char *const[]){NULL})
#define FAILED ((struct name_answer){.result = NAME_FAILED})

static struct cluster_name *ask(void)
{
	return cluster_names_due(names, now.mono_ns);
}

static void expect_addresses(const struct cluster_name *name, int family, size_t count, const char *first)
{
	cr_assert_eq(name->addresses[family].count, count, "%zu", name->addresses[family].count);
	if (count == 0)
		return;
	struct addr expected = config_rig_ip(first);
	cr_assert(addr_equal(&name->addresses[family].list[0], &expected));
}

Test(cluster_names, asks_for_each_name_once_and_again_after_the_interval)
{
	set(A_XY "," B_X ","
		 "{\"name\":\"c\",\"endpoints\":[\"10.0.0.1\"]}");
	cr_assert_eq(names->count, 2);
	struct cluster_name *asked[3];
	for (int i = 0; i < 3; i++) {
		asked[i] = ask();
		cr_assert_not_null(asked[i]);
	}
	cr_assert_str_eq(asked[0]->name, "x.test");
	cr_assert_str_eq(asked[1]->name, "y.test");
	cr_assert_str_eq(asked[2]->name, "x.test");
	cr_assert_neq(asked[0]->id, asked[2]->id);
	cr_assert_null(ask());
	cr_assert(tell(asked[1]->id, ANSWER("10.0.0.1"), NOTHING).changed);
	cr_assert_null(ask());
	now.mono_ns += CLUSTER_NAME_INTERVAL_S * NS_PER_S - 1;
	cr_assert_null(ask());
	now.mono_ns += 1;
	cr_assert_eq(ask(), asked[1]);
	cr_assert_null(ask());
}

Test(cluster_names, asks_first_for_what_waits_longest)
{
	set(A_XY "," B_X);
	struct cluster_name *x = ask(), *y = ask(), *b = ask();
	tell(y->id, NOTHING, NOTHING);
	now.mono_ns += 1;
	tell(x->id, NOTHING, NOTHING);
	now.mono_ns += 60 * NS_PER_S;
	cr_assert_eq(ask(), y);
	tell(b->id, NOTHING, NOTHING);
	tell(y->id, NOTHING, NOTHING);
	now.mono_ns += 60 * NS_PER_S;
	cr_assert_eq(ask(), x);
}

Test(cluster_names, tells_whether_the_set_of_addresses_changed)
{
	set(A_X);
	struct cluster_name *name = ask();
	struct name_news news = tell(name->id, ANSWER("10.0.0.2", "10.0.0.1", "10.0.0.2"), ANSWER("fd00::1"));
	cr_assert_eq(news.name, name);
	cr_assert_str_eq(news.cluster->name, "a");
	cr_assert(news.changed && news.turned);
	expect_addresses(name, RELAY_IPV4, 2, "10.0.0.1");
	expect_addresses(name, RELAY_IPV6, 1, "fd00::1");
	cr_assert_eq(named_cluster_addresses(news.cluster), 3);
	news = tell(name->id, ANSWER("10.0.0.1", "10.0.0.2"), ANSWER("fd00::1"));
	cr_assert_not(news.changed || news.turned);
	news = tell(name->id, ANSWER("10.0.0.1", "10.0.0.3"), ANSWER("fd00::1"));
	cr_assert(news.changed && !news.turned);
	cr_assert_eq(news.cluster->resolved, 3);
	cr_assert_eq(news.cluster->failed, 0);
	cr_assert_eq(news.cluster->resolved_wall_s, now.wall_s);
}

Test(cluster_names, keeps_the_last_good_answer)
{
	set(A_X);
	struct cluster_name *name = ask();
	struct name_news news = tell(name->id, NOTHING, NOTHING);
	cr_assert(!news.changed && news.turned && name->state == NAME_FAILING);
	cr_assert_eq(news.cluster->resolved_wall_s, 0);
	tell(name->id, ANSWER("10.0.0.1"), ANSWER("fd00::1"));
	cr_assert_eq(name->state, NAME_GOOD);
	const struct {
		struct name_answer ipv4, ipv6;
	} bad[] = {{FAILED, FAILED}, {NOTHING, NOTHING}, {FAILED, NOTHING}, {NOTHING, FAILED}};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		news = tell(name->id, bad[i].ipv4, bad[i].ipv6);
		cr_assert_not(news.changed);
		cr_assert_eq(news.turned, i == 0);
		expect_addresses(name, RELAY_IPV4, 1, "10.0.0.1");
		expect_addresses(name, RELAY_IPV6, 1, "fd00::1");
	}
	cr_assert_eq(news.cluster->failed, 5);
	cr_assert_eq(news.cluster->resolved, 1);
	/* A family that failed keeps its addresses, one that has none is emptied. */
	cr_assert_not(tell(name->id, ANSWER("10.0.0.1"), FAILED).changed);
	expect_addresses(name, RELAY_IPV6, 1, "fd00::1");
	cr_assert(tell(name->id, ANSWER("10.0.0.9"), FAILED).changed);
	expect_addresses(name, RELAY_IPV4, 1, "10.0.0.9");
	expect_addresses(name, RELAY_IPV6, 1, "fd00::1");
	cr_assert(tell(name->id, ANSWER("10.0.0.1"), NOTHING).changed);
	expect_addresses(name, RELAY_IPV6, 0, NULL);
	expect_addresses(name, RELAY_IPV4, 1, "10.0.0.1");
}

Test(cluster_names, keeps_across_configurations_what_stays)
{
	set(A_XY "," B_X);
	uint64_t x = ask()->id, y = ask()->id;
	tell(x, ANSWER("10.0.0.1"), NOTHING);
	set(B_X "," A_X);
	const struct named_cluster *a = cluster_names_find(names, "a");
	cr_assert_eq(a->count, 1);
	cr_assert_eq(a->resolved, 1);
	cr_assert_eq(a->names[0].id, x);
	expect_addresses(&a->names[0], RELAY_IPV4, 1, "10.0.0.1");
	cr_assert_eq(named_cluster_addresses(cluster_names_find(names, "b")), 0);
	cr_assert_null(tell(y, ANSWER("10.0.0.2"), NOTHING).name);
	set(A_STATIC);
	cr_assert_null(cluster_names_find(names, "a"));
	cr_assert_null(cluster_names_find(NULL, "a"));
	cr_assert_null(tell(x, ANSWER("10.0.0.2"), NOTHING).name);
	/* What comes back begins anew. */
	set(A_X);
	cr_assert_eq(named_cluster_addresses(cluster_names_find(names, "a")), 0);
	cr_assert_gt(cluster_names_find(names, "a")->names[0].id, y);
}

Test(cluster_names, are_what_the_policy_admits_with_their_ranges_of_ports)
{
	struct config *config =
		load("{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test:<5-6>\",\"y.test\",\"10.9.0.1\"]}");
	struct cluster_registry *registry = cluster_registry_create();
	cr_assert(cluster_names_set(names, config));
	tell(ask()->id, ANSWER("10.0.0.1"), ANSWER("fd00::1"));
	tell(ask()->id, ANSWER("10.0.0.2"), NOTHING);
	static const struct {
		const char *ip;
		uint16_t port;
		bool admitted, known;
	} peers[] = {{"10.0.0.1", 5, true, false}, {"10.0.0.1", 6, true, false}, {"10.0.0.1", 7, false, false},
		{"fd00::1", 5, true, false}, {"fd00::2", 5, false, false}, {"10.0.0.2", 7, true, false},
		{"10.0.0.3", 7, false, false}, {"10.9.0.1", 7, true, true}};
	for (int known = 0; known < 2; known++) {
		struct turn_config *turn = config_turn_create(config, registry, known ? names : NULL, &rig.world);
		cr_assert_not_null(turn);
		for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
			struct addr peer = addr_with_port(config_rig_ip(peers[i].ip), peers[i].port);
			struct peer_grant grant;
			bool admitted = peer_policy_check(turn->listeners[0].policy, NULL, &peer, false, &grant) == PEER_ADMITTED;
			cr_expect_eq(admitted, known ? peers[i].admitted : peers[i].known, "%s:%u", peers[i].ip, peers[i].port);
		}
		turn_config_unref(turn);
	}
	cluster_registry_free(registry);
	config_free(config);
}

Test(cluster_names, may_not_stand_for_this_machine_or_a_metadata_service)
{
	static const char *const bad[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.0.1", "169.254.169.254",
		"224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
		"fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"};
	static const char *const good[] = {"1.0.0.1", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255", "169.255.0.1",
		"172.16.0.1", "192.168.1.1", "223.255.255.255", "100.64.0.1", "8.8.8.8", "::2", "fd00::1", "fe00::1",
		"2001:db8::1"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct addr ip = config_rig_ip(bad[i]);
		cr_expect_not(config_turn_name_may_have(&ip), "%s", bad[i]);
	}
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct addr ip = config_rig_ip(good[i]);
		cr_expect(config_turn_name_may_have(&ip), "%s", good[i]);
	}
}
