/* What happens to a train that the kernel refuses. Most kernels refuse none over loopback, so the refusal is played. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine_private.h"
#include "io_rig.h"
#include "train_private.h"

struct failure_rig {
	struct engine *engine;
	uint32_t socket;
	int plain;
	struct addr theirs;
};

static uint8_t payload[8][1000];

static struct failure_rig failure_rig(enum engine_kind kind)
{
	struct failure_rig rig = {.engine = rig_engine(kind, 4, 16)};
	struct addr ours;
	rig.socket = rig_add(rig.engine, &rig_loopback4, SOCKET_RELAY, 1, &ours);
	rig.plain = rig_plain_socket(&rig_loopback4, &rig.theirs);
	for (unsigned i = 0; i < 8; i++)
		rig_fill(payload[i], sizeof payload[i], i);
	return rig;
}

static void send_burst(struct failure_rig *rig, size_t size)
{
	for (unsigned i = 0; i < 8; i++) {
		struct departure d = {.socket = rig->socket,
			.to = rig->theirs,
			.header = (const uint8_t *)"\x40\0\0\1",
			.header_size = 4,
			.payload = bytes_of(payload[i], i < 7 ? size : size / 2)};
		engine_send(rig->engine, &d);
	}
}

static void expect_burst(struct failure_rig *rig, size_t size)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t packet[2000];
		size_t expected = i < 7 ? size : size / 2;
		cr_assert_eq(rig_plain_receive(rig->plain, packet, sizeof packet), (int)expected + 4);
		cr_expect_eq(memcmp(packet, "\x40\0\0\1", 4), 0);
		cr_expect_eq(memcmp(packet + 4, payload[i], expected), 0);
	}
}

/* As an engine does when the kernel answers a send with `error`. */
static void fail_first_train(struct failure_rig *rig, int error)
{
	struct train *train = trains_at(rig->engine->trains, 0);
	engine_send_begun(rig->engine, train);
	engine_send_failed(rig->engine, train, error);
	engine_flushed(rig->engine);
}

static uint64_t count(const counter *c)
{
	return counter_read(c);
}

ENGINE_TEST(send_failure, splits_a_train_and_remembers_where)
{
	static const int errors[] = {EIO, EMSGSIZE, EINVAL};
	for (unsigned i = 0; i < 3; i++) {
		struct failure_rig rig = failure_rig(kind);
		const struct engine_counters *counters = engine_counters(rig.engine);
		const struct received *batch;
		send_burst(&rig, 900);
		cr_assert_eq(trains_count(rig.engine->trains), 1u);
		fail_first_train(&rig, errors[i]);
		expect_burst(&rig, 900);
		cr_expect_eq(count(&counters->trains_split), 1u);
		cr_expect_eq(count(&counters->sent_packets), 8u);
		cr_expect_eq(count(&counters->sent_bytes), 7 * 904u + 454u);
		cr_expect_eq(count(&counters->sent_trains), 0u);

		/* As large again: singly, without trying. */
		send_burst(&rig, 900);
		engine_turn(rig.engine, 0, &batch);
		expect_burst(&rig, 900);
		cr_expect_eq(count(&counters->sent_trains), 0u);
		/* Smaller: EIO means the device, the others the size. */
		send_burst(&rig, 500);
		engine_turn(rig.engine, 0, &batch);
		expect_burst(&rig, 500);
		cr_expect_eq(count(&counters->sent_trains), errors[i] == EIO ? 0u : 1u);
		cr_expect_eq(count(&counters->trains_split), 1u);
		cr_expect_eq(count(&counters->sent_packets), 24u);
		close(rig.plain);
		engine_close(rig.engine);
	}
}

static const struct {
	int error;
	size_t counter;
} drops[] = {
	{EAGAIN, offsetof(struct engine_counters, send_again)},
	{ENOBUFS, offsetof(struct engine_counters, send_again)},
	{ENETUNREACH, offsetof(struct engine_counters, send_unreachable)},
	{EHOSTUNREACH, offsetof(struct engine_counters, send_unreachable)},
	{EPERM, offsetof(struct engine_counters, send_unreachable)},
	{EACCES, offsetof(struct engine_counters, send_unreachable)},
	{ECONNREFUSED, offsetof(struct engine_counters, send_other)},
	{EDESTADDRREQ, offsetof(struct engine_counters, send_other)},
};

ENGINE_TEST(send_failure, counts_the_packets_of_a_dropped_train_by_reason)
{
	for (unsigned i = 0; i < sizeof drops / sizeof *drops; i++) {
		struct failure_rig rig = failure_rig(kind);
		const struct engine_counters *counters = engine_counters(rig.engine);
		send_burst(&rig, 900);
		fail_first_train(&rig, drops[i].error);
		const counter *reason = (const counter *)(const void *)((const uint8_t *)counters + drops[i].counter);
		cr_expect_eq(count(reason), 8u, "%s", strerrorname_np(drops[i].error));
		cr_expect_eq(count(&counters->send_again) + count(&counters->send_unreachable) + count(&counters->send_other), 8u);
		cr_expect_eq(count(&counters->sent_packets), 0u);
		cr_expect_eq(count(&counters->trains_split), 0u);
		/* The next train is tried again. */
		const struct received *batch;
		send_burst(&rig, 900);
		engine_turn(rig.engine, 0, &batch);
		cr_expect_eq(count(&counters->sent_trains), 1u);
		close(rig.plain);
		engine_close(rig.engine);
	}
}

/* 127.0.0.1 cannot reach the outside: the kernel says so itself. */
ENGINE_TEST(send_failure, does_not_blame_trains_where_single_packets_fail_too)
{
	struct failure_rig rig = failure_rig(kind);
	const struct engine_counters *counters = engine_counters(rig.engine);
	const struct received *batch;
	struct addr theirs = rig.theirs;
	rig.theirs = addr_ipv4(192, 0, 2, 1, 9);
	send_burst(&rig, 900);
	engine_turn(rig.engine, 0, &batch);
	cr_expect_eq(count(&counters->send_unreachable) + count(&counters->send_other), 8u);
	cr_expect_eq(count(&counters->sent_packets), 0u);
	cr_expect_eq(rig.engine->routes.refused_until_ns, 0u);
	rig.theirs = theirs;
	send_burst(&rig, 900);
	engine_turn(rig.engine, 0, &batch);
	expect_burst(&rig, 900);
	close(rig.plain);
	engine_close(rig.engine);
}

/* Out of memory, the kernel takes no submission: played by a filter that makes every io_uring_enter fail from here on. */
Test(send_failure, of_the_ring_itself_loses_packets_and_nothing_else, .timeout = 60)
{
	struct failure_rig rig = failure_rig(ENGINE_IO_URING);
	const struct engine_counters *counters = engine_counters(rig.engine);
	const struct received *batch;
	engine_turn(rig.engine, 0, &batch);
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
	for (unsigned i = 0; i < 20; i++) {
		send_burst(&rig, 900);
		cr_expect_eq(engine_turn(rig.engine, 0, &batch), 0u);
	}
	cr_expect_eq(count(&counters->sent_packets), 0u);
	/* More than can be kept: dropped, one by one, and counted. */
	struct departure d = {.socket = rig.socket, .to = rig.theirs, .payload = bytes_of(payload[0], 10)};
	for (unsigned i = 0; i < TRAINS_MAX; i++) {
		d.to.port = (uint16_t)(1000 + i);
		engine_send(rig.engine, &d);
	}
	cr_expect_eq(count(&counters->send_again), 20u);
	engine_close(rig.engine);
	close(rig.plain);
}
