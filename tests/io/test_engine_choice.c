/* Which engine is chosen where io_uring is not allowed, and what is said about it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "io_rig.h"

/* From now on, this process's system calls of these numbers fail with `error`, as under a container's seccomp profile. */
static void forbid(unsigned first, unsigned last, int error)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, last, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

static void expect_epoll(const char *expected)
{
	struct engine_params params = {.kind = ENGINE_AUTO, .sockets_max = 16, .receive_buffers = 16};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	cr_assert_eq(engine_open(&params, &engine, reason), 0, "%s", reason);
	cr_expect_eq(engine_kind(engine), ENGINE_EPOLL);
	cr_expect_neq(strstr(reason, expected), NULL, "%s", reason);
	/* And it works. */
	struct addr ours;
	const struct received *batch;
	uint32_t socket = rig_add(engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	engine_send(engine, &(struct departure){.socket = socket, .to = ours, .payload = bytes_of("me", 2)});
	cr_expect_eq(rig_turn(engine, 2000, &batch), 1u);
	engine_close(engine);

	params.kind = ENGINE_IO_URING;
	cr_expect_lt(engine_open(&params, &engine, reason), 0, "no silent replacement of what was asked for");
	cr_expect_neq(strstr(reason, expected), NULL, "%s", reason);
}

Test(engine_choice, is_epoll_where_seccomp_answers_eperm)
{
	forbid(SYS_io_uring_setup, SYS_io_uring_register, EPERM);
	expect_epoll("io_uring_setup failed (EPERM): refused by a seccomp profile");
}

Test(engine_choice, is_epoll_where_seccomp_answers_enosys)
{
	forbid(SYS_io_uring_setup, SYS_io_uring_register, ENOSYS);
	expect_epoll("io_uring_setup failed (ENOSYS): refused by a seccomp profile");
}

Test(engine_choice, is_epoll_where_only_registering_is_forbidden)
{
	forbid(SYS_io_uring_register, SYS_io_uring_register, EPERM);
	expect_epoll("registering");
}

Test(engine_choice, is_epoll_where_entering_is_forbidden)
{
	forbid(SYS_io_uring_enter, SYS_io_uring_enter, EPERM);
	expect_epoll("loopback");
}

Test(engine_choice, says_when_the_limit_on_open_files_is_too_low)
{
	struct rlimit files = {.rlim_cur = 64, .rlim_max = 64};
	setrlimit(RLIMIT_NOFILE, &files);
	struct engine_params params = {.kind = ENGINE_IO_URING, .sockets_max = 1000};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	int error = engine_open(&params, &engine, reason);
	if (error == -EPERM || error == -ENOSYS)
		cr_skip_test("%s", reason);
	cr_expect_eq(error, -EMFILE);
	cr_expect_neq(strstr(reason, "open files"), NULL, "%s", reason);
}

Test(engine_choice, is_epoll_when_the_configuration_says_so)
{
	struct engine_params params = {.kind = ENGINE_EPOLL};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	cr_assert_eq(engine_open(&params, &engine, reason), 0);
	cr_expect_eq(engine_kind(engine), ENGINE_EPOLL);
	cr_expect_gt(strlen(reason), 0u);
	engine_close(engine);
}

Test(engine_choice, names_every_engine)
{
	cr_expect_str_eq(engine_name(ENGINE_AUTO), "auto");
	cr_expect_str_eq(engine_name(ENGINE_IO_URING), "io_uring");
	cr_expect_str_eq(engine_name(ENGINE_EPOLL), "epoll");
}
