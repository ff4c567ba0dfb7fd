#include "stream_buffers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

/* System calls that one trim makes at most. */
enum { TRIM_MAX = 64 };

int stream_buffers_init(struct stream_buffers *buffers, uint32_t count)
{
	*buffers = (struct stream_buffers){.count = count};
	if (count == 0)
		return 0;
	void *memory = mmap(NULL, (size_t)count * STREAM_BUFFER_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	buffers->memory = memory;
	buffers->free = calloc(count, sizeof *buffers->free);
	buffers->retired = calloc(count, sizeof *buffers->retired);
	buffers->touched = calloc(count, sizeof *buffers->touched);
	if (buffers->free == NULL || buffers->retired == NULL || buffers->touched == NULL) {
		stream_buffers_done(buffers);
		return -ENOMEM;
	}
	while (buffers->free_count < count) {
		buffers->free[buffers->free_count] = count - 1 - buffers->free_count;
		buffers->free_count++;
	}
	buffers->least_free = count;
	return 0;
}

void stream_buffers_done(struct stream_buffers *buffers)
{
	if (buffers->memory != NULL)
		munmap(buffers->memory, (size_t)buffers->count * STREAM_BUFFER_SIZE);
	free(buffers->free);
	free(buffers->retired);
	free(buffers->touched);
	*buffers = (struct stream_buffers){0};
}

uint32_t stream_buffers_take(struct stream_buffers *buffers)
{
	if (buffers->free_count == 0)
		return STREAM_BUFFER_NONE;
	uint32_t buffer = buffers->free[--buffers->free_count];
	if (buffers->free_count < buffers->least_free)
		buffers->least_free = buffers->free_count;
	buffers->touched[buffer] = 1;
	return buffer;
}

void stream_buffers_give(struct stream_buffers *buffers, uint32_t buffer)
{
	assert(buffers->free_count < buffers->count);
	buffers->free[buffers->free_count++] = buffer;
}

void stream_buffers_retire(struct stream_buffers *buffers, uint32_t buffer)
{
	assert(buffers->retired_count < buffers->count);
	buffers->retired[buffers->retired_count++] = buffer;
}

void stream_buffers_reuse(struct stream_buffers *buffers)
{
	while (buffers->retired_count > 0)
		stream_buffers_give(buffers, buffers->retired[--buffers->retired_count]);
}

void stream_buffers_trim(struct stream_buffers *buffers)
{
	/* Taken from the top of the stack, so those nearest to what was in use are the warmest. */
	unsigned trimmed = 0;
	for (uint32_t i = buffers->least_free; i-- > 0 && trimmed < TRIM_MAX;) {
		uint32_t buffer = buffers->free[i];
		if (!buffers->touched[buffer])
			continue;
		madvise(stream_buffer_at(buffers, buffer), STREAM_BUFFER_SIZE, MADV_DONTNEED);
		buffers->touched[buffer] = 0;
		trimmed++;
	}
	buffers->least_free = buffers->free_count;
}
