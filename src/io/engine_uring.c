#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/udp_socket.h"
#include "uring.h"

static int uring_add(struct engine *engine, uint32_t socket)
{
	struct uring *u = uring_of(engine);
	struct engine_socket *s = engine_socket(engine, socket);
	int updated = io_uring_register_files_update(&u->ring, socket, &s->fd, 1);
	if (updated < 0)
		return updated;
	s->queued = true;
	socket_queue_push(engine, &u->arm, socket);
	return 0;
}

static void uring_release(struct engine *engine, uint32_t socket)
{
	int none = -1;
	io_uring_register_files_update(&uring_of(engine)->ring, socket, &none, 1);
}

/* What the kernel must be asked for before it is given new work: memory goes back only when no buffer holds anything that is
 * wanted. */
static void trim(struct uring *u)
{
	/* Without DEFER_TASKRUN the kernel may fill a buffer at any time. */
	if (!(u->setup_flags & IORING_SETUP_DEFER_TASKRUN) || !uring_flush(&u->engine) || io_uring_cq_ready(&u->ring) > 0)
		return;
	engine_recycle(&u->engine);
	engine_trim(&u->engine);
}

static unsigned uring_turn(struct engine *engine, uint64_t wait_ns)
{
	struct uring *u = uring_of(engine);
	if (engine_trim_due(engine))
		trim(u);
	uring_emit(u);
	uring_cancel(u);
	uring_arm(u);
	ring_submit_and_wait(u, uring_arm_wait_ns(u, wait_ns));
	engine->now_ns = clock_mono_ns();
	uring_settle(u);
	if (!uring_flushed(u)) {
		/* The kernel is out of memory, and the last batch's buffers are still needed for what could not be submitted. */
		ring_back_off();
		return 0;
	}
	engine_release_closing(engine);
	engine_recycle(engine);
	uring_lend_buffers(u);
	uring_collect(u);
	/* Whose receive has just ended closes now, not after the next wait: all that was to leave from it has left. */
	engine_release_closing(engine);
	return engine->batch_count;
}

static void uring_close(struct engine *engine)
{
	ring_close(uring_of(engine));
	engine_done(engine);
}

static const struct engine_ops uring_ops = {
	.kind = ENGINE_IO_URING,
	.close = uring_close,
	.add = uring_add,
	.stop = uring_stop,
	.await_writable = uring_await_writable,
	.release = uring_release,
	.flush = uring_flush,
	.turn = uring_turn,
};

/* A datagram to ourselves, through everything that the engine relies on. */
static int probe(struct engine *engine)
{
	const struct udp_socket_options options = {.listener = true};
	struct addr local = addr_loopback(ADDR_IPV4, 0);
	int fd = udp_socket_open(&local, &options, NULL);
	if (fd < 0) {
		local = addr_loopback(ADDR_IPV6, 0);
		fd = udp_socket_open(&local, &options, NULL);
	}
	if (fd < 0)
		return fd;
	local = udp_socket_local(fd);
	uint32_t socket;
	int error = engine_add(engine, fd, SOCKET_LISTENER, 0, &socket);
	if (error < 0)
		return error;
	static const uint8_t payload[] = "probe";
	engine_send(engine, &(struct departure){.socket = socket, .to = local, .payload = bytes_of(payload, sizeof payload)});
	bool received = false;
	for (unsigned tries = 0; tries < 20 && !received; tries++) {
		const struct received *batch;
		unsigned count = engine_turn(engine, 50 * NS_PER_MS, &batch);
		for (unsigned i = 0; i < count; i++)
			received |= bytes_equal(batch[i].data, bytes_of(payload, sizeof payload));
	}
	engine_remove(engine, socket);
	for (unsigned tries = 0; tries < 20 && engine->sockets.used > 0; tries++) {
		const struct received *batch;
		engine_turn(engine, NS_PER_MS, &batch);
	}
	engine->counters = (struct engine_counters){0};
	return received ? 0 : -ETIMEDOUT;
}

/* The number behind a name in a file of /proc; -1 when there is none. */
static long read_setting(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	char line[256];
	long value = -1;
	while (value < 0 && fgets(line, sizeof line, file) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			value = strtol(line + strlen(name), NULL, 10);
	fclose(file);
	return value;
}

static const char *why_refused(int error)
{
	if (error == -EPERM && read_setting("/proc/sys/kernel/io_uring_disabled", "") > 0)
		return ": kernel.io_uring_disabled is set";
	if ((error == -EPERM || error == -ENOSYS) && read_setting("/proc/self/status", "Seccomp:") == 2)
		return ": refused by a seccomp profile";
	if (error == -ENOSYS)
		return ": this kernel has no io_uring";
	if (error == -ENOMEM)
		return ": raise the memory limit or RLIMIT_MEMLOCK";
	if (error == -EMFILE)
		return ": more sockets than the limit on open files";
	return "";
}

static int refuse(struct uring *u, const char *what, int error, char ret_reason[static ENGINE_REASON_SIZE])
{
	snprintf(ret_reason, ENGINE_REASON_SIZE, "%s failed (%s)%s", what, strerrorname_np(-error), why_refused(error));
	uring_close(&u->engine);
	return error;
}

static void say_how_it_works(const struct uring *u, char ret_reason[static ENGINE_REASON_SIZE])
{
	bool defer = u->setup_flags & IORING_SETUP_DEFER_TASKRUN;
	char unrestricted[64] = "";
	if (u->restrict_error < 0)
		snprintf(unrestricted, sizeof unrestricted, ", not restricted to its operations (%s)",
			strerrorname_np(-u->restrict_error));
	snprintf(ret_reason, ENGINE_REASON_SIZE, "io_uring works%s%s",
		defer ? "" : ", without DEFER_TASKRUN (Linux 6.1 and later have it)", unrestricted);
}

int uring_open(const struct engine_params *params, struct engine **ret_engine, char ret_reason[static ENGINE_REASON_SIZE])
{
	struct uring *u = calloc(1, sizeof *u);
	if (u == NULL) {
		snprintf(ret_reason, ENGINE_REASON_SIZE, "out of memory");
		return -ENOMEM;
	}
	struct engine *engine = &u->engine;
	u->arm = u->delayed = u->cancel = SOCKET_QUEUE_EMPTY;
	u->receive_header = (struct msghdr){.msg_namelen = BUFFER_NAME_SIZE, .msg_controllen = BUFFER_CONTROL_SIZE};
	int error = engine_init(engine, &uring_ops, params);
	if (error < 0)
		return refuse(u, "allocating the buffers", error, ret_reason);
	/* Blocking: io_uring itself waits for what a non-blocking one would refuse at once. */
	engine->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (engine->wake_fd < 0)
		return refuse(u, "eventfd", -errno, ret_reason);
	const char *what;
	error = ring_open(u, engine->sockets.capacity, &what);
	if (error < 0)
		return refuse(u, what, error, ret_reason);
	error = probe(engine);
	if (error < 0)
		return refuse(u, "a datagram through io_uring on loopback", error, ret_reason);
	say_how_it_works(u, ret_reason);
	*ret_engine = engine;
	return 0;
}
