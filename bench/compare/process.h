/*
 * process - child processes: servers that run beside this process, and tools that run to their end.
 *
 * Children have a process group of their own, so that Ctrl-C on the terminal reaches this process only and it decides what ends
 * when; their signal mask is empty and their signals have the default actions.
 *
 * One at a time: what a child leaves behind becomes a child of this process (PR_SET_CHILD_SUBREAPER), and ends with it.
 *
 * Threads: the coordinator's. A server is killed by the kernel when the thread that started it ends.
 */
#ifndef UTURN_BENCH_COMPARE_PROCESS_H
#define UTURN_BENCH_COMPARE_PROCESS_H

#include <sched.h>
#include <sys/types.h>

#include "base/failure.h"

struct process_plan {
	char *const *words;     /* the program, looked for in PATH when it has no '/', and its arguments; ends with NULL */
	const cpu_set_t *cores; /* NULL or empty: as the caller */
	const char *netns_path; /* NULL: the caller's network namespace */
	const char *log_path;   /* standard output and error; made anew */
};

/* The child's pid, once the program runs; -1 with one line where it cannot. */
pid_t process_start(const struct process_plan *plan, struct failure *failure);

/* Kills the child, what else is in its process group, and all that descends from this process; reaps them. */
void process_kill(pid_t pid);

/*
 * Runs a tool to its end, 30 s at most. `output` (may be NULL with size 0) gets the beginning of what it wrote, standard output and
 * error together. False, with one line, when it cannot be started, takes longer, or does not end with status 0: then the end of
 * its output is in the line.
 */
bool process_run(char *const *words, char *output, size_t output_size, struct failure *failure);

/* The last line of `text` that is not empty, control characters and white space around it removed; cuts `text`. Never NULL. */
char *process_last_line(char *text);

#endif
