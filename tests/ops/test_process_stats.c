#include "ops/process_stats.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"

Test(process_stats, counts_open_descriptors)
{
	uint64_t before = process_stats_read().open_fds;
	int fd = open("/dev/null", O_RDONLY);
	cr_assert_eq(process_stats_read().open_fds, before + 1);
	close(fd);
	cr_assert_eq(process_stats_read().open_fds, before);
}

Test(process_stats, reports_the_soft_limit_on_descriptors)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 200;
	setrlimit(RLIMIT_NOFILE, &limit);
	cr_assert_eq(process_stats_read().max_fds, 200);
}

Test(process_stats, sees_memory_that_is_touched)
{
	enum { SIZE = 32 << 20 };
	struct process_stats before = process_stats_read();
	/* Not malloc, which a compiler may leave out with what it is touched by. */
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(memory, MAP_FAILED);
	memset(memory, 1, SIZE);
	struct process_stats after = process_stats_read();
	cr_assert_geq(after.resident_bytes, before.resident_bytes + SIZE / 2);
	cr_assert_gt(after.virtual_bytes, after.resident_bytes);
	munmap(memory, SIZE);
}

Test(process_stats, sees_processor_time)
{
	uint64_t before_ns = process_stats_read().cpu_ns;
	uint64_t end_ns = clock_mono_ns() + 10 * NS_PER_S;
	while (process_stats_read().cpu_ns < before_ns + 20 * NS_PER_MS)
		cr_assert_lt(clock_mono_ns(), end_ns);
}
