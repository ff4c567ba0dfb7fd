#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stream_buffers.h"

static struct stream_buffers buffers;

static void start(uint32_t count)
{
	cr_assert_eq(stream_buffers_init(&buffers, count), 0);
}

/* Pages of a buffer that have memory. */
static unsigned resident(uint32_t buffer)
{
	enum { PAGES = STREAM_BUFFER_SIZE / 4096 };
	unsigned char pages[PAGES];
	unsigned count = 0;
	cr_assert_eq(mincore(stream_buffer_at(&buffers, buffer), STREAM_BUFFER_SIZE, pages), 0);
	for (unsigned i = 0; i < PAGES; i++)
		count += pages[i] & 1;
	return count;
}

Test(stream_buffers, there_are_as_many_as_asked_for_and_they_do_not_overlap)
{
	start(5);
	for (unsigned i = 0; i < 5; i++) {
		uint32_t buffer = stream_buffers_take(&buffers);
		cr_assert_neq(buffer, STREAM_BUFFER_NONE);
		cr_expect_eq(stream_buffer_at(&buffers, buffer)[0], 0);
		memset(stream_buffer_at(&buffers, buffer), (int)i + 1, STREAM_BUFFER_SIZE);
	}
	cr_expect_eq(stream_buffers_take(&buffers), STREAM_BUFFER_NONE);
	stream_buffers_done(&buffers);
}

Test(stream_buffers, none_at_all_is_fine)
{
	start(0);
	cr_expect_eq(stream_buffers_take(&buffers), STREAM_BUFFER_NONE);
	stream_buffers_reuse(&buffers);
	stream_buffers_trim(&buffers);
	stream_buffers_done(&buffers);
}

Test(stream_buffers, the_last_given_is_the_first_taken)
{
	start(4);
	uint32_t a = stream_buffers_take(&buffers), b = stream_buffers_take(&buffers);
	stream_buffers_give(&buffers, a);
	stream_buffers_give(&buffers, b);
	cr_expect_eq(stream_buffers_take(&buffers), b);
	cr_expect_eq(stream_buffers_take(&buffers), a);
	stream_buffers_done(&buffers);
}

Test(stream_buffers, what_is_retired_comes_back_when_it_may_be_reused)
{
	start(1);
	uint32_t only = stream_buffers_take(&buffers);
	stream_buffers_retire(&buffers, only);
	cr_expect_eq(stream_buffers_take(&buffers), STREAM_BUFFER_NONE);
	stream_buffers_reuse(&buffers);
	cr_expect_eq(stream_buffers_take(&buffers), only);
	stream_buffers_done(&buffers);
}

Test(stream_buffers, memory_that_was_not_needed_for_a_while_goes_back)
{
	uint32_t taken[3];
	start(3);
	for (unsigned i = 0; i < 3; i++) {
		taken[i] = stream_buffers_take(&buffers);
		memset(stream_buffer_at(&buffers, taken[i]), 1, STREAM_BUFFER_SIZE);
	}
	for (unsigned i = 0; i < 3; i++)
		stream_buffers_give(&buffers, taken[i]);
	stream_buffers_trim(&buffers);
	cr_expect_gt(resident(taken[0]), 0u, "all were needed since the last trim");
	uint32_t warm = stream_buffers_take(&buffers);
	stream_buffers_give(&buffers, warm);
	stream_buffers_trim(&buffers);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(resident(taken[i]) > 0, taken[i] == warm);
	stream_buffers_trim(&buffers);
	cr_expect_eq(resident(warm), 0u);
	stream_buffers_done(&buffers);
}
