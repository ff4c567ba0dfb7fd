#include "receive_buffers.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

Test(receive_buffers, gives_each_buffer_once_and_the_last_returned_first)
{
	struct receive_buffers buffers;
	bool taken[64] = {false};
	cr_assert_eq(receive_buffers_init(&buffers, 64), 0);
	for (unsigned i = 0; i < 64; i++) {
		uint16_t buffer = receive_buffers_take(&buffers);
		cr_assert_lt(buffer, 64);
		cr_assert(!taken[buffer]);
		taken[buffer] = true;
	}
	cr_expect_eq(buffers.free_count, 0u);
	receive_buffers_give(&buffers, 3);
	receive_buffers_give(&buffers, 40);
	cr_expect_eq(receive_buffers_take(&buffers), 40);
	cr_expect_eq(receive_buffers_take(&buffers), 3);
	receive_buffers_done(&buffers);
}

Test(receive_buffers, do_not_overlap_and_hold_the_largest_aggregate)
{
	struct receive_buffers buffers;
	cr_assert_eq(receive_buffers_init(&buffers, 4), 0);
	for (uint16_t i = 0; i < 4; i++)
		memset(receive_buffer_at(&buffers, i), i + 1, BUFFER_SIZE);
	for (uint16_t i = 0; i < 4; i++) {
		cr_expect_eq(receive_buffer_at(&buffers, i)[0], i + 1);
		cr_expect_eq(receive_buffer_at(&buffers, i)[BUFFER_SIZE - 1], i + 1);
		cr_expect_eq((uintptr_t)receive_buffer_at(&buffers, i) % 64, 0u);
	}
	cr_expect_geq((int)BUFFER_PAYLOAD_SIZE, 65535);
	receive_buffers_done(&buffers);
}

static unsigned resident_pages(const struct receive_buffers *buffers)
{
	static unsigned char state[64 * 20];
	size_t pages = ((size_t)buffers->count * BUFFER_SIZE + 4095) / 4096;
	cr_assert_leq(pages, sizeof state);
	cr_assert_eq(mincore(buffers->memory, pages * 4096, state), 0);
	unsigned resident = 0;
	for (size_t i = 0; i < pages; i++)
		resident += state[i] & 1;
	return resident;
}

Test(receive_buffers, return_what_aggregates_have_touched)
{
	struct receive_buffers buffers;
	cr_assert_eq(receive_buffers_init(&buffers, 64), 0);
	for (uint16_t i = 0; i < 64; i++) {
		memset(receive_buffer_at(&buffers, i), 1, i % 2 ? BUFFER_SIZE : BUFFER_PAYLOAD + 1200);
		cr_expect_eq(receive_buffers_touched(&buffers, i, i % 2 ? BUFFER_PAYLOAD_SIZE : 1200), i % 2 != 0);
	}
	cr_expect_eq(buffers.large_count, 32u);
	cr_expect_gt(resident_pages(&buffers), 32u * 16);
	for (unsigned calls = 0; buffers.large_count > 0; calls++) {
		cr_assert_lt(calls, 10u);
		receive_buffers_trim(&buffers);
	}
	cr_expect_leq(resident_pages(&buffers), 64u);
	receive_buffers_trim(&buffers);
	receive_buffers_done(&buffers);
}
