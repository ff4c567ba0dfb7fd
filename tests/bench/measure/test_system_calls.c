#include "measure/system_calls.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"

enum { CALLS = 12345 };

static void call(void)
{
	for (unsigned i = 0; i < CALLS; i++)
		syscall(SYS_getppid);
}

/* Where the kernel does not allow to count, the reason is what is tested. */
Test(system_calls, counts_those_of_all_threads_or_says_why_not, .timeout = 60)
{
	struct child child = child_start(call);
	char why[160] = "";
	struct system_calls *counters = system_calls_start(child.pid, why, sizeof why);
	if (counters == NULL) {
		cr_expect_gt(strlen(why), 10);
		cr_expect_null(strchr(why, '\n'));
	} else {
		child_work(&child);
		uint64_t count = system_calls_stop(counters);
		/* Beside the work: one write for each of its two calls, and the reads that wait for more. */
		cr_expect(count >= 2 * CALLS + 2 && count <= 2 * CALLS + 5, "%lu", (unsigned long)count);
	}
	child_kill(&child);
	child_reap(&child);
}

Test(system_calls, a_process_that_has_ended_is_said_in_one_line, .timeout = 60)
{
	struct child child = child_start(call);
	child_kill(&child);
	child_reap(&child);
	char why[160] = "";
	cr_expect_null(system_calls_start(child.pid, why, sizeof why));
	cr_expect_gt(strlen(why), 10);
}
