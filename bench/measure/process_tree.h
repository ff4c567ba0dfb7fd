/*
 * process_tree - a process and all that descend from it: a server may be started by a script, or have processes of its own.
 *
 * Where the kernel does not list children (CONFIG_PROC_CHILDREN), a process stands for itself only. Threads: the coordinator's.
 */
#ifndef UTURN_BENCH_MEASURE_PROCESS_TREE_H
#define UTURN_BENCH_MEASURE_PROCESS_TREE_H

#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_TREE_MAX = 64 };

/* Writes pid itself first, whether it lives or not, then what it and they have started. Returns how many. */
size_t process_tree(pid_t pid, pid_t ret_pids[static PROCESS_TREE_MAX]);

#endif
