#include "measure/tally.h"

static void reset(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, 0, memory_order_relaxed);
}

static void add(_Atomic uint64_t *into, const _Atomic uint64_t *from)
{
	tally_count(into, tally_read(from));
}

void tally_reset(struct tally *t)
{
	reset(&t->sent);
	reset(&t->sent_bytes);
	reset(&t->delivered);
	reset(&t->delivered_bytes);
	reset(&t->duplicated);
	reset(&t->reordered);
	reset(&t->corrupted);
	reset(&t->stale);
	reset(&t->unsent);
	histogram_reset(&t->latency);
	histogram_reset(&t->jitter);
	histogram_reset(&t->lateness);
}

void tally_add(struct tally *into, const struct tally *from)
{
	add(&into->sent, &from->sent);
	add(&into->sent_bytes, &from->sent_bytes);
	add(&into->delivered, &from->delivered);
	add(&into->delivered_bytes, &from->delivered_bytes);
	add(&into->duplicated, &from->duplicated);
	add(&into->reordered, &from->reordered);
	add(&into->corrupted, &from->corrupted);
	add(&into->stale, &from->stale);
	add(&into->unsent, &from->unsent);
	histogram_add(&into->latency, &from->latency);
	histogram_add(&into->jitter, &from->jitter);
	histogram_add(&into->lateness, &from->lateness);
}

uint64_t tally_lost(const struct tally *t)
{
	uint64_t sent = tally_read(&t->sent), delivered = tally_read(&t->delivered);
	return sent > delivered ? sent - delivered : 0;
}
