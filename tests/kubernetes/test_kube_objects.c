#include "kubernetes/kube_objects.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kube_service read_service(const char *text)
{
	struct kube_service service;
	char *exact = strdup(text);
	cr_assert(kube_service_read(exact, &service), "%s", text);
	free(exact);
	return service;
}

#define SERVICE(spec, status) "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"spec\":" spec ",\"status\":" status "}"
#define UDP_PORT "{\"name\":\"udp\",\"protocol\":\"UDP\",\"port\":3478,\"nodePort\":31478}"
#define TCP_PORT "{\"name\":\"tcp\",\"protocol\":\"TCP\",\"port\":443,\"nodePort\":31443}"

Test(kube_objects, read_a_services_load_balancer_and_its_first_udp_port)
{
	struct kube_service s = read_service(SERVICE("{\"type\":\"LoadBalancer\",\"ports\":[" TCP_PORT "," UDP_PORT "]}",
		"{\"loadBalancer\":{\"ingress\":[{\"ip\":\"203.0.113.5\",\"ports\":[]},{\"ip\":\"203.0.113.6\"}]}}"));
	cr_expect_str_eq(s.type, "LoadBalancer");
	cr_expect_str_eq(s.ingress, "203.0.113.5");
	cr_expect_eq(s.port, 3478);
	cr_expect_eq(s.node_port, 31478);
	s = read_service(SERVICE("{\"type\":\"LoadBalancer\",\"ports\":[" TCP_PORT "]}",
		"{\"loadBalancer\":{\"ingress\":[{\"hostname\":\"lb.example.com\"}]}}"));
	cr_expect_str_eq(s.ingress, "lb.example.com");
	cr_expect_eq(s.port, 443);
	cr_expect_eq(s.node_port, 31443);
	/* Some clouds give both, one of them empty. */
	s = read_service(SERVICE("{}", "{\"loadBalancer\":{\"ingress\":[{\"ip\":\"\",\"hostname\":\"lb.example.com\"}]}}"));
	cr_expect_str_eq(s.ingress, "lb.example.com");
}

Test(kube_objects, read_services_that_lack_things)
{
	static const char *const texts[] = {SERVICE("{}", "{}"), SERVICE("null", "7"), "{\"kind\":\"Service\"}",
		SERVICE("{\"type\":7,\"ports\":{}}", "{\"loadBalancer\":{\"ingress\":[]}}"),
		SERVICE("{\"ports\":[{\"port\":70000,\"nodePort\":-1,\"protocol\":\"UDP\"}]}",
			"{\"loadBalancer\":{\"ingress\":[7]}}"),
		SERVICE("{\"ports\":[null,7]}", "{\"loadBalancer\":[]}")};
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct kube_service s = read_service(texts[i]);
		cr_expect_str_eq(s.ingress, "", "%zu", i);
		cr_expect_eq(s.port, 0, "%zu", i);
		cr_expect_eq(s.node_port, 0, "%zu", i);
	}
	static const char *const bad[] = {"", "{", "7", "[]", "{\"kind\":\"Status\"}", "{\"kind\":7}", "null"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct kube_service s;
		struct kube_node n = {0};
		char next[KUBE_CONTINUE_SIZE];
		cr_expect_not(kube_service_read(bad[i], &s), "%s", bad[i]);
		cr_expect_not(kube_nodes_read(bad[i], &n, next), "%s", bad[i]);
	}
}

#define NODE(ready, addresses)                                                                                                     \
	"{\"status\":{\"conditions\":[{\"type\":\"DiskPressure\",\"status\":\"False\"},{\"type\":\"Ready\",\"status\":\"" ready    \
	"\"}],\"addresses\":[{\"type\":\"Hostname\",\"address\":\"n\"}," addresses "]}}"
#define IN(ip) "{\"type\":\"InternalIP\",\"address\":\"" ip "\"}"
#define EX(ip) "{\"type\":\"ExternalIP\",\"address\":\"" ip "\"}"

Test(kube_objects, pick_a_node_that_is_ready_and_has_an_external_address)
{
	static const struct {
		const char *items, *ip;
		enum kube_node_rank rank;
	} cases[] = {
		{"", "", NODE_NONE},
		{NODE("True", IN("10.0.0.1")), "10.0.0.1", NODE_INTERNAL_READY},
		{NODE("True", IN("10.0.0.1")) "," NODE("True", IN("10.0.0.2") "," EX("192.0.2.2")), "192.0.2.2",
			NODE_EXTERNAL_READY},
		{NODE("False", EX("192.0.2.1")) "," NODE("True", EX("192.0.2.2")), "192.0.2.2", NODE_EXTERNAL_READY},
		{NODE("False", EX("192.0.2.1")) "," NODE("True", IN("10.0.0.2")), "192.0.2.1", NODE_EXTERNAL},
		{NODE("False", IN("10.0.0.1")) "," NODE("True", IN("10.0.0.2")), "10.0.0.2", NODE_INTERNAL_READY},
		{"7,null,{\"status\":{}}", "", NODE_NONE},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[2048];
		char next[KUBE_CONTINUE_SIZE];
		struct kube_node node = {0};
		snprintf(text, sizeof text, "{\"kind\":\"NodeList\",\"items\":[%s]}", cases[i].items);
		cr_assert(kube_nodes_read(text, &node, next), "%zu", i);
		cr_expect_str_eq(next, "");
		cr_expect_str_eq(node.ip, cases[i].ip, "%zu: %s", i, node.ip);
		cr_expect_eq(node.rank, cases[i].rank, "%zu", i);
	}
}

Test(kube_objects, go_on_with_the_next_part_of_the_nodes)
{
	struct kube_node node = {0};
	char next[KUBE_CONTINUE_SIZE], text[KUBE_CONTINUE_SIZE + 200];
	cr_assert(kube_nodes_read(
		"{\"kind\":\"NodeList\",\"metadata\":{\"continue\":\"aZ0-_\"},\"items\":[" NODE("True", IN("10.0.0.1")) "]}", &node,
		next));
	cr_expect_str_eq(next, "aZ0-_");
	cr_assert(kube_nodes_read(
		"{\"kind\":\"NodeList\",\"items\":[" NODE("True", IN("10.0.0.2")) "," NODE("False", EX("192.0.2.3")) "]}", &node,
		next));
	cr_expect_str_eq(next, "");
	cr_expect_str_eq(node.ip, "192.0.2.3");
	cr_assert(kube_nodes_read("{\"kind\":\"NodeList\",\"items\":[" NODE("True", IN("10.0.0.4")) "]}", &node, next));
	cr_expect_str_eq(node.ip, "192.0.2.3");
	cr_expect_eq(node.rank, NODE_EXTERNAL);
	snprintf(text, sizeof text, "{\"kind\":\"NodeList\",\"metadata\":{\"continue\":\"%0*d\"}}", KUBE_CONTINUE_SIZE, 0);
	cr_assert(kube_nodes_read(text, &node, next));
	cr_expect_str_eq(next, "");
	cr_assert(kube_nodes_read("{\"kind\":\"NodeList\",\"metadata\":{\"continue\":\"a&b\"}}", &node, next));
	cr_expect_str_eq(next, "");
}

Test(kube_objects, read_what_the_server_says_of_an_error_as_one_line)
{
	char message[KUBE_MESSAGE_SIZE];
	kube_status_read("{\"kind\":\"Status\",\"message\":\"a\\nb\"}", message);
	cr_expect_str_eq(message, "a b");
	kube_status_read("nonsense", message);
	cr_expect_str_eq(message, "");
}

Test(kube_objects, write_the_patch_of_a_configmap)
{
	char *patch = kube_public_address_patch("2001:db8::1", 3478);
	cr_expect_str_eq(patch, "{\"data\":{\"STUNNER_PUBLIC_ADDR\":\"2001:db8::1\",\"STUNNER_PUBLIC_PORT\":\"3478\"}}");
	free(patch);
}

Test(kube_objects, know_which_names_may_stand_in_a_path)
{
	static const char *const good[] = {"stunner", "stunner-config", "a.b-c.1"};
	static const char *const bad[] = {"", "a/b", "..", "a?b", "A", "a b", "a%2f", "a_b", ".a", "a."};
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		cr_expect(kube_name_valid(good[i], strlen(good[i])), "%s", good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		cr_expect_not(kube_name_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
	cr_expect(kube_name_valid("a/", 1));
}
