/*
 * histogram - counts of durations with a bounded relative error, log-linear ("HDR-style").
 *
 * Owns:    its counters. Values are nanoseconds; every power of two is cut into HISTOGRAM_STEPS equal buckets, so that a value read
 *          back is at most 1/HISTOGRAM_STEPS above what was recorded. Values beyond HISTOGRAM_MAX_NS count in the last bucket; the
 *          exact largest and smallest values and the sum are kept beside.
 * Threads: one recorder; others may read at any time (relaxed atomics) and then see each counter as it was at some recent moment.
 */
#ifndef UTURN_BENCH_MEASURE_HISTOGRAM_H
#define UTURN_BENCH_MEASURE_HISTOGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 6, HISTOGRAM_STEPS = 1 << HISTOGRAM_STEP_BITS, HISTOGRAM_BITS = 40 };
enum { HISTOGRAM_BUCKETS = (HISTOGRAM_BITS - HISTOGRAM_STEP_BITS + 1) * HISTOGRAM_STEPS };
#define HISTOGRAM_MAX_NS ((UINT64_C(1) << HISTOGRAM_BITS) - 1)

struct histogram {
	_Atomic uint64_t counts[HISTOGRAM_BUCKETS];
	_Atomic uint64_t count, sum_ns, max_ns, min_ns; /* min_ns: UINT64_MAX while empty (histogram_reset) */
};

/* Empties it; a histogram must be reset once before its first use. */
void histogram_reset(struct histogram *h);

/* On the loader's packet path: no branch on the value's size, no division. */
void histogram_record(struct histogram *h, uint64_t value_ns);

/* Adds what `from` holds. */
void histogram_add(struct histogram *into, const struct histogram *from);

/*
 * The smallest value that at least `fraction` (0 … 1) of all values do not exceed: the upper end of its bucket, never above max_ns;
 * max_ns for the last bucket, which has no end. 0 while empty.
 */
uint64_t histogram_quantile_ns(const struct histogram *h, double fraction);
double histogram_mean_ns(const struct histogram *h);

/* The bucket that a value falls into, and the largest value that falls into bucket `index`. */
size_t histogram_bucket(uint64_t value_ns);
uint64_t histogram_bucket_upper_ns(size_t index);

#endif
