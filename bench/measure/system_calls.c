#include "measure/system_calls.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "measure/process_tree.h"

struct system_calls {
	size_t count, capacity;
	int fds[];
};

static const char *const id_paths[] = {
	"/sys/kernel/tracing/events/raw_syscalls/sys_enter/id",
	"/sys/kernel/debug/tracing/events/raw_syscalls/sys_enter/id",
};

/* 0 or a negative errno, of the place that was tried last. */
static int read_tracepoint(uint64_t *ret_id)
{
	int error = -ENOENT;
	for (size_t i = 0; i < sizeof id_paths / sizeof id_paths[0]; i++) {
		FILE *file = fopen(id_paths[i], "re");
		if (file == NULL) {
			error = errno == ENOENT ? error : -errno;
			continue;
		}
		unsigned long long id;
		bool found = fscanf(file, "%llu", &id) == 1;
		fclose(file);
		if (found) {
			*ret_id = id;
			return 0;
		}
	}
	return error;
}

static int open_counter(uint64_t tracepoint, pid_t tid)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof attr,
		.config = tracepoint,
		.disabled = 1,
	};
	int fd = (int)syscall(SYS_perf_event_open, &attr, tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static struct system_calls *grow(struct system_calls *counters)
{
	if (counters->count < counters->capacity)
		return counters;
	size_t capacity = counters->capacity * 2;
	struct system_calls *larger = realloc(counters, sizeof *counters + capacity * sizeof counters->fds[0]);
	if (larger == NULL)
		return NULL;
	larger->capacity = capacity;
	return larger;
}

static void close_all(struct system_calls *counters)
{
	for (size_t i = 0; i < counters->count; i++)
		close(counters->fds[i]);
	free(counters);
}

/* 0 or a negative errno. A thread that ends while they are opened is left out. */
static int add_threads(struct system_calls **counters, pid_t pid, uint64_t tracepoint)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -ESRCH;
	int error = 0;
	for (struct dirent *entry = readdir(dir); entry != NULL && error == 0; entry = readdir(dir)) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		struct system_calls *larger = grow(*counters);
		int fd = larger == NULL ? -ENOMEM : open_counter(tracepoint, (pid_t)strtol(entry->d_name, NULL, 10));
		*counters = larger == NULL ? *counters : larger;
		if (fd >= 0)
			(*counters)->fds[(*counters)->count++] = fd;
		else if (fd != -ESRCH)
			error = fd;
	}
	closedir(dir);
	return error;
}

static int add_processes(struct system_calls **counters, pid_t pid, uint64_t tracepoint)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = process_tree(pid, pids);
	int error = 0;
	for (size_t i = 0; i < count && error == 0; i++) {
		error = add_threads(counters, pids[i], tracepoint);
		if (i > 0 && error == -ESRCH)
			error = 0;
	}
	return error == 0 && (*counters)->count == 0 ? -ESRCH : error;
}

static void explain_tracepoint(int error, char *why, size_t why_size)
{
	if (error == -ENOENT)
		snprintf(why, why_size,
			"no tracepoint raw_syscalls:sys_enter to be seen: as root, mount -t tracefs tracefs /sys/kernel/tracing");
	else
		snprintf(why, why_size, "cannot read the tracepoint raw_syscalls:sys_enter: %s; run as root", strerror(-error));
}

static void explain_counter(int error, pid_t pid, char *why, size_t why_size)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		snprintf(why, why_size, "perf_event_open is refused: run as root, or with CAP_PERFMON");
		break;
	case -ESRCH:
		snprintf(why, why_size, "process %d has ended", (int)pid);
		break;
	case -EMFILE:
		snprintf(why, why_size, "too many open files for one counter per thread of the server: raise `ulimit -n`");
		break;
	case -ENOSYS:
	case -ENOENT:
	case -EOPNOTSUPP:
		snprintf(why, why_size, "this kernel has no perf events for tracepoints");
		break;
	default:
		snprintf(why, why_size, "perf_event_open: %s", strerror(-error));
	}
}

struct system_calls *system_calls_start(pid_t pid, char *why, size_t why_size)
{
	enum { FIRST_CAPACITY = 16 };
	uint64_t tracepoint = 0;
	int error = read_tracepoint(&tracepoint);
	if (error != 0) {
		explain_tracepoint(error, why, why_size);
		return NULL;
	}
	struct system_calls *counters = malloc(sizeof *counters + FIRST_CAPACITY * sizeof counters->fds[0]);
	if (counters == NULL) {
		explain_counter(-ENOMEM, pid, why, why_size);
		return NULL;
	}
	counters->count = 0;
	counters->capacity = FIRST_CAPACITY;
	error = add_processes(&counters, pid, tracepoint);
	for (size_t i = 0; i < counters->count && error == 0; i++)
		if (ioctl(counters->fds[i], PERF_EVENT_IOC_ENABLE, 0) != 0)
			error = -errno;
	if (error == 0)
		return counters;
	close_all(counters);
	explain_counter(error, pid, why, why_size);
	return NULL;
}

uint64_t system_calls_stop(struct system_calls *counters)
{
	for (size_t i = 0; i < counters->count; i++)
		ioctl(counters->fds[i], PERF_EVENT_IOC_DISABLE, 0);
	uint64_t sum = 0;
	for (size_t i = 0; i < counters->count; i++) {
		uint64_t count;
		if (read(counters->fds[i], &count, sizeof count) == (ssize_t)sizeof count)
			sum += count;
	}
	close_all(counters);
	return sum;
}
