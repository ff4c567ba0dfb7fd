/*
 * queue - packets that wait for a tunnel: the newest QUEUE_MAX.
 *
 * Owns:    copies of the packets. Threads: one. Zero-initialise it.
 */
#ifndef UTURN_TURNCAT_QUEUE_H
#define UTURN_TURNCAT_QUEUE_H

#include "base/bytes.h"

enum { QUEUE_MAX = 64 };

struct queue {
	struct queued {
		uint8_t *data;
		size_t size;
	} packets[QUEUE_MAX];
	unsigned first, count;
};

/* False: a packet was lost, the oldest one when it is full, this one when there is no memory. */
bool queue_push(struct queue *q, struct bytes packet);

/* The oldest; it stays until queue_pop. False: empty. */
bool queue_peek(const struct queue *q, struct bytes *ret_packet);
void queue_pop(struct queue *q);

void queue_clear(struct queue *q);

#endif
