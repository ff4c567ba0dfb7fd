/*
 * child - a child process for the tests of what is read about processes: it works when told to, and waits otherwise.
 */
#ifndef UTURN_TESTS_BENCH_CHILD_H
#define UTURN_TESTS_BENCH_CHILD_H

#include <sys/types.h>

struct child {
	pid_t pid;
	int to_fd, from_fd;
};

/* Forks; child_work then lets it call `work` once in each of two threads, and returns when both have. */
struct child child_start(void (*work)(void));
void child_work(const struct child *child);

/* Kills it; it stays a zombie until child_reap. */
void child_kill(const struct child *child);
void child_reap(const struct child *child);

#endif
