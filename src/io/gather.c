#include "gather.h"

#include "base/clock.h"

#define WINDOW_NS NS_PER_MS

void gather_count(struct gather *gather, uint32_t received, uint64_t bytes, uint64_t now_ns)
{
	gather->enough = received >= GATHER_ENOUGH || bytes > (uint64_t)received * (TRAIN_BYTES_MAX / 2);
	gather->received += received;
	uint64_t elapsed_ns = now_ns - gather->window_ns;
	if (elapsed_ns < WINDOW_NS)
		return;
	gather->busy = gather->received >= elapsed_ns / (NS_PER_S / GATHER_RATE);
	gather->received = 0;
	gather->window_ns = now_ns;
}
