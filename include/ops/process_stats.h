/*
 * process_stats - what the kernel says about this process, for the process_* metrics.
 */
#ifndef UTURN_OPS_PROCESS_STATS_H
#define UTURN_OPS_PROCESS_STATS_H

#include <stdint.h>

struct process_stats {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
	uint64_t cpu_ns; /* user and system, all threads */
};

/* What cannot be read (no /proc) is 0. Takes time in proportion to the open descriptors. */
struct process_stats process_stats_read(void);

#endif
