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
	/* The same, with keys instead of permissions. */
	BYTES_PER_CONNECTION = 8 * 1024,
	/* libssl's state. */
	BYTES_PER_HANDSHAKE = 60 * 1024,
	/* As src/shard/stream_buffers.h has it. */
	BYTES_PER_STREAM_BUFFER = 72 * 1024,
	/* The process itself: 3 to 4 MB of its own and of the kernel's, and as much of its program as runs. */
	BYTES_FIXED = 7 * 1024 * 1024,
	/* What libssl and libcrypto keep for themselves, certificates included. */
	BYTES_FIXED_TLS = 1024 * 1024,
	/* The receive buffers that a shard has at least, filled to the brim by glued packets. */
	BYTES_PER_SHARD = 4 * 1024 * 1024,
	BYTES_PER_RECEIVE_BUFFER = 64 * 1024,
	RECEIVE_BUFFERS_MIN = BYTES_PER_SHARD / BYTES_PER_RECEIVE_BUFFER,
	RECEIVE_BUFFERS_MAX = 1024,
	SOCKET_BUFFER_MIN = 64 * 1024,
	/* Beside relay sockets: standard streams, inotify, the event loop, and the connections that HTTP accepts. */
	DESCRIPTORS_FIXED = 160,
	/* A ring, an event descriptor; listeners come on top. */
	DESCRIPTORS_PER_SHARD = 8,
	/* More than this no port range gives. */
	ALLOCATIONS_MAX = 131072,
	ALLOCATIONS_MIN = 16,
	/* Each is there for an allocation. */
	CONNECTIONS_MAX = ALLOCATIONS_MAX,
	CONNECTIONS_MIN = ALLOCATIONS_MIN,
	HANDSHAKES_MIN = 4,
	/* Of each shard. Address space until connections wait for the rest of something, or read slowly: few do at a time. */
	STREAM_BUFFERS_MAX = 4096,
	STREAM_BUFFERS_MIN = 8,
	/* A connection holds a part of a record, a part of a frame, and what waits to be sent. */
	STREAM_BUFFERS_PER_CONNECTION = 3,
};

/* Descriptors left for allocations and connections once everything else has its own. */
static uint64_t descriptors_left(const struct machine *machine, const struct machine_wish *wish)
{
	uint64_t reserved = DESCRIPTORS_FIXED + (uint64_t)wish->shards * (DESCRIPTORS_PER_SHARD + RELAY_FAMILIES * wish->listeners);
	uint64_t left = machine->descriptors > reserved ? machine->descriptors - reserved : 0;
	/* Clients are spread unevenly, so the shards' tables, and with them their reservations, are half again as large as the
	 * even share. */
	uint64_t reservations = left * 3 / (2 * LIMIT_ALLOCATIONS_PER_RESERVATION) + wish->shards;
	if (reservations > (uint64_t)LIMIT_RESERVATIONS * wish->shards)
		reservations = (uint64_t)LIMIT_RESERVATIONS * wish->shards;
	return left > reservations ? left - reservations : 0;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct share {
	uint64_t allocations, connections;
};

/* So many units between the two: half each, but what one of them may not use by configuration is the other's. */
static struct share divide(uint64_t units, const struct machine_wish *wish, bool both)
{
	uint64_t allocations = wish->allocations > 0 ? wish->allocations : ALLOCATIONS_MAX;
	uint64_t connections = wish->connections_max > 0 ? wish->connections_max : CONNECTIONS_MAX;
	if (!both)
		return (struct share){units, connections};
	if (connections < units / 2)
		return (struct share){units - connections, connections};
	if (allocations < units / 2)
		return (struct share){allocations, units - allocations};
	return (struct share){units / 2, units / 2};
}

static void bound(uint32_t *value, const char **reason, uint64_t by, const char *by_reason)
{
	if (by >= *value)
		return;
	*value = (uint32_t)by;
	*reason = by_reason;
}

/* How many of `size` bytes each shard may have in a quarter of the memory left. */
static uint32_t in_a_quarter(uint64_t left, uint32_t size, unsigned shards, uint32_t min, uint32_t wanted)
{
	uint64_t fit = left / 4 / size / shards;
	return (uint32_t)lesser(fit < min ? min : fit, wanted);
}

/* Handshakes and buffers first; the rest is for allocations and connections. */
static void bound_by_memory(const struct machine *machine, const struct machine_wish *wish, struct machine_budget *budget)
{
	static const char reason[] = "the memory limit of the cgroup";
	uint64_t fixed = BYTES_FIXED + (uint64_t)BYTES_PER_SHARD * wish->shards + (wish->handshakes ? BYTES_FIXED_TLS : 0);
	uint64_t left = machine->memory_bytes > fixed ? machine->memory_bytes - fixed : 0, taken = 0;
	if (wish->handshakes) {
		budget->handshakes_max = in_a_quarter(left, BYTES_PER_HANDSHAKE, wish->shards, HANDSHAKES_MIN, UINT32_MAX);
		taken += lesser(budget->handshakes_max, wish->handshakes_wanted) * BYTES_PER_HANDSHAKE * wish->shards;
	}
	if (wish->connections) {
		budget->stream_buffers =
			in_a_quarter(left, BYTES_PER_STREAM_BUFFER, wish->shards, STREAM_BUFFERS_MIN, budget->stream_buffers);
		taken += (uint64_t)budget->stream_buffers * BYTES_PER_STREAM_BUFFER * wish->shards;
	}
	left = left > taken ? left - taken : 0;
	_Static_assert((int)BYTES_PER_CONNECTION == (int)BYTES_PER_ALLOCATION, "divided by one unit");
	struct share share = divide(left / BYTES_PER_ALLOCATION, wish, wish->connections);
	if (share.allocations < ALLOCATIONS_MIN)
		share.allocations = ALLOCATIONS_MIN;
	if (share.connections < CONNECTIONS_MIN)
		share.connections = CONNECTIONS_MIN;
	bound(&budget->allocations, &budget->allocations_bound, share.allocations, reason);
	bound(&budget->connections, &budget->connections_bound, share.connections, reason);
}

void machine_plan(const struct machine *machine, const struct machine_wish *wish, struct machine_budget *ret_budget)
{
	static const char configured[] = "the configuration", descriptors[] = "the descriptor limit (ulimit -n)";
	struct machine_budget budget = {
		.allocations = wish->allocations > 0 ? wish->allocations : ALLOCATIONS_MAX,
		.allocations_bound = wish->allocations > 0 ? configured : "the number of ports",
		.connections = !wish->connections          ? 0
			       : wish->connections_max > 0 ? wish->connections_max
							   : CONNECTIONS_MAX,
		.connections_bound = wish->connections_max > 0 ? configured : "the number of ports",
		.handshakes_max = UINT32_MAX,
	};
	struct share share = divide(descriptors_left(machine, wish), wish, wish->sockets);
	bound(&budget.allocations, &budget.allocations_bound, share.allocations, descriptors);
	bound(&budget.connections, &budget.connections_bound, share.connections, descriptors);
	uint64_t of_shard = (budget.connections + (uint64_t)wish->shards - 1) / wish->shards;
	if (wish->connections)
		budget.stream_buffers =
			(uint32_t)lesser(of_shard * STREAM_BUFFERS_PER_CONNECTION + STREAM_BUFFERS_MIN, STREAM_BUFFERS_MAX);
	if (machine->memory_bytes != UINT64_MAX)
		bound_by_memory(machine, wish, &budget);
	*ret_budget = budget;
}

unsigned machine_shards(const struct machine *machine)
{
	if (machine->memory_bytes == UINT64_MAX)
		return machine->processors;
	/* A third is for those whom they serve. */
	uint64_t left = machine->memory_bytes > BYTES_FIXED ? machine->memory_bytes - BYTES_FIXED : 0;
	uint64_t fit = left / 3 * 2 / BYTES_PER_SHARD;
	return fit == 0 ? 1 : (unsigned)lesser(fit, machine->processors);
}

uint32_t machine_receive_buffers(const struct machine *machine, unsigned shards)
{
	uint32_t buffers = RECEIVE_BUFFERS_MAX;
	while (buffers > RECEIVE_BUFFERS_MIN && machine->memory_bytes != UINT64_MAX &&
		(uint64_t)buffers * BYTES_PER_RECEIVE_BUFFER * shards > machine->memory_bytes / 4)
		buffers /= 2;
	return buffers;
}

uint32_t machine_socket_buffer(const struct machine *machine, uint32_t wanted, unsigned sockets)
{
	/* The kernel takes twice what it is asked for, and in version 2 counts it as ours. */
	uint64_t fit = machine->memory_bytes / 16 / sockets;
	return (uint32_t)lesser(wanted, fit < SOCKET_BUFFER_MIN ? SOCKET_BUFFER_MIN : fit);
}
