#include "measure/machine.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/utsname.h>

static void expect_line(const char *text)
{
	cr_expect_gt(strlen(text), 0);
	cr_expect_null(strpbrk(text, "\n\""), "%s", text);
}

Test(machine, is_described_in_full)
{
	struct machine machine;
	struct utsname kernel;
	memset(&machine, 0xff, sizeof machine);
	machine_describe(&machine);
	cr_assert_eq(uname(&kernel), 0);
	cr_expect_eq(strncmp(machine.kernel, kernel.release, strlen(kernel.release)), 0);
	expect_line(machine.kernel);
	expect_line(machine.processor);
	expect_line(machine.clock_source);
	expect_line(machine.distribution);
	cr_expect(machine.cores > 0 && machine.cores < 100000);
	cr_expect_gt(machine.memory_bytes, 1 << 20);
	cr_expect(machine.load_average >= 0 && machine.load_average < 1e6);
}
