/*
 * output - what waits to be sent to a connection. HOT.
 *
 * The frames of a turn gather in one buffer and leave with one send; over TLS each is a record of its own, as clients expect that
 * read a record for a message. What the kernel does not take stays: then the client reads too slowly, and when the buffer is full
 * the oldest data goes; answers stay. A buffer is held only while something waits.
 */
#include <assert.h>

#include "shard_state.h"
#include "wire/classify.h"
#include "wire/framing.h"
#include "wire/stun_format.h"

enum {
	/* In front of frames: room for what the record layer has to say. */
	OUTPUT_SLACK = 128,
	/* Frames end in front of this, so that a shift by the slack fits. */
	OUTPUT_END = STREAM_BUFFER_SIZE - 2 * OUTPUT_SLACK,
	/* Sealed for one send: what is sealed can no longer be dropped. */
	SEAL_AT_ONCE = 32 * 1024,
	/* A full queue gives up as much of its data at once, so that a slow client costs little per packet. */
	DROP_AT_ONCE = STREAM_BUFFER_SIZE / 4,
	DATA_INDICATION_TYPE = 0x0017,
};
_Static_assert((int)OUTPUT_SLACK >= (int)RECORD_CONTROL_SIZE_MAX, "see the comments");
_Static_assert(STREAM_BUFFER_SIZE - 4 * OUTPUT_SLACK >=
		       65552 + (65552 / RECORD_PLAIN_MIN + 1) * ((int)RECORD_HEAD_MAX + (int)RECORD_TAIL_MAX),
	"any frame");

/* What a frame is to a full queue. */
enum frame_kind {
	FRAME_ANSWER, /* stays */
	FRAME_DATA,   /* may go */
	FRAME_REST,   /* goes on from the record before */
};

/* A frame, or a record's part of a long one, as it lies in the buffer. */
struct part {
	size_t size; /* in the buffer, room for the record included */
	enum frame_kind kind;
};

static uint8_t *memory_of(const struct shard *shard, const struct output *o)
{
	return stream_buffer_at(&shard->streams.buffers, o->buffer);
}

static void count_queued(struct shard *shard, struct output *o)
{
	uint32_t queued = o->buffer != STREAM_BUFFER_NONE && o->blocked ? o->sealed - o->sent + o->end - o->open : 0;
	counter *gauge = &shard->counters->streams.queued_bytes;
	counter_set(gauge, counter_read(gauge) + queued - o->counted);
	o->counted = queued;
}

void output_release(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	if (o->buffer != STREAM_BUFFER_NONE)
		stream_buffers_give(&shard->streams.buffers, o->buffer);
	o->buffer = STREAM_BUFFER_NONE;
	count_queued(shard, o);
}

static bool ensure_buffer(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	if (o->buffer != STREAM_BUFFER_NONE)
		return true;
	o->buffer = stream_buffers_take(&shard->streams.buffers);
	o->sent = o->sealed = 0;
	o->open = o->end = OUTPUT_SLACK;
	return o->buffer != STREAM_BUFFER_NONE;
}

static void queue_flush(struct shard *shard, struct connection *c)
{
	if (c->flush_queued || c->output.blocked || c->state == CONNECTION_CLOSING)
		return;
	c->flush_queued = true;
	connection_queue_push(shard, &shard->streams.flush, c, &c->flush_next);
}

/* --- frames in the buffer ---------------------------------------------------------------------------------------------------- */

static enum frame_kind kind_of(struct bytes frame)
{
	bool data = wire_classify(frame) == WIRE_CHANNEL_DATA || (frame.data[0] << 8 | frame.data[1]) == DATA_INDICATION_TYPE;
	return data ? FRAME_DATA : FRAME_ANSWER;
}

/* Over TLS, size and kind stand where the record's head will be. */
static void mark_part(uint8_t *head, size_t plain, enum frame_kind kind)
{
	head[0] = (uint8_t)(plain >> 8);
	head[1] = (uint8_t)plain;
	head[2] = (uint8_t)kind;
}

static size_t plain_size(const uint8_t *head)
{
	return (size_t)(head[0] << 8 | head[1]);
}

static struct part part_at(const struct connection *c, const uint8_t *at, size_t left)
{
	struct bytes frame;
	struct part part = {.size = left};
	if (c->records.write != NULL)
		return (struct part){
			.size = c->records.head_size + plain_size(at) + c->records.tail_size,
			.kind = (enum frame_kind)at[2],
		};
	enum framing framing = framing_next(bytes_of(at, left), &frame, &part.size);
	assert(framing == FRAME_COMPLETE);
	(void)framing;
	part.kind = kind_of(frame);
	return part;
}

/* What the frame takes in the buffer. */
static size_t room_for(const struct connection *c, size_t size)
{
	if (c->records.write == NULL)
		return size;
	size_t most = c->records.plain_max, records = size <= most ? 1 : (size + most - 1) / most;
	return size + records * (c->records.head_size + c->records.tail_size);
}

/* A frame that lies behind the room for one head is cut into records. */
static void cut_long_frame(const struct connection *c, uint8_t *at, size_t size)
{
	size_t around = (size_t)c->records.head_size + c->records.tail_size, most = c->records.plain_max;
	size_t last = (size - 1) / most;
	for (size_t n = last; n > 0; n--) {
		size_t plain = n == last ? size - last * most : most;
		uint8_t *to = at + n * (around + most);
		memmove(to + c->records.head_size, at + c->records.head_size + n * most, plain);
		mark_part(to, plain, FRAME_REST);
	}
	mark_part(at, most, kind_of(bytes_of(at + c->records.head_size, most)));
}

/* The oldest data goes, the rest moves up. */
static __attribute__((cold, noinline)) void drop_oldest(struct shard *shard, struct connection *c, size_t wanted)
{
	struct output *o = &c->output;
	uint8_t *memory = memory_of(shard, o);
	size_t dropped = 0, keep = o->open;
	bool dropping = false;
	struct part part;
	for (size_t at = o->open; at < o->end; at += part.size) {
		part = part_at(c, memory + at, o->end - at);
		if (part.kind != FRAME_REST) {
			dropping = dropped < wanted && part.kind == FRAME_DATA;
			counter_add(&shard->counters->streams.queue_dropped, dropping);
		}
		if (dropping) {
			dropped += part.size;
			continue;
		}
		memmove(memory + keep, memory + at, part.size);
		keep += part.size;
	}
	o->end = (uint32_t)keep;
}

/* Room for `size` bytes behind the frames. */
static __attribute__((cold, noinline)) bool make_room(struct shard *shard, struct connection *c, size_t size)
{
	struct output *o = &c->output;
	output_flush(shard, c);
	if (c->state == CONNECTION_CLOSING || !ensure_buffer(shard, c))
		return false;
	if (o->end + size > OUTPUT_END)
		drop_oldest(shard, c, size > DROP_AT_ONCE ? size : DROP_AT_ONCE);
	return o->end + size <= OUTPUT_END;
}

/* --- in ---------------------------------------------------------------------------------------------------------------------- */

static __attribute__((cold, noinline)) void give_up(struct shard *shard, struct connection *c, const struct departure *departure)
{
	counter_add(&shard->counters->streams.queue_dropped, 1);
	/* Without a header it is an answer: whoever asks must read. */
	if (departure->header_size == 0)
		connection_end(shard, c, END_ANSWERS);
}

void output_append(struct shard *shard, struct connection *c, const struct departure *departure, const uint8_t *payload)
{
	struct output *o = &c->output;
	size_t size = (size_t)departure->header_size + departure->payload.size + departure->padding;
	size_t room = room_for(c, size);
	if (!ensure_buffer(shard, c) || (o->end + room > OUTPUT_END && !make_room(shard, c, room))) {
		give_up(shard, c, departure);
		return;
	}
	uint8_t *at = memory_of(shard, o) + o->end, *plain = at + c->records.head_size;
	write_packet(plain, departure, payload);
	if (c->records.write != NULL && size > c->records.plain_max)
		cut_long_frame(c, at, size);
	else if (c->records.write != NULL)
		mark_part(at, size, kind_of(bytes_of(plain, size)));
	o->end += (uint32_t)room;
	if (o->blocked)
		count_queued(shard, o);
	else
		queue_flush(shard, c);
}

void output_append_sealed(struct shard *shard, struct connection *c, struct bytes bytes)
{
	struct output *o = &c->output;
	bool room = ensure_buffer(shard, c) && o->open == o->end && o->sealed + bytes.size <= OUTPUT_END;
	if (!room) {
		connection_end(shard, c, END_ANSWERS);
		return;
	}
	memcpy(memory_of(shard, o) + o->sealed, bytes.data, bytes.size);
	o->sealed += (uint32_t)bytes.size;
	o->open = o->end = o->sealed + OUTPUT_SLACK;
	queue_flush(shard, c);
}

void output_control(struct shard *shard, struct connection *c)
{
	if (ensure_buffer(shard, c))
		queue_flush(shard, c);
}

/* --- out --------------------------------------------------------------------------------------------------------------------- */

static void block(struct shard *shard, struct connection *c)
{
	c->output.blocked = true;
	c->blocked_ns = shard->now.mono_ns;
	if (!connection_may_hold(shard, c)) {
		connection_end(shard, c, END_STUCK);
		return;
	}
	connection_watch(shard, c);
	engine_await_writable(shard->engine, c->socket);
}

/* How many bytes the kernel took; it is blocked when those are not all, and ending when it failed. */
static size_t send_some(struct shard *shard, struct connection *c, const uint8_t *data, size_t size)
{
	ssize_t sent = engine_stream_send(shard->engine, c->socket, bytes_of(data, size));
	if (sent < 0) {
		connection_end(shard, c, END_RESET);
		c->output.blocked = true;
		return 0;
	}
	if ((size_t)sent < size)
		block(shard, c);
	return (size_t)sent;
}

static void send_sealed(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	if (o->sent < o->sealed)
		o->sent += (uint32_t)send_some(shard, c, memory_of(shard, o) + o->sent, o->sealed - o->sent);
	if (o->sent == o->sealed)
		o->sent = o->sealed = 0;
}

/* What must leave as it is moves to the front, the frames behind it: all the room is for what comes. */
static void move_to_front(struct shard *shard, struct output *o)
{
	uint8_t *memory = memory_of(shard, o);
	uint32_t kept = o->sealed - o->sent, frames = o->end - o->open;
	memmove(memory, memory + o->sent, kept);
	memmove(memory + kept + OUTPUT_SLACK, memory + o->open, frames);
	o->sent = 0;
	o->sealed = kept;
	o->open = kept + OUTPUT_SLACK;
	o->end = o->open + frames;
}

/* Frames leave as they are. Of the one that leaves in part the rest must follow. */
static void send_frames(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	uint8_t *memory = memory_of(shard, o);
	size_t sent = send_some(shard, c, memory + o->open, o->end - o->open);
	size_t at = o->open, left_at = o->open + sent;
	if (left_at == o->end) {
		o->open = o->end;
		return;
	}
	while (at < left_at)
		at += part_at(c, memory + at, o->end - at).size;
	o->sent = (uint32_t)left_at;
	o->sealed = o->open = (uint32_t)at;
	move_to_front(shard, o);
}

static void seal_and_send(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	uint8_t *memory = memory_of(shard, o);
	o->sent = o->sealed = o->open;
	while (o->sealed < o->end && o->sealed - o->sent < SEAL_AT_ONCE) {
		uint8_t *head = memory + o->sealed;
		size_t sealed = record_seal(&c->records, head + c->records.head_size, plain_size(head));
		if (sealed == 0) {
			o->open = o->end = o->sealed;
			connection_refuse_record(shard, c, RECORD_KEY_LIMIT);
			return;
		}
		o->sealed += (uint32_t)sealed;
		if (record_has_control(&c->records))
			break; /* it comes before what is sealed next */
	}
	o->open = o->sealed;
	send_sealed(shard, c);
	if (o->sealed > 0)
		move_to_front(shard, o);
}

static void say_control(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	o->sealed = (uint32_t)record_control(&c->records, memory_of(shard, o));
	if (o->sealed == 0) {
		/* No memory for the next key. */
		o->blocked = true;
		connection_end(shard, c, END_RECORD);
	}
	send_sealed(shard, c);
}

void output_flush(struct shard *shard, struct connection *c)
{
	struct output *o = &c->output;
	if (o->buffer == STREAM_BUFFER_NONE || o->blocked)
		return;
	send_sealed(shard, c);
	while (!o->blocked) {
		if (c->records.write == NULL && o->open < o->end)
			send_frames(shard, c);
		else if (c->records.write != NULL && record_has_control(&c->records))
			say_control(shard, c);
		else if (o->open < o->end)
			seal_and_send(shard, c);
		else
			break;
	}
	if (o->blocked)
		count_queued(shard, o);
	else
		output_release(shard, c);
}

void output_unblock(struct shard *shard, struct connection *c)
{
	c->output.blocked = false;
	output_flush(shard, c);
	if (c->output.buffer == STREAM_BUFFER_NONE)
		count_queued(shard, &c->output);
}

void outputs_flush(struct shard *shard)
{
	struct connection_queue *queue = &shard->streams.flush;
	while (queue->first != CONNECTION_NONE) {
		struct connection *c = connection_at(shard, queue->first);
		queue->first = c->flush_next;
		if (queue->first == CONNECTION_NONE)
			queue->last = CONNECTION_NONE;
		c->flush_queued = false;
		output_flush(shard, c);
	}
}
