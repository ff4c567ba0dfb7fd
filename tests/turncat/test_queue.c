#include "turncat/queue.h"

#include <criterion/criterion.h>

#include "turncat/answers.h"

static unsigned front(const struct queue *q)
{
	struct bytes packet;
	cr_assert(queue_peek(q, &packet));
	cr_assert_eq(packet.size, sizeof(unsigned));
	unsigned number;
	memcpy(&number, packet.data, sizeof number);
	return number;
}

Test(queue, keeps_the_newest_in_order)
{
	struct queue q = {.count = 0};
	struct bytes packet;
	cr_expect_not(queue_peek(&q, &packet));
	for (unsigned i = 0; i < QUEUE_MAX + 3; i++)
		cr_expect_eq(queue_push(&q, bytes_of(&i, sizeof i)), i < QUEUE_MAX, "%u", i);
	for (unsigned i = 3; i < QUEUE_MAX + 3; i++) {
		cr_expect_eq(front(&q), i);
		queue_pop(&q);
	}
	cr_expect_not(queue_peek(&q, &packet));
	queue_pop(&q);
}

Test(queue, takes_empty_packets_and_forgets_all)
{
	struct queue q = {.count = 0};
	struct bytes packet;
	cr_expect(queue_push(&q, bytes_of(NULL, 0)));
	cr_expect(queue_peek(&q, &packet));
	cr_expect_eq(packet.size, 0);
	queue_clear(&q);
	cr_expect_not(queue_peek(&q, &packet));
}

Test(answers, are_waited_for_longer_while_some_are_missing)
{
	struct answers a = {.sent = 2, .answered = 1, .last_ns = 5 * NS_PER_S, .ended = true};
	cr_expect_eq(answers_left_ns(&a, 5 * NS_PER_S, 250, 2000), 2 * NS_PER_S);
	cr_expect_eq(answers_left_ns(&a, 7 * NS_PER_S, 250, 2000), 0);
	a.answered = 2;
	cr_expect_eq(answers_left_ns(&a, 5 * NS_PER_S, 250, 2000), 250 * NS_PER_MS);
	cr_expect_eq(answers_left_ns(&a, 6 * NS_PER_S, 250, 2000), 0);
}
