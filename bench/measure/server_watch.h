/*
 * server_watch - what a server process costs the machine, read from /proc before and after a measured window.
 *
 * Sources, and what each leaves out:
 *   run time      /proc/PID/task/<each>/schedstat, first field, summed over threads: exact, up to the last tick of a thread that is
 *                 running. Contains the softirq work that the kernel does in the thread's own context, unless the kernel was built
 *                 with CONFIG_IRQ_TIME_ACCOUNTING, which takes it out. A thread that ended inside the window is lost from the sum;
 *                 servers of this kind start theirs before.
 *   ksoftirqd     the same figure of the kernel's per-core softirq threads, of the server's cores.
 *   core split    /proc/stat per core: tick-sampled on many kernels, misleading at partial load; shown beside the run time, never
 *                 used for a ratio.
 *   memory        /proc/PID/status VmRSS and VmHWM; smaps_rollup Pss where readable.
 *
 * Processes that the server's has started count as its own, all sums are over them, too: where a script started the server, it
 * hardly runs itself. Pages that several of them share count in the VmRSS of each.
 *
 * Threads: the coordinator's.
 */
#ifndef UTURN_BENCH_MEASURE_SERVER_WATCH_H
#define UTURN_BENCH_MEASURE_SERVER_WATCH_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct core_split {
	double user_s, system_s, softirq_s, irq_s, idle_s, other_s; /* summed over the given cores */
};

struct server_sample {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	uint64_t run_ns, ksoftirqd_ns;
	uint64_t context_switches; /* voluntary and not, all threads */
	unsigned threads;
	uint64_t rss_bytes, rss_peak_bytes, pss_bytes; /* pss_bytes 0 where not readable */
	struct core_split cores;
};

/* 0, or -ESRCH when the process is gone (also as a zombie). cores: those whose split and ksoftirqd are wanted. */
int server_watch_sample(pid_t pid, const cpu_set_t *cores, struct server_sample *ret_sample);

/* b - a, for the counters; memory as in b. */
struct server_sample server_watch_difference(const struct server_sample *a, const struct server_sample *b);

/*
 * True when the kernel was built with CONFIG_IRQ_TIME_ACCOUNTING, as /boot/config-$(uname -r) or else the symbols in /proc/kallsyms
 * tell; *ret_known false where neither does.
 */
bool server_watch_irq_time_accounting(bool *ret_known);

#endif
