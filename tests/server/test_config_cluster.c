#include "server/config_cluster.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_rig.h"
#include "server/config_print.h"

TestSuite(config_cluster);

Test(config_cluster, reads_domain_names)
{
	static const struct {
		const char *text, *name;
		uint16_t port_min, port_max;
	} cases[] = {
		{"media.example.org", "media.example.org", 1, 65535},
		{"Media.Example.ORG.", "media.example.org.", 1, 65535},
		{"media", "media", 1, 65535},
		{"svc-1.ns.svc.cluster.local:<10000-20000>", "svc-1.ns.svc.cluster.local", 10000, 20000},
		{"_sip._udp.example.org", "_sip._udp.example.org", 1, 65535},
		{"1.example", "1.example", 1, 65535},
		{"localhost", "localhost", 1, 65535},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_domain d;
		cr_assert_null(config_domain_parse(cases[i].text, &d), "%s", cases[i].text);
		cr_assert_str_eq(d.name, cases[i].name);
		cr_assert_eq(d.port_min, cases[i].port_min);
		cr_assert_eq(d.port_max, cases[i].port_max);
	}
	static const char *const bad[] = {"", ".", "..", "a..b", ".a", "-a", "a-", "a.-b.c", "a b", "a:80", "a:<80>", "a:<0-0>",
		"a:<2-1>", "a/24", "10.0.0.300", "1.2.3", "*.example.org", "m\303\251dia.test", "media.example.org:<1-2", "[::1]",
		"a23456789-a23456789-a23456789-a23456789-a23456789-a23456789-1234"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct config_domain d = {.port_min = 99};
		cr_assert_not_null(config_domain_parse(bad[i], &d), "%s", bad[i]);
		cr_assert_eq(d.port_min, 99);
	}
}

Test(config_cluster, takes_names_up_to_the_length_that_dns_allows)
{
	char text[300] = "";
	for (int i = 0; i < 31; i++)
		snprintf(text + 8 * i, sizeof text - 8 * i, "a234567.");
	struct config_domain d;
	snprintf(text + 248, sizeof text - 248, "a2345"); /* 253 */
	cr_assert_null(config_domain_parse(text, &d));
	snprintf(text + 248, sizeof text - 248, "a2345.");
	cr_assert_null(config_domain_parse(text, &d));
	cr_assert_eq(strlen(d.name), 254);
	snprintf(text + 248, sizeof text - 248, "a23456");
	cr_assert_not_null(config_domain_parse(text, &d));
}

/* Every document here has a cluster "r" behind the others, for the listener's route. */
#define NATIVE                                                                                                                     \
	"{\"version\":\"uturn/"                                                                                                    \
	"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"l\",\"routes\":[\"r\"]}],\"clusters\":["
#define END ",{\"name\":\"r\"}]}"

Test(config_cluster, of_names_may_have_addresses_too)
{
	struct config_rig rig;
	config_rig_init(&rig, NULL);
	struct config *c = config_rig_load(&rig,
		NATIVE "{\"name\":\"a\",\"endpoints\":[\"x.test\",\"10.0.0.1\",\"y.test:<1-2>\"],\"type\":\"strict_dns\"}" END,
		NULL);
	const struct config_cluster *cluster = &c->clusters[0];
	cr_assert_eq(cluster->type, CLUSTER_STRICT_DNS);
	cr_assert_eq(cluster->endpoint_count, 1);
	cr_assert_eq(cluster->domain_count, 2);
	cr_assert_str_eq(cluster->domains[0].name, "x.test");
	cr_assert_str_eq(cluster->domains[1].name, "y.test");
	cr_assert_eq(cluster->domains[1].port_max, 2);
	config_free(c);
}

Test(config_cluster, of_names_are_in_the_plan)
{
	static char text[8192];
	struct config_rig rig;
	config_rig_init(&rig, NULL);
	FILE *out = fmemopen(text, sizeof text, "w");
	struct config *c = config_rig_load(&rig,
		NATIVE "{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"10.0.0.1\",\"x.test\",\"y.test:<1-2>\"]}" END,
		NULL);
	config_print_plan(c, out);
	fclose(out);
	config_free(c);
	cr_expect(strstr(text, "\ncluster \"a\": 10.0.0.1/32, x.test, y.test:<1-2> (looked up every 5 s)\n"), "%s", text);
}

/* "clusters":[ … ] of `clusters` clusters with `names` names each. */
static struct config *load_many(unsigned clusters, unsigned names, struct config_problems *problems)
{
	struct config_rig rig;
	char *text = NULL;
	size_t size;
	config_rig_init(&rig, NULL);
	FILE *out = open_memstream(&text, &size);
	fputs(NATIVE, out);
	for (unsigned i = 0; i < clusters; i++) {
		fprintf(out, "%s{\"name\":\"c%u\",\"type\":\"STRICT_DNS\",\"endpoints\":[", i ? "," : "", i);
		for (unsigned k = 0; k < names; k++)
			fprintf(out, "%s\"n%u.test\"", k ? "," : "", k);
		fputs("]}", out);
	}
	fputs(END, out);
	fclose(out);
	struct config *config = config_rig_load(&rig, text, problems);
	free(text);
	return config;
}

Test(config_cluster, bounds_the_names_of_a_cluster_and_of_all)
{
	static struct config_problems problems;
	struct config *c = load_many(CONFIG_DOMAINS_MAX / CONFIG_CLUSTER_DOMAINS_MAX, CONFIG_CLUSTER_DOMAINS_MAX, NULL);
	cr_assert_not_null(c);
	config_free(c);
	cr_assert_null(load_many(1, CONFIG_CLUSTER_DOMAINS_MAX + 1, &problems));
	cr_assert_str_eq(problems.list[0].text,
		"t.json: clusters[0].endpoints[64]: is one domain name too many: use at most 64 in a cluster");
	problems = (struct config_problems){0};
	cr_assert_null(load_many(CONFIG_DOMAINS_MAX / CONFIG_CLUSTER_DOMAINS_MAX + 1, CONFIG_CLUSTER_DOMAINS_MAX, &problems));
	cr_assert_str_eq(problems.list[0].text, "t.json: clusters: 1088 domain names are too many: use at most 1024 in all");
}

Test(config_cluster, equals_only_what_says_the_same)
{
	static const char *const texts[] = {
		"{\"name\":\"a\",\"endpoints\":[\"10.0.0.1\"]}",
		"{\"name\":\"b\",\"endpoints\":[\"10.0.0.1\"]}",
		"{\"name\":\"a\",\"endpoints\":[\"10.0.0.1\",\"10.0.0.2\"]}",
		"{\"name\":\"a\",\"endpoints\":[\"10.0.0.1:<1-2>\"]}",
		"{\"name\":\"a\",\"endpoints\":[\"10.0.0.1/31\"]}",
		"{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"10.0.0.1\"]}",
		"{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test\"]}",
		"{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"y.test\"]}",
		"{\"name\":\"a\",\"type\":\"STRICT_DNS\",\"endpoints\":[\"x.test:<1-2>\"]}",
	};
	enum { COUNT = sizeof texts / sizeof texts[0] };
	struct config_rig rig;
	struct config *configs[COUNT];
	config_rig_init(&rig, NULL);
	for (size_t i = 0; i < COUNT; i++) {
		char text[512];
		snprintf(text, sizeof text, NATIVE "%s" END, texts[i]);
		configs[i] = config_rig_load(&rig, text, NULL);
	}
	for (size_t i = 0; i < COUNT; i++)
		for (size_t k = 0; k < COUNT; k++)
			cr_expect_eq(
				config_cluster_equal(&configs[i]->clusters[0], &configs[k]->clusters[0]), i == k, "%zu %zu", i, k);
	for (size_t i = 0; i < COUNT; i++)
		config_free(configs[i]);
}
