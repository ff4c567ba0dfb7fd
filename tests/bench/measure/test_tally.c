#include "measure/tally.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct tally *tally_create(void)
{
	struct tally *t = malloc(sizeof *t);
	cr_assert_not_null(t);
	tally_reset(t);
	return t;
}

Test(tally, adds_every_counter_and_histogram)
{
	struct tally *a = tally_create(), *b = tally_create();
	_Atomic uint64_t *counters[] = {&b->sent, &b->sent_bytes, &b->delivered, &b->delivered_bytes, &b->duplicated, &b->reordered,
		&b->corrupted, &b->stale, &b->unsent};
	for (unsigned i = 0; i < sizeof counters / sizeof counters[0]; i++)
		tally_count(counters[i], i + 1);
	histogram_record(&b->latency, 10);
	histogram_record(&b->jitter, 20);
	histogram_record(&b->lateness, 30);
	tally_add(a, b);
	tally_add(a, b);
	cr_expect_eq(tally_read(&a->sent), 2);
	cr_expect_eq(tally_read(&a->sent_bytes), 4);
	cr_expect_eq(tally_read(&a->delivered), 6);
	cr_expect_eq(tally_read(&a->delivered_bytes), 8);
	cr_expect_eq(tally_read(&a->duplicated), 10);
	cr_expect_eq(tally_read(&a->reordered), 12);
	cr_expect_eq(tally_read(&a->corrupted), 14);
	cr_expect_eq(tally_read(&a->stale), 16);
	cr_expect_eq(tally_read(&a->unsent), 18);
	cr_expect_eq(histogram_quantile_ns(&a->latency, 1), 10);
	cr_expect_eq(histogram_quantile_ns(&a->jitter, 1), 20);
	cr_expect_eq(histogram_quantile_ns(&a->lateness, 1), 30);
	tally_reset(a);
	cr_expect_eq(tally_read(&a->unsent), 0);
	cr_expect_eq(histogram_quantile_ns(&a->lateness, 1), 0);
	free(a);
	free(b);
}

Test(tally, lost_is_what_was_sent_and_not_delivered)
{
	struct tally *t = tally_create();
	tally_count(&t->sent, 10);
	cr_expect_eq(tally_lost(t), 10);
	tally_count(&t->delivered, 7);
	cr_expect_eq(tally_lost(t), 3);
	tally_count(&t->delivered, 4);
	cr_expect_eq(tally_lost(t), 0);
	free(t);
}
