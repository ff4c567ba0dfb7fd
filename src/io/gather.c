#include "gather.h"

#include "base/clock.h"

#define WINDOW_NS NS_PER_MS

void gather_count(struct gather *gather, uint32_t received, uint64_t now_ns)
{
	gather->last = received;
	gather->received += received;
	uint64_t elapsed_ns = now_ns - gather->window_ns;
	if (elapsed_ns < WINDOW_NS)
		return;
	gather->busy = gather->received >= elapsed_ns / (NS_PER_S / GATHER_RATE);
	gather->received = 0;
	gather->window_ns = now_ns;
}
