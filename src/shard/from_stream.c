/*
 * from_stream - a piece of a TCP connection: records are opened where they lie, frames are found in them, the core says where they
 * go, the trains take them there. HOT.
 *
 * Per packet: 0 allocations, 0 locks, 0 system calls, 0 copies, but for the frame or record that a segment cuts in two. Frames that
 * follow one another and bear the same channel are looked up once and leave as one departure.
 */
#include "connection.h"
#include "shard_state.h"
#include "wire/channel_data.h"
#include "wire/classify.h"
#include "wire/framing.h"

/* How many whole frames behind this one, which was forwarded, bear the same header (RFC 8656 Section 12.4: channel and length). */
static unsigned frames_alike(struct bytes data, size_t stride)
{
	unsigned count = 0;
	for (size_t next = stride; next + stride <= data.size && count < TRAIN_SEGMENTS_MAX; next += stride, count++)
		if (memcmp(data.data + next, data.data, CHANNEL_DATA_HEADER_SIZE) != 0)
			break;
	return count;
}

/* One frame at the front of `data`, which takes `stride` bytes with its padding. Returns how many frames were used. */
static unsigned take_frame(struct shard *shard, struct connection *c, struct bytes frame, struct bytes data, size_t stride)
{
	counter_add(&shard->counters->listeners[c->flow.listener].rx_packets, 1);
	c->active_ns = shard->now.mono_ns;
	c->spoke = true;
	if (shard_take(shard, &c->flow, frame) != FORWARD_TO_PEER)
		return 1;
	unsigned repeats = wire_classify(frame) == WIRE_CHANNEL_DATA ? frames_alike(data, stride) : 0;
	if (repeats > 0) {
		counter_add(&shard->counters->listeners[c->flow.listener].rx_packets, repeats);
		turn_repeat(shard->turn, &shard->out.forward, FORWARD_TO_PEER, repeats);
	}
	shard_forward_to_peer(shard, 0, repeats, (uint16_t)stride);
	return 1 + repeats;
}

/* The rest of a frame that has begun. False: it is not whole yet, or cannot become so. */
static bool complete_frame(struct shard *shard, struct connection *c, struct bytes *data)
{
	struct bytes frame;
	size_t size;
	enum framing framing = framing_next(piece_bytes(shard, &c->frame), &frame, &size);
	while (framing == FRAME_INCOMPLETE && data->size > 0) {
		if (!piece_extend(shard, c, &c->frame, data, size))
			return false;
		framing = framing_next(piece_bytes(shard, &c->frame), &frame, &size);
	}
	if (framing == FRAME_INVALID)
		connection_end(shard, c, END_GARBAGE);
	if (framing != FRAME_COMPLETE)
		return false;
	take_frame(shard, c, frame, frame, size);
	piece_finish(shard, &c->frame);
	return true;
}

void connection_frames(struct shard *shard, struct connection *c, struct bytes data)
{
	if (c->frame.buffer != STREAM_BUFFER_NONE && !complete_frame(shard, c, &data))
		return;
	while (data.size > 0 && c->state == CONNECTION_OPEN) {
		struct bytes frame;
		size_t size;
		/* Nobody begins with ChannelData, but HTTP, and much else, looks like it. */
		if (!c->spoke && wire_classify(data) != WIRE_STUN) {
			connection_end(shard, c, END_GARBAGE);
			return;
		}
		switch (framing_next(data, &frame, &size)) {
		case FRAME_COMPLETE:
			size *= take_frame(shard, c, frame, data, size);
			data = bytes_of(data.data + size, data.size - size);
			break;
		case FRAME_INCOMPLETE:
			piece_extend(shard, c, &c->frame, &data, data.size);
			break;
		case FRAME_INVALID:
			connection_end(shard, c, END_GARBAGE);
			break;
		}
	}
}

void connection_refuse_record(struct shard *shard, struct connection *c, enum record_reason reason)
{
	counter_add(&shard->counters->streams.records_refused[reason], 1);
	c->fault = (uint8_t)reason;
	connection_end(shard, c, reason == RECORD_PEER_ALERT ? END_BY_CLIENT : END_RECORD);
}

static __attribute__((cold, noinline)) void take_other(
	struct shard *shard, struct connection *c, enum record_verdict verdict, enum record_reason reason)
{
	if (reason == RECORD_RENEGOTIATION && verdict == RECORD_CONTROL)
		counter_add(&shard->counters->streams.records_refused[reason], 1);
	if (verdict == RECORD_CLOSED)
		connection_end(shard, c, END_BY_CLIENT);
	else if (verdict != RECORD_CONTROL)
		connection_refuse_record(shard, c, reason);
	else if (record_has_control(&c->records))
		output_control(shard, c);
}

/* The record at the front of `data`. Returns its size; 0: it is not whole, and *ret_wanted bytes are needed. */
static size_t take_record(struct shard *shard, struct connection *c, struct bytes data, size_t *ret_wanted)
{
	enum record_reason reason;
	struct bytes plain;
	size_t size;
	enum record_verdict verdict = record_open(&c->records, (uint8_t *)(uintptr_t)data.data, data.size, &plain, &size, &reason);
	*ret_wanted = size;
	if (verdict == RECORD_INCOMPLETE)
		return 0;
	if (verdict == RECORD_DATA)
		connection_frames(shard, c, plain);
	else
		take_other(shard, c, verdict, reason);
	return size;
}

/* The rest of a record that has begun. False: it is not whole yet. */
static bool complete_record(struct shard *shard, struct connection *c, struct bytes *data)
{
	size_t wanted;
	while (take_record(shard, c, piece_bytes(shard, &c->record), &wanted) == 0) {
		if (data->size == 0 || !piece_extend(shard, c, &c->record, data, wanted))
			return false;
	}
	piece_finish(shard, &c->record);
	return true;
}

void connection_records(struct shard *shard, struct connection *c, struct bytes data)
{
	if (c->record.buffer != STREAM_BUFFER_NONE && !complete_record(shard, c, &data))
		return;
	while (data.size > 0 && c->state == CONNECTION_OPEN) {
		size_t wanted;
		size_t size = take_record(shard, c, data, &wanted);
		if (size == 0)
			piece_extend(shard, c, &c->record, &data, data.size);
		else
			data = bytes_of(data.data + size, data.size - size);
	}
}

void connection_input(struct shard *shard, struct connection *c, struct bytes data)
{
	if (data.size == 0)
		return;
	switch ((enum connection_state)c->state) {
	case CONNECTION_OPEN:
		if (c->flow.transport == TRANSPORT_TLS)
			connection_records(shard, c, data);
		else
			connection_frames(shard, c, data);
		break;
	case CONNECTION_HANDSHAKE:
		handshake_input(shard, c, data);
		break;
	case CONNECTION_PROXY:
		connection_proxy_header(shard, c, data);
		break;
	case CONNECTION_CLOSING:
		break;
	}
}

static void end(struct shard *shard, struct connection *c, enum stream_end reason)
{
	if (c->state == CONNECTION_HANDSHAKE)
		handshake_end(shard, c, reason);
	else
		connection_end(shard, c, reason);
}

void shard_from_stream(struct shard *shard, const struct received *received)
{
	struct connection *c = connection_of_tag(shard, received->tag);
	if (c == NULL)
		return;
	switch ((enum received_kind)received->kind) {
	case RECEIVED_STREAM:
		counter_add(&shard->counters->listeners[c->flow.listener].rx_bytes, received->data.size);
		connection_input(shard, c, received->data);
		break;
	case RECEIVED_WRITABLE:
		output_unblock(shard, c);
		break;
	default:
		end(shard, c, received->value == 0 ? END_BY_CLIENT : END_RESET);
		break;
	}
}
