#include "measure/server_watch.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "child.h"

enum { BURN_MS = 150, NAPS = 40 };

static double thread_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void burn(void)
{
	double until_s = thread_seconds() + BURN_MS / 1e3;
	while (thread_seconds() < until_s)
		;
}

static void nap(void)
{
	for (unsigned i = 0; i < NAPS; i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
}

static cpu_set_t all_cores(void)
{
	cpu_set_t cores;
	CPU_ZERO(&cores);
	for (unsigned i = 0; i < CPU_SETSIZE; i++)
		CPU_SET(i, &cores);
	return cores;
}

static struct server_sample sample_of(pid_t pid)
{
	struct server_sample sample = {0};
	cpu_set_t cores = all_cores();
	cr_assert_eq(server_watch_sample(pid, &cores, &sample), 0);
	return sample;
}

/* A script that started it stays between. */
Test(server_watch, tells_what_a_process_has_started, .timeout = 60)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			burn();
			(void)!write(ends[1], "b", 1);
		}
		pause();
		_exit(0);
	}
	char byte;
	cr_assert_eq(read(ends[0], &byte, 1), 1);
	struct server_sample sample = sample_of(pid);
	cr_expect_eq(sample.threads, 2);
	cr_expect_geq(sample.run_ns, (uint64_t)(BURN_MS - 25) * 1000000, "%.3f ms", (double)sample.run_ns / 1e6);
	cr_expect_gt(sample.rss_bytes, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(ends[0]);
	close(ends[1]);
}

Test(server_watch, tells_the_run_time_of_all_threads, .timeout = 60)
{
	struct child child = child_start(burn);
	struct server_sample before = sample_of(child.pid);
	child_work(&child);
	struct server_sample after = sample_of(child.pid), difference = server_watch_difference(&before, &after);
	cr_expect_eq(difference.threads, 2);
	/* What the threads used beside the burning is little; of one that has not gone to sleep yet, a tick may be missing. */
	double run_ms = (double)difference.run_ns / 1e6;
	cr_expect(run_ms >= 2 * BURN_MS - 25 && run_ms < 2 * BURN_MS + 30, "%.3f ms", run_ms);
	cr_expect_geq(difference.at_ns, (uint64_t)BURN_MS * 1000000);
	child_kill(&child);
	child_reap(&child);
}

Test(server_watch, an_idle_process_uses_next_to_nothing, .timeout = 60)
{
	struct child child = child_start(burn);
	struct server_sample before = sample_of(child.pid);
	nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	struct server_sample after = sample_of(child.pid), difference = server_watch_difference(&before, &after);
	cr_expect_lt(difference.run_ns, 5000000);
	child_kill(&child);
	child_reap(&child);
}

Test(server_watch, counts_context_switches, .timeout = 60)
{
	struct child child = child_start(nap);
	struct server_sample before = sample_of(child.pid);
	child_work(&child);
	struct server_sample after = sample_of(child.pid), difference = server_watch_difference(&before, &after);
	cr_expect_geq(difference.context_switches, 2 * NAPS);
	child_kill(&child);
	child_reap(&child);
}

Test(server_watch, tells_memory_as_it_is, .timeout = 60)
{
	struct server_sample sample = sample_of(getpid());
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	cr_assert_not_null(file);
	cr_assert_eq(fscanf(file, "%ld %ld", &pages, &resident), 2);
	fclose(file);
	double expected = (double)resident * (double)sysconf(_SC_PAGESIZE);
	cr_expect_float_eq((double)sample.rss_bytes, expected, expected / 10 + 2e6);
	cr_expect_geq(sample.rss_peak_bytes, sample.rss_bytes);
	cr_expect_leq(sample.pss_bytes, sample.rss_bytes + 2000000);
}

Test(server_watch, the_cores_split_adds_up_to_the_time_that_passed, .timeout = 60)
{
	struct child child = child_start(burn);
	struct server_sample before = sample_of(child.pid);
	child_work(&child);
	child_work(&child);
	struct server_sample after = sample_of(child.pid), difference = server_watch_difference(&before, &after);
	const struct core_split *split = &difference.cores;
	double sum_s = split->user_s + split->system_s + split->softirq_s + split->irq_s + split->idle_s + split->other_s;
	double passed_s = (double)difference.at_ns / 1e9 * (double)sysconf(_SC_NPROCESSORS_ONLN);
	cr_expect_float_eq(sum_s, passed_s, passed_s / 2, "%.3f s of %.3f s", sum_s, passed_s);
	cr_expect_gt(split->user_s + split->system_s, 0);
	child_kill(&child);
	child_reap(&child);
}

Test(server_watch, without_cores_there_is_no_split)
{
	cpu_set_t none;
	CPU_ZERO(&none);
	struct server_sample sample;
	cr_assert_eq(server_watch_sample(getpid(), &none, &sample), 0);
	cr_expect_eq(sample.cores.idle_s, 0);
	cr_expect_eq(sample.ksoftirqd_ns, 0);
}

Test(server_watch, a_process_that_has_ended_is_gone_also_as_a_zombie, .timeout = 60)
{
	struct child child = child_start(burn);
	cpu_set_t cores = all_cores();
	struct server_sample sample = {.run_ns = 7};
	child_kill(&child);
	cr_expect_eq(server_watch_sample(child.pid, &cores, &sample), -ESRCH);
	child_reap(&child);
	cr_expect_eq(server_watch_sample(child.pid, &cores, &sample), -ESRCH);
	cr_expect_eq(server_watch_sample(0, &cores, &sample), -ESRCH);
	cr_expect_eq(sample.run_ns, 7);
}

Test(server_watch, a_difference_never_wraps)
{
	const struct server_sample before = {.at_ns = 1, .run_ns = 100, .context_switches = 10, .threads = 3, .rss_bytes = 5};
	const struct server_sample after = {.at_ns = 4, .run_ns = 90, .context_switches = 11, .threads = 2, .rss_bytes = 4};
	struct server_sample difference = server_watch_difference(&before, &after);
	cr_expect_eq(difference.at_ns, 3);
	cr_expect_eq(difference.run_ns, 0);
	cr_expect_eq(difference.context_switches, 1);
	cr_expect_eq(difference.threads, 2);
	cr_expect_eq(difference.rss_bytes, 4);
}

Test(server_watch, says_the_same_of_irq_time_accounting_every_time)
{
	bool known = false, again = false;
	bool on = server_watch_irq_time_accounting(&known);
	cr_expect_eq(server_watch_irq_time_accounting(&again), on);
	cr_expect_eq(again, known);
	cr_expect(known || !on);
}
