#include "receive_buffers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

enum {
	PAGE = 4096,
	LARGE_SIZE = 2048, /* payloads up to here touch a page or two, and every buffer in use sees such */
	TRIM_STEP = 16,    /* bounds a call of receive_buffers_trim */
};

int receive_buffers_init(struct receive_buffers *buffers, uint32_t count)
{
	assert(count > 0 && count <= BUFFERS_MAX);
	size_t size = (size_t)count * BUFFER_SIZE;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	/* A huge page would make thirty buffers resident for the sake of one packet. */
	madvise(memory, size, MADV_NOHUGEPAGE);
	*buffers = (struct receive_buffers){
		.memory = memory,
		.free = calloc(count, sizeof *buffers->free),
		.large = calloc((count + 63) / 64, sizeof *buffers->large),
		.count = count,
		.free_count = count,
	};
	if (buffers->free == NULL || buffers->large == NULL) {
		receive_buffers_done(buffers);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < count; i++)
		buffers->free[i] = (uint16_t)(count - 1 - i);
	return 0;
}

void receive_buffers_done(struct receive_buffers *buffers)
{
	if (buffers->memory != NULL)
		munmap(buffers->memory, (size_t)buffers->count * BUFFER_SIZE);
	free(buffers->free);
	free(buffers->large);
	*buffers = (struct receive_buffers){0};
}

uint16_t receive_buffers_take(struct receive_buffers *buffers)
{
	assert(buffers->free_count > 0);
	return buffers->free[--buffers->free_count];
}

void receive_buffers_give(struct receive_buffers *buffers, uint16_t buffer)
{
	assert(buffer < buffers->count);
	assert(buffers->free_count < buffers->count);
	buffers->free[buffers->free_count++] = buffer;
}

bool receive_buffers_touched(struct receive_buffers *buffers, uint16_t buffer, size_t size)
{
	if (size <= LARGE_SIZE)
		return false;
	uint64_t bit = UINT64_C(1) << buffer % 64;
	buffers->large_count += (buffers->large[buffer / 64] & bit) == 0;
	buffers->large[buffer / 64] |= bit;
	return true;
}

static void trim(struct receive_buffers *buffers, uint16_t buffer)
{
	/* Its neighbours share the first and the last page; they hold nothing that is wanted either. */
	uintptr_t start = (uintptr_t)receive_buffer_at(buffers, buffer) & ~(uintptr_t)(PAGE - 1);
	uintptr_t end = (uintptr_t)receive_buffer_at(buffers, buffer) + BUFFER_SIZE;
	madvise((void *)start, end - start, MADV_DONTNEED);
	buffers->large[buffer / 64] &= ~(UINT64_C(1) << buffer % 64);
	buffers->large_count--;
}

void receive_buffers_trim(struct receive_buffers *buffers)
{
	uint32_t words = (buffers->count + 63) / 64;
	for (unsigned steps = 0; steps < TRIM_STEP && buffers->large_count > 0; steps++) {
		while (buffers->large[buffers->trim_at] == 0)
			buffers->trim_at = (buffers->trim_at + 1) % words;
		unsigned bit = (unsigned)__builtin_ctzll(buffers->large[buffers->trim_at]);
		trim(buffers, (uint16_t)(buffers->trim_at * 64 + bit));
	}
}
