/* Per packet: no copy, no system call, no allocation. */
#include <assert.h>

#include "control.h"
#include "engine_private.h"

_Static_assert((int)BUFFER_PAYLOAD >= (int)RECEIVED_HEADROOM, "a buffer has what is promised");

/* Buffers that aggregates have touched are given back this long after the last aggregate. */
#define TRIM_DELAY_NS NS_PER_S
/* Between two steps of giving back. */
#define TRIM_PAUSE_NS (10 * NS_PER_MS)

static void count_received(struct engine *engine, struct engine_socket *s, const struct received *received, uint32_t drops)
{
	struct engine_counters *counters = &engine->counters;
	engine->batch_bytes += received->data.size;
	if (received->segment_size < received->data.size) {
		counter_add(&counters->received_aggregates[s->kind], 1);
		counter_add(&counters->received_packets[s->kind],
			(received->data.size + received->segment_size - 1) / received->segment_size);
	} else {
		counter_add(&counters->received_packets[s->kind], 1);
	}
	/* The kernel says nothing while its count is zero, and counts modulo 2^32. */
	if (drops != 0 && drops != s->drops) {
		counter_add(&counters->kernel_drops[s->kind], drops - s->drops);
		s->drops = drops;
	}
}

bool engine_deliver(struct engine *engine, uint32_t socket, uint16_t buffer, size_t control_size, size_t payload_size, int flags)
{
	assert(engine->batch_count < RECEIVE_BATCH_MAX);
	struct engine_socket *s = engine_socket(engine, socket);
	const uint8_t *memory = receive_buffer_at(&engine->buffers, buffer);
	if (receive_buffers_touched(&engine->buffers, buffer, payload_size))
		engine->large_ns = engine->now_ns;
	if ((flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 || control_size > BUFFER_CONTROL_SIZE) {
		/* Without the control messages an aggregate cannot be told from a packet. */
		counter_add(&engine->counters.receive_truncated, 1);
		receive_buffers_give(&engine->buffers, buffer);
		return false;
	}
	struct control control;
	control_parse(memory + BUFFER_CONTROL, control_size, &control);
	struct received *received = &engine->batch[engine->batch_count];
	received->data = bytes_of(memory + BUFFER_PAYLOAD, payload_size);
	received->from = addr_from_sockaddr((const struct sockaddr *)(const void *)(memory + BUFFER_NAME));
	received->to = control.to;
	received->tag = s->tag;
	received->socket = socket;
	bool aggregate = control.segment_size != 0 && control.segment_size < payload_size;
	received->segment_size = aggregate ? control.segment_size : (uint16_t)payload_size;
	received->tos = control.tos;
	received->kind = RECEIVED_DATAGRAM;
	engine->batch_buffers[engine->batch_count++] = buffer;
	count_received(engine, s, received, control.drops);
	return true;
}

static struct received *add_to_batch(struct engine *engine, uint32_t socket, uint16_t buffer, enum received_kind kind)
{
	assert(engine->batch_count < RECEIVE_BATCH_MAX);
	struct received *received = &engine->batch[engine->batch_count];
	engine->batch_buffers[engine->batch_count++] = buffer;
	*received = (struct received){.tag = engine_socket(engine, socket)->tag, .socket = socket, .kind = (uint8_t)kind};
	return received;
}

void engine_deliver_stream(struct engine *engine, uint32_t socket, uint16_t buffer, size_t size)
{
	if (receive_buffers_touched(&engine->buffers, buffer, size))
		engine->large_ns = engine->now_ns;
	struct received *received = add_to_batch(engine, socket, buffer, RECEIVED_STREAM);
	received->data = bytes_of(receive_buffer_at(&engine->buffers, buffer) + BUFFER_PAYLOAD, size);
	engine->batch_bytes += size;
	counter_add(&engine->counters.received_packets[SOCKET_STREAM], 1);
}

void engine_deliver_event(struct engine *engine, uint32_t socket, enum received_kind kind, int value)
{
	add_to_batch(engine, socket, BUFFER_NONE, kind)->value = value;
	if (kind == RECEIVED_END)
		engine_socket(engine, socket)->ended = true;
	else if (kind == RECEIVED_CONNECTION)
		counter_add(&engine->counters.received_packets[SOCKET_ACCEPTOR], 1);
}

void engine_recycle(struct engine *engine)
{
	for (unsigned i = 0; i < engine->batch_count; i++)
		if (engine->batch_buffers[i] != BUFFER_NONE)
			receive_buffers_give(&engine->buffers, engine->batch_buffers[i]);
	engine->batch_count = 0;
	engine->batch_bytes = 0;
}

bool engine_trim_due(const struct engine *engine)
{
	return engine->buffers.large_count > 0 && engine->now_ns - engine->large_ns >= TRIM_DELAY_NS;
}

void engine_trim(struct engine *engine)
{
	receive_buffers_trim(&engine->buffers);
}

uint64_t engine_wait_ns(const struct engine *engine, uint64_t wait_ns)
{
	if (engine->buffers.large_count == 0)
		return wait_ns;
	uint64_t bound_ns = engine_trim_due(engine) ? TRIM_PAUSE_NS : TRIM_DELAY_NS;
	return wait_ns < bound_ns ? wait_ns : bound_ns;
}
