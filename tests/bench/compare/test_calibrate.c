#include "compare/contest.h"

#include <criterion/criterion.h>

Test(calibrate, calls_follow_the_share_that_is_wanted)
{
	cr_expect_eq(calibration_next(100, 0.35, 0.7, 1000), 200);
	cr_expect_eq(calibration_next(100, 0.9, 0.45, 1000), 50);
	cr_expect_eq(calibration_next(100, 0.7, 0.7, 1000), 100);
}

Test(calibrate, there_is_one_call_at_least_and_no_more_than_the_bound)
{
	cr_expect_eq(calibration_next(1, 0.99, 0.1, 1000), 1);
	cr_expect_eq(calibration_next(900, 0.1, 0.7, 1000), 1000);
	cr_expect_eq(calibration_next(10, 0, 0.7, 1000), 20, "a server whose run time is too small to see gets twice as many");
	cr_expect_eq(calibration_next(1000, 1e-300, 0.7, 1000), 1000);
}
