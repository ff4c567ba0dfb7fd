#include "measure/server_watch.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure/process_tree.h"

enum { PROC_TEXT_SIZE = 8192 };

/* False when it cannot be opened or read: the thread or process is gone, or it is not for us. */
static bool read_text(const char *path, char text[static PROC_TEXT_SIZE])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size_t size = 0;
	ssize_t got = 0;
	while (size < PROC_TEXT_SIZE - 1 && (got = read(fd, text + size, PROC_TEXT_SIZE - 1 - size)) > 0)
		size += (size_t)got;
	close(fd);
	text[size] = '\0';
	return got >= 0;
}

/* The number behind `name` ("VmRSS:") at the start of a line; 0 where there is none. */
static uint64_t number_after(const char *text, const char *name)
{
	size_t size = strlen(name);
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, size) == 0)
			return strtoull(line + size, NULL, 10);
	}
	return 0;
}

static bool schedstat_read(pid_t pid, pid_t tid, uint64_t *ret_run_ns)
{
	char path[64], text[PROC_TEXT_SIZE];
	snprintf(path, sizeof path, "/proc/%d/task/%d/schedstat", (int)pid, (int)tid);
	return read_text(path, text) && sscanf(text, "%" SCNu64, ret_run_ns) == 1;
}

/* A process that has ended stays visible as a zombie until its parent has asked for it: that is gone, too. */
static bool is_alive(const char *status)
{
	const char *state = strstr(status, "\nState:");
	if (state == NULL)
		return false;
	state += strlen("\nState:");
	state += strspn(state, " \t");
	return *state != 'Z' && *state != 'X';
}

/* Memory belongs to the process: any living thread tells it, also when the first one has ended. */
static bool add_thread(pid_t pid, pid_t tid, bool with_memory, struct server_sample *sample)
{
	char path[64], status[PROC_TEXT_SIZE];
	snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)pid, (int)tid);
	if (!read_text(path, status) || !is_alive(status))
		return false;
	sample->threads++;
	if (with_memory) {
		sample->rss_bytes += number_after(status, "VmRSS:") * 1024;
		sample->rss_peak_bytes += number_after(status, "VmHWM:") * 1024;
	}
	sample->context_switches +=
		number_after(status, "voluntary_ctxt_switches:") + number_after(status, "nonvoluntary_ctxt_switches:");
	return true;
}

/* Numbered entries of a folder of /proc, one after the other; 0 at the end. */
static pid_t next_number(DIR *dir)
{
	for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		if (isdigit((unsigned char)entry->d_name[0]))
			return (pid_t)strtol(entry->d_name, NULL, 10);
	return 0;
}

static DIR *open_threads(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	return opendir(path);
}

static void add_run_time(pid_t pid, struct server_sample *sample)
{
	DIR *dir = open_threads(pid);
	if (dir == NULL)
		return;
	uint64_t run_ns;
	for (pid_t tid = next_number(dir); tid != 0; tid = next_number(dir))
		if (schedstat_read(pid, tid, &run_ns))
			sample->run_ns += run_ns;
	closedir(dir);
}

static bool add_threads(pid_t pid, struct server_sample *sample)
{
	DIR *dir = open_threads(pid);
	if (dir == NULL)
		return false;
	bool alive = false;
	for (pid_t tid = next_number(dir); tid != 0; tid = next_number(dir))
		alive |= add_thread(pid, tid, !alive, sample);
	closedir(dir);
	return alive;
}

static void add_pss(pid_t pid, struct server_sample *sample)
{
	char path[64], text[PROC_TEXT_SIZE];
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
	if (read_text(path, text))
		sample->pss_bytes += number_after(text, "Pss:") * 1024;
}

/* By core; 0 where there is none to see, as in a container. They live as long as the kernel, so looking once is enough. */
static const pid_t *ksoftirqd_pids(void)
{
	static pid_t pids[CPU_SETSIZE];
	static bool looked;
	if (looked)
		return pids;
	looked = true;
	DIR *dir = opendir("/proc");
	if (dir == NULL)
		return pids;
	for (pid_t pid = next_number(dir); pid != 0; pid = next_number(dir)) {
		char path[64], name[PROC_TEXT_SIZE];
		unsigned core;
		snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
		if (read_text(path, name) && sscanf(name, "ksoftirqd/%u", &core) == 1 && core < CPU_SETSIZE)
			pids[core] = pid;
	}
	closedir(dir);
	return pids;
}

static uint64_t ksoftirqd_run_ns(const cpu_set_t *cores)
{
	const pid_t *pids = ksoftirqd_pids();
	uint64_t sum_ns = 0, run_ns;
	for (unsigned core = 0; core < CPU_SETSIZE; core++)
		if (CPU_ISSET(core, cores) && pids[core] != 0 && schedstat_read(pids[core], pids[core], &run_ns))
			sum_ns += run_ns;
	return sum_ns;
}

/* proc_stat(5). The time of guests is in the user time already. */
static void add_core(const char *line, const cpu_set_t *cores, double tick_s, struct core_split *split)
{
	unsigned core;
	uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
	if (sscanf(line, "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
		    &core, &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) != 9)
		return;
	if (core >= CPU_SETSIZE || !CPU_ISSET(core, cores))
		return;
	split->user_s += (double)(user + nice) * tick_s;
	split->system_s += (double)system * tick_s;
	split->softirq_s += (double)softirq * tick_s;
	split->irq_s += (double)irq * tick_s;
	split->idle_s += (double)(idle + iowait) * tick_s;
	split->other_s += (double)steal * tick_s;
}

static struct core_split read_split(const cpu_set_t *cores)
{
	struct core_split split = {0};
	FILE *file = fopen("/proc/stat", "re");
	if (file == NULL)
		return split;
	double tick_s = 1.0 / (double)sysconf(_SC_CLK_TCK);
	char *line = NULL;
	size_t capacity = 0;
	while (getline(&line, &capacity, file) > 0 && strncmp(line, "cpu", 3) == 0)
		add_core(line, cores, tick_s, &split);
	free(line);
	fclose(file);
	return split;
}

int server_watch_sample(pid_t pid, const cpu_set_t *cores, struct server_sample *ret_sample)
{
	if (pid <= 0)
		return -ESRCH;
	pid_t pids[PROCESS_TREE_MAX];
	size_t count = process_tree(pid, pids);
	struct server_sample sample = {.at_ns = clock_mono_ns()};
	/* Run times first and by themselves: reading the rest takes a while, in which the server runs on. */
	for (size_t i = 0; i < count; i++)
		add_run_time(pids[i], &sample);
	if (!add_threads(pid, &sample))
		return -ESRCH;
	for (size_t i = 1; i < count; i++)
		add_threads(pids[i], &sample);
	sample.ksoftirqd_ns = ksoftirqd_run_ns(cores);
	sample.cores = read_split(cores);
	/* Last: the kernel walks the page tables for it. */
	for (size_t i = 0; i < count; i++)
		add_pss(pids[i], &sample);
	*ret_sample = sample;
	return 0;
}

/* A sum over threads shrinks when one of them has ended. */
static uint64_t grown(uint64_t a, uint64_t b)
{
	return b > a ? b - a : 0;
}

struct server_sample server_watch_difference(const struct server_sample *a, const struct server_sample *b)
{
	struct server_sample difference = *b;
	difference.at_ns = grown(a->at_ns, b->at_ns);
	difference.run_ns = grown(a->run_ns, b->run_ns);
	difference.ksoftirqd_ns = grown(a->ksoftirqd_ns, b->ksoftirqd_ns);
	difference.context_switches = grown(a->context_switches, b->context_switches);
	difference.cores.user_s -= a->cores.user_s;
	difference.cores.system_s -= a->cores.system_s;
	difference.cores.softirq_s -= a->cores.softirq_s;
	difference.cores.irq_s -= a->cores.irq_s;
	difference.cores.idle_s -= a->cores.idle_s;
	difference.cores.other_s -= a->cores.other_s;
	return difference;
}

enum answer { NO, YES, UNKNOWN };

static enum answer ask_configuration(void)
{
	struct utsname kernel;
	char path[sizeof kernel.release + 16];
	if (uname(&kernel) != 0)
		return UNKNOWN;
	snprintf(path, sizeof path, "/boot/config-%s", kernel.release);
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return UNKNOWN;
	enum answer answer = NO;
	char line[256];
	while (fgets(line, sizeof line, file) != NULL)
		if (strcmp(line, "CONFIG_IRQ_TIME_ACCOUNTING=y\n") == 0)
			answer = YES;
	fclose(file);
	return answer;
}

/*
 * Kernels are also installed without that file. Their list of symbols names irqtime_account_irq where the option is on, and
 * account_idle_time, of the same source file, always: a list without either is not shown in full.
 */
static enum answer ask_symbols(void)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	if (file == NULL)
		return UNKNOWN;
	enum answer answer = UNKNOWN;
	char line[512];
	while (answer != YES && fgets(line, sizeof line, file) != NULL) {
		char name[256];
		if (sscanf(line, "%*s %*s %255s", name) != 1)
			continue;
		if (strcmp(name, "irqtime_account_irq") == 0)
			answer = YES;
		else if (strcmp(name, "account_idle_time") == 0)
			answer = NO;
	}
	fclose(file);
	return answer;
}

bool server_watch_irq_time_accounting(bool *ret_known)
{
	enum answer answer = ask_configuration();
	if (answer == UNKNOWN)
		answer = ask_symbols();
	*ret_known = answer != UNKNOWN;
	return answer == YES;
}
