#include "ops/process_stats.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

static void read_memory(struct process_stats *stats)
{
	FILE *file = fopen("/proc/self/statm", "re");
	if (file == NULL)
		return;
	uint64_t all_pages, resident_pages;
	if (fscanf(file, "%" SCNu64 " %" SCNu64, &all_pages, &resident_pages) == 2) {
		uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE);
		stats->virtual_bytes = all_pages * page_size;
		stats->resident_bytes = resident_pages * page_size;
	}
	fclose(file);
}

static uint64_t count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	if (directory == NULL)
		return 0;
	uint64_t count = 0;
	for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count - 1; /* the directory's own */
}

static uint64_t timeval_ns(const struct timeval *time)
{
	return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_usec * 1000;
}

struct process_stats process_stats_read(void)
{
	struct process_stats stats = {.open_fds = count_descriptors()};
	read_memory(&stats);
	struct rlimit descriptors;
	if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0)
		stats.max_fds = descriptors.rlim_cur;
	struct rusage usage;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		stats.cpu_ns = timeval_ns(&usage.ru_utime) + timeval_ns(&usage.ru_stime);
	return stats;
}
