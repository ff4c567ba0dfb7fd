#include "load/stream.h"

void stream_init(struct stream *s, uint64_t seed, uint32_t path, unsigned direction)
{
	/* The finish of splitmix64 is one to one: streams of a run differ before the upper half is cut off. */
	uint64_t mixed = seed * UINT64_C(0x9e3779b97f4a7c15) + ((uint64_t)path << 1 | direction);
	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	s->key = (uint32_t)(mixed >> 32);
}

/* A clock that was set back between the two readings must not make a huge latency. */
static void count_latency(struct stream *s, uint64_t sent_ns, uint64_t arrived_ns, struct tally *tally)
{
	uint64_t latency_ns = arrived_ns > sent_ns ? arrived_ns - sent_ns : 0;
	histogram_record(&tally->latency, latency_ns);
	if (s->has_latency)
		histogram_record(
			&tally->jitter, latency_ns > s->latency_ns ? latency_ns - s->latency_ns : s->latency_ns - latency_ns);
	s->has_latency = true;
	s->latency_ns = latency_ns;
}

static bool arrive_anonymous(struct stream *s, size_t size, struct tally *tally)
{
	uint32_t number = s->anonymous_arrived++;
	if (s->done != s->next)
		s->done++;
	if (s->phase == STREAM_BEFORE || (int32_t)(number - s->anonymous_first) < 0)
		return true;
	uint32_t end = s->phase == STREAM_AFTER ? s->anonymous_end : s->anonymous_sent;
	if ((int32_t)(number - end) < 0) {
		tally_count(&tally->delivered, 1);
		tally_count(&tally->delivered_bytes, size);
	}
	return true;
}

bool stream_arrive(struct stream *s, const uint8_t *payload, size_t size, uint64_t arrived_ns, struct tally *tally)
{
	struct probe probe;
	enum probe_verdict verdict = probe_check(payload, size, s->key, &probe);
	if (verdict == PROBE_CORRUPT) {
		stream_arrive_garbage(s, tally);
		return false;
	}
	if (verdict == PROBE_ANONYMOUS)
		return arrive_anonymous(s, size, tally);
	if (verdict == PROBE_SHORT)
		probe.sequence = stream_extend((uint16_t)probe.sequence, s->next);
	enum arrival arrival = tracker_record(&s->tracker, probe.sequence);
	bool fresh = arrival == ARRIVAL_IN_ORDER || arrival == ARRIVAL_REORDERED;
	if (arrival == ARRIVAL_IN_ORDER && (int32_t)(probe.sequence + 1 - s->done) > 0)
		s->done = probe.sequence + 1;
	if (!stream_measures(s, probe.sequence))
		return fresh;
	if (!fresh) {
		tally_count(arrival == ARRIVAL_DUPLICATE ? &tally->duplicated : &tally->stale, 1);
		return false;
	}
	tally_count(&tally->delivered, 1);
	tally_count(&tally->delivered_bytes, size);
	if (arrival == ARRIVAL_REORDERED)
		tally_count(&tally->reordered, 1);
	if (verdict == PROBE_GOOD)
		count_latency(s, probe.sent_ns, arrived_ns, tally);
	return true;
}

void stream_arrive_garbage(const struct stream *s, struct tally *tally)
{
	if (s->phase == STREAM_INSIDE)
		tally_count(&tally->corrupted, 1);
}
