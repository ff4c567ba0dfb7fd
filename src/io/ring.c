#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "uring.h"

enum { TARGET_START = 256, COMPLETIONS_MAX = 65536 };

/* Best first. DEFER_TASKRUN: all work of the ring happens inside our own io_uring_enter, in batches and without interrupts. */
static const unsigned setup_ladder[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0,
};

/* All that the engine submits and registers once the ring is enabled. Whoever takes over the process gets no more out of its
 * ring: a seccomp filter does not see what a ring does. */
static const struct io_uring_restriction restrictions[] = {
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_RECVMSG},
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_SENDMSG},
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ACCEPT},
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_POLL_ADD},
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READ}, /* of the descriptor that wakes */
	{.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_ASYNC_CANCEL},
	{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		.sqe_flags = IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS},
	{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_FILES_UPDATE},
	{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_FILES},
	{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_SYNC_CANCEL},
	{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_RING_FDS},
	{.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_UNREGISTER_RING_FDS},
};

/* One per buffer, one per send that may fail, one per receive that may end: an overflow loses nothing, but ends receives. */
static unsigned completions_wanted(const struct uring *u, uint32_t sockets_max)
{
	unsigned wanted = u->engine.buffers.count + SUBMISSIONS + sockets_max / 4 + 1024;
	unsigned size = SUBMISSIONS;
	while (size < wanted && size < COMPLETIONS_MAX)
		size *= 2;
	return size;
}

static int set_up(struct uring *u, uint32_t sockets_max)
{
	int error = -EINVAL;
	for (unsigned i = 0; i < sizeof setup_ladder / sizeof *setup_ladder && error == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = setup_ladder[i] | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
				 IORING_SETUP_R_DISABLED,
			.cq_entries = completions_wanted(u, sockets_max),
		};
		error = io_uring_queue_init_params(SUBMISSIONS, &u->ring, &params);
		u->setup_flags = params.flags;
	}
	return error;
}

static int register_buffers(struct uring *u)
{
	u->buffer_ring_size = 1;
	while (u->buffer_ring_size < u->engine.buffers.count)
		u->buffer_ring_size *= 2;
	size_t size = u->buffer_ring_size * sizeof(struct io_uring_buf);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	u->buffer_ring = memory;
	io_uring_buf_ring_init(u->buffer_ring);
	struct io_uring_buf_reg registration = {
		.ring_addr = (uintptr_t)memory,
		.ring_entries = u->buffer_ring_size,
		.bgid = BUFFER_GROUP,
	};
	return io_uring_register_buf_ring(&u->ring, &registration, 0);
}

/* The shared liburing of Debian 12 lacks its functions for these two. */
static int registration(const struct uring *u, unsigned operation, const void *argument, unsigned count)
{
	return syscall(SYS_io_uring_register, u->ring.ring_fd, operation, argument, count) < 0 ? -errno : 0;
}

/* A ring that cannot be restricted is as good as any other, and the reason says what it is. */
static int restrict_and_enable(struct uring *u)
{
	unsigned count = sizeof restrictions / sizeof *restrictions;
	u->restrict_error = registration(u, IORING_REGISTER_RESTRICTIONS, restrictions, count);
	return registration(u, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int ring_open(struct uring *u, uint32_t sockets_max, const char **ret_what)
{
	*ret_what = "io_uring_setup";
	int error = set_up(u, sockets_max);
	if (error < 0)
		return error;
	u->ring_ready = true;
	*ret_what = "waiting with a time-out (kernel too old)";
	if (!(u->ring.features & IORING_FEAT_EXT_ARG))
		return -ENOSYS;
	*ret_what = "registering the table of sockets";
	error = io_uring_register_files_sparse(&u->ring, sockets_max);
	if (error < 0)
		return error;
	*ret_what = "registering the receive buffers";
	error = register_buffers(u);
	if (error < 0)
		return error;
	*ret_what = "enabling the ring";
	error = restrict_and_enable(u);
	if (error < 0)
		return error;
	/* Last, because some liburing and kernel pairs confuse the descriptors in later registrations. It saves a look-up per
	 * system call; a failure costs no more than that. */
	io_uring_register_ring_fd(&u->ring);

	u->target = u->engine.buffers.count < TARGET_START ? u->engine.buffers.count : TARGET_START;
	u->shortage_ns = u->engine.now_ns;
	uring_lend_buffers(u);
	return 0;
}

void ring_close(struct uring *u)
{
	if (u->ring_ready) {
		/* Receives hold their sockets, and so their ports, until they have ended: end them now, not whenever the kernel
		 * tears down the ring. */
		struct io_uring_sync_cancel_reg all = {
			.fd = -1,
			.flags = IORING_ASYNC_CANCEL_ALL | IORING_ASYNC_CANCEL_ANY,
			.timeout = {.tv_sec = -1, .tv_nsec = -1},
		};
		io_uring_register_sync_cancel(&u->ring, &all);
		io_uring_get_events(&u->ring);
		io_uring_unregister_files(&u->ring);
		io_uring_queue_exit(&u->ring);
	}
	if (u->buffer_ring != NULL)
		munmap(u->buffer_ring, u->buffer_ring_size * sizeof(struct io_uring_buf));
}

bool ring_submit(struct uring *u)
{
	/* A second try, since a signal may cut the first one short. */
	for (unsigned tries = 0; tries < 2 && io_uring_sq_ready(&u->ring) > 0; tries++) {
		counter_add(&u->engine.counters.system_calls, 1);
		io_uring_submit(&u->ring);
	}
	return io_uring_sq_ready(&u->ring) == 0;
}

struct io_uring_sqe *ring_entry(struct uring *u)
{
	struct io_uring_sqe *entry = io_uring_get_sqe(&u->ring);
	if (entry == NULL && ring_submit(u))
		entry = io_uring_get_sqe(&u->ring);
	return entry;
}

static struct __kernel_timespec timespec_of(uint64_t ns)
{
	return (struct __kernel_timespec){
		.tv_sec = (long long)(ns / NS_PER_S),
		.tv_nsec = (long long)(ns % NS_PER_S),
	};
}

void ring_submit_and_wait(struct uring *u, uint64_t wait_ns)
{
	if (io_uring_cq_ready(&u->ring) > 0) {
		/* The last turn left some. */
		ring_submit(u);
		return;
	}
	/* While packets gather, the kernel wakes us for the time-out or for a good batch, whichever comes first. */
	uint64_t gather_ns = gather_wait_ns(&u->engine.gather);
	bool gathers = gather_ns > 0 && gather_ns < wait_ns;
	struct __kernel_timespec timeout = timespec_of(gathers ? gather_ns : wait_ns);
	struct io_uring_cqe *first;
	counter_add(&u->engine.counters.system_calls, 1);
	bool forever = !gathers && wait_ns == UINT64_MAX;
	io_uring_submit_and_wait_timeout(&u->ring, &first, gathers ? GATHER_ENOUGH : 1, forever ? NULL : &timeout, NULL);
}

void ring_back_off(void)
{
	struct timespec pause = {.tv_nsec = NS_PER_MS};
	nanosleep(&pause, NULL);
}
