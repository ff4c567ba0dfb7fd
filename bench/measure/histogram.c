#include "measure/histogram.h"

static uint64_t read_relaxed(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

/* The recorder is the only writer: an addition in three steps loses nothing, and costs no locked instruction. */
static void write_relaxed(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

static void note_extremes(struct histogram *h, uint64_t least_ns, uint64_t most_ns)
{
	uint64_t max_ns = read_relaxed(&h->max_ns), min_ns = read_relaxed(&h->min_ns);
	write_relaxed(&h->max_ns, most_ns > max_ns ? most_ns : max_ns);
	write_relaxed(&h->min_ns, least_ns < min_ns ? least_ns : min_ns);
}

void histogram_reset(struct histogram *h)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		write_relaxed(&h->counts[i], 0);
	write_relaxed(&h->count, 0);
	write_relaxed(&h->sum_ns, 0);
	write_relaxed(&h->max_ns, 0);
	write_relaxed(&h->min_ns, UINT64_MAX);
}

/*
 * The first two groups of HISTOGRAM_STEPS values have buckets of one nanosecond, so the smallest values need no case of their own:
 * the bit that is set here only keeps them from counting as smaller than a group.
 */
size_t histogram_bucket(uint64_t value_ns)
{
	uint64_t value = value_ns < HISTOGRAM_MAX_NS ? value_ns : HISTOGRAM_MAX_NS;
	unsigned shift = (unsigned)(63 - HISTOGRAM_STEP_BITS - __builtin_clzll(value | HISTOGRAM_STEPS));
	return ((size_t)shift << HISTOGRAM_STEP_BITS) + (size_t)(value >> shift);
}

uint64_t histogram_bucket_upper_ns(size_t index)
{
	if (index < 2 * (size_t)HISTOGRAM_STEPS)
		return index;
	unsigned shift = (unsigned)(index >> HISTOGRAM_STEP_BITS) - 1;
	uint64_t step = HISTOGRAM_STEPS + (index & (HISTOGRAM_STEPS - 1));
	return ((step + 1) << shift) - 1;
}

void histogram_record(struct histogram *h, uint64_t value_ns)
{
	_Atomic uint64_t *bucket = &h->counts[histogram_bucket(value_ns)];
	note_extremes(h, value_ns, value_ns);
	write_relaxed(&h->sum_ns, read_relaxed(&h->sum_ns) + value_ns);
	write_relaxed(&h->count, read_relaxed(&h->count) + 1);
	write_relaxed(bucket, read_relaxed(bucket) + 1);
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		write_relaxed(&into->counts[i], read_relaxed(&into->counts[i]) + read_relaxed(&from->counts[i]));
	write_relaxed(&into->count, read_relaxed(&into->count) + read_relaxed(&from->count));
	write_relaxed(&into->sum_ns, read_relaxed(&into->sum_ns) + read_relaxed(&from->sum_ns));
	note_extremes(into, read_relaxed(&from->min_ns), read_relaxed(&from->max_ns));
}

/* The product rounded up, between 1 and `total`. Its rounding errors must not push a whole number up to the next rank. */
static uint64_t rank_of(uint64_t total, double fraction)
{
	double product = fraction * (double)total * (1 - 0x1p-50);
	if (!(product > 0))
		return 1;
	if (product >= (double)total)
		return total;
	uint64_t rank = (uint64_t)product;
	return (double)rank < product ? rank + 1 : rank;
}

uint64_t histogram_quantile_ns(const struct histogram *h, double fraction)
{
	/* The buckets' own sum, not `count`: a recorder at work may have moved one and not yet the other. */
	uint64_t total = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += read_relaxed(&h->counts[i]);
	if (total == 0)
		return 0;
	uint64_t rank = rank_of(total, fraction), below = 0, max_ns = read_relaxed(&h->max_ns);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		below += read_relaxed(&h->counts[i]);
		if (below >= rank) {
			uint64_t upper_ns = histogram_bucket_upper_ns(i);
			return upper_ns < max_ns ? upper_ns : max_ns;
		}
	}
	/* The last bucket also counts what lies beyond its end: the largest value is all that is known of it. */
	return max_ns;
}

double histogram_mean_ns(const struct histogram *h)
{
	uint64_t count = read_relaxed(&h->count);
	return count == 0 ? 0 : (double)read_relaxed(&h->sum_ns) / (double)count;
}
