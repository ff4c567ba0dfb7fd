#include "interrupt.h"

#include <stdatomic.h>

static atomic_bool requested;

void interrupt_request(void)
{
	atomic_store_explicit(&requested, true, memory_order_relaxed);
}

bool interrupt_requested(void)
{
	return atomic_load_explicit(&requested, memory_order_relaxed);
}
