#include <criterion/criterion.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "server/machine.h"

/* A root with only the files that a test puts there. */
static char root[PATH_MAX];

static void make_root(void)
{
	strcpy(root, "/tmp/uturn-machine-XXXXXX");
	cr_assert_not_null(mkdtemp(root));
}

static void remove_root(void)
{
	char command[PATH_MAX + 16];
	snprintf(command, sizeof command, "rm -r '%s'", root);
	cr_assert_eq(system(command), 0);
}

TestSuite(machine, .init = make_root, .fini = remove_root);

static void put(const char *path, const char *text)
{
	char file[2 * PATH_MAX], command[3 * PATH_MAX];
	snprintf(file, sizeof file, "%s%s", root, path);
	snprintf(command, sizeof command, "mkdir -p \"$(dirname '%s')\"", file);
	cr_assert_eq(system(command), 0);
	FILE *stream = fopen(file, "w");
	cr_assert_not_null(stream);
	fputs(text, stream);
	fclose(stream);
}

static struct machine read_root(void)
{
	struct machine machine;
	machine_read(root, &machine);
	return machine;
}

Test(machine, without_cgroups_has_its_affinity_and_no_memory_limit)
{
	struct machine machine = read_root();
	cr_assert_geq(machine.processors, 1);
	cr_assert_eq(machine.memory_bytes, UINT64_MAX);
}

Test(machine, of_cgroup_version_2_is_bounded_by_quota_and_memory)
{
	put("/proc/self/cgroup", "0::/kubepods/pod1\n");
	put("/sys/fs/cgroup/kubepods/pod1/cpu.max", "50000 100000\n");
	put("/sys/fs/cgroup/kubepods/pod1/memory.max", "134217728\n");
	struct machine machine = read_root();
	cr_assert_eq(machine.processors, 1);
	cr_assert_eq(machine.memory_bytes, 134217728);
}

Test(machine, of_cgroup_version_2_obeys_the_tightest_parent)
{
	put("/proc/self/cgroup", "0::/kubepods/pod1\n");
	put("/sys/fs/cgroup/kubepods/pod1/memory.max", "max\n");
	put("/sys/fs/cgroup/kubepods/memory.max", "268435456\n");
	put("/sys/fs/cgroup/kubepods/pod1/cpu.max", "max 100000\n");
	cr_assert_eq(read_root().memory_bytes, 268435456);
}

Test(machine, in_a_container_of_cgroup_version_1_reads_the_root_it_sees)
{
	put("/proc/self/cgroup", "5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	struct machine machine = read_root();
	cr_assert_eq(machine.memory_bytes, 67108864);
	cr_assert_eq(machine.processors, 1);
}

Test(machine, of_cgroup_version_1_without_limits_has_none)
{
	put("/proc/self/cgroup", "5:memory:/\n3:cpu:/\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	cr_assert_eq(read_root().memory_bytes, UINT64_MAX);
}

Test(machine, holds_as_many_allocations_as_the_tightest_bound_allows)
{
	static const struct {
		struct machine machine;
		uint32_t wanted, expected_min, expected_max;
	} cases[] = {
		{{1, UINT64_MAX, 1024}, 0, 650, 750},
		{{1, UINT64_MAX, 1024}, 100, 100, 100},
		{{1, UINT64_MAX, 1 << 20}, 0, 131072, 131072},
		{{1, 20 << 20, 1 << 20}, 0, 1100, 1200},
		{{2, 20000000, 1 << 20}, 0, 500, 700},
		{{1, 8 << 20, 1 << 20}, 0, 16, 16},
		{{1, UINT64_MAX, 160}, 0, 0, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct machine_wish wish = {.shards = cases[i].machine.processors,
			.listeners = 1,
			.allocations = cases[i].wanted,
			.handshakes_wanted = 128};
		struct machine_budget budget;
		machine_plan(&cases[i].machine, &wish, &budget);
		uint32_t most = budget.allocations;
		cr_assert(most >= cases[i].expected_min && most <= cases[i].expected_max, "case %zu: %u", i, most);
		cr_assert_eq(budget.connections, 0);
		cr_assert_eq(budget.stream_buffers, 0);
	}
}

Test(machine, has_fewer_receive_buffers_where_memory_is_tight)
{
	struct machine roomy = {1, UINT64_MAX, 1024}, tight = {1, 20 << 20, 1024};
	cr_assert_gt(machine_receive_buffers(&roomy, 1), machine_receive_buffers(&tight, 1));
	cr_assert_geq(machine_receive_buffers(&tight, 4), 64);
}

Test(machine, bounds_what_full_receive_buffers_take)
{
	struct machine pod = {2, 20000000, 1024};
	cr_expect_eq(machine_receive_buffers(&pod, 2), 64);
	cr_expect_eq(machine_receive_buffers(&(struct machine){2, UINT64_MAX, 1024}, 2), 1024);
	cr_expect_leq(machine_receive_buffers(&(struct machine){2, 512 << 20, 1024}, 2) * UINT64_C(65536) * 2, UINT64_C(128) << 20);
}

Test(machine, has_fewer_shards_than_processors_where_memory_is_tight)
{
	cr_expect_eq(machine_shards(&(struct machine){2, 20000000, 1024}), 2);
	cr_expect_eq(machine_shards(&(struct machine){64, 20000000, 1024}), 2);
	cr_expect_eq(machine_shards(&(struct machine){1, 20000000, 1024}), 1);
	cr_expect_eq(machine_shards(&(struct machine){8, 4000000, 1024}), 1);
	cr_expect_eq(machine_shards(&(struct machine){8, 512 << 20, 1024}), 8);
	cr_expect_eq(machine_shards(&(struct machine){64, UINT64_MAX, 1024}), 64);
}

Test(machine, bounds_the_buffers_of_sockets)
{
	struct machine pod = {2, 20000000, 1024}, roomy = {2, UINT64_MAX, 1024};
	cr_expect_eq(machine_socket_buffer(&roomy, 8 << 20, 64), 8 << 20);
	cr_expect_eq(machine_socket_buffer(&pod, 8 << 20, 2), 625000);
	cr_expect_eq(machine_socket_buffer(&pod, 1000, 2), 1000);
	cr_expect_eq(machine_socket_buffer(&pod, 0, 2), 0, "the system's default stays");
	cr_expect_eq(machine_socket_buffer(&pod, 8 << 20, 1000), 65536);
}

static struct machine_budget plan(struct machine machine, struct machine_wish wish)
{
	struct machine_budget budget;
	machine_plan(&machine, &wish, &budget);
	return budget;
}

static const struct machine_wish tls_wish = {
	.shards = 1, .listeners = 2, .handshakes_wanted = 128, .connections = true, .sockets = true, .handshakes = true};

Test(machine, divides_descriptors_between_allocations_and_connections)
{
	struct machine machine = {1, UINT64_MAX, 1024};
	struct machine_wish wish = tls_wish;
	struct machine_budget budget = plan(machine, wish);
	cr_expect_eq(budget.allocations, budget.connections);
	cr_expect(budget.connections > 300 && budget.connections < 400, "%u", budget.connections);
	cr_expect_str_eq(budget.connections_bound, "the descriptor limit (ulimit -n)");
	/* What one of them may not use is the other's. */
	wish.connections_max = 50;
	budget = plan(machine, wish);
	cr_expect_eq(budget.connections, 50);
	cr_expect_str_eq(budget.connections_bound, "the configuration");
	cr_expect(budget.allocations > 550, "%u", budget.allocations);
	wish.connections_max = 0;
	wish.allocations = 50;
	budget = plan(machine, wish);
	cr_expect_eq(budget.allocations, 50);
	cr_expect(budget.connections > 550, "%u", budget.connections);
}

Test(machine, gives_associations_no_descriptors)
{
	struct machine_wish wish = tls_wish;
	wish.sockets = false;
	struct machine_budget budget = plan((struct machine){1, UINT64_MAX, 1024}, wish);
	cr_expect(budget.allocations > 650, "%u", budget.allocations);
	cr_expect_eq(budget.connections, 131072);
}

Test(machine, with_plenty_has_bounds_still)
{
	struct machine_wish wish = tls_wish;
	wish.shards = 4;
	struct machine_budget budget = plan((struct machine){4, UINT64_MAX, 1 << 20}, wish);
	cr_expect_eq(budget.allocations, 131072);
	cr_expect_eq(budget.connections, 131072);
	cr_expect_eq(budget.handshakes_max, UINT32_MAX);
	cr_expect_eq(budget.stream_buffers, 4096);
	wish.connections_max = 40;
	cr_expect_lt(plan((struct machine){4, UINT64_MAX, 1 << 20}, wish).stream_buffers, 100);
}

/* 20 MB is what STUNner's operator gives a relay. */
Test(machine, serves_tls_in_20_megabytes)
{
	struct machine_budget budget = plan((struct machine){1, 20000000, 1 << 20}, tls_wish);
	cr_expect(budget.allocations >= 50, "%u", budget.allocations);
	cr_expect(budget.connections >= 50, "%u", budget.connections);
	cr_expect(budget.handshakes_max >= 4 && budget.handshakes_max <= 40, "%u", budget.handshakes_max);
	cr_expect(budget.stream_buffers >= 8 && budget.stream_buffers <= 40, "%u", budget.stream_buffers);
	uint64_t bytes =
		(budget.allocations + budget.connections) * 8192u + budget.handshakes_max * 61440u + budget.stream_buffers * 73728u;
	cr_expect_leq(bytes, 8000000);
	cr_expect_str_eq(budget.connections_bound, "the memory limit of the cgroup");
}

Test(machine, with_more_memory_has_more_of_everything)
{
	struct machine_budget less = plan((struct machine){1, 64 << 20, 1 << 20}, tls_wish);
	struct machine_budget more = plan((struct machine){1, 512 << 20, 1 << 20}, tls_wish);
	cr_expect_lt(less.allocations, more.allocations);
	cr_expect_lt(less.connections, more.connections);
	cr_expect_lt(less.handshakes_max, more.handshakes_max);
	cr_expect_lt(less.stream_buffers, more.stream_buffers);
}
