#include "turncat/cds_config.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "exact_copy.h"

/* As the operator sends it, with single quotes in place of double ones. */
#define LISTENER                                                                                                                   \
	"{'name':'stunner/udp-gateway/udp-listener','protocol':'TURN-UDP','public_address':'34.118.88.91','public_port':3479,"     \
	"'address':'$STUNNER_ADDR','port':3478,'routes':['stunner/iperf-server']}"
#define AUTH "{'type':'static','realm':'stunner.l7mp.io','credentials':{'username':'user-1','password':'pass-1'}}"
#define CONFIG(listeners, auth)                                                                                                    \
	"{'version':'v1','admin':{'name':'stunner/udp-gateway'},'auth':" auth ",'listeners':[" listeners "]}"

static bool parse(const char *text, struct cds_server *ret_server, struct failure *failure)
{
	static const struct spec_server wanted = {
		.k8s = true, .namespace = "stunner", .gateway = "udp-gateway", .listener = "udp-listener"};
	char json[2048];
	snprintf(json, sizeof json, "%s", text);
	for (char *c = json; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	struct bytes exact = exact_copy(json, strlen(json));
	bool good = cds_config_parse(exact, &wanted, ret_server, failure);
	exact_copy_free(exact);
	return good;
}

static struct cds_server server_of(const char *text)
{
	struct cds_server server;
	struct failure failure = {""};
	cr_assert(parse(text, &server, &failure), "%s: %s", text, failure.text);
	return server;
}

static void expect_none(const char *text, const char *why)
{
	struct cds_server server;
	struct failure failure = {""};
	cr_expect_not(parse(text, &server, &failure), "%s", text);
	cr_expect_not_null(strstr(failure.text, why), "%s: %s", text, failure.text);
}

Test(cds_config, finds_a_listeners_public_address_and_static_credentials)
{
	struct cds_server server = server_of(CONFIG(LISTENER, AUTH));
	cr_expect_str_eq(server.host.name, "34.118.88.91");
	cr_expect_eq(server.host.port, 3479);
	cr_expect_eq(server.transport, TRANSPORT_UDP);
	cr_expect_str_eq(server.username, "user-1");
	cr_expect_str_eq(server.password, "pass-1");
	cr_expect_str_eq(server.secret, "");
}

Test(cds_config, finds_a_secret)
{
	static const char *const types[] = {"ephemeral", "longterm", "timewindowed", "EPHEMERAL"};
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		char text[1024];
		snprintf(text, sizeof text, CONFIG(LISTENER, "{'type':'%s','credentials':{'secret':'s'}}"), types[i]);
		cr_expect_str_eq(server_of(text).secret, "s", "%s", types[i]);
	}
}

Test(cds_config, reads_every_protocol_and_falls_back_to_the_listeners_own_address)
{
	static const struct {
		const char *protocol;
		enum transport_kind transport;
	} cases[] = {{"UDP", TRANSPORT_UDP}, {"turn-tcp", TRANSPORT_TCP}, {"TLS", TRANSPORT_TLS}, {"TURN-DTLS", TRANSPORT_DTLS}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[1024];
		snprintf(text, sizeof text,
			CONFIG("{'name':'udp-listener','protocol':'%s','address':'2001:db8::7','port':5000}", AUTH),
			cases[i].protocol);
		struct cds_server server = server_of(text);
		cr_expect_eq(server.transport, cases[i].transport, "%s", cases[i].protocol);
		cr_expect_str_eq(server.host.name, "2001:db8::7");
		cr_expect_eq(server.host.port, 5000);
	}
	cr_expect_eq(server_of(CONFIG("{'name':'udp-listener','public_address':'lb.example.org'}", AUTH)).host.port, 3478);
}

Test(cds_config, refuses_what_is_no_help)
{
	expect_none("", "no configuration");
	expect_none("[]", "no configuration");
	expect_none("{'version':", "no configuration");
	expect_none("{}", "no listener 'udp-listener' (of 0)");
	expect_none(CONFIG("{'name':'stunner/udp-gateway/other'},3,null", AUTH), "no listener 'udp-listener' (of 3)");
	expect_none(CONFIG("{'name':'udp-listener','protocol':'SCTP','address':'192.0.2.1'}", AUTH), "protocol 'SCTP'");
	expect_none(CONFIG("{'name':'udp-listener','address':'$STUNNER_ADDR'}", AUTH), "no usable public address");
	expect_none(CONFIG("{'name':'udp-listener'}", AUTH), "no usable public address");
	expect_none(CONFIG("{'name':'udp-listener','address':'192.0.2.1','port':70000}", AUTH), "no usable public address");
	expect_none(CONFIG("{'name':'udp-listener','address':'192.0.2.1:80'}", AUTH), "no usable public address");
	expect_none(CONFIG(LISTENER, "{'type':'none'}"), "makes no allocations");
	expect_none(CONFIG(LISTENER, "{'type':'magic'}"), "'magic' is not known");
	expect_none(CONFIG(LISTENER, "{'type':'static','credentials':{'username':'u'}}"), "user name and password");
	expect_none(CONFIG(LISTENER, "{'type':'ephemeral','credentials':{}}"), "secret");
	expect_none(CONFIG(LISTENER, "7"), "user name and password");
}
