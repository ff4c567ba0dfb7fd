/*
 * system_calls - counts the system calls of a running process through the tracepoint raw_syscalls:sys_enter (perf_event_open).
 *
 * The tracepoint slows every system call of the machine down a little while it is on: it is never on inside the window whose run
 * time is measured, but in one of its own.
 *
 * Threads: the coordinator's. Needs tracefs (it is mounted nowhere by this tool) and CAP_PERFMON or root.
 */
#ifndef UTURN_BENCH_MEASURE_SYSTEM_CALLS_H
#define UTURN_BENCH_MEASURE_SYSTEM_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct system_calls; /* counters, one per thread of the process, and of those that it started, as of the start */

/* Starts to count. NULL, with one line in `why`, where the kernel does not allow it. */
struct system_calls *system_calls_start(pid_t pid, char *why, size_t why_size);

/* Stops, returns the count since the start, and frees. */
uint64_t system_calls_stop(struct system_calls *counters);

#endif
