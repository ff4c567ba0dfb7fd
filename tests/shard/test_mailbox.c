#include <criterion/criterion.h>

#include "shard/mailbox.h"

static struct mailbox mailbox;

static void open_mailbox(void)
{
	mailbox_init(&mailbox);
}

static void close_mailbox(void)
{
	mailbox_done(&mailbox);
}

TestSuite(mailbox, .init = open_mailbox, .fini = close_mailbox);

static unsigned fill(enum message_kind kind)
{
	unsigned count = 0;
	while (mailbox_put(&mailbox, &(struct message){.kind = kind, .claim = {.from = (uint8_t)count}}))
		count++;
	return count;
}

Test(mailbox, gives_messages_back_in_the_order_they_came)
{
	for (uint8_t i = 0; i < 10; i++)
		cr_assert(mailbox_put(&mailbox, &(struct message){.kind = MESSAGE_CLAIM, .claim = {.from = i}}));
	struct message message;
	for (uint8_t i = 0; i < 10; i++) {
		cr_assert(mailbox_take(&mailbox, &message));
		cr_assert_eq(message.claim.from, i);
	}
	cr_assert_not(mailbox_take(&mailbox, &message));
}

Test(mailbox, is_bounded_and_usable_again_once_emptied)
{
	struct message message;
	for (int round = 0; round < 3; round++) {
		cr_assert_eq(fill(MESSAGE_CLAIM), MAILBOX_SIZE - MAILBOX_ANSWERS);
		while (mailbox_take(&mailbox, &message))
			continue;
	}
}

Test(mailbox, keeps_room_for_answers_when_questions_fill_it)
{
	fill(MESSAGE_CLAIM);
	cr_assert_eq(fill(MESSAGE_NOT_CLAIMED), MAILBOX_ANSWERS);
}
