#include "gather.h"

static void begin_window(struct gather *gather, uint64_t cpu_ns, uint64_t now_ns)
{
	gather->window_ns = now_ns;
	gather->cpu_ns = cpu_ns;
	gather->received = gather->sends = gather->turns = 0;
}

bool gather_count(struct gather *gather, uint32_t received, uint64_t bytes, uint64_t now_ns)
{
	gather->enough = received >= GATHER_ENOUGH || bytes > (uint64_t)received * (TRAIN_BYTES_MAX / 2);
	gather->received += received;
	gather->turns++;
	uint64_t elapsed_ns = now_ns - gather->window_ns;
	if (elapsed_ns < GATHER_WINDOW_NS)
		return false;
	if (gather->received >= elapsed_ns / (NS_PER_S / GATHER_RATE))
		return true;
	gather->waiting = false;
	begin_window(gather, 0, now_ns);
	return false;
}

void gather_judge(struct gather *gather, uint64_t cpu_ns, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - gather->window_ns;
	uint64_t percent = gather->cpu_ns == 0 ? 0 : (cpu_ns - gather->cpu_ns) * 100 / elapsed_ns;
	if (!gather->waiting) {
		gather->waiting = percent >= GATHER_BEGIN_PERCENT && now_ns >= gather->retry_ns;
	} else if (gather->sends < gather->turns * GATHER_SENDS_MIN) {
		gather->waiting = false;
		gather->retry_ns = now_ns + GATHER_RETRY_NS;
	} else {
		gather->waiting = percent >= GATHER_END_PERCENT;
	}
	begin_window(gather, cpu_ns, now_ns);
}
