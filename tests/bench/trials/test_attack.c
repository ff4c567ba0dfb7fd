#include "trials/attack.h"

#include <criterion/criterion.h>

Test(attack, names_its_kinds_and_wants_a_paced_victim)
{
	cr_assert_str_eq(attack_kind_name(ATTACK_UNAUTHENTICATED), "unauthenticated");
	cr_assert_str_eq(attack_kind_name(ATTACK_UNPERMITTED), "unpermitted");
	cr_assert_str_eq(attack_kind_name(ATTACK_CLIENT), "client");
	struct attack_plan plan = {.victim = {.kind = LOAD_FLOOD}};
	struct load_target target = {.server = addr_ipv4(127, 0, 0, 1, 9)};
	struct attack_result result;
	struct failure failure;
	cr_assert_not(attack_run(&plan, &target, NULL, NULL, &result, &failure));
	cr_assert_not_null(strstr(failure.text, "paced"), "%s", failure.text);
}
