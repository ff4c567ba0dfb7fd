#include "measure/histogram.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

/* In ten-thousandths: the exact ranks are computed with whole numbers. */
static const unsigned fractions[] = {0, 10, 100, 1000, 2500, 5000, 7500, 9000, 9500, 9900, 9950, 9990, 9999, 10000};
enum { FRACTIONS = sizeof fractions / sizeof fractions[0] };

static struct histogram *histogram_create(void)
{
	struct histogram *h = malloc(sizeof *h);
	cr_assert_not_null(h);
	histogram_reset(h);
	return h;
}

static uint64_t random_next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *state >> 20;
}

static int compare_values(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

/* The definition itself. */
static uint64_t exact_quantile(const uint64_t *sorted, size_t count, uint64_t ten_thousandths)
{
	uint64_t rank = (count * ten_thousandths + 9999) / 10000;
	return sorted[rank == 0 ? 0 : rank - 1];
}

/* Sorts `values`. */
static void expect_bounded_error(uint64_t *values, size_t count, const char *what)
{
	struct histogram *h = histogram_create();
	for (size_t i = 0; i < count; i++)
		histogram_record(h, values[i]);
	qsort(values, count, sizeof values[0], compare_values);
	for (unsigned i = 0; i < FRACTIONS; i++) {
		uint64_t exact = exact_quantile(values, count, fractions[i]);
		uint64_t told = histogram_quantile_ns(h, fractions[i] / 10000.0);
		cr_expect(told >= exact && told - exact <= exact / HISTOGRAM_STEPS, "%s, %u: %lu for %lu", what, fractions[i],
			(unsigned long)told, (unsigned long)exact);
	}
	cr_expect_eq(histogram_quantile_ns(h, 1), values[count - 1]);
	cr_expect_eq(h->max_ns, values[count - 1]);
	cr_expect_eq(h->min_ns, values[0]);
	cr_expect_eq(h->count, count);
	free(h);
}

Test(histogram, buckets_meet_without_gap_or_overlap_over_the_whole_range)
{
	uint64_t lower = 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t upper = histogram_bucket_upper_ns(i);
		cr_assert_geq(upper, lower);
		cr_assert_eq(histogram_bucket(lower), i);
		cr_assert_eq(histogram_bucket(upper), i);
		cr_assert_leq(upper - lower, lower / HISTOGRAM_STEPS);
		lower = upper + 1;
	}
	cr_expect_eq(lower - 1, HISTOGRAM_MAX_NS);
}

Test(histogram, what_lies_beyond_the_range_counts_in_the_last_bucket_and_keeps_its_maximum)
{
	struct histogram *h = histogram_create();
	uint64_t values[] = {HISTOGRAM_MAX_NS, HISTOGRAM_MAX_NS + 1, HISTOGRAM_MAX_NS * 1000, UINT64_MAX / 4};
	for (unsigned i = 0; i < 4; i++) {
		cr_expect_eq(histogram_bucket(values[i]), HISTOGRAM_BUCKETS - 1);
		histogram_record(h, values[i]);
	}
	cr_expect_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
	cr_expect_eq(h->counts[HISTOGRAM_BUCKETS - 1], 4);
	cr_expect_eq(histogram_quantile_ns(h, 0.5), UINT64_MAX / 4);
	cr_expect_eq(h->min_ns, HISTOGRAM_MAX_NS);
	free(h);
}

Test(histogram, quantiles_of_small_values_are_exact)
{
	struct histogram *h = histogram_create();
	for (uint64_t value = 1; value <= 100; value++)
		histogram_record(h, value);
	for (unsigned percent = 1; percent <= 100; percent++)
		cr_expect_eq(histogram_quantile_ns(h, percent / 100.0), percent, "%u %%", percent);
	cr_expect_eq(histogram_quantile_ns(h, 0), 1);
	cr_expect_eq(histogram_quantile_ns(h, 0.501), 51);
	cr_expect_float_eq(histogram_mean_ns(h), 50.5, 1e-9);
	free(h);
}

Test(histogram, the_rank_is_right_in_a_large_count)
{
	/* One value in a thousand is large: p99.9 is still the small one, whatever the product rounds to. */
	struct histogram *h = histogram_create();
	for (unsigned thousands = 1; thousands <= 64; thousands++) {
		for (unsigned i = 0; i < 999; i++)
			histogram_record(h, 10);
		histogram_record(h, 1000000);
		cr_expect_eq(histogram_quantile_ns(h, 0.999), 10, "of %u000", thousands);
		cr_expect_eq(histogram_quantile_ns(h, 0.9991), 1000000, "of %u000", thousands);
	}
	free(h);
}

Test(histogram, fractions_outside_of_their_range_are_taken_to_its_ends)
{
	struct histogram *h = histogram_create();
	histogram_record(h, 5);
	histogram_record(h, 7);
	cr_expect_eq(histogram_quantile_ns(h, -1), 5);
	cr_expect_eq(histogram_quantile_ns(h, 2), 7);
	cr_expect_eq(histogram_quantile_ns(h, (double)NAN), 5);
	free(h);
}

Test(histogram, the_error_of_random_values_is_bounded)
{
	enum { VALUES = 20011 };
	static uint64_t values[VALUES];
	uint64_t state = 1;
	for (unsigned bits = 1; bits <= HISTOGRAM_BITS; bits++) {
		for (size_t i = 0; i < VALUES; i++)
			values[i] = random_next(&state) & ((UINT64_C(1) << bits) - 1);
		expect_bounded_error(values, VALUES, "uniform");
	}
	for (size_t i = 0; i < VALUES; i++)
		values[i] = (UINT64_C(1) << random_next(&state) % HISTOGRAM_BITS) | random_next(&state) % 1000;
	expect_bounded_error(values, VALUES, "log-uniform");
}

Test(histogram, the_error_of_adversarial_values_is_bounded)
{
	enum { VALUES = 8 * HISTOGRAM_BUCKETS };
	static uint64_t values[VALUES];
	size_t count = 0;
	/* The lower end of every bucket is as far below the value that is told as can be. */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		values[count++] = i == 0 ? 0 : histogram_bucket_upper_ns(i - 1) + 1;
	expect_bounded_error(values, count, "lower ends");
	count = 0;
	for (unsigned bit = 0; bit < HISTOGRAM_BITS; bit++)
		for (unsigned i = 0; i < 3; i++)
			values[count++] = (UINT64_C(1) << bit) + i - 1;
	expect_bounded_error(values, count, "powers of two and their neighbours");
	for (size_t i = 0; i < VALUES; i++)
		values[i] = i < VALUES - 1 ? 1000 : HISTOGRAM_MAX_NS;
	expect_bounded_error(values, VALUES, "one far outlier");
	for (size_t i = 0; i < VALUES; i++)
		values[i] = i % 2 ? HISTOGRAM_MAX_NS : 0;
	expect_bounded_error(values, VALUES, "both ends");
	values[0] = 123456789;
	expect_bounded_error(values, 1, "a single value");
}

Test(histogram, adding_is_as_if_all_had_been_recorded_in_one)
{
	struct histogram *a = histogram_create(), *b = histogram_create(), *both = histogram_create();
	uint64_t state = 3;
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t value = random_next(&state) >> random_next(&state) % 44;
		histogram_record(i % 3 ? a : b, value);
		histogram_record(both, value);
	}
	histogram_add(a, b);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		cr_assert_eq(a->counts[i], both->counts[i]);
	cr_expect_eq(a->count, both->count);
	cr_expect_eq(a->sum_ns, both->sum_ns);
	cr_expect_eq(a->max_ns, both->max_ns);
	cr_expect_eq(a->min_ns, both->min_ns);
	free(a);
	free(b);
	free(both);
}

Test(histogram, an_empty_one_has_no_quantiles_and_adds_nothing)
{
	struct histogram *h = histogram_create(), *other = histogram_create();
	for (unsigned i = 0; i < FRACTIONS; i++)
		cr_expect_eq(histogram_quantile_ns(h, fractions[i] / 10000.0), 0);
	cr_expect_eq(histogram_mean_ns(h), 0);
	cr_expect_eq(h->min_ns, UINT64_MAX);
	histogram_record(other, 42);
	histogram_add(other, h);
	cr_expect_eq(other->min_ns, 42);
	cr_expect_eq(other->max_ns, 42);
	histogram_add(h, other);
	cr_expect_eq(h->min_ns, 42);
	histogram_reset(h);
	cr_expect_eq(h->min_ns, UINT64_MAX);
	cr_expect_eq(h->max_ns, 0);
	cr_expect_eq(histogram_quantile_ns(h, 1), 0);
	free(h);
	free(other);
}

static void *record_many(void *context)
{
	uint64_t state = 5;
	for (unsigned i = 0; i < 300000; i++)
		histogram_record(context, 1000 + random_next(&state) % 1000);
	return NULL;
}

Test(histogram, a_reader_beside_the_recorder_sees_plausible_values)
{
	struct histogram *h = histogram_create();
	pthread_t recorder;
	cr_assert_eq(pthread_create(&recorder, NULL, record_many, h), 0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t value = histogram_quantile_ns(h, 0.99);
		cr_assert(value == 0 || (value >= 1000 && value < 2000), "%lu", (unsigned long)value);
	}
	pthread_join(recorder, NULL);
	cr_expect_eq(h->count, 300000);
	free(h);
}
