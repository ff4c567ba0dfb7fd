/*
 * The policy against a plain reading of its rule, over random routes: the decision for every port, and the promise of each grant.
 */
#include <criterion/criterion.h>

#include "turn_policy_rig.h"

enum { RULES_MAX = 8, OWN_MAX = 4, POLICIES = 300 };

struct model_rule {
	unsigned bits;
	uint16_t port_min, port_max;
};

struct model {
	struct model_rule rules[RULES_MAX];
	unsigned rules_count;
	uint16_t own[OWN_MAX];
	unsigned own_count;
};

static uint64_t random_state = 1;

static unsigned random_below(unsigned bound)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % bound;
}

/* All rules contain 10.1.1.1; 10.0.0.0/8 is denied. Returns the cluster that admits the port, -1 when none does. */
static int model_check(const struct model *model, uint16_t port)
{
	int best = -1;
	for (unsigned i = 0; i < model->own_count; i++) {
		if (model->own[i] == port)
			return -1;
	}
	for (unsigned i = 0; i < model->rules_count; i++) {
		const struct model_rule *rule = &model->rules[i];
		bool overruled = rule->bits < 8;
		if (port && !overruled && port >= rule->port_min && port <= rule->port_max &&
			(best < 0 || rule->bits > model->rules[best].bits))
			best = (int)i;
	}
	return best;
}

static struct peer_policy *build(struct model *model)
{
	static const unsigned lengths[] = {0, 7, 8, 9, 16, 24, 32};
	static const struct addr peer = {.ip = {10, 1, 1, 1}, .family = ADDR_IPV4};
	struct peer_policy *policy = peer_policy_create();
	*model = (struct model){.rules_count = random_below(RULES_MAX + 1), .own_count = random_below(OWN_MAX + 1)};
	for (unsigned i = 0; i < model->rules_count; i++) {
		uint16_t a = (uint16_t)random_below(100), b = (uint16_t)random_below(100);
		model->rules[i] = (struct model_rule){lengths[random_below(7)], a < b ? a : b, a < b ? b : a};
		cr_assert_eq(peer_policy_allow(policy, &peer, model->rules[i].bits, a < b ? a : b, a < b ? b : a, (uint16_t)i), 0);
	}
	for (unsigned i = 0; i < model->own_count; i++) {
		model->own[i] = (uint16_t)random_below(100);
		struct addr own = addr_with_port(random_below(2) ? peer : addr_any(ADDR_IPV4, 0), model->own[i]);
		cr_assert_eq(peer_policy_own_endpoint(policy, &own), 0);
	}
	cr_assert_eq(peer_policy_own_ip(policy, &peer), 0);
	peer_policy_seal(policy);
	return policy;
}

static void compare(const struct peer_policy *policy, const struct model *model, unsigned number)
{
	bool any = false;
	struct peer_grant grant;
	for (uint16_t port = 0; port < 120; port++) {
		struct addr peer = addr_ipv4(10, 1, 1, 1, port);
		int cluster = model_check(model, port);
		bool admitted = peer_policy_check(policy, NULL, &peer, false, &grant) == PEER_ADMITTED;
		cr_assert_eq(admitted, cluster >= 0, "policy %u port %u", number, port);
		if (!admitted)
			continue;
		any = true;
		cr_assert_eq(grant.cluster, cluster, "policy %u port %u", number, port);
		cr_assert(grant.port_min <= port && port <= grant.port_max, "policy %u port %u", number, port);
		for (unsigned p = grant.port_min; p <= grant.port_max; p++)
			cr_assert_eq(model_check(model, (uint16_t)p), cluster, "policy %u port %u grants %u", number, port, p);
	}
	struct addr peer = addr_ipv4(10, 1, 1, 1, 0);
	cr_assert_eq(peer_policy_check(policy, NULL, &peer, true, &grant) == PEER_ADMITTED, any, "policy %u", number);
	for (unsigned p = grant.port_min; any && p <= grant.port_max; p++)
		cr_assert_eq(model_check(model, (uint16_t)p), grant.cluster, "policy %u grants %u", number, p);
}

Test(peer_policy_model, agrees_on_every_port_and_keeps_the_promise_of_its_grants)
{
	for (unsigned i = 0; i < POLICIES; i++) {
		struct model model;
		struct peer_policy *policy = build(&model);
		compare(policy, &model, i);
		peer_policy_unref(policy);
	}
}
