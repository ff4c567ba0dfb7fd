/*
 * The budget of the packet path, held under load: the engine runs in a process of its own that is killed by its first system call
 * other than those that it may make.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_rig.h"

enum { RELAYS = 16, BURST = 8, SIZE = 1000, LOAD_MS = 1000 };

struct shared {
	struct addr relays[RELAYS], sink;
	volatile bool ready, stop, done;
	volatile uint64_t packets, calls, sent, lost;
	unsigned processor;
};

static void allow_only(const int calls[], unsigned count)
{
	struct sock_filter program[16] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	unsigned length = 1;
	for (unsigned i = 0; i < count; i++)
		program[length++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], (uint8_t)(count - i), 0);
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = {.len = (unsigned short)length, .filter = program};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
		_exit(3);
}

static void stay_on(unsigned processor)
{
	cpu_set_t one;
	CPU_ZERO(&one);
	CPU_SET(processor, &one);
	sched_setaffinity(0, sizeof one, &one);
}

/* Passes every packet on to the sink, with a header in front. */
static void forward(struct engine *engine, const struct received *r, const struct addr *sink)
{
	for (size_t at = 0; at < r->data.size; at += r->segment_size) {
		size_t left = r->data.size - at;
		struct departure d = {.socket = r->socket,
			.to = *sink,
			.tos = r->tos,
			.header = (const uint8_t *)"\x40\0\x03\xe8",
			.header_size = 4,
			.payload = bytes_of(r->data.data + at, left < r->segment_size ? left : r->segment_size)};
		engine_send(engine, &d);
	}
}

/* `calls` are those of the packet path, and exit_group, which ends it. */
static void run_engine(struct shared *shared, enum engine_kind kind, const int calls[], unsigned count)
{
	struct engine_params params = {.kind = kind, .sockets_max = RELAYS};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	if (engine_open(&params, &engine, reason) < 0)
		_exit(2);
	for (unsigned i = 0; i < RELAYS; i++)
		rig_add(engine, &rig_loopback4, SOCKET_RELAY, i, &shared->relays[i]);
	const struct received *batch;
	engine_turn(engine, 0, &batch);
	/* A busy machine, not a fast one: an engine with a processor of its own would be awake for every packet. */
	stay_on(shared->processor);
	sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){0});
	allow_only(calls, count);
	const struct engine_counters *counters = engine_counters(engine);
	uint64_t calls_before = counter_read(&counters->system_calls);
	shared->ready = true;
	while (!shared->stop) {
		unsigned got = engine_turn(engine, 20 * 1000000, &batch);
		for (unsigned i = 0; i < got; i++)
			forward(engine, &batch[i], &shared->sink);
	}
	shared->packets = counter_read(&counters->received_packets[SOCKET_RELAY]);
	shared->calls = counter_read(&counters->system_calls) - calls_before;
	shared->sent = counter_read(&counters->sent_packets);
	shared->lost = counter_read(&counters->send_again) + counter_read(&counters->send_other) +
		       counter_read(&counters->send_unreachable);
	shared->done = true;
	/* Not _exit: AddressSanitizer puts calls of its own in front of that. */
	syscall(SYS_exit_group, 0);
}

/* Threads that the kernel has started for requests which could not be done at once. */
static unsigned kernel_workers(pid_t pid)
{
	char path[64], name[64] = "";
	unsigned workers = 0;
	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	cr_assert_neq(tasks, NULL);
	for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
		char comm[400];
		snprintf(comm, sizeof comm, "%s/%s/comm", path, entry->d_name);
		FILE *file = fopen(comm, "r");
		if (file == NULL)
			continue;
		if (fgets(name, sizeof name, file) != NULL)
			workers += strncmp(name, "iou-wrk", 7) == 0;
		fclose(file);
	}
	closedir(tasks);
	return workers;
}

static void load(struct shared *shared, pid_t pid)
{
	struct addr theirs;
	int sender = rig_plain_socket(&rig_loopback4, &theirs);
	static uint8_t data[SIZE];
	uint64_t start_ms = rig_now_ms();
	stay_on(shared->processor);
	while (rig_now_ms() - start_ms < LOAD_MS) {
		for (unsigned i = 0; i < RELAYS; i++)
			for (unsigned j = 0; j < BURST; j++)
				rig_plain_send(sender, &shared->relays[i], data, sizeof data);
		usleep(500);
	}
	cr_expect_eq(kernel_workers(pid), 0u, "requests were handed to worker threads");
	shared->stop = true;
	close(sender);
}

static void check_packet_path(enum engine_kind kind, const int calls[], unsigned count, double calls_per_packet_max)
{
	engine_close(rig_engine(kind, 4, 16)); /* skips where it cannot run */
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(shared, MAP_FAILED);
	int sink = rig_plain_socket(&rig_loopback4, &shared->sink);
	shared->processor = (unsigned)sched_getcpu();
	pid_t pid = fork();
	if (pid == 0)
		run_engine(shared, kind, calls, count);
	for (unsigned i = 0; i < 500 && !shared->ready; i++)
		usleep(10000);
	cr_assert(shared->ready);
	load(shared, pid);
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(!WIFSIGNALED(status), "killed by signal %d: a system call outside the budget", WTERMSIG(status));
	cr_assert_eq(WEXITSTATUS(status), 0);
	cr_assert(shared->done);
	cr_expect_gt(shared->packets, 2000u, "too little load to tell: %lu packets", shared->packets);
	cr_expect_eq(shared->lost, 0u);
	double ratio = (double)shared->calls / (double)shared->packets;
	cr_expect_lt(ratio, calls_per_packet_max, "%lu system calls for %lu packets", shared->calls, shared->packets);
	close(sink);
}

/* The clock that is a system call, the thread's own processor time, is read every few milliseconds (io/gather.h). */
Test(packet_path, of_io_uring_makes_no_other_system_call_than_io_uring_enter, .timeout = 60)
{
	static const int calls[] = {SYS_io_uring_enter, SYS_clock_gettime, SYS_exit_group};
	check_packet_path(ENGINE_IO_URING, calls, sizeof calls / sizeof calls[0], 0.2);
}

Test(packet_path, of_epoll_makes_few_system_calls, .timeout = 60)
{
	static const int calls[] = {SYS_clock_nanosleep, SYS_clock_gettime, SYS_epoll_wait, SYS_epoll_pwait, SYS_recvmmsg,
		SYS_sendmsg, SYS_sendmmsg, SYS_exit_group};
	check_packet_path(ENGINE_EPOLL, calls, sizeof calls / sizeof calls[0], 0.4);
}
