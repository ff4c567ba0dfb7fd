#include "capture/streams.h"

#include <stdlib.h>

enum { SIZES = UINT16_MAX + 1, MILLISECOND_NS = 1000000, SECOND_NS = 1000000000 };

static size_t stream_of(const struct script_packet *p)
{
	return (size_t)p->path * DIRECTIONS + p->direction;
}

/* The smallest size that at least `share` of the packets do not exceed. */
static uint16_t percentile(const uint32_t *counts, uint64_t packets, double share)
{
	uint64_t seen = 0;
	for (unsigned size = 0; size < SIZES; size++) {
		seen += counts[size];
		if ((double)seen >= share * (double)packets)
			return (uint16_t)size;
	}
	return UINT16_MAX;
}

static void measure(const struct script *s, const uint32_t *packets, struct capture_stream *stream, uint32_t *counts)
{
	uint64_t follows = 0, follows_same_size = 0;
	for (uint64_t i = 0; i < stream->packets; i++) {
		const struct script_packet *p = &s->packets[packets[i]];
		counts[p->size]++;
		if (p->size > stream->size_max)
			stream->size_max = p->size;
		if (i == 0)
			continue;
		const struct script_packet *before = &s->packets[packets[i - 1]];
		bool soon = p->at_ns - before->at_ns <= MILLISECOND_NS;
		follows += soon;
		follows_same_size += soon && p->size == before->size;
	}
	stream->size_p50 = percentile(counts, stream->packets, 0.5);
	stream->size_p90 = percentile(counts, stream->packets, 0.9);
	stream->follows_1ms = (double)follows / (double)stream->packets;
	stream->follows_1ms_same_size = (double)follows_same_size / (double)stream->packets;
	for (uint64_t i = 0; i < stream->packets; i++)
		counts[s->packets[packets[i]].size] = 0;
}

bool streams_measure(const struct script *s, struct capture_path *paths)
{
	size_t streams = s->path_count * DIRECTIONS;
	uint32_t *counts = calloc(SIZES, sizeof *counts);
	uint32_t *order = calloc(s->packet_count + 1, sizeof *order); /* the packets of one stream after those of another */
	size_t *next = calloc(streams + 1, sizeof *next);
	bool done = counts != NULL && order != NULL && next != NULL;
	if (done) {
		for (size_t i = 0; i < streams; i++)
			next[i + 1] = next[i] + paths[i / DIRECTIONS].streams[i % DIRECTIONS].packets;
		for (size_t i = 0; i < s->packet_count; i++)
			order[next[stream_of(&s->packets[i])]++] = (uint32_t)i;
		for (size_t i = 0; i < streams; i++) {
			struct capture_stream *stream = &paths[i / DIRECTIONS].streams[i % DIRECTIONS];
			if (stream->packets > 0)
				measure(s, order + (next[i] - stream->packets), stream, counts);
		}
	}
	free(counts);
	free(order);
	free(next);
	return done;
}

uint64_t streams_loop_ns(const struct script *s)
{
	uint64_t last_ns = s->packets[s->packet_count - 1].at_ns;
	if (last_ns == 0)
		return SECOND_NS;
	uint64_t gap_ns = last_ns / (s->packet_count - 1);
	return last_ns + (gap_ns > 0 ? gap_ns : 1);
}

uint64_t streams_gap_max_ns(const struct script *s)
{
	uint64_t gap_ns = 0;
	for (size_t i = 1; i < s->packet_count; i++)
		if (s->packets[i].at_ns - s->packets[i - 1].at_ns > gap_ns)
			gap_ns = s->packets[i].at_ns - s->packets[i - 1].at_ns;
	return gap_ns;
}
