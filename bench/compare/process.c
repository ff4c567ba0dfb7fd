#include "compare/process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure/process_tree.h"

enum { TOOL_TIME_MAX_MS = 30000, TOOL_OUTPUT_SIZE = 4096 };

/* What the child could not do, as it tells its parent through a pipe that exec closes. */
enum step { STEP_NETNS, STEP_CORES, STEP_LOG, STEP_EXEC };

struct refusal {
	int error; /* errno */
	enum step step;
};

static void default_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (int signal_number = 1; signal_number < NSIG; signal_number++)
		signal(signal_number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool join_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && setns(fd, CLONE_NEWNET) == 0;
}

static bool take_output(const char *log_path)
{
	int null = open("/dev/null", O_RDONLY);
	int log = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
	return null >= 0 && log >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
	       dup2(log, STDERR_FILENO) >= 0;
}

/* In the child: system calls only, since the parent may have had other threads. Returns the step that failed. */
static enum step become(const struct process_plan *plan, pid_t parent)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before the line above */
	default_signals();
	if (plan->netns_path != NULL && !join_netns(plan->netns_path))
		return STEP_NETNS;
	if (plan->cores != NULL && CPU_COUNT(plan->cores) > 0 && sched_setaffinity(0, sizeof *plan->cores, plan->cores) != 0)
		return STEP_CORES;
	if (!take_output(plan->log_path))
		return STEP_LOG;
	execvp(plan->words[0], plan->words);
	return STEP_EXEC;
}

static void explain(const struct process_plan *plan, const struct refusal *refusal, struct failure *failure)
{
	const char *why = strerror(refusal->error);
	switch (refusal->step) {
	case STEP_NETNS:
		fail(failure, "cannot enter the network namespace %s: %s", plan->netns_path, why);
		break;
	case STEP_CORES:
		fail(failure, "cannot pin %s to its cores: %s; name cores that this process may use", plan->words[0], why);
		break;
	case STEP_LOG:
		fail(failure, "cannot write %s: %s", plan->log_path, why);
		break;
	case STEP_EXEC:
		fail(failure, "cannot start %s: %s", plan->words[0], why);
		break;
	}
}

/* What a server leaves behind, because it put itself into the background, becomes a child of this process. */
static void kill_orphans(void)
{
	pid_t pids[PROCESS_TREE_MAX];
	size_t count;
	while ((count = process_tree(getpid(), pids)) > 1) {
		for (size_t i = 1; i < count; i++)
			kill(pids[i], SIGKILL);
		while (waitpid(-1, NULL, 0) < 0 && errno == EINTR)
			;
	}
}

pid_t process_start(const struct process_plan *plan, struct failure *failure)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0) {
		fail(failure, "cannot start %s: %s", plan->words[0], strerror(errno));
		return -1;
	}
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		struct refusal refusal = {.step = become(plan, parent)};
		refusal.error = errno;
		(void)!write(ends[1], &refusal, sizeof refusal);
		_exit(127);
	}
	struct refusal refusal = {.error = errno, .step = STEP_EXEC};
	close(ends[1]);
	ssize_t size = 0;
	if (pid > 0)
		do
			size = read(ends[0], &refusal, sizeof refusal);
		while (size < 0 && errno == EINTR);
	close(ends[0]);
	if (pid > 0 && size == 0)
		return pid;
	explain(plan, &refusal, failure);
	if (pid > 0)
		process_kill(pid);
	return -1;
}

void process_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	kill_orphans();
}

extern char **environ;

static int spawn(char *const *words, int output_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int error = posix_spawnp(ret_pid, words[0], &actions, &attributes, words, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Reads until the other end is closed; keeps what fits. False when the time is over. */
static bool read_all(int fd, char *output, size_t output_size)
{
	uint64_t end_ns = clock_mono_ns() + TOOL_TIME_MAX_MS * NS_PER_MS;
	size_t used = 0;
	for (;;) {
		uint64_t now_ns = clock_mono_ns();
		struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
		if (now_ns >= end_ns)
			return false;
		if (poll(&poll_fd, 1, (int)((end_ns - now_ns) / NS_PER_MS) + 1) <= 0)
			continue;
		char rest[512];
		bool fits = used + 1 < output_size;
		ssize_t size = fits ? read(fd, output + used, output_size - 1 - used) : read(fd, rest, sizeof rest);
		if (size < 0 && errno == EINTR)
			continue;
		if (size <= 0)
			return true;
		if (fits) {
			used += (size_t)size;
			output[used] = '\0';
		}
	}
}

bool process_run(char *const *words, char *output, size_t output_size, struct failure *failure)
{
	char text[TOOL_OUTPUT_SIZE] = "";
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		return fail(failure, "cannot start %s: %s", words[0], strerror(errno));
	pid_t pid = 0;
	int error = spawn(words, ends[1], &pid);
	close(ends[1]);
	if (error != 0) {
		close(ends[0]);
		return fail(failure, "cannot start %s: %s", words[0], strerror(error));
	}
	bool in_time = read_all(ends[0], text, sizeof text);
	close(ends[0]);
	if (!in_time) {
		process_kill(pid);
		return fail(failure, "%s %s does not end", words[0], words[1] != NULL ? words[1] : "");
	}
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (output_size > 0)
		snprintf(output, output_size, "%s", text);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return fail(failure, "%s %s failed: %.200s", words[0], words[1] != NULL ? words[1] : "", process_last_line(text));
	return true;
}

static bool blank(char c)
{
	return isspace((unsigned char)c) || iscntrl((unsigned char)c);
}

char *process_last_line(char *text)
{
	size_t end = strlen(text);
	while (end > 0 && blank(text[end - 1]))
		text[--end] = '\0';
	char *line = strrchr(text, '\n');
	line = line == NULL ? text : line + 1;
	while (*line != '\0' && blank(*line))
		line++;
	for (char *c = line; *c != '\0'; c++)
		if (iscntrl((unsigned char)*c))
			*c = ' ';
	return line;
}
