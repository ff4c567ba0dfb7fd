#include "shard/mailbox.h"

void mailbox_init(struct mailbox *mailbox)
{
	pthread_mutex_init(&mailbox->lock, NULL);
	mailbox->head = 0;
	mailbox->count = 0;
}

void mailbox_done(struct mailbox *mailbox)
{
	pthread_mutex_destroy(&mailbox->lock);
}

static unsigned places_for(enum message_kind kind)
{
	bool answer = kind == MESSAGE_CLAIMED || kind == MESSAGE_NOT_CLAIMED;
	return answer ? MAILBOX_SIZE : MAILBOX_SIZE - MAILBOX_ANSWERS;
}

bool mailbox_put(struct mailbox *mailbox, const struct message *message)
{
	pthread_mutex_lock(&mailbox->lock);
	bool room = mailbox->count < places_for(message->kind);
	if (room) {
		mailbox->messages[(mailbox->head + mailbox->count) % MAILBOX_SIZE] = *message;
		mailbox->count++;
	}
	pthread_mutex_unlock(&mailbox->lock);
	return room;
}

bool mailbox_take(struct mailbox *mailbox, struct message *ret_message)
{
	pthread_mutex_lock(&mailbox->lock);
	bool any = mailbox->count > 0;
	if (any) {
		*ret_message = mailbox->messages[mailbox->head];
		mailbox->head = (mailbox->head + 1) % MAILBOX_SIZE;
		mailbox->count--;
	}
	pthread_mutex_unlock(&mailbox->lock);
	return any;
}
