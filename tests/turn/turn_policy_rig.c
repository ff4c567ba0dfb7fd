#include "turn_policy_rig.h"

#include <stdio.h>

#include "base/prefix_set.h"

static void add_route(struct peer_policy *policy, char *route, uint16_t cluster)
{
	unsigned bits, port_min = 0, port_max = UINT16_MAX;
	struct addr prefix;
	char *colon = strrchr(route, ':');
	if (colon && strchr(colon, '-')) {
		cr_assert_eq(sscanf(colon + 1, "%u-%u", &port_min, &port_max), 2, "%s", route);
		*colon = '\0';
	}
	cr_assert(prefix_parse(route, &prefix, &bits), "%s", route);
	cr_assert_eq(peer_policy_allow(policy, &prefix, bits, (uint16_t)port_min, (uint16_t)port_max, cluster), 0);
}

struct peer_policy *unsealed_policy_of(const char *routes)
{
	struct peer_policy *policy = peer_policy_create();
	cr_assert_not_null(policy);
	uint16_t cluster = 0;
	while (*routes) {
		char route[96] = {0};
		size_t size = strcspn(routes, " ");
		cr_assert_lt(size, sizeof route);
		memcpy(route, routes, size);
		add_route(policy, route, cluster++);
		routes += size + strspn(routes + size, " ");
	}
	return policy;
}

struct peer_policy *policy_of(const char *routes)
{
	struct peer_policy *policy = unsealed_policy_of(routes);
	peer_policy_seal(policy);
	return policy;
}

static void expect(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name,
	enum peer_decision expected)
{
	static const uint16_t some_ports[] = {1, 53, 80, 3478, 3479, 8080, 49152, 65535};
	const struct peer_grant untouched = {.cluster = 4242, .port_min = 4242, .port_max = 4242};
	struct peer_grant grant = untouched;
	cr_expect_eq(peer_policy_check(policy, ports, &peer, true, &grant), expected, "%s, any port", name);
	for (size_t i = 0; i < sizeof some_ports / sizeof *some_ports; i++) {
		struct addr endpoint = addr_with_port(peer, some_ports[i]);
		cr_expect_eq(
			peer_policy_check(policy, ports, &endpoint, false, &grant), expected, "%s port %u", name, some_ports[i]);
	}
	if (expected == PEER_REFUSED)
		cr_expect_arr_eq(&grant, &untouched, sizeof grant, "%s: written on refusal", name);
	struct addr port_0 = addr_with_port(peer, 0);
	cr_expect_eq(peer_policy_check(policy, ports, &port_0, false, &grant), PEER_REFUSED, "%s port 0", name);
}

void expect_admitted(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name)
{
	expect(policy, ports, peer, name, PEER_ADMITTED);
}

void expect_refused(const struct peer_policy *policy, const struct port_table *ports, struct addr peer, const char *name)
{
	expect(policy, ports, peer, name, PEER_REFUSED);
}
