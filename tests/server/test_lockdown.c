/* What a process that is locked down can do still, and what it cannot: each in a process of its own, from a thread that was there
 * before the filter. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/server/lockdown_private.h"
#include "base/log.h"

static const bool sanitized = LOCKDOWN_SANITIZED;

/* 0, or a negative errno. */
typedef int attempt(void);

static int result(long value)
{
	return value < 0 ? -errno : 0;
}

static struct config empty;
static struct options options;
static struct lockdown lockdown;
static pthread_barrier_t locked;

static void *attempt_in_thread(void *context)
{
	attempt *const *function = context;
	pthread_barrier_wait(&locked);
	return (void *)(intptr_t)(*function)();
}

/* What `function` returns in a thread of a process that is locked down; -signal when that kills it, 1000 less. */
static int in_locked_process(enum lockdown_mode mode, attempt *function)
{
	int out[2];
	cr_assert_eq(pipe(out), 0);
	pid_t pid = fork();
	if (pid == 0) {
		pthread_t thread;
		void *returned;
		log_configure("all:ERROR", LOG_TEXT, NULL);
		pthread_barrier_init(&locked, NULL, 2);
		lockdown_begin(mode, &options, &empty, &lockdown);
		pthread_create(&thread, NULL, attempt_in_thread, &function);
		lockdown_end(&lockdown, true);
		pthread_barrier_wait(&locked);
		pthread_join(thread, &returned);
		int value = (int)(intptr_t)returned;
		ssize_t written = write(out[1], &value, sizeof value);
		/* Not _exit: sanitizers have calls of their own in front of that. */
		syscall(SYS_exit_group, written == sizeof value ? 0 : 1);
	}
	close(out[1]);
	int value = 1, status = 0;
	ssize_t got = read(out[0], &value, sizeof value);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	close(out[0]);
	if (WIFSIGNALED(status))
		return -1000 - WTERMSIG(status);
	cr_assert_eq(got, (ssize_t)sizeof value);
	return value;
}

/* What a live listener, a resolver, a client of a discovery service and a reload do. */

static int open_sockets(void)
{
	static const int families[] = {AF_INET, AF_INET6}, types[] = {SOCK_DGRAM, SOCK_STREAM};
	for (unsigned i = 0; i < 4; i++) {
		int fd = socket(families[i / 2], types[i % 2] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		int one = 1;
		struct sockaddr_storage any = {.ss_family = (sa_family_t)families[i / 2]};
		socklen_t size = i < 2 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) < 0 ||
			bind(fd, (struct sockaddr *)&any, size) < 0 || (types[i % 2] == SOCK_STREAM && listen(fd, 8) < 0))
			return -errno;
		close(fd);
	}
	return 0;
}

static int connect_to_itself(void)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof name;
	if (bind(listener, (struct sockaddr *)&name, size) < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (struct sockaddr *)&name, &size) < 0 || connect(client, (struct sockaddr *)&name, size) < 0)
		return -errno;
	int served = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	return result(served < 0 || send(client, "x", 1, MSG_NOSIGNAL) < 0 || shutdown(client, SHUT_WR) < 0 ? -1 : 0);
}

static int read_the_system(void)
{
	static const char *const files[] = {"/proc/self/statm", "/proc/self/status", "/proc/self/cgroup", "/etc/hosts"};
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		FILE *file = fopen(files[i], "re");
		char line[16];
		if (file == NULL || fgets(line, sizeof line, file) == NULL)
			return -errno;
		fclose(file);
	}
	struct ifaddrs *list;
	if (getifaddrs(&list) != 0 || if_nametoindex("lo") == 0)
		return -errno;
	freeifaddrs(list);
	return 0;
}

static int watch_and_wait(void)
{
	int events = epoll_create1(EPOLL_CLOEXEC), inotify = inotify_init1(IN_CLOEXEC), wake = eventfd(1, EFD_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN};
	return result(inotify_add_watch(inotify, "/proc", IN_CREATE) < 0 || epoll_ctl(events, EPOLL_CTL_ADD, wake, &event) < 0
			      ? -1
			      : epoll_wait(events, &event, 1, 100));
}

static void *nothing(void *context)
{
	return context;
}

static int start_a_thread(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);
	return error ? -error : -pthread_join(thread, NULL);
}

static int take_memory(void)
{
	char *block = malloc(8 << 20);
	if (block == NULL)
		return -ENOMEM;
	memset(block, 1, 8 << 20);
	free(block);
	struct rlimit limit;
	return result(getrlimit(RLIMIT_NOFILE, &limit));
}

Test(lockdown, leaves_what_the_relay_needs, .timeout = 60)
{
	static const struct {
		const char *name;
		attempt *function;
	} cases[] = {{"sockets", open_sockets}, {"connect", connect_to_itself}, {"files", read_the_system},
		{"events", watch_and_wait}, {"thread", start_a_thread}, {"memory", take_memory}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int value = in_locked_process(LOCKDOWN_KILL, cases[i].function);
		cr_expect_eq(value, 0, "%s: %d", cases[i].name, value);
	}
}

/* What nobody needs but an intruder. */

static int start_a_program(void)
{
	char name[] = "true", *arguments[] = {name, NULL};
	return result(execv("/bin/true", arguments));
}

static int start_a_process(void)
{
	return result(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static int run_new_code(void)
{
	return result(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static int make_a_ring(void)
{
	char params[120] = {0};
	return result(syscall(SYS_io_uring_setup, 4, params));
}

static int signal_others(void)
{
	return result(kill(getppid(), 0));
}

static int write_a_file(void)
{
	return result(syscall(SYS_openat, AT_FDCWD, "/tmp/uturn-lockdown", O_WRONLY | O_CREAT, 0600));
}

static int open_a_packet_socket(void)
{
	return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int open_a_raw_socket(void)
{
	return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int trace_others(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int leave_a_namespace(void)
{
	return result(syscall(SYS_unshare, 0x10000000));
}

static int load_a_program_into_the_kernel(void)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static const struct {
	const char *name;
	attempt *function;
	bool sanitizers_need_it;
} intrusions[] = {
	{"a program", start_a_program, false},
	{"a process", start_a_process, true},
	{"new code", run_new_code, true},
	{"a ring", make_a_ring, false},
	{"a signal", signal_others, true},
	{"a file", write_a_file, true},
	{"a packet socket", open_a_packet_socket, false},
	{"a raw socket", open_a_raw_socket, false},
	{"ptrace", trace_others, true},
	{"a namespace", leave_a_namespace, false},
	{"bpf", load_a_program_into_the_kernel, false},
};

Test(lockdown, refuses_everything_else, .timeout = 60)
{
	for (size_t i = 0; i < sizeof intrusions / sizeof intrusions[0]; i++) {
		if (sanitized && intrusions[i].sanitizers_need_it)
			continue;
		int value = in_locked_process(LOCKDOWN_ON, intrusions[i].function);
		cr_expect_eq(value, -ENOSYS, "%s: %d", intrusions[i].name, value);
		value = in_locked_process(LOCKDOWN_STRICT, intrusions[i].function);
		cr_expect_eq(value, -ENOSYS, "strict, %s: %d", intrusions[i].name, value);
		value = in_locked_process(LOCKDOWN_KILL, intrusions[i].function);
		cr_expect_eq(value, -1000 - SIGSYS, "%s: %d", intrusions[i].name, value);
	}
}

static int open_a_local_socket(void)
{
	return result(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int make_a_thread_the_new_way(void)
{
	return result(syscall(SYS_clone3, NULL, 0));
}

Test(lockdown, never_kills_for_what_libraries_only_try, .timeout = 60)
{
	cr_expect_eq(in_locked_process(LOCKDOWN_KILL, open_a_local_socket), -EAFNOSUPPORT);
	cr_expect_eq(in_locked_process(LOCKDOWN_KILL, make_a_thread_the_new_way), -ENOSYS);
}

static int read_elsewhere(void)
{
	return result(open("/usr/bin/env", O_RDONLY));
}

Test(lockdown, hides_files_where_it_is_strict, .timeout = 60)
{
	int expected = syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0 ? -EACCES : 0;
	cr_expect_eq(in_locked_process(LOCKDOWN_STRICT, read_elsewhere), expected);
	cr_expect_eq(in_locked_process(LOCKDOWN_ON, read_elsewhere), 0);
	cr_expect_eq(in_locked_process(LOCKDOWN_LOG, read_elsewhere), 0);
	cr_expect_eq(in_locked_process(LOCKDOWN_OFF, read_elsewhere), 0);
}

Test(lockdown, leaves_the_authorities_that_the_environment_names, .timeout = 60)
{
	setenv("SSL_CERT_FILE", "/usr/bin/authorities.pem", 1);
	cr_expect_eq(in_locked_process(LOCKDOWN_STRICT, read_elsewhere), 0);
}

Test(lockdown, that_only_logs_or_is_off_refuses_nothing, .timeout = 60)
{
	cr_expect_eq(in_locked_process(LOCKDOWN_LOG, open_a_local_socket), -EAFNOSUPPORT);
	cr_expect_eq(in_locked_process(LOCKDOWN_LOG, run_new_code), 0);
	cr_expect_eq(in_locked_process(LOCKDOWN_OFF, run_new_code), 0);
	cr_expect_eq(in_locked_process(LOCKDOWN_OFF, open_a_local_socket), 0);
}
