#include <criterion/criterion.h>
#include <stdio.h>

#include "config_rig.h"
#include "server/config_public.h"
#include "server/config_uri.h"

static struct config_rig rig;

static void set_up(void)
{
	config_rig_init(&rig, NULL);
}

TestSuite(config_uri, .init = set_up);

Test(config_uri, reads_credentials_address_and_port)
{
	static const struct {
		const char *uri, *username, *password, *ip;
		uint16_t port;
		enum config_protocol protocol;
	} cases[] = {
		{"turn://user:pass@0.0.0.0:3478?transport=udp", "user", "pass", "0.0.0.0", 3478, PROTOCOL_UDP},
		{"turn://u:p@192.0.2.1?transport=TCP", "u", "p", "192.0.2.1", 3478, PROTOCOL_TCP},
		{"turn:u:p@192.0.2.1?transport=tls", "u", "p", "192.0.2.1", 5349, PROTOCOL_TLS},
		{"turn:u:p@192.0.2.1?transport=dtls", "u", "p", "192.0.2.1", 5349, PROTOCOL_DTLS},
		{"turns://u:p@192.0.2.1", "u", "p", "192.0.2.1", 5349, PROTOCOL_TLS},
		{"turns:u:p@", "u", "p", "0.0.0.0", 5349, PROTOCOL_TLS},
		{"TURNS:u:p@[2001:db8::1]:443?transport=tcp", "u", "p", "2001:db8::1", 443, PROTOCOL_TLS},
		{"turns:u:p@192.0.2.1?transport=udp", "u", "p", "192.0.2.1", 5349, PROTOCOL_DTLS},
		{"turns:u:p@192.0.2.1:99?transport=dtls", "u", "p", "192.0.2.1", 99, PROTOCOL_DTLS},
		{"turns:u:p@192.0.2.1?transport=tls", "u", "p", "192.0.2.1", 5349, PROTOCOL_TLS},
		{"turn://u:p@192.0.2.1", "u", "p", "192.0.2.1", 3478, PROTOCOL_UDP},
		{"turn:u:p@192.0.2.1:99", "u", "p", "192.0.2.1", 99, PROTOCOL_UDP},
		{"TURN://u:p@localhost:1?transport=UDP", "u", "p", "127.0.0.1", 1, PROTOCOL_UDP},
		{"turn://u:p@:5000", "u", "p", "0.0.0.0", 5000, PROTOCOL_UDP},
		{"turn://u:p@", "u", "p", "0.0.0.0", 3478, PROTOCOL_UDP},
		{"turn://u:p@[2001:db8::1]:5000/", "u", "p", "2001:db8::1", 5000, PROTOCOL_UDP},
		{"turn://u:p@[::]", "u", "p", "::", 3478, PROTOCOL_UDP},
		{"turn://a%40b:%3Ap%25:@q@192.0.2.1", "a@b", ":p%:@q", "192.0.2.1", 3478, PROTOCOL_UDP},
		{"turn://u+v:p%2f@192.0.2.1", "u+v", "p/", "192.0.2.1", 3478, PROTOCOL_UDP},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_auth auth = {0};
		struct addr address = {0}, expected = addr_with_port(config_rig_ip(cases[i].ip), cases[i].port);
		enum config_protocol protocol;
		const char *wrong = config_uri_parse_turn(cases[i].uri, &auth, &address, &protocol);
		cr_assert_null(wrong, "%s: %s", cases[i].uri, wrong);
		cr_assert_str_eq(auth.username, cases[i].username);
		cr_assert_str_eq(auth.password, cases[i].password);
		cr_assert(addr_equal(&address, &expected), "%s", cases[i].uri);
		cr_assert_eq(protocol, cases[i].protocol, "%s", cases[i].uri);
	}
}

Test(config_uri, refuses_what_it_cannot_serve_and_leaves_the_outputs_alone)
{
	static const struct {
		const char *uri, *wrong;
	} cases[] = {
		{"http://u:p@192.0.2.1", "is not a turn: URI"},
		{"turnss://u:p@192.0.2.1", "is not a turn: URI"},
		{"turns://192.0.2.1", "has no credentials"},
		{"turn://192.0.2.1", "has no credentials"},
		{"turn://u@192.0.2.1", "has no password"},
		{"turn://:p@192.0.2.1", "has no usable user name"},
		{"turn://u:@192.0.2.1", "has no usable password"},
		{"turn://u:p%@192.0.2.1", "has no usable password"},
		{"turn://u:p%0g@192.0.2.1", "has no usable password"},
		{"turn://u:p%00@192.0.2.1", "has no usable password"},
		{"turn://u:p@relay.example", "has no usable address"},
		{"turn://u:p@192.0.2.1:0", "has no usable address"},
		{"turn://u:p@192.0.2.1:65536", "has no usable address"},
		{"turn://u:p@192.0.2.1:", "has no usable address"},
		{"turn://u:p@:x", "has no usable port"},
		{"turn://u:p@[::1", "has no usable address"},
		{"turn://u:p@192.0.2.1?transport=sctp", "names a transport that there is not"},
		{"turns://u:p@192.0.2.1?transport=", "names a transport that there is not"},
		{"turn://u:p@192.0.2.1?foo=bar", "knows no parameter but transport"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_auth auth = {.username = "before"};
		struct addr address = {.port = 7};
		enum config_protocol protocol = PROTOCOL_DTLS;
		const char *wrong = config_uri_parse_turn(cases[i].uri, &auth, &address, &protocol);
		cr_assert_not_null(wrong, "%s", cases[i].uri);
		cr_assert_eq(strncmp(wrong, cases[i].wrong, strlen(cases[i].wrong)), 0, "%s: %s", cases[i].uri, wrong);
		cr_assert_str_eq(auth.username, "before");
		cr_assert_eq(address.port, 7);
		cr_assert_eq(protocol, PROTOCOL_DTLS);
	}
}

Test(config_uri, bounds_the_credentials)
{
	char uri[2100];
	struct config_auth auth = {0};
	struct addr address;
	enum config_protocol protocol;
	for (int size = 507; size <= 510; size++) {
		snprintf(uri, sizeof uri, "turn://%0*d:p@192.0.2.1", size, 1);
		cr_assert_eq(
			config_uri_parse_turn(uri, &auth, &address, &protocol) == NULL, size <= STUN_USERNAME_SIZE_MAX, "%d", size);
	}
	snprintf(uri, sizeof uri, "turn://u:%0*d@192.0.2.1", 2080, 1);
	cr_assert_str_eq(config_uri_parse_turn(uri, &auth, &address, &protocol), "is too long: use at most 2000 bytes");
}

Test(config_uri, makes_a_configuration_with_one_listener)
{
	struct config_problems problems = {0};
	struct config *c = config_load_uri("turn://u:p@127.0.0.1:5000?transport=udp", &rig.world, &problems);
	cr_assert_not_null(c);
	cr_assert_eq(problems.kept, 0);
	cr_assert_eq(c->dialect, CONFIG_URI);
	cr_assert_str_eq(c->auth.realm, "stunner.l7mp.io");
	cr_assert_not(c->auth.generated);
	cr_assert_eq(c->listener_count, 1);
	const struct config_listener *l = &c->listeners[0];
	cr_assert_str_eq(l->name, "default-listener");
	cr_assert_eq(l->port, 5000);
	cr_assert(addr_is_any(&l->bind[RELAY_IPV4]));
	cr_assert(addr_is_loopback(&l->relay[RELAY_IPV4].bind));
	cr_assert_eq(l->port_min, 40000);
	cr_assert_eq(l->route_count, 1);
	cr_assert_str_eq(c->clusters[0].name, "allow-any");
	cr_assert_eq(c->clusters[0].endpoint_count, 2);
	cr_assert(c->admin.health.enabled);
	cr_assert_not(c->admin.metrics.enabled);
	config_free(c);
}

Test(config_uri, makes_listeners_of_every_protocol_without_a_certificate)
{
	static const struct {
		const char *uri, *dialled;
	} cases[] = {
		{"turn:u:p@127.0.0.1?transport=tcp", "turn:127.0.0.1:3478?transport=tcp"},
		{"turns:u:p@127.0.0.1:5000", "turns:127.0.0.1:5000?transport=tcp"},
		{"turns:u:p@[::1]?transport=udp", "turns:[::1]:5349?transport=udp"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[CONFIG_URI_SIZE];
		struct config_problems problems = {0};
		struct config *c = config_load_uri(cases[i].uri, &rig.world, &problems);
		cr_assert_not_null(c, "%s", problems.list[0].text);
		cr_assert_eq(problems.kept, 0);
		cr_assert_null(c->listeners[0].identities);
		cr_assert_str_eq(config_turn_uri(&c->listeners[0], &rig.world, text), cases[i].dialled);
		config_free(c);
	}
}

Test(config_uri, does_not_show_the_password_of_a_bad_uri)
{
	struct config_problems problems = {0};
	cr_assert_null(config_load_uri("turn://user:hunter2@host", &rig.world, &problems));
	cr_assert_eq(problems.kept, 1);
	cr_assert_null(strstr(problems.list[0].text, "hunter2"));
	cr_assert_eq(strncmp(problems.list[0].text, "URI: has no usable address: ", 28), 0);
}

Test(config_uri, reads_http_endpoints)
{
	static const struct {
		const char *uri, *ip, *path;
		uint16_t port;
		bool valid;
	} cases[] = {
		{"http://:8086", "", "/", 8086, true},
		{"http://", "", "/", 8080, true},
		{"http://:", "", "/", 8080, true},
		{"http:///metrics", "", "/metrics", 8080, true},
		{"http://0.0.0.0:9/a/b", "0.0.0.0", "/a/b", 9, true},
		{"HTTP://localhost", "127.0.0.1", "/", 8080, true},
		{"http://[::1]:99/m", "::1", "/m", 99, true},
		{"http://:99999", "", "", 0, false},
		{"http://host.example", "", "", 0, false},
		{"http://:1/a?b", "", "", 0, false},
		{"https://:1", "", "", 0, false},
		{":8080", "", "", 0, false},
		{"http://[::1", "", "", 0, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct config_http http = {.port = 7};
		const char *wrong = config_uri_parse_http(cases[i].uri, 8080, &http);
		cr_assert_eq(wrong == NULL, cases[i].valid, "%s: %s", cases[i].uri, wrong);
		if (!cases[i].valid) {
			cr_assert_eq(http.port, 7);
			continue;
		}
		struct addr ip = {0};
		if (cases[i].ip[0])
			ip = config_rig_ip(cases[i].ip);
		cr_assert(http.enabled);
		cr_assert(addr_equal(&http.ip, &ip), "%s", cases[i].uri);
		cr_assert_eq(http.port, cases[i].port, "%s", cases[i].uri);
		cr_assert_str_eq(http.path, cases[i].path);
	}
	struct config_http http = {.enabled = true};
	cr_assert_null(config_uri_parse_http("", 8080, &http));
	cr_assert_not(http.enabled);
}
