/*
 * mailbox - what one thread tells a shard: a bounded queue of small messages.
 *
 * Everything that crosses shards goes through here; nothing on the packet path does. Full: mailbox_put is false and the sender
 * copes.
 * Answers to claims always find room: places are kept for them, and a shard has no more than MAILBOX_ANSWERS claims under way.
 *
 * Threads: any number put, the shard alone takes.
 */
#ifndef UTURN_SHARD_MAILBOX_H
#define UTURN_SHARD_MAILBOX_H

#include <pthread.h>

#include "turn/turn.h"

enum { MAILBOX_SIZE = 256, MAILBOX_ANSWERS = 64 };

enum message_kind {
	MESSAGE_ORDER,       /* from the server: a new configuration, and sockets for its listeners; the shard's from now on */
	MESSAGE_CLOSE,       /* from the server: a listener has retired */
	MESSAGE_DRAIN,       /* from the server */
	MESSAGE_STOP,        /* from the server */
	MESSAGE_FIND,        /* from the server: fill an allocation query, then post its semaphore */
	MESSAGE_CLAIM,       /* shard to shard: a client of `from` claims a reservation of yours */
	MESSAGE_CLAIMED,     /* shard to shard: here is the socket */
	MESSAGE_NOT_CLAIMED, /* shard to shard: there is no such reservation */
};

struct allocation_query; /* src/shard/query.h */
struct shard_order;      /* shard/shard.h */

struct message {
	enum message_kind kind;
	union {
		struct shard_order *order;
		uint8_t listener; /* MESSAGE_CLOSE */
		struct allocation_query *find;
		struct {
			uint8_t from;           /* the claiming shard */
			struct relay_ref relay; /* … and its name for the relay socket */
			uint8_t token[RESERVATION_TOKEN_SIZE];
			int fd;            /* MESSAGE_CLAIMED */
			struct addr bound; /* MESSAGE_CLAIMED */
		} claim;
	};
};

struct mailbox {
	pthread_mutex_t lock;
	unsigned head, count;
	struct message messages[MAILBOX_SIZE];
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_done(struct mailbox *mailbox);
bool mailbox_put(struct mailbox *mailbox, const struct message *message) __attribute__((warn_unused_result));
bool mailbox_take(struct mailbox *mailbox, struct message *ret_message);

#endif
