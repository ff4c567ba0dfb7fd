/* The ring does what the engine needs, and refuses everything else. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io_rig.h"
#include "uring.h"

/* The result of a request that whoever has taken over the process might make. */
static int submit(struct uring *u, const struct io_uring_sqe *request)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&u->ring);
	cr_assert_neq(entry, NULL);
	*entry = *request;
	entry->user_data = 0xabc;
	io_uring_submit(&u->ring);
	for (unsigned tries = 0; tries < 100; tries++) {
		struct io_uring_cqe *completion;
		struct __kernel_timespec wait = {.tv_nsec = 20 * 1000000};
		if (io_uring_wait_cqe_timeout(&u->ring, &completion, &wait) < 0)
			continue;
		int result = completion->res;
		bool ours = completion->user_data == 0xabc;
		io_uring_cqe_seen(&u->ring, completion);
		if (ours)
			return result;
	}
	cr_assert_fail("no completion");
	return 0;
}

static struct uring *open_ring(void)
{
	struct uring *u = uring_of(rig_engine(ENGINE_IO_URING, 16, 16));
	cr_assert_eq(u->restrict_error, 0);
	return u;
}

Test(ring, refuses_operations_that_the_engine_does_not_need, .timeout = 60)
{
	struct uring *u = open_ring();
	static const uint8_t needed[] = {
		IORING_OP_RECVMSG, IORING_OP_SENDMSG, IORING_OP_ACCEPT, IORING_OP_POLL_ADD, IORING_OP_READ, IORING_OP_ASYNC_CANCEL};
	for (unsigned operation = 0; operation <= IORING_OP_SEND_ZC; operation++) {
		if (memchr(needed, (int)operation, sizeof needed) != NULL)
			continue;
		struct io_uring_sqe request = {.opcode = (uint8_t)operation, .fd = -1};
		cr_expect_eq(submit(u, &request), -EACCES, "operation %u", operation);
	}
	engine_close(&u->engine);
}

Test(ring, refuses_to_open_a_file, .timeout = 60)
{
	struct uring *u = open_ring();
	struct io_uring_sqe request = {0};
	io_uring_prep_openat(&request, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	cr_expect_eq(submit(u, &request), -EACCES);
	engine_close(&u->engine);
}

Test(ring, refuses_flags_that_the_engine_does_not_need, .timeout = 60)
{
	struct uring *u = open_ring();
	static const uint8_t flags[] = {IOSQE_IO_LINK, IOSQE_IO_HARDLINK, IOSQE_ASYNC};
	for (unsigned i = 0; i < sizeof flags; i++) {
		struct io_uring_sqe request = {0};
		io_uring_prep_poll_add(&request, u->engine.wake_fd, POLLOUT);
		request.flags = flags[i];
		int result = submit(u, &request);
		cr_expect_eq(result, -EACCES, "flags %#x: %d", flags[i], result);
	}
	engine_close(&u->engine);
}

/* Credentials, buffers, worker threads, and another go at the restrictions. */
Test(ring, refuses_registrations_that_the_engine_does_not_need, .timeout = 60)
{
	struct uring *u = open_ring();
	static const unsigned registrations[] = {IORING_REGISTER_BUFFERS, IORING_REGISTER_FILES, IORING_REGISTER_PROBE,
		IORING_REGISTER_PERSONALITY, IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_IOWQ_AFF, IORING_REGISTER_PBUF_RING};
	for (unsigned i = 0; i < sizeof registrations / sizeof *registrations; i++) {
		long result = syscall(SYS_io_uring_register, u->ring.ring_fd, registrations[i], NULL, 0);
		cr_expect(result == -1 && errno == EACCES, "registration %u: %s", registrations[i], strerrorname_np(errno));
	}
	engine_close(&u->engine);
}

/* As a kernel would that knows no restrictions: a register with this opcode fails. */
static void forbid_restrictions(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_register, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IORING_REGISTER_RESTRICTIONS, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

Test(ring, that_cannot_be_restricted_works_and_says_so, .timeout = 60)
{
	forbid_restrictions();
	struct engine_params params = {.kind = ENGINE_IO_URING, .sockets_max = 16, .receive_buffers = 16};
	struct engine *engine;
	char reason[ENGINE_REASON_SIZE];
	int error = engine_open(&params, &engine, reason);
	if (error == -EPERM || error == -ENOSYS)
		cr_skip_test("%s", reason);
	cr_assert_eq(error, 0, "%s", reason);
	cr_expect_neq(strstr(reason, "not restricted to its operations (EINVAL)"), NULL, "%s", reason);
	cr_expect_eq(uring_of(engine)->restrict_error, -EINVAL);
	engine_close(engine);
}
