/*
 * train_private - what the engines need of trains beyond the public interface.
 */
#ifndef UTURN_IO_TRAIN_PRIVATE_H
#define UTURN_IO_TRAIN_PRIVATE_H

#include "io/train.h"

/* As trains_append, each packet into a train of its own that nothing joins. */
unsigned trains_append_alone(struct trains *t, const struct departure *departure, unsigned from);

/* Nothing joins the trains so far: the kernel is about to read them. */
void trains_close_all(struct trains *t);

/* Whether any train leaves from this socket. */
bool trains_use(const struct trains *t, uint32_t socket);

/* Walks the segments of a train, each as the part of its I/O vectors that holds it. Zero-initialise, then set `train`. */
struct segment_walk {
	const struct train *train;
	uint32_t bytes; /* behind us */
	uint16_t iov;   /* where the next segment starts */
	size_t iov_offset;
};

/* Header, payload, padding. */
enum { SEGMENT_IOV_MAX = 3 };

/* How many of `iov` were filled; 0 behind the last segment. Not for an empty packet. */
unsigned segment_next(struct segment_walk *walk, struct iovec iov[static SEGMENT_IOV_MAX]);

#endif
