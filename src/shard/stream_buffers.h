/*
 * stream_buffers - memory for what connections have begun to receive, and for what waits to be sent to them.
 *
 * An idle connection holds none. The buffer given back last is the first taken, so few stay warm; those that were not needed for a
 * while give their memory back to the system.
 *
 * Owns:     one anonymous mapping; pages cost memory once they are used.
 * Bounds:   a fixed number of buffers. None left: the caller flushes, or drops.
 * Threads:  one.
 */
#ifndef UTURN_SRC_SHARD_STREAM_BUFFERS_H
#define UTURN_SRC_SHARD_STREAM_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any one frame (65,552 bytes: a STUN message of the greatest length), and what a record puts around it. */
enum { STREAM_BUFFER_SIZE = 72 * 1024 };
#define STREAM_BUFFER_NONE UINT32_MAX

struct stream_buffers {
	uint8_t *memory;
	uint32_t *free;    /* a stack */
	uint32_t *retired; /* to be given back once nothing points into them any more */
	uint8_t *touched;  /* of each buffer: it has memory */
	uint32_t count, free_count, retired_count;
	uint32_t least_free; /* since the last trim: those at the bottom of the stack were not needed */
};

/* 0, or -ENOMEM. No buffers at all is fine. */
int stream_buffers_init(struct stream_buffers *buffers, uint32_t count) __attribute__((warn_unused_result));
void stream_buffers_done(struct stream_buffers *buffers);

static inline uint8_t *stream_buffer_at(const struct stream_buffers *buffers, uint32_t buffer)
{
	return buffers->memory + (size_t)buffer * STREAM_BUFFER_SIZE;
}

/* More than half of them are held. */
static inline bool stream_buffers_are_scarce(const struct stream_buffers *buffers)
{
	return buffers->free_count + buffers->retired_count < buffers->count / 2;
}

/* STREAM_BUFFER_NONE: there is none left. */
uint32_t stream_buffers_take(struct stream_buffers *buffers);
void stream_buffers_give(struct stream_buffers *buffers, uint32_t buffer);
/* Gives it back at the next stream_buffers_reuse: departures that have not left yet point into it. */
void stream_buffers_retire(struct stream_buffers *buffers, uint32_t buffer);
/* What departures pointed to has left. */
void stream_buffers_reuse(struct stream_buffers *buffers);
/* Returns the memory of some that were not needed since the last call. */
void stream_buffers_trim(struct stream_buffers *buffers);

#endif
