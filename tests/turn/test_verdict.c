#include "turn/verdict.h"

#include <criterion/criterion.h>

static void expect_label(const char *label)
{
	cr_assert_not_null(label);
	cr_expect_gt(strlen(label), 0);
	cr_expect_eq(strspn(label, "abcdefghijklmnopqrstuvwxyz_"), strlen(label), "\"%s\" is no metric label", label);
}

Test(verdict, every_verdict_has_a_label_of_its_own_and_a_help_text)
{
	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		expect_label(verdict_label(v));
		cr_expect_gt(strlen(verdict_help(v)), 0, "verdict %u", v);
		for (unsigned other = 0; other < v; other++)
			cr_expect_str_neq(verdict_label(v), verdict_label(other));
	}
	cr_expect_str_eq(verdict_label(DROP_NO_PERMISSION), "drop_no_permission");
}

Test(verdict, every_authentication_failure_has_a_label_of_its_own_and_a_help_text)
{
	for (unsigned f = 0; f < AUTH_FAILURE_COUNT; f++) {
		expect_label(auth_failure_label(f));
		cr_expect_gt(strlen(auth_failure_help(f)), 0, "failure %u", f);
		for (unsigned other = 0; other < f; other++)
			cr_expect_str_neq(auth_failure_label(f), auth_failure_label(other));
	}
	cr_expect_str_eq(auth_failure_label(AUTH_FAIL_STALE_NONCE), "stale_nonce");
}
