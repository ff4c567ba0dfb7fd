#include <criterion/criterion.h>
#include <stdio.h>

#include "config_rig.h"
#include "pem_files.h"
#include "server/config_print.h"

static struct config_rig rig;
static const char *folder;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
	folder = pem_files_open();
}

TestSuite(config_listener_streams, .init = set_up, .fini = pem_files_close);

#define TLS ",\"protocol\":\"tls\""

Test(config_listener_streams, puts_its_own_certificate_first)
{
	struct config *c = config_rig_load(&rig,
		config_rig_native("",
			",\"certificates\":[{\"cert\":\"-----BEGIN C1\",\"key\":\"-----BEGIN K1\"},"
			"{\"key\":\"-----BEGIN K2\",\"cert\":\"-----BEGIN C2\"}],\"key\":\"-----BEGIN K0\",\"cert\":\"-----BEGIN "
			"C0\"" TLS,
			""),
		NULL);
	const struct config_identities *identities = c->listeners[0].identities;
	cr_assert_eq(identities->count, 3);
	cr_assert(identities->named_directly);
	for (size_t i = 0; i < 3; i++) {
		char cert[] = "-----BEGIN C0", key[] = "-----BEGIN K0";
		cert[12] = key[12] = (char)('0' + i);
		cr_expect_str_eq(identities->list[i].certificates.text, cert);
		cr_expect_str_eq(identities->list[i].key.text, key);
	}
	config_free(c);
}

Test(config_listener_streams, needs_no_certificate_of_its_own_beside_a_list)
{
	struct config *c = config_rig_load(&rig,
		config_rig_native("", TLS ",\"certificates\":[{\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN K\"}]", ""), NULL);
	cr_assert_eq(c->listeners[0].identities->count, 1);
	cr_assert_not(c->listeners[0].identities->named_directly);
	cr_assert_eq(c->listeners[0].port, 5349);
	config_free(c);
}

Test(config_listener_streams, holds_so_many_certificates)
{
	for (size_t count = TLS_IDENTITIES_MAX - 1; count <= TLS_IDENTITIES_MAX; count++) {
		char listener[2048];
		struct config_problems problems = {0};
		size_t used = (size_t)snprintf(
			listener, sizeof listener, TLS ",\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN K\",\"certificates\":[");
		for (size_t i = 0; i < count; i++)
			used += (size_t)snprintf(listener + used, sizeof listener - used,
				"%s{\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN K\"}", i ? "," : "");
		snprintf(listener + used, sizeof listener - used, "]");
		struct config *c = config_rig_load(&rig, config_rig_native("", listener, ""), &problems);
		cr_assert_eq(c != NULL, count < TLS_IDENTITIES_MAX);
		if (c == NULL)
			cr_assert_str_eq(problems.list[0].text,
				"t.json: listeners[0].certificates: there are too many: use at most 16 certificates in all");
		config_free(c);
	}
}

static struct config *load_file(const char *name, struct config_problems *problems)
{
	char path[256];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return config_load_file(path, &rig.world, problems);
}

Test(config_listener_streams, finds_files_beside_the_configuration)
{
	struct config_problems problems = {0};
	pem_files_put("u.json", config_rig_native("", TLS ",\"cert\":\"tls.crt\",\"key\":\"tls.key\"", ""));
	pem_files_put("tls.crt", "-----BEGIN CERTIFICATE-----");
	cr_assert_null(load_file("u.json", &problems));
	char expected[512];
	snprintf(expected, sizeof expected,
		"%s/u.json: listeners[0].key: %s/tls.key cannot be read: No such file or directory: name a readable file of PEM, "
		"or use "
		"the PEM text or base64 of it",
		folder, folder);
	cr_assert_str_eq(problems.list[0].text, expected);
	pem_files_put("tls.key", "-----BEGIN PRIVATE KEY-----");
	problems = (struct config_problems){0};
	struct config *c = load_file("u.json", &problems);
	cr_assert_not_null(c, "%s", problems.list[0].text);
	snprintf(expected, sizeof expected, "%s/tls.key", folder);
	cr_assert_str_eq(c->listeners[0].identities->list[0].key.file, expected);
	config_free(c);
}

Test(config_listener_streams, expands_variables_in_certificates)
{
	static const struct rig_variable environment[] = {{"CERT", "-----BEGIN C"}, {"FOLDER", "/nonexistent"}, {NULL, NULL}};
	struct config_problems problems = {0};
	config_rig_init(&rig, environment);
	cr_assert_null(config_rig_load(
		&rig, config_rig_native("", TLS ",\"cert\":\"$CERT\",\"key\":\"${FOLDER}/tls.key\"", ""), &problems));
	cr_assert_not_null(strstr(problems.list[0].text, "listeners[0].key: /nonexistent/tls.key cannot be read: "));
	cr_assert_eq(problems.errors, 1);
}

Test(config_listener_streams, warns_of_certificates_that_nobody_will_see)
{
	struct config_problems problems = {0};
	struct config *c =
		config_rig_load(&rig, config_rig_native("", ",\"protocol\":\"tcp\",\"cert\":\"/nonexistent\"", ""), &problems);
	cr_assert_not_null(c);
	cr_assert_eq(problems.kept, 1);
	cr_assert_str_eq(
		problems.list[0].text, "t.json: listeners[0].cert: has no effect: a listener of protocol TCP has no certificate");
	cr_assert_null(c->listeners[0].identities);
	config_free(c);
	/* Stunnerd's documents may carry them anywhere. */
	c = config_rig_load(&rig,
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\",\"cert\":\"x\",\"key\":\"y\"}]}",
		NULL);
	config_free(c);
}

Test(config_listener_streams, reads_the_proxies_that_it_trusts)
{
	static const char *const protocols[] = {"udp", "tcp"};
	for (size_t i = 0; i < 2; i++) {
		char listener[200];
		snprintf(listener, sizeof listener,
			",\"protocol\":\"%s\",\"proxy_protocol\":true,\"proxy_trusted\":[\"10.1.0.0/16\",\"2001:db8::5\"]",
			protocols[i]);
		struct config *c = config_rig_load(&rig, config_rig_native("", listener, ""), NULL);
		const struct config_listener *l = &c->listeners[0];
		struct addr ipv4 = config_rig_ip("10.1.0.0"), ipv6 = config_rig_ip("2001:db8::5");
		cr_assert(l->proxy_protocol);
		cr_assert(config_listener_connects(l));
		cr_assert_eq(l->proxy_trusted_count, 2);
		cr_expect(addr_equal(&l->proxy_trusted[0].ip, &ipv4));
		cr_expect_eq(l->proxy_trusted[0].bits, 16);
		cr_expect(addr_equal(&l->proxy_trusted[1].ip, &ipv6));
		cr_expect_eq(l->proxy_trusted[1].bits, 128);
		config_free(c);
	}
}

Test(config_listener_streams, trusts_so_many_proxies)
{
	char listener[2048];
	struct config_problems problems = {0};
	size_t used = (size_t)snprintf(listener, sizeof listener, ",\"proxy_protocol\":true,\"proxy_trusted\":[");
	for (int i = 0; i <= CONFIG_PROXIES_MAX; i++)
		used += (size_t)snprintf(listener + used, sizeof listener - used, "%s\"10.0.0.%d\"", i ? "," : "", i);
	snprintf(listener + used, sizeof listener - used, "]");
	cr_assert_null(config_rig_load(&rig, config_rig_native("", listener, ""), &problems));
	cr_assert_str_eq(problems.list[0].text, "t.json: listeners[0].proxy_trusted[64]: is one too many: use at most 64");
}

Test(config_listener_streams, warns_of_proxies_without_the_protocol)
{
	struct config_problems problems = {0};
	struct config *c = config_rig_load(&rig, config_rig_native("", ",\"proxy_trusted\":[\"10.0.0.1\"]", ""), &problems);
	cr_assert_not_null(c);
	cr_assert_str_eq(problems.list[0].text, "t.json: listeners[0].proxy_trusted: has no effect: proxy_protocol is off");
	config_free(c);
}

Test(config_listener_streams, may_have_the_same_port_over_udp_and_tcp)
{
	struct config *c = config_rig_load(&rig,
		"{\"version\":\"v1\",\"auth\":{\"type\":\"none\"},\"listeners\":[{\"name\":\"a\"},{\"name\":\"b\",\"protocol\":"
		"\"tcp\"},"
		"{\"name\":\"c\",\"protocol\":\"tls\",\"port\":5349,\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN K\"},"
		"{\"name\":\"d\",\"protocol\":\"dtls\",\"port\":5349,\"cert\":\"-----BEGIN C\",\"key\":\"-----BEGIN K\"}]}",
		NULL);
	cr_assert_eq(c->listener_count, 4);
	config_free(c);
}

Test(config_listener_streams, are_in_the_plan)
{
	static char text[8192];
	FILE *out = fmemopen(text, sizeof text, "w");
	struct config *c = config_rig_load(&rig,
		config_rig_native(",\"limits\":{\"streams\":{\"connections\":9,\"per_source\":0}}",
			TLS ",\"cert\":\"-----BEGIN SECRET\",\"key\":\"-----BEGIN SECRET\",\"proxy_protocol\":true,"
			    "\"proxy_trusted\":[\"10.1.0.0/16\",\"::1\"]",
			""),
		NULL);
	config_print_plan(c, out);
	fclose(out);
	config_free(c);
	cr_expect(strstr(text, "\nstreams: connections 9, per source and shard unbounded, handshakes per shard 128\n"), "%s", text);
	cr_expect(strstr(text, "\nlistener \"l\": TLS 0.0.0.0:5349 [::]:5349\n  certificates: 1\n  behind proxies: 10.1.0.0/16, "
			       "::1/128\n"),
		"%s", text);
	cr_expect_null(strstr(text, "SECRET"));
}
