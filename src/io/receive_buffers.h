/*
 * receive_buffers - the memory that datagrams are received into. Shared by both engines.
 *
 * A buffer holds, in this order: what io_uring says about a message (struct io_uring_recvmsg_out), the sender's address, the
 * control messages, and the payload. What lies in front of the payload is dead once it was read: headroom for a relay's header, for
 * free.
 *
 * A buffer has 64 KiB of room, because the kernel may glue that much together (UDP_GRO), but a plain packet touches only its first
 * page. The last buffer given is the first taken, so that the working set stays small; memory that large aggregates have touched
 * goes back to the system when it is quiet.
 *
 * Owns:     one anonymous mapping.
 * Threads:  one.
 */
#ifndef UTURN_IO_RECEIVE_BUFFERS_H
#define UTURN_IO_RECEIVE_BUFFERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	BUFFER_NAME = 16, /* behind struct io_uring_recvmsg_out */
	BUFFER_NAME_SIZE = 32,
	BUFFER_CONTROL = BUFFER_NAME + BUFFER_NAME_SIZE,
	BUFFER_CONTROL_SIZE = 144,
	BUFFER_PAYLOAD = BUFFER_CONTROL + BUFFER_CONTROL_SIZE,
	BUFFER_PAYLOAD_SIZE = 65536,
	BUFFER_SIZE = BUFFER_PAYLOAD + BUFFER_PAYLOAD_SIZE, /* not a multiple of 4096: buffers start in different cache sets */
	BUFFERS_MAX = 32768,                                /* what one io_uring buffer ring takes */
	BUFFERS_DEFAULT = 1024,
};
_Static_assert(BUFFER_SIZE % 64 == 0 && BUFFER_SIZE % 4096 != 0, "cache lines, and cache sets");

struct receive_buffers {
	uint8_t *memory;
	uint16_t *free;  /* a stack */
	uint64_t *large; /* a bit per buffer: more than a plain packet has touched it */
	uint32_t count;
	uint32_t free_count;
	uint32_t large_count;
	uint32_t trim_at; /* where receive_buffers_trim goes on */
};

/* 0, or -ENOMEM. */
int receive_buffers_init(struct receive_buffers *buffers, uint32_t count) __attribute__((warn_unused_result));
void receive_buffers_done(struct receive_buffers *buffers);

static inline uint8_t *receive_buffer_at(const struct receive_buffers *buffers, uint16_t buffer)
{
	return buffers->memory + (size_t)buffer * BUFFER_SIZE;
}

/* There must be a free one. */
uint16_t receive_buffers_take(struct receive_buffers *buffers);
void receive_buffers_give(struct receive_buffers *buffers, uint16_t buffer);

/* So many bytes of payload were received into it. True when that is more than a plain packet. */
bool receive_buffers_touched(struct receive_buffers *buffers, uint16_t buffer, size_t size);

/* Returns what large aggregates have touched to the system, a few buffers a call. Their contents are lost, so no buffer may hold a
 * datagram that is still wanted. */
void receive_buffers_trim(struct receive_buffers *buffers);

#endif
