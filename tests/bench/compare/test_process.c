#include "compare/process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* exec wants words that it could change, and does not. */
#define WORDS(...) ((char *const *)(uintptr_t)(const char *const[]){__VA_ARGS__, NULL})

Test(process, a_tools_output_is_kept)
{
	struct failure failure;
	char output[64];
	cr_assert(process_run(WORDS("echo", "4.18.0"), output, sizeof output, &failure), "%s", failure.text);
	cr_expect_str_eq(output, "4.18.0\n");
	char cut[4];
	cr_assert(process_run(WORDS("echo", "4.18.0"), cut, sizeof cut, &failure));
	cr_expect_str_eq(cut, "4.1");
	cr_expect(process_run(WORDS("head", "-c", "1000000", "/dev/zero"), NULL, 0, &failure), "more than a pipe holds");
}

Test(process, a_tool_that_fails_says_why)
{
	struct failure failure;
	cr_expect_not(process_run(WORDS("ls", "/no/such/file"), NULL, 0, &failure));
	cr_expect_not_null(strstr(failure.text, "No such file"), "%s", failure.text);
	cr_expect_not(process_run(WORDS("/no/such/tool"), NULL, 0, &failure));
	cr_expect_not_null(strstr(failure.text, "/no/such/tool"), "%s", failure.text);
}

/* A child that was started in a folder of its own; its log is read back. */
static pid_t start(const char *folder, char *const *words, const cpu_set_t *cores, struct failure *failure)
{
	char path[128];
	snprintf(path, sizeof path, "%s/log", folder);
	struct process_plan plan = {.words = words, .cores = cores, .log_path = path};
	return process_start(&plan, failure);
}

static void wait_for_log(const char *folder, const char *text)
{
	char path[128], log[256] = "";
	snprintf(path, sizeof path, "%s/log", folder);
	for (int i = 0; i < 500 && strstr(log, text) == NULL; i++) {
		usleep(10000);
		int fd = open(path, O_RDONLY);
		ssize_t size = read(fd, log, sizeof log - 1);
		log[size > 0 ? size : 0] = '\0';
		close(fd);
	}
	cr_expect_not_null(strstr(log, text), "'%s' in '%s'", text, log);
	unlink(path);
	rmdir(folder);
}

Test(process, both_outputs_go_to_the_log_and_the_program_is_pinned)
{
	char folder[] = "/tmp/uturn-test-XXXXXX";
	cr_assert_not_null(mkdtemp(folder));
	cpu_set_t allowed, one;
	cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
	int core = 0;
	while (!CPU_ISSET(core, &allowed))
		core++;
	CPU_ZERO(&one);
	CPU_SET(core, &one);
	struct failure failure;
	pid_t pid = start(folder, WORDS("sh", "-c", "echo out; echo err >&2; grep Cpus_allowed_list /proc/self/status; sleep 60"),
		&one, &failure);
	cr_assert_gt(pid, 0, "%s", failure.text);
	cr_expect_eq(getpgid(pid), pid, "a process group of its own");
	char list[64];
	snprintf(list, sizeof list, "out\nerr\nCpus_allowed_list:\t%d\n", core);
	wait_for_log(folder, list);
	process_kill(pid);
	int tries = 500; /* until init has reaped what it started */
	while (kill(-pid, 0) == 0 && --tries > 0)
		usleep(10000);
	cr_expect(errno == ESRCH && tries > 0, "what it started is gone, too");
}

Test(process, what_puts_itself_into_the_background_is_killed_too)
{
	char folder[] = "/tmp/uturn-test-XXXXXX";
	cr_assert_not_null(mkdtemp(folder));
	struct failure failure;
	int ends[2]; /* closed when all who have the writing end are gone */
	cr_assert_eq(pipe(ends), 0);
	pid_t pid = start(folder, WORDS("sh", "-c", "setsid sleep 60 & echo started"), NULL, &failure);
	cr_assert_gt(pid, 0, "%s", failure.text);
	close(ends[1]);
	wait_for_log(folder, "started\n");
	process_kill(pid);
	char byte;
	struct pollfd poll_fd = {.fd = ends[0], .events = POLLIN};
	cr_expect_eq(poll(&poll_fd, 1, 5000), 1, "it still runs");
	cr_expect_eq(read(ends[0], &byte, 1), 0);
	close(ends[0]);
}

Test(process, a_program_that_does_not_exist_is_told_at_once)
{
	char folder[] = "/tmp/uturn-test-XXXXXX";
	cr_assert_not_null(mkdtemp(folder));
	struct failure failure;
	cr_expect_eq(start(folder, WORDS("/no/such/server"), NULL, &failure), -1);
	cr_expect_str_eq(failure.text, "cannot start /no/such/server: No such file or directory");
	char path[128];
	snprintf(path, sizeof path, "%s/log", folder);
	unlink(path);
	rmdir(folder);
	struct process_plan plan = {.words = WORDS("true"), .log_path = "/no/such/folder/log"};
	cr_expect_eq(process_start(&plan, &failure), -1);
	cr_expect_not_null(strstr(failure.text, "/no/such/folder/log"), "%s", failure.text);
}

Test(process, the_last_line_is_one_clean_line)
{
	char text[] = "first\n\tthe \x1b[31mlast\r\n\n  \n", empty[] = " \n", single[] = "one";
	cr_expect_str_eq(process_last_line(text), "the  [31mlast");
	cr_expect_str_eq(process_last_line(empty), "");
	cr_expect_str_eq(process_last_line(single), "one");
}
