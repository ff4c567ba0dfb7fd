/*
 * piece - puts together what arrives in parts: a frame or record whose rest comes with the next segment.
 */
#include "shard_state.h"

/* When all buffers hold what is about to leave, it leaves now. */
static uint32_t take_buffer(struct shard *shard)
{
	struct stream_buffers *buffers = &shard->streams.buffers;
	uint32_t buffer = stream_buffers_take(buffers);
	if (buffer != STREAM_BUFFER_NONE || buffers->retired_count == 0)
		return buffer;
	engine_flush(shard->engine);
	stream_buffers_reuse(buffers);
	return stream_buffers_take(buffers);
}

bool piece_extend(struct shard *shard, struct connection *c, struct piece *piece, struct bytes *data, size_t size)
{
	if (piece->buffer == STREAM_BUFFER_NONE && connection_may_hold(shard, c)) {
		piece->buffer = take_buffer(shard);
		piece->size = 0;
	}
	if (piece->buffer == STREAM_BUFFER_NONE || size > STREAM_BUFFER_SIZE) {
		counter_add(&shard->counters->streams.refused[REFUSED_MEMORY], 1);
		connection_end(shard, c, END_REFUSED);
		return false;
	}
	size_t wanted = size > piece->size ? size - piece->size : 0;
	size_t taken = wanted < data->size ? wanted : data->size;
	memcpy(stream_buffer_at(&shard->streams.buffers, piece->buffer) + piece->size, data->data, taken);
	piece->size += (uint32_t)taken;
	*data = bytes_of(data->data + taken, data->size - taken);
	return true;
}

struct bytes piece_bytes(const struct shard *shard, const struct piece *piece)
{
	if (piece->buffer == STREAM_BUFFER_NONE)
		return bytes_of(NULL, 0);
	return bytes_of(stream_buffer_at(&shard->streams.buffers, piece->buffer), piece->size);
}

void piece_finish(struct shard *shard, struct piece *piece)
{
	if (piece->buffer != STREAM_BUFFER_NONE)
		stream_buffers_retire(&shard->streams.buffers, piece->buffer);
	*piece = (struct piece){.buffer = STREAM_BUFFER_NONE};
}
