/*
 * stream - one direction of one path: what was sent on it, which part of that is measured, and what became of it. HOT.
 *
 * Measured are the packets from the first one that was sent at or after the window's start up to the first one at or after its end;
 * the sender marks these two sequence numbers, and the receiver counts by them, so that a packet counts with those that were sent
 * beside it, whenever it arrives.
 *
 * Owns:    its counters. Threads: that of the worker which sends and receives for it.
 */
#ifndef UTURN_BENCH_LOAD_STREAM_H
#define UTURN_BENCH_LOAD_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "measure/probe.h"
#include "measure/tally.h"
#include "measure/tracker.h"

/* The measured window, CLOCK_MONOTONIC; set by the coordinator, who may also bring its end forward. */
struct window {
	_Atomic uint64_t start_ns, end_ns;
};

enum stream_phase { STREAM_BEFORE, STREAM_INSIDE, STREAM_AFTER };

struct stream {
	uint32_t key;
	uint32_t next;       /* number of the next packet to be sent */
	uint32_t first, end; /* measured are first … end - 1; `first` is valid from STREAM_INSIDE on, `end` in STREAM_AFTER */
	uint32_t done;       /* closed loop: all before this one have arrived or are given up */
	uint8_t phase;       /* enum stream_phase, as of the last packet that was sent */
	bool has_latency;
	uint64_t latency_ns; /* of the packet that came before, in whatever order */
	/* Packets too short to carry a number are counted as they go out and come in. */
	uint32_t anonymous_sent, anonymous_first, anonymous_end, anonymous_arrived;
	uint64_t sent_ns; /* closed loop: when it sent last, CLOCK_MONOTONIC */
	struct stream *older, *newer;
	struct stream *ready_next; /* closed loop: waits for its turn to send, in the worker's queue */
	bool ready;
	struct tracker tracker;
};

/* A zeroed stream becomes one with a key of its own among all of a run. */
void stream_init(struct stream *s, uint64_t seed, uint32_t path, unsigned direction);

/* To be called for the packet `sequence` before it is sent at now_ns. True when it counts. */
static inline bool stream_mark(struct stream *s, uint32_t sequence, uint64_t now_ns, uint64_t start_ns, uint64_t end_ns)
{
	if (s->phase == STREAM_BEFORE && now_ns >= start_ns) {
		s->phase = STREAM_INSIDE;
		s->first = sequence;
		s->anonymous_first = s->anonymous_sent;
	}
	if (s->phase == STREAM_INSIDE && now_ns >= end_ns) {
		s->phase = STREAM_AFTER;
		s->end = sequence;
		s->anonymous_end = s->anonymous_sent;
	}
	return s->phase == STREAM_INSIDE;
}

/* True when the packet with that number was sent inside the window. */
static inline bool stream_measures(const struct stream *s, uint32_t sequence)
{
	if (s->phase == STREAM_BEFORE || (int32_t)(sequence - s->first) < 0)
		return false;
	return s->phase == STREAM_INSIDE || (int32_t)(sequence - s->end) < 0;
}

/* The newest number below `next` with these low 16 bits. */
static inline uint32_t stream_extend(uint16_t low, uint32_t next)
{
	uint32_t newest = next - 1;
	return newest - (uint16_t)(newest - low);
}

/* Packets under way, in a closed loop. */
static inline uint32_t stream_under_way(const struct stream *s)
{
	return s->next - s->done;
}

/*
 * Judges a payload that arrived at arrived_ns (CLOCK_REALTIME) and counts it in `tally` where it was sent inside the window. True
 * when it is a new one: intact, and neither a duplicate nor stale.
 */
bool stream_arrive(struct stream *s, const uint8_t *payload, size_t size, uint64_t arrived_ns, struct tally *tally);

/* Something arrived in place of a packet of this stream that is none. */
void stream_arrive_garbage(const struct stream *s, struct tally *tally);

#endif
