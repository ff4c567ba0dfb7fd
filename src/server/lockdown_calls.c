/*
 * lockdown_calls - the system calls that are left, by name. What is not in the list fails as on a kernel that lacks it (ENOSYS),
 * which libraries know how to live with, and leaves a line in the kernel's log.
 *
 * To find out what a new part of the relay needs: the integration tests run with "lockdown": "kill", so that what is missing here
 * ends the relay; `strace -f` names it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lockdown_private.h"

/* clang-format off */
static const char *const allowed[] = {
	/* memory */
	"brk", "madvise", "mremap", "munmap",
	/* threads */
	"arch_prctl", "exit", "exit_group", "futex", "futex_time64", "futex_waitv", "getcpu", "getpid", "gettid", "membarrier", "rseq",
	"sched_getaffinity", "sched_yield", "set_robust_list", "set_tid_address",
	/* time */
	"clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "gettimeofday", "nanosleep", "time",
	/* signals */
	"restart_syscall", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack",
	/* files, to read; openat below */
	"access", "close", "close_range", "dup", "dup3", "faccessat", "faccessat2", "fcntl", "fcntl64", "fstat", "fstat64", "fstatat64", "fstatfs",
	"getcwd", "getdents64", "inotify_add_watch", "inotify_init1", "inotify_rm_watch", "lseek", "_llseek", "lstat", "lstat64", "newfstatat",
	"pread64", "read", "readlink", "readlinkat", "readv", "stat", "stat64", "statx", "write", "writev",
	/* waiting */
	"epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "pipe", "pipe2", "poll", "ppoll", "ppoll_time64",
	"pselect6", "pselect6_time64", "select", "timerfd_create", "timerfd_gettime", "timerfd_settime",
	/* sockets; socket below */
	"accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg", "recvmmsg_time64",
	"recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
	/* who and how much */
	"capget", "getegid", "geteuid", "getgid", "getrandom", "getrlimit", "getrusage", "getuid", "sysinfo", "ugetrlimit", "uname",
};

/* No io_uring_setup: the rings that there are to be exist. */
static const char *const allowed_rings[] = {"io_uring_enter", "io_uring_register"};

#if LOCKDOWN_SANITIZED
/* The search for leaks at the end runs in a process of its own that stops all threads. */
static const char *const allowed_sanitizers[] = {
	"clone", "getdents", "getppid", "kill", "mmap", "mprotect", "openat", "prctl", "prlimit64", "process_vm_readv", "ptrace", "sched_setaffinity",
	"setrlimit", "tgkill", "wait4",
};
#else
static const char *const allowed_sanitizers[] = {NULL};
#endif

/* (argument & mask) == value, as far as arguments go; mask 0: no more of them. */
struct rule {
	const char *name;
	struct {
		unsigned argument;
		uint64_t mask, value;
	} tests[2];
};

enum { WORD = -1, SOCKET_TYPE = 0xf };
#define SOCKET(family, type) {"socket", {{0, (uint32_t)WORD, family}, {1, SOCKET_TYPE, type}}}
#define PRCTL(option)        {"prctl", {{0, (uint32_t)WORD, option}}}
#define IOCTL(request)       {"ioctl", {{1, (uint32_t)WORD, request}}}
static const struct rule rules[] = {
	/* To read. */
	{"open",   {{1, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}},
	{"openat", {{2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY}}},
	/* No new code. */
	{"mmap",     {{2, PROT_EXEC, 0}}},
	{"mmap2",    {{2, PROT_EXEC, 0}}},
	{"mprotect", {{2, PROT_EXEC, 0}}},
	/* Threads, not processes. */
	{"clone", {{0, CLONE_THREAD, CLONE_THREAD}}},
	/* To be told limits, one's own. */
	{"prlimit64", {{0, (uint32_t)WORD, 0}, {2, UINT64_MAX, 0}}},
	/* UDP, TCP, and the question which addresses there are. */
	SOCKET(AF_INET, SOCK_DGRAM), SOCKET(AF_INET, SOCK_STREAM), SOCKET(AF_INET6, SOCK_DGRAM), SOCKET(AF_INET6, SOCK_STREAM),
	{"socket", {{0, (uint32_t)WORD, AF_NETLINK}, {2, (uint32_t)WORD, NETLINK_ROUTE}}},
	PRCTL(PR_SET_NAME), PRCTL(PR_GET_NAME), PRCTL(PR_SET_TIMERSLACK), PRCTL(PR_SET_VMA),
	IOCTL(FIONBIO), IOCTL(FIONREAD), IOCTL(TCGETS), IOCTL(SIOCGIFINDEX), IOCTL(SIOCGIFNAME),
};

/* Where libraries have another way, or ask what may well be absent, and must not be killed for it. */
static const struct {
	int error;
	struct rule rule;
} refusals[] = {
	{ENOSYS, {.name = "clone3"}}, /* its flags lie in memory, where a filter cannot look; glibc goes on to clone */
	{EAFNOSUPPORT, {"socket", {{0, (uint32_t)WORD, AF_UNIX}}}}, /* glibc's, to nscd */
};
/* clang-format on */

static bool allowed_at_all(const char *name)
{
	for (size_t i = 0; i < sizeof allowed_sanitizers / sizeof allowed_sanitizers[0]; i++)
		if (allowed_sanitizers[i] != NULL && strcmp(allowed_sanitizers[i], name) == 0)
			return true;
	return false;
}

/* 1 when there is one more, 0 when this machine has no such system call (or libseccomp does not know it), or a negative errno. */
static int add(scmp_filter_ctx filter, uint32_t action, const struct rule *rule)
{
	struct scmp_arg_cmp tests[2];
	unsigned count = 0;
	int number = seccomp_syscall_resolve_name(rule->name);
	if (number < 0)
		return 0;
	for (; count < 2 && rule->tests[count].mask != 0; count++)
		tests[count] = (struct scmp_arg_cmp){.arg = rule->tests[count].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = rule->tests[count].mask,
			.datum_b = rule->tests[count].value};
	int result = seccomp_rule_add_array(filter, action, number, count, tests);
	return result < 0 ? result : 1;
}

static int add_names(scmp_filter_ctx filter, const char *const names[], size_t count)
{
	int added = 0;
	for (size_t i = 0; i < count && names[i] != NULL; i++) {
		int result = add(filter, SCMP_ACT_ALLOW, &(struct rule){.name = names[i]});
		if (result < 0)
			return result;
		added += result;
	}
	return added;
}

static int add_rules(scmp_filter_ctx filter)
{
	int added = 0;
	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		if (allowed_at_all(rules[i].name))
			continue;
		int result = add(filter, SCMP_ACT_ALLOW, &rules[i]);
		if (result < 0)
			return result;
		bool another = i == 0 || strcmp(rules[i].name, rules[i - 1].name) != 0;
		added += another ? result : 0;
	}
	/* abort. */
	const struct rule own_threads = {"tgkill", {{0, (uint32_t)WORD, (uint32_t)getpid()}}};
	int result = allowed_at_all(own_threads.name) ? 0 : add(filter, SCMP_ACT_ALLOW, &own_threads);
	return result < 0 ? result : added + result;
}

static int add_refusals(scmp_filter_ctx filter, uint32_t otherwise)
{
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		uint32_t action = SCMP_ACT_ERRNO((uint32_t)refusals[i].error);
		int result = action == otherwise ? 0 : add(filter, action, &refusals[i].rule);
		if (result < 0)
			return result;
	}
	return 0;
}

static int fill(scmp_filter_ctx filter, uint32_t otherwise, bool io_uring)
{
	const int parts[] = {
		add_names(filter, allowed, sizeof allowed / sizeof allowed[0]),
		add_names(filter, allowed_rings, io_uring ? sizeof allowed_rings / sizeof allowed_rings[0] : 0),
		add_names(filter, allowed_sanitizers, sizeof allowed_sanitizers / sizeof allowed_sanitizers[0]),
		add_rules(filter),
		add_refusals(filter, otherwise),
	};
	int sum = 0;
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (parts[i] < 0)
			return parts[i];
		sum += parts[i];
	}
	return sum;
}

/* For all threads, at once; what is refused is logged; a tree of comparisons instead of a list. */
static int load(scmp_filter_ctx filter)
{
	static const struct {
		enum scmp_filter_attr attribute;
		uint32_t value;
	} attributes[] = {
		{SCMP_FLTATR_CTL_TSYNC, 1},
		{SCMP_FLTATR_CTL_LOG, 1},
		{SCMP_FLTATR_CTL_OPTIMIZE, 2},
		{SCMP_FLTATR_API_SYSRAWRC, 1},
	};
	for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
		int result = seccomp_attr_set(filter, attributes[i].attribute, attributes[i].value);
		/* A kernel that cannot log refuses in silence. */
		if (result < 0 && attributes[i].attribute != SCMP_FLTATR_CTL_LOG)
			return result;
	}
	return seccomp_load(filter);
}

/* What becomes of a call that is not in the list. A switch: the compiler tells of a mode that is left out. */
static uint32_t otherwise_in(enum lockdown_mode mode)
{
	switch (mode) {
	case LOCKDOWN_ON:
	case LOCKDOWN_STRICT:
		return SCMP_ACT_ERRNO(ENOSYS);
	case LOCKDOWN_LOG:
		return SCMP_ACT_LOG;
	case LOCKDOWN_KILL:
		return SCMP_ACT_KILL_PROCESS;
	case LOCKDOWN_OFF:
		break;
	}
	return SCMP_ACT_ALLOW;
}

int lockdown_calls(enum lockdown_mode mode, bool io_uring)
{
	uint32_t otherwise = otherwise_in(mode);
	scmp_filter_ctx filter = seccomp_init(otherwise);
	if (filter == NULL)
		return -ENOMEM;
	int count = fill(filter, otherwise, io_uring);
	int result = count < 0 ? count : load(filter);
	seccomp_release(filter);
	return result < 0 ? result : count;
}
