#include "server/machine.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "turn/config.h"

enum { CGROUP_PATH_SIZE = 4096, CGROUP_FILE_SIZE = 5120 };

/* The path of this process in the hierarchy of `controller` (version 1) or in the unified one (NULL). False if there is none. */
static bool cgroup_path(const char *root, const char *controller, char ret_path[static CGROUP_PATH_SIZE])
{
	char file[CGROUP_FILE_SIZE], line[CGROUP_PATH_SIZE];
	snprintf(file, sizeof file, "%s/proc/self/cgroup", root);
	FILE *stream = fopen(file, "re");
	if (stream == NULL)
		return false;
	bool found = false;
	while (!found && fgets(line, sizeof line, stream) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		char *controllers = strchr(line, ':');
		char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
		if (path == NULL)
			continue;
		*path++ = '\0';
		controllers++;
		if (controller == NULL) {
			found = controllers[0] == '\0';
		} else {
			char *rest = controllers;
			for (char *name; !found && (name = strsep(&rest, ",")) != NULL;)
				found = strcmp(name, controller) == 0;
		}
		if (found)
			snprintf(ret_path, CGROUP_PATH_SIZE, "%s", path);
	}
	fclose(stream);
	return found;
}

static bool read_line(const char *file, char *line, int size)
{
	FILE *stream = fopen(file, "re");
	if (stream == NULL)
		return false;
	bool read = fgets(line, size, stream) != NULL;
	fclose(stream);
	return read;
}

/* One level of a hierarchy: folds what `name` says there into *limit (the lowest wins). */
typedef void read_level(const char *folder, uint64_t *limit);

/* From the process's own group up to the root: a container often sees its group as the root, and a parent's limit binds as well. */
static void walk_up(const char *root, const char *mount, char path[static CGROUP_PATH_SIZE], read_level *level, uint64_t *limit)
{
	for (;;) {
		char folder[2 * CGROUP_PATH_SIZE];
		snprintf(folder, sizeof folder, "%s/sys/fs/cgroup%s%s", root, mount, strcmp(path, "/") == 0 ? "" : path);
		level(folder, limit);
		char *slash = strrchr(path, '/');
		if (slash == NULL || path[0] == '\0')
			return;
		*slash = '\0';
	}
}

static void fold(uint64_t *limit, uint64_t value)
{
	if (value < *limit)
		*limit = value;
}

/* Processors in thousandths. */
static void level_cpu_v2(const char *folder, uint64_t *limit)
{
	char file[2 * CGROUP_FILE_SIZE], line[128];
	unsigned long long quota, period;
	snprintf(file, sizeof file, "%s/cpu.max", folder);
	if (read_line(file, line, sizeof line) && sscanf(line, "%llu %llu", &quota, &period) == 2 && period > 0)
		fold(limit, quota * 1000 / period);
}

static void level_cpu_v1(const char *folder, uint64_t *limit)
{
	char file[2 * CGROUP_FILE_SIZE], line[128];
	snprintf(file, sizeof file, "%s/cpu.cfs_quota_us", folder);
	if (!read_line(file, line, sizeof line))
		return;
	long long quota = atoll(line);
	snprintf(file, sizeof file, "%s/cpu.cfs_period_us", folder);
	if (quota <= 0 || !read_line(file, line, sizeof line))
		return;
	long long period = atoll(line);
	if (period > 0)
		fold(limit, (uint64_t)(quota * 1000 / period));
}

static void level_memory(const char *folder, const char *name, uint64_t *limit)
{
	char file[2 * CGROUP_FILE_SIZE], line[128];
	unsigned long long bytes;
	snprintf(file, sizeof file, "%s/%s", folder, name);
	/* Version 1 says "no limit" by a number near 2^63. */
	if (read_line(file, line, sizeof line) && sscanf(line, "%llu", &bytes) == 1 && bytes < UINT64_C(1) << 60)
		fold(limit, bytes);
}

static void level_memory_v2(const char *folder, uint64_t *limit)
{
	level_memory(folder, "memory.max", limit);
}

static void level_memory_v1(const char *folder, uint64_t *limit)
{
	level_memory(folder, "memory.limit_in_bytes", limit);
}

static unsigned affinity_processors(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return 1;
	return (unsigned)CPU_COUNT(&set);
}

void machine_read(const char *root, struct machine *ret_machine)
{
	char path[CGROUP_PATH_SIZE];
	uint64_t cpu = UINT64_MAX, memory = UINT64_MAX;
	if (cgroup_path(root, NULL, path))
		walk_up(root, "", path, level_cpu_v2, &cpu);
	if (cgroup_path(root, NULL, path))
		walk_up(root, "", path, level_memory_v2, &memory);
	if (cgroup_path(root, "cpu", path))
		walk_up(root, "/cpu", path, level_cpu_v1, &cpu);
	if (cgroup_path(root, "memory", path))
		walk_up(root, "/memory", path, level_memory_v1, &memory);

	unsigned processors = affinity_processors();
	uint64_t quota = cpu == UINT64_MAX ? processors : (cpu + 999) / 1000;
	if (quota < processors)
		processors = quota == 0 ? 1 : (unsigned)quota;
	struct rlimit limit = {.rlim_cur = 1024};
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	*ret_machine = (struct machine){
		.processors = processors == 0 ? 1 : processors,
		.memory_bytes = memory,
		.descriptors = limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur,
	};
}

uint32_t machine_raise_descriptors(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur > UINT32_MAX ? UINT32_MAX : (uint32_t)limit.rlim_cur;
}

enum {
	/* A kernel socket with what a ring keeps for it (3-4 KB), our own state (1-2 KB), and a packet or two in its queue. */
	BYTES_PER_ALLOCATION = 8 * 1024,
	/* The process itself with its buffers. */
	BYTES_FIXED = 12 * 1024 * 1024,
	/* Receive buffers' share that a shard comes to use under load. */
	BYTES_PER_SHARD = 4 * 1024 * 1024,
	/* Beside relay sockets: standard streams, inotify, the event loop, and the connections that HTTP accepts. */
	DESCRIPTORS_FIXED = 160,
	/* A ring, an event descriptor; listeners come on top. */
	DESCRIPTORS_PER_SHARD = 8,
	/* More than this no port range gives. */
	ALLOCATIONS_MAX = 131072,
	ALLOCATIONS_MIN = 16,
};

/* Descriptors left for allocations once everything else has its own. */
static uint64_t descriptors_left(const struct machine *machine, unsigned shards, unsigned listeners)
{
	uint64_t reserved = DESCRIPTORS_FIXED + (uint64_t)shards * (DESCRIPTORS_PER_SHARD + RELAY_FAMILIES * listeners);
	uint64_t left = machine->descriptors > reserved ? machine->descriptors - reserved : 0;
	/* Clients are spread unevenly, so the shards' tables, and with them their reservations, are half again as large as the
	 * even share. */
	uint64_t reservations = left * 3 / (2 * LIMIT_ALLOCATIONS_PER_RESERVATION) + shards;
	if (reservations > (uint64_t)LIMIT_RESERVATIONS * shards)
		reservations = (uint64_t)LIMIT_RESERVATIONS * shards;
	return left > reservations ? left - reservations : 0;
}

uint32_t machine_allocations_max(
	const struct machine *machine, unsigned shards, unsigned listeners, uint32_t wanted, const char **ret_reason)
{
	uint64_t bound = wanted > 0 ? wanted : ALLOCATIONS_MAX;
	*ret_reason = wanted > 0 ? "the configuration" : "the number of ports";
	uint64_t by_descriptors = descriptors_left(machine, shards, listeners);
	if (by_descriptors < bound) {
		bound = by_descriptors;
		*ret_reason = "the descriptor limit (ulimit -n)";
	}
	if (machine->memory_bytes != UINT64_MAX) {
		uint64_t fixed = BYTES_FIXED + (uint64_t)BYTES_PER_SHARD * shards;
		uint64_t left = machine->memory_bytes > fixed ? machine->memory_bytes - fixed : 0;
		uint64_t by_memory = left / BYTES_PER_ALLOCATION;
		if (by_memory < ALLOCATIONS_MIN)
			by_memory = ALLOCATIONS_MIN;
		if (by_memory < bound) {
			bound = by_memory;
			*ret_reason = "the memory limit of the cgroup";
		}
	}
	return (uint32_t)bound;
}

uint32_t machine_receive_buffers(const struct machine *machine, unsigned shards)
{
	uint32_t buffers = 1024;
	while (buffers > 64 && machine->memory_bytes != UINT64_MAX && (uint64_t)buffers * 4096 * shards > machine->memory_bytes / 8)
		buffers /= 2;
	return buffers;
}
