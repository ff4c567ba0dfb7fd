#include "turncat/queue.h"

#include <stdlib.h>

bool queue_push(struct queue *q, struct bytes packet)
{
	uint8_t *data = malloc(packet.size + 1);
	bool room = q->count < QUEUE_MAX;
	if (data == NULL)
		return false;
	if (!room)
		queue_pop(q);
	if (packet.size > 0)
		memcpy(data, packet.data, packet.size);
	q->packets[(q->first + q->count++) % QUEUE_MAX] = (struct queued){.data = data, .size = packet.size};
	return room;
}

bool queue_peek(const struct queue *q, struct bytes *ret_packet)
{
	if (q->count == 0)
		return false;
	const struct queued *packet = &q->packets[q->first];
	*ret_packet = bytes_of(packet->data, packet->size);
	return true;
}

void queue_pop(struct queue *q)
{
	if (q->count == 0)
		return;
	free(q->packets[q->first].data);
	q->first = (q->first + 1) % QUEUE_MAX;
	q->count--;
}

void queue_clear(struct queue *q)
{
	while (q->count > 0)
		queue_pop(q);
}
