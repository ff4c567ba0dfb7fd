#include "turn/config.h"

#include <criterion/criterion.h>

Test(config, starts_with_the_defaults_of_the_rfc_and_nothing_else)
{
	struct turn_config *config = turn_config_create();
	cr_assert_not_null(config);
	cr_expect_eq(config->references, 1);
	cr_expect_eq(config->lifetime_default_s, 600);
	cr_expect_eq(config->lifetime_max_s, 3600);
	cr_expect_eq(config->unauth.burst, 500);
	cr_expect_eq(config->unauth.per_s, 50);
	cr_expect_eq(config->unauth.spare_s, 600);
	cr_expect_eq(config->unauth.ipv4_bits, 32);
	cr_expect_eq(config->unauth.ipv6_bits, 64);
	cr_expect_eq(config->listener_count, 0);
	cr_expect_eq(config->alternate_server.family, ADDR_NONE);
	turn_config_unref(config);
}

Test(config, lets_its_policies_go_with_its_last_reference)
{
	struct turn_config *config = turn_config_create();
	struct peer_policy *policy = peer_policy_create();
	peer_policy_seal(policy);
	config->listener_count = 2;
	config->listeners[0].policy = peer_policy_ref(policy);
	config->listeners[1].policy = peer_policy_ref(policy);
	cr_expect_eq(turn_config_ref(config), config);
	turn_config_unref(config);
	cr_expect_eq(config->references, 1);
	cr_expect_eq(config->listener_count, 2, "still whole: somebody holds it");
	turn_config_unref(config);
	/* Ours is the last reference now: AddressSanitizer would see a use after free here, and LeakSanitizer a leak without it. */
	peer_policy_unref(policy);
}

Test(config, a_listener_may_lack_a_policy)
{
	struct turn_config *config = turn_config_create();
	config->listener_count = 1;
	turn_config_unref(config);
}

Test(config, unref_of_nothing_is_fine)
{
	turn_config_unref(NULL);
	peer_policy_unref(NULL);
}
